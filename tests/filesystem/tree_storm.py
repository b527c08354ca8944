"""Makes, renames, swaps, moves in and out and removes directories while files arrive, by a seed.

A program of its own, so that it truly runs beside the watcher: python tree_storm.py ROOT OUTSIDE
SEED OPERATIONS.
"""

import os
import random
import shutil
import sys
from collections.abc import Callable
from pathlib import Path


class Storm:
    """One run over one tree; names are never used twice but by `swap`."""

    def __init__(self, root: Path, outside: Path, seed: int, content: bytes = b"x") -> None:
        self._content = content
        self._root = root
        self._outside = outside
        self._random = random.Random(seed)  # noqa: S311 -- a storm that can be repeated
        self._count = 0

    def run(self, operations: int) -> None:
        """So many operations, as fast as they go."""
        what: list[Callable[[Path], None]] = [*[self.file] * 20, *[self.files] * 8]
        what += [self.directory] * 8 + [self.nested] * 4 + [self.rename_file] * 6
        what += [self.move] * 6 + [self.move_in] * 5 + [self.swap] * 3
        what += [self.move_out] * 2 + [self.remove] * 2
        for _ in range(operations):
            self._random.choice(what)(self._random.choice(self._directories()))

    def file(self, here: Path) -> None:
        """A file, written and closed."""
        (here / self._new(".jpg")).write_bytes(self._content)

    def files(self, here: Path) -> None:
        """Ten of them."""
        for _ in range(10):
            self.file(here)

    def directory(self, here: Path) -> None:
        """A directory with a file, without a pause between them."""
        made = here / self._new()
        made.mkdir()
        self.file(made)

    def nested(self, here: Path) -> None:
        """Three directories in each other, with a file in the last."""
        made = here / self._new() / self._new() / self._new()
        made.mkdir(parents=True)
        self.file(made)

    def rename_file(self, here: Path) -> None:
        """A file to another directory."""
        found = [name for name in os.listdir(here) if name.endswith(".jpg")]  # noqa: PTH208 -- names
        if found:
            target = self._random.choice(self._directories()) / self._new(".jpg")
            (here / self._random.choice(found)).rename(target)

    def move(self, here: Path) -> None:
        """A directory with all that is in it to another one."""
        target = self._random.choice(self._directories())
        if here != self._root and not target.is_relative_to(here):
            here.rename(target / self._new())

    def move_in(self, here: Path) -> None:
        """A tree that was filled elsewhere."""
        made = self._outside / self._new()
        (made / "below").mkdir(parents=True)
        self.file(made)
        self.file(made / "below")
        made.rename(here / self._new())

    def move_out(self, here: Path) -> None:
        """A directory out of the root; it goes on living there."""
        if here != self._root:
            gone = self._outside / self._new()
            here.rename(gone)
            self.file(gone)

    def remove(self, here: Path) -> None:
        """A directory and all below it, unless few are left."""
        if here != self._root and len(self._directories()) > 5:
            shutil.rmtree(here)

    def swap(self, here: Path) -> None:
        """A directory aside, and a new one in its place."""
        if here != self._root:
            here.rename(here.parent / self._new())
            here.mkdir()
            self.file(here)

    def _directories(self) -> list[Path]:
        return [Path(here) for here, _, _ in os.walk(self._root)]

    def _new(self, suffix: str = "") -> str:
        self._count += 1
        return f"{self._count}{suffix}"


if __name__ == "__main__":
    Storm(Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3])).run(int(sys.argv[4]))
