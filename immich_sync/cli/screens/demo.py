"""The demo's two screens: a live table on a terminal, plain lines elsewhere.

Its own module because what happens does not depend on how it is shown.
"""

from pathlib import Path

from rich import box, live
from rich.console import Console, Group, RenderableType
from rich.spinner import Spinner
from rich.table import Table
from rich.text import Text

from immich_sync.cli.demonstration import IN_IMMICH, Photo, Stage
from immich_sync.cli.screens import words

_AROUND = 12
"""Lines of a terminal that are not rows of the table."""


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
        what = _what(photo).plain
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

    def __init__(self) -> None:
        self._console = Console(highlight=False)
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
        parts: list[RenderableType] = []
        if self._stage is not None:
            url, data, photos = self._stage.url, self._stage.data, self._stage.photos
            parts.append(
                Text.assemble(
                    ("immich-sync demo", "bold"), "\n",
                    "server  ", (url, "cyan"), f"  an Immich in small, stores in {data}\n",
                    "folder  ", (str(photos), "cyan"), "  watched by the real daemon",
                )
            )  # fmt: skip
        parts.append(self._table())
        parts.append(self._footer())
        return Group(*parts)

    def _table(self) -> Table:
        table = Table(box=box.SIMPLE_HEAD, pad_edge=False, header_style="bold")
        table.add_column("photo", overflow="ellipsis", no_wrap=True)
        table.add_column("size", justify="right", no_wrap=True)
        table.add_column("album", overflow="ellipsis", no_wrap=True)
        table.add_column("", no_wrap=True)
        table.add_column("took", justify="right", no_wrap=True)
        room = max(3, self._console.height - _AROUND)
        for photo in list(self._photos.values())[-room:]:
            table.add_row(
                photo.name,
                words.size(photo.size),
                photo.album or "",
                Spinner("dots", style="cyan") if photo.event == "arrived" else _what(photo),
                "" if photo.seconds is None else words.span(photo.seconds),
            )
        return table

    def _footer(self) -> Text:
        if self._took is None or self._stage is None:
            arrived = sum(photo.event in IN_IMMICH for photo in self._photos.values())
            return Text(f"{arrived} of {len(self._photos)} in Immich …", "dim")
        news = Text(
            f"✓ All {self._stage.samples} samples are in Immich, verified, "
            f"{words.span(self._took)} after the first one arrived.",
            "green",
        )
        if not self._over:
            news.append("\nNow drop another one: ", "default")
            news.append(f"cp some-photo.jpg {self._stage.photos}/", "bold default")
            news.append("    Ctrl-C ends the demo.", "dim default")
        return news


def _what(photo: Photo) -> Text:
    if photo.event in IN_IMMICH and photo.proved:
        return Text("✓ verified", "green")
    if photo.event in IN_IMMICH:
        return Text("? not found on the server", "red")
    return Text(f"{photo.event.replace('_', ' ')} {photo.detail}".rstrip(), "yellow")


def _farewell(kept: Path | None) -> str:
    if kept is None:
        return "The demo is over; its folder and its server are gone."
    return f"The demo is over; photos, server and state are kept in {kept}."
