"""Makes docs/demo.svg, the README's picture: `python -m tests.picture`.

Its own module because the picture shows what the real demo shows, and has to be made anew when that
changes.
"""

import io
import re
from pathlib import Path

import anyio
from rich.console import Console

from immich_sync.cli.demonstration import Photo, Stage, demonstrate
from immich_sync.cli.screens.demo import Live

FILE = Path(__file__).parent.parent / "docs" / "demo.svg"
WIDTH, HEIGHT = 92, 40
_FONT_FACES = re.compile(r"\s*@font-face \{.*?\}", re.DOTALL)
_LINE_ENDS = re.compile(r"[ \t]+$", re.MULTILINE)


class Camera:
    """The demo's own screen, with a photograph of it at the end."""

    def __init__(self) -> None:
        self.photograph = ""
        self._screen = Live(_terminal())

    def open(self, stage: Stage) -> None:
        """As the screen does it."""
        self._screen.open(stage)

    def photo(self, photo: Photo) -> None:
        """As the screen does it."""
        self._screen.photo(photo)

    def samples_are_in(self, seconds: float) -> None:
        """All that it shows stands there now: the moment for the photograph."""
        self._screen.samples_are_in(seconds)
        film = _terminal()
        film.print(self._screen.picture())
        self.photograph = film.export_svg(title="immich-sync demo", unique_id="demo")

    def close(self, kept: Path | None) -> None:
        """As the screen does it."""
        self._screen.close(kept)


def _terminal() -> Console:
    return Console(
        record=True, force_terminal=True, color_system="truecolor", highlight=False,
        width=WIDTH, height=HEIGHT, file=io.StringIO(),
    )  # fmt: skip


async def main() -> None:
    """Run the demo once and keep its picture; without fonts from anywhere else."""
    camera = Camera()
    await demonstrate(camera, once=True, keep=False)
    plain = _LINE_ENDS.sub("", _FONT_FACES.sub("", camera.photograph))
    await anyio.Path(FILE).write_text(plain, encoding="utf-8")


if __name__ == "__main__":
    anyio.run(main)
