"""Where a download goes: its name, what lies there already, and what becomes of that.

Its own module because it is decided once, before the first byte, and downloads that run side by
side have to agree about it.
"""

import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import Enum, auto
from itertools import count
from pathlib import Path
from typing import Literal, get_args

import anyio

from immich_sync.core.errors import FileTrouble
from immich_sync.core.filenames import chosen, numbered
from immich_sync.core.naming import shown
from immich_sync.core.ports import Blocking, Lane
from immich_sync.filesystem.claiming import in_the_way, tidy
from immich_sync.filesystem.landing import checksum_of
from immich_sync.immich.download import Info, Part

OnExists = Literal["error", "skip", "overwrite", "rename"]
HOLES = 16
"""Second names in a row that nothing bears, after which no further one is looked for."""
WRITING = Lane("receive", 8)
_CLOCKS_APART = 1.5  # seconds that file systems and headers may round a time by


@dataclass(frozen=True, slots=True)
class Destination:
    """Where files go, and what becomes of others that are in the way; `folder` is made.

    With `searched`, a file that is there already is found under its second names as well, before
    anything is done about another one that has its first.
    """

    folder: Path
    filename: str | None = None
    on_exists: OnExists = "error"
    searched: bool = False
    taken: set[Path] = field(default_factory=set)  # by files of the same run
    looking: dict[Path, anyio.Lock] = field(default_factory=dict)  # one at a time looks at a path

    def __post_init__(self) -> None:
        if self.on_exists not in get_args(OnExists):
            raise ValueError(f"on_exists must be one of {', '.join(get_args(OnExists))}")


class Lies(Enum):
    """What lies at a spot."""

    NOTHING = auto()  # or what is to be overwritten
    ITSELF = auto()  # the very file
    ANOTHER = auto()  # which stays


@dataclass(frozen=True, slots=True)
class Spot:
    """A path for a download; unless another file stays there, it is this download's alone."""

    path: Path
    lies: Lies


@dataclass(frozen=True, slots=True)
class Placing:
    """One file to be placed; `modified` in wall-clock seconds, if anybody knows."""

    blocking: Blocking
    destination: Destination
    part: Part
    base: str  # its name where nobody knows a better one
    info: Info | None
    modified: float | None

    async def place(self) -> Spot:
        """Where it goes. Raises InTheWay, other FileTrouble, ValueError if the name is none."""
        destination = self.destination
        name = chosen(
            destination.filename,
            disposition=self.part.disposition,
            content_type=self.part.content_type,
            base=self.base,
        )
        await self.blocking(WRITING, _make, destination.folder)
        if destination.searched and (found := await self._found(name)):
            return Spot(found, Lies.ITSELF)
        return await self._choose(name)

    async def _found(self, name: str) -> Path | None:
        """Where the file lies, under its name or a second one."""
        for target in await self.blocking(WRITING, _existing, self._names(name)):
            async with self._alone(target):
                if target not in self.destination.taken and await self._is_there(target):
                    return target
        return None

    async def _choose(self, name: str) -> Spot:
        destination = self.destination
        for target in self._names(name):
            async with self._alone(target):
                if target in destination.taken:
                    continue
                if await self.blocking(WRITING, os.path.lexists, target):
                    if await self._is_there(target):
                        return Spot(target, Lies.ITSELF)
                    match destination.on_exists:
                        case "skip":
                            return Spot(target, Lies.ANOTHER)
                        case "error":
                            raise in_the_way(target)
                        case "rename":
                            continue
                destination.taken.add(target)
                return Spot(target, Lies.NOTHING)
        raise AssertionError("there is no end of names")

    def _names(self, name: str) -> Iterator[Path]:
        yield self.destination.folder / name
        for number in count(2):
            yield self.destination.folder / numbered(name, number)

    def _alone(self, target: Path) -> anyio.Lock:
        """Held while it is found out what lies there: who comes second must see what came of it."""
        return self.destination.looking.setdefault(target, anyio.Lock())

    async def _is_there(self, target: Path) -> bool:
        """Whether the very file lies there; then it is this download's."""
        same = await self.blocking(
            WRITING, _is_same, target, self.part.total, self.info, self.modified
        )
        if same:
            self.destination.taken.add(target)
            await self.blocking(WRITING, tidy, target)
        return same


def _existing(names: Iterator[Path]) -> list[Path]:
    """Those of the names that are there, until HOLES in a row are not."""
    found, missing = [], 0
    while missing < HOLES:
        name = next(names)
        there = os.path.lexists(name)
        missing = 0 if there else missing + 1
        if there:
            found.append(name)
    return found


def _make(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        name = shown(bytes(folder))
        raise FileTrouble(f"The folder {name} cannot be made: {error.strerror}.") from error


def _is_same(target: Path, total: int | None, info: Info | None, modified: float | None) -> bool:
    """Whether what lies there is what would come: by its checksum, else by size and time."""
    try:
        found = target.stat()
    except OSError:
        return False
    if not target.is_file() or (total is not None and found.st_size != total):
        return False
    if info is not None and info.checksum is not None:
        return checksum_of(target) == info.checksum
    return (
        total is not None
        and modified is not None
        and abs(found.st_mtime - modified) < _CLOCKS_APART
    )
