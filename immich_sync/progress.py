"""How far an upload or a download has come: told by those who work, shown to whoever asked.

Its own module because the library must not know whether a terminal is there, and drawing bars
costs an import that most callers do not want.
"""

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol, Self, TextIO

EVERY = 5.0
"""Seconds between two lines where there is no terminal to draw on."""
_UNITS = ("B", "kB", "MB", "GB", "TB")


class Progress(Protocol):
    """What is told while files go up or come down; sizes in bytes."""

    def expect(self, files: int, size: int | None) -> None:
        """So much more is known to be there; None: how large it is, nobody knows beforehand."""
        ...

    def moved(self, size: int) -> None:
        """So much more has gone through; a negative number takes back what is to go again."""
        ...

    def passed(self, size: int) -> None:
        """So much more need not go through, or cannot."""
        ...

    def finished(self, files: int = 1) -> None:
        """So many more files are done with: came down, or went up well or badly."""
        ...


class Silent:
    """Shows nothing."""

    def expect(self, files: int, size: int | None) -> None:
        """Nothing happens."""

    def moved(self, size: int) -> None:
        """Nothing happens."""

    def passed(self, size: int) -> None:
        """Nothing happens."""

    def finished(self, files: int = 1) -> None:
        """Nothing happens."""


class Lines:
    """A line now and then, and one at the end: for logs and for terminals that draw nothing."""

    def __init__(self, title: str, stream: TextIO, *, every: float = EVERY) -> None:
        self._title = title
        self._stream = stream
        self._every = every
        self._begun = self._said = time.monotonic()
        self._files = self._done = self._moved = self._passed = 0
        self._size: int | None = 0  # None: nobody knows

    def expect(self, files: int, size: int | None) -> None:
        """The totals grow."""
        self._files += files
        self._size = _sum(self._size, size)

    def moved(self, size: int) -> None:
        """A line, if the last one is long ago."""
        self._moved += size
        self._now_and_then()

    def passed(self, size: int) -> None:
        """A line, if the last one is long ago."""
        self._passed += size
        self._now_and_then()

    def finished(self, files: int = 1) -> None:
        """A line, if the last one is long ago."""
        self._done += files
        self._now_and_then()

    def last(self) -> None:
        """The line at the end; a speed is that of what went through."""
        seconds = max(time.monotonic() - self._begun, 1e-3)
        speed = f", {_size(self._moved / seconds)}/s"
        print(
            f"{_title(self._title, self._moved, self._passed)}: {self._done:,} of"
            f" {self._files:,} files, {_share(self._moved + self._passed, self._size)}"
            f"{'' if self._passed and not self._moved else speed}",
            file=self._stream,
            flush=True,
        )

    def _now_and_then(self) -> None:
        now = time.monotonic()
        if now - self._said >= self._every:
            self._said = now
            self.last()


class Bars:
    """A bar with files, bytes, speed and the time left; `with` draws it."""

    def __init__(self, title: str) -> None:
        # A tenth of a second that only those who look at bars should wait for.
        from rich import progress  # noqa: PLC0415 - see above
        from rich.console import Console  # noqa: PLC0415 - see above

        self._title = title
        self._files = self._done = self._moved = self._passed = 0
        self._size: int | None = 0  # None: nobody knows
        self._drawing = progress.Progress(
            progress.TextColumn("{task.description}"),
            progress.BarColumn(),
            progress.TextColumn("{task.fields[count]}"),
            progress.TextColumn("{task.fields[share]}"),
            progress.TransferSpeedColumn(),
            progress.TimeRemainingColumn(),
            console=Console(stderr=True),
        )
        self._task = self._drawing.add_task(title, total=0, count="", share="")

    def __enter__(self) -> Self:
        self._drawing.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._size is None and self._done >= self._files:
            self._drawing.update(self._task, total=max(self._moved, 1))
        self._drawing.stop()

    def expect(self, files: int, size: int | None) -> None:
        """The bar's end moves away."""
        self._files += files
        self._size = _sum(self._size, size)
        # A total of None would leave the old one as it is.
        self._drawing.tasks[0].total = self._size
        self._tell()

    def moved(self, size: int) -> None:
        """The bar grows."""
        self._moved += size
        self._drawing.advance(self._task, size)
        self._tell()

    def passed(self, size: int) -> None:
        """The bar grows, and its speed does not."""
        self._passed += size
        self._drawing.tasks[0].completed += size
        self._tell()

    def finished(self, files: int = 1) -> None:
        """The count grows."""
        self._done += files
        self._tell()

    def _tell(self) -> None:
        count = f"{self._done:,}/{self._files:,} files"
        self._drawing.update(
            self._task,
            description=_title(self._title, self._moved, self._passed),
            count=count,
            share=_share(self._moved + self._passed, self._size),
        )


@contextmanager
def showing(title: str, *, wanted: bool) -> Iterator[Progress]:
    """Bars on a terminal, lines elsewhere, nothing if not wanted; on standard error."""
    if not wanted:
        yield Silent()
    elif sys.stderr.isatty():
        with Bars(title) as bars:
            yield bars
    else:
        lines = Lines(title, sys.stderr)
        yield lines
        lines.last()


def _title(title: str, moved: int, passed: int) -> str:
    """While nothing has had to go through, it is only looked at."""
    return "Checking" if passed and not moved else title


def _sum(known: int | None, more: int | None) -> int | None:
    return None if known is None or more is None else known + more


def _share(moved: int, total: int | None) -> str:
    return _size(moved) if total is None else f"{_size(moved)} of {_size(total)}"


def _size(number: float) -> str:
    for unit in _UNITS[:-1]:
        if abs(number) < 1000:  # noqa: PLR2004 - steps of a thousand, as the bars count
            return f"{number:.0f} B" if unit == "B" else f"{number:.1f} {unit}"
        number /= 1000
    return f"{number:.1f} {_UNITS[-1]}"
