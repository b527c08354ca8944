"""Long paths and names on narrow terminals: shortened in their middle, never folded.

Its own module because columns must keep their widths whatever stands in them.
"""

from dataclasses import dataclass

from rich.cells import cell_len, set_cell_size
from rich.console import Console, ConsoleOptions, RenderResult
from rich.measure import Measurement
from rich.text import Text

_LEAST = 8
"""Cells below which a name says nothing."""


@dataclass(frozen=True, slots=True)
class Shortened:
    """One line of text, as much of it as there is room for; rich prints it."""

    text: str
    style: str = ""

    def __rich_console__(self, _console: Console, options: ConsoleOptions) -> RenderResult:
        """The line."""
        yield Text(middle(self.text, options.max_width), self.style, no_wrap=True)

    def __rich_measure__(self, _console: Console, options: ConsoleOptions) -> Measurement:
        """From a few letters to all of it, in cells."""
        length = cell_len(self.text)
        return Measurement(min(_LEAST, length), length).with_maximum(options.max_width)


def middle(text: str, room: int) -> str:
    """`text` in at most `room` cells, cut in its middle where it is too long.

    More of the end is kept than of the beginning: it is what tells one path from the next.
    """
    if cell_len(text) <= room:
        return text
    if room < 1:
        return ""
    head = set_cell_size(text, (room - 1) // 3).rstrip()
    tail = ""
    for letter in reversed(text):
        if cell_len(letter + tail) > room - 1 - cell_len(head):
            break
        tail = letter + tail
    return f"{head}…{tail}"
