"""One file from Immich to its place on the disk: named, resumed, proved, never half of it.

Its own module because this is the whole story of a download, as `pipeline` is that of an upload.
"""

import os
import zipfile
from dataclasses import dataclass
from enum import Enum, auto
from pathlib import Path

import anyio

from immich_sync.core.errors import FileTrouble, Unreachable
from immich_sync.core.naming import shown
from immich_sync.core.ports import Blocking
from immich_sync.core.types import Checksum
from immich_sync.filesystem.landing import Landing, land_at
from immich_sync.immich.client import Call, Immich
from immich_sync.immich.download import Info, Part, opened
from immich_sync.patience import PASSES, Patience
from immich_sync.placing import WRITING, Destination, Lies, Placing, Spot
from immich_sync.progress import Progress

BLOCK = 1024 * 1024
"""Bytes written in one hop to a thread."""


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


class _Came(Enum):
    """How a request for a file ended."""

    NEVER = auto()  # it need not come, or must not: something lies there
    LATER = auto()  # part of it was: ask for the rest
    NOW = auto()  # all of it is in hand


class Download:
    """One download; `run` it once."""

    def __init__(
        self,
        immich: Immich,
        blocking: Blocking,
        progress: Progress,
        patience: Patience,
        wanted: Wanted,
        destination: Destination,
    ) -> None:
        self._immich = immich
        self._blocking = blocking
        self._progress = progress
        self._patience = patience
        self._wanted = wanted
        self._destination = destination
        self._spot = Spot(destination.folder, Lies.NOTHING)
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
                if came is _Came.NOW and not await self._proved():
                    continue
                if came is _Came.NOW:
                    await self._finish()
                skipped = self._spot.lies is Lies.ANOTHER
                verified = self._checksum is not None and not skipped
                return Arrived(self._spot.path, verified=verified, skipped=skipped)
        finally:
            if self._landing is not None:
                with anyio.CancelScope(shield=True):
                    await self._blocking(WRITING, _leave, self._landing)

    @property
    def _checksum(self) -> Checksum | None:
        return self._wanted.info.checksum if self._wanted.info else None

    async def _persist(self) -> _Came:
        """Ask until the file is there, or tries in vain bring it no further."""
        furthest = idle = 0
        while True:
            try:
                came = await self._ask()
            except PASSES as trouble:
                reached = self._landing.size if self._landing else 0
                idle = 1 if reached > furthest else idle + 1
                furthest = max(furthest, reached)
                await self._patience.wait(trouble, idle)
            else:
                self._patience.renew()
                if came is not _Came.LATER:
                    return came

    async def _ask(self) -> _Came:
        known = self._landing
        start, validator = (known.size, known.validator) if known else (0, None)
        async with opened(
            self._immich, self._wanted.call, start=start, validator=validator
        ) as part:
            if known is None:
                self._modified = self._modified or part.modified
                self._spot = await self._placing(part).place()
                if self._spot.lies is not Lies.NOTHING:
                    return _Came.NEVER
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

    def _placing(self, part: Part) -> Placing:
        wanted = self._wanted
        return Placing(
            self._blocking, self._destination, part, wanted.base, wanted.info, self._modified
        )

    async def _land(self, part: Part) -> Landing:
        """The landing, with what is left of an earlier download of the very same file."""
        landing = await self._blocking(WRITING, land_at, self._spot.path, self._wanted.identity)
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
        path = shown(os.fsencode(self._spot.path))
        raise Corrupt(
            f"{path} is not kept: what arrived is not what Immich has."
            " Something on the way may be changing it, or the server's disk may be failing."
        )

    async def _finish(self) -> None:
        landing = self._landing
        if landing is None:
            raise AssertionError("nothing is finished that has not landed")
        overwrite = self._destination.on_exists == "overwrite"
        await self._blocking(WRITING, landing.finish, self._modified, overwrite=overwrite)


def _leave(landing: Landing) -> None:
    if landing.validator is None:  # nothing could ever be put behind it
        landing.discard()
    landing.close()
