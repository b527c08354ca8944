"""One file from Immich to its place on the disk: named, resumed, proved, never half of it.

Its own module because this is the whole story of a download, as `pipeline` is that of an upload.
"""

import os
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import Enum, auto
from itertools import count
from pathlib import Path
from typing import Literal, get_args

import anyio

from immich_sync.core.errors import FileTrouble, Overloaded, Unreachable
from immich_sync.core.filenames import chosen, numbered
from immich_sync.core.naming import shown
from immich_sync.core.ports import Blocking, Lane
from immich_sync.core.types import Checksum
from immich_sync.filesystem.landing import Landing, checksum_of, in_the_way, land_at, tidy
from immich_sync.immich.client import Call, Immich
from immich_sync.immich.download import Info, Part, opened
from immich_sync.progress import Progress

OnExists = Literal["error", "skip", "overwrite", "rename"]
BLOCK = 1024 * 1024
"""Bytes written in one hop to a thread."""
TRIES = 3
"""Connections in a row that broke before any of them got further than the one before."""
PAUSE = 0.25
"""Seconds before the first of them is followed by another, four times as long before the next."""
HOLES = 16
"""Second names in a row that nothing bears, after which no further one is looked for."""
WRITING = Lane("receive", 8)
_CLOCKS_APART = 1.5  # seconds that file systems and headers may round a time by


class Corrupt(FileTrouble):
    """What arrived is not what Immich says that it has."""


class Unprovable(FileTrouble):
    """Nobody could tell whether all of it arrived."""


@dataclass(frozen=True, slots=True)
class Arrived:
    """Where a download ended: at its own file, or at another one that stays (`skipped`)."""

    path: Path
    verified: bool  # whether its bytes hash to what the server says of the asset
    skipped: bool = False


@dataclass(frozen=True, slots=True)
class Wanted:
    """One file to be had."""

    call: Call
    base: str  # its name where nobody knows a better one
    identity: str  # what its bytes are of: no others are put behind them
    info: Info | None = None  # of an original: what proves it
    is_zip: bool = False


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


class _Came(Enum):
    """How a request for a file ended."""

    BEFORE = auto()  # the file was there already
    NEVER = auto()  # another file is there, and stays
    LATER = auto()  # part of it was: ask for the rest
    NOW = auto()  # all of it is in hand


