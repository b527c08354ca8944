"""The demo's two screens: a live table on a terminal, plain lines elsewhere.

Its own module because what happens does not depend on how it is shown.
"""

from pathlib import Path

from rich import box, live
from rich.console import Console, Group, RenderableType
from rich.padding import Padding
from rich.spinner import Spinner
from rich.table import Table
from rich.text import Text

from immich_sync.cli.demonstration import IN_IMMICH, Photo, Stage
from immich_sync.cli.screens import words
from immich_sync.cli.screens.shortening import Shortened

_AROUND = 15
"""Lines of a terminal that are not rows of the table."""
_LEAST_ROWS = 3
_TROUBLES = 3
"""Troubles told in words at a time; the latest."""
_SIZE, _STATE, _TOOK = 8, 11, 6
"""Cells of the columns that are never cut."""


class Plain:
    """A line for each photo, where nobody watches."""

    def __init__(self) -> None:
        self._in = 0
        self._console = Console(highlight=False, soft_wrap=True)

    def open(self, stage: Stage) -> None:
        """Say what is where."""
        self._say(f"A small Immich runs at {stage.url} and stores in {stage.data}.")
        self._say(f"The daemon watches {stage.photos}; {stage.samples} sample photos arrive there.")

    def photo(self, photo: Photo) -> None:
        """A line once it is decided what became of it."""
        if photo.event == "arrived":
            return
        self._in += photo.event in IN_IMMICH
        album = f"album {photo.album}" if photo.album else "no album"
        took = "" if photo.seconds is None else words.span(photo.seconds)
        what = " ".join(filter(None, (_what(photo).plain, photo.detail)))
        self._say(f"{what}  {photo.name}  {words.size(photo.size)}  {album}  {took}".rstrip())

    def samples_are_in(self, seconds: float) -> None:
        """The good news."""
        self._say(
            f"All {words.count(self._in, 'sample')} are in Immich, verified, "
            f"after {words.span(seconds)}."
        )

    def close(self, kept: Path | None) -> None:
        """Where things are now."""
        self._say(_farewell(kept))

    def _say(self, line: str) -> None:
        self._console.print(line, markup=False)


class Live:
    """A table that grows as photos arrive, with what to do next below it."""

    def __init__(self, console: Console | None = None) -> None:
        self._console = console or Console(highlight=False)
        self._photos: dict[str, Photo] = {}
        self._stage: Stage | None = None
        self._took: float | None = None
        self._over = False
        self._live = live.Live(
            console=self._console, refresh_per_second=12, get_renderable=self.picture
        )

    def open(self, stage: Stage) -> None:
        """From here on the terminal is ours."""
        self._stage = stage
        self._live.start()

    def photo(self, photo: Photo) -> None:
        """A row, new or changed."""
        self._photos[photo.name] = photo

    def samples_are_in(self, seconds: float) -> None:
        """The good news."""
        self._took = seconds

    def close(self, kept: Path | None) -> None:
        """The table stays, the terminal is given back."""
        self._over = True
        self._live.stop()
        self._console.print(_farewell(kept), markup=False)

    def picture(self) -> RenderableType:
        """What stands on the terminal just now."""
        troubles = self._troubles()
        head = () if self._stage is None else _head(self._stage)
        table = self._table(max(_LEAST_ROWS, self._console.height - _AROUND - len(troubles)))
        return Group(*head, Text(), table, *troubles, Text(), self._footer())

    def _table(self, rows: int) -> Table:
        table = Table(
            box=box.SIMPLE_HEAD,
            show_edge=False,
            pad_edge=False,
            padding=(0, 1, 0, 0),
            header_style="bold",
            expand=True,
        )
        # Widths that follow from the terminal alone: no column jumps as rows come in.
        table.add_column("photo", ratio=2, no_wrap=True)
        table.add_column("size", width=_SIZE, justify="right", no_wrap=True)
        table.add_column("album", ratio=1, no_wrap=True)
        table.add_column("", width=_STATE, no_wrap=True)
        table.add_column("took", width=_TOOK, justify="right", no_wrap=True)
        for photo in list(self._photos.values())[-rows:]:
            table.add_row(
                Shortened(photo.name),
                words.size(photo.size),
                Shortened(photo.album or ""),
                Spinner("dots", style="cyan") if photo.event == "arrived" else _what(photo),
                "" if photo.seconds is None else words.span(photo.seconds),
            )
        return table

    def _troubles(self) -> list[RenderableType]:
        """A line for each of the latest photos that something is said about."""
        said = [one for one in self._photos.values() if one.detail and one.event not in IN_IMMICH]
        return [Shortened(f"{one.name}: {one.detail}", "yellow") for one in said[-_TROUBLES:]]

    def _footer(self) -> RenderableType:
        if self._took is None or self._stage is None:
            arrived = sum(photo.event in IN_IMMICH for photo in self._photos.values())
            return Text(f"{arrived} of {len(self._photos)} in Immich …", "dim")
        news = Text(
            f"✓ All {self._stage.samples} samples are in Immich, verified, "
            f"{words.span(self._took)} after the first one arrived.",
            "green",
        )
        if self._over:
            return news
        return Group(
            news,
            Text("Now drop another one (Ctrl-C ends the demo):"),
            Text(f"  cp some-photo.jpg {self._stage.photos}/", "bold", overflow="fold"),
            Text(
                "What is empty or cut off waits ten minutes; what is no photo never shows.", "dim"
            ),
        )


def _head(stage: Stage) -> tuple[RenderableType, ...]:
    """Where everything is, a line each; what people may want to copy is never shortened."""
    return (
        Text("immich-sync demo", "bold"),
        Text.assemble("server  ", (stage.url, "cyan"), "  a small Immich; stores in"),
        Padding(Shortened(str(stage.data), "cyan"), (0, 0, 0, 8)),
        Text("folder  watched by the real daemon:"),
        Padding(Text(str(stage.photos), "cyan", overflow="fold"), (0, 0, 0, 8)),
    )


def _what(photo: Photo) -> Text:
    if photo.event in IN_IMMICH and photo.proved:
        return Text("✓ verified", "green")
    if photo.event in IN_IMMICH:
        return Text("? not there", "red")
    return Text(photo.event.replace("_", " "), "yellow")


def _farewell(kept: Path | None) -> str:
    if kept is None:
        return "The demo is over; its folder and its server are gone."
    return f"The demo is over; photos, server and state are kept in {kept}."