class Download:
    """One download; `run` it once."""

    def __init__(
        self,
        immich: Immich,
        blocking: Blocking,
        progress: Progress,
        wanted: Wanted,
        destination: Destination,
    ) -> None:
        self._immich = immich
        self._blocking = blocking
        self._progress = progress
        self._wanted = wanted
        self._destination = destination
        self._target = destination.folder
        self._landing: Landing | None = None
        self._leftovers = False  # an earlier download's bytes are among those in hand
        self._modified = wanted.info.modified if wanted.info else None

    async def run(self) -> Arrived:
        """The file is there, whole, or was before; or another one is that was to be left alone.

        A connection that breaks is followed by another, which goes on where it broke. Raises
        InTheWay, Corrupt, Unprovable and other FileTrouble, Unavailable, ServerTrouble; what has
        arrived until then is kept for the next call. Raises ValueError if the given name is none.
        """
        try:
            while True:
                came = await self._persist()
                if came is _Came.NEVER:
                    return Arrived(self._target, verified=False, skipped=True)
                if came is _Came.NOW and not await self._proved():
                    continue
                if came is _Came.NOW:
                    await self._finish()
                return Arrived(self._target, verified=self._checksum is not None)
        finally:
            if self._landing is not None:
                with anyio.CancelScope(shield=True):
                    await self._blocking(WRITING, _leave, self._landing)

    @property
    def _checksum(self) -> Checksum | None:
        return self._wanted.info.checksum if self._wanted.info else None

    async def _persist(self) -> _Came:
        """Ask until the file is there, or connections break without getting any further."""
        furthest = idle = 0
        while True:
            try:
                came = await self._ask()
            except (Unreachable, Overloaded):
                if self._landing is None:
                    raise
                idle = 1 if self._landing.size > furthest else idle + 1
                furthest = max(furthest, self._landing.size)
                if idle >= TRIES:
                    raise
                await anyio.sleep(PAUSE * 4.0 ** (idle - 1))
            else:
                if came is not _Came.LATER:
                    return came

    async def _ask(self) -> _Came:
        known = self._landing
        start, validator = (known.size, known.validator) if known else (0, None)
        async with opened(
            self._immich, self._wanted.call, start=start, validator=validator
        ) as part:
            if known is None:
                if (place := await self._placed(part)) is not None:
                    return place
                self._demand_an_end(part)
                landing = await self._land(part)
                if self._leftovers:
                    return _Came.NOW if landing.size == part.total else _Came.LATER
            else:
                landing = known
                self._demand_an_end(part)
                if part.start != landing.size:
                    await self._restart(landing)
            await self._blocking(WRITING, landing.begin, part.validator)
            await self._receive(landing, part)
        return _Came.NOW

    def _demand_an_end(self, part: Part) -> None:
        if part.delimited or self._checksum is not None:
            return
        raise Unprovable(
            f"The answer does not say where it ends while {self._wanted.call.what}, so nobody could"
            " tell whether all of it arrived; nothing was saved. A proxy in between may be"
            " speaking HTTP/1.0: let it speak HTTP/1.1."
        )

    async def _placed(self, part: Part) -> _Came | None:
        """Where the file goes is decided; how that ended, if nothing has to come."""
        destination = self._destination
        name = chosen(
            destination.filename,
            disposition=part.disposition,
            content_type=part.content_type,
            base=self._wanted.base,
        )
        self._modified = self._modified or part.modified
        await self._blocking(WRITING, _make, destination.folder)
        if destination.searched and await self._found(name, part):
            return _Came.BEFORE
        return await self._choose(name, part)

    async def _found(self, name: str, part: Part) -> bool:
        """Whether the file lies there under its name or a second one."""
        for target in await self._blocking(WRITING, _existing, self._names(name)):
            async with self._alone(target):
                if target not in self._destination.taken and await self._is_there(target, part):
                    return True
        return False

    async def _choose(self, name: str, part: Part) -> _Came | None:
        destination = self._destination
        for target in self._names(name):
            async with self._alone(target):
                if target in destination.taken:
                    continue
                self._target = target
                if await self._blocking(WRITING, os.path.lexists, target):
                    if await self._is_there(target, part):
                        return _Came.BEFORE
                    match destination.on_exists:
                        case "skip":
                            return _Came.NEVER
                        case "error":
                            raise in_the_way(target)
                        case "rename":
                            continue
                destination.taken.add(target)
                return None
        raise AssertionError("there is no end of names")

    def _names(self, name: str) -> Iterator[Path]:
        yield self._destination.folder / name
        for number in count(2):
            yield self._destination.folder / numbered(name, number)

    def _alone(self, target: Path) -> anyio.Lock:
        """Held while it is found out what lies there: who comes second must see what came of it."""
        return self._destination.looking.setdefault(target, anyio.Lock())

    async def _is_there(self, target: Path, part: Part) -> bool:
        """Whether the very file lies there; then it is this download's."""
        same = await self._blocking(
            WRITING, _is_same, target, part.total, self._wanted.info, self._modified
        )
        if same:
            self._target = target
            self._destination.taken.add(target)
            await self._blocking(WRITING, tidy, target)
        return same

    async def _land(self, part: Part) -> Landing:
        """The landing, with what is left of an earlier download of the very same file."""
        landing = await self._blocking(WRITING, land_at, self._target, self._wanted.identity)
        self._landing = landing
        self._progress.expect(0, part.total)
        self._progress.moved(landing.size)
        self._leftovers = landing.size > 0
        same = landing.validator == part.validator
        if self._leftovers and not (same and landing.size <= (part.total or 0)):
            await self._restart(landing)
        return landing

    async def _restart(self, landing: Landing) -> None:
        self._progress.moved(-landing.size)
        self._leftovers = False
        await self._blocking(WRITING, landing.restart)

    async def _receive(self, landing: Landing, part: Part) -> None:
        """The rest of the file is in hand. Raises Unreachable with what came until then kept."""
        waiting = bytearray()
        try:
            async for piece in part.pieces:
                waiting += piece
                self._progress.moved(len(piece))
                if len(waiting) >= BLOCK:
                    block, waiting = bytes(waiting), bytearray()
                    await self._blocking(WRITING, landing.write, block)
        except Unreachable:
            await self._blocking(WRITING, landing.write, bytes(waiting))
            raise
        await self._blocking(WRITING, landing.write, bytes(waiting))
        if part.total is not None and landing.size != part.total:
            raise Unreachable(f"The connection ended too early while {self._wanted.call.what}.")

    async def _proved(self) -> bool:
        """Whether the bytes are the right ones; with leftovers among them, another go is had.

        Raises Corrupt.
        """
        landing, wanted = self._landing, self._wanted
        if landing is None:
            raise AssertionError("nothing is proved that has not landed")
        checksum = self._checksum
        if checksum is None or landing.checksum() == checksum:
            if not wanted.is_zip or await self._blocking(WRITING, zipfile.is_zipfile, landing.temp):
                return True
        elif self._leftovers:
            await self._restart(landing)
            return False
        await self._blocking(WRITING, landing.restart)
        raise Corrupt(
            f"{shown(os.fsencode(self._target))} is not kept: what arrived is not what Immich has."
            " Something on the way may be changing it, or the server's disk may be failing."
        )

    async def _finish(self) -> None:
        landing = self._landing
        if landing is None:
            raise AssertionError("nothing is finished that has not landed")
        overwrite = self._destination.on_exists == "overwrite"
        await self._blocking(WRITING, landing.finish, self._modified, overwrite=overwrite)


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


def _leave(landing: Landing) -> None:
    if landing.validator is None:  # nothing could ever be put behind it
        landing.discard()
    landing.close()


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
