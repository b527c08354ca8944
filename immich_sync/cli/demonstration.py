"""The demo itself: a server, a folder, the daemon, and photos that arrive one by one.

Its own module because this is a little program over the whole, and what it shows on is given.
"""

import hashlib
import math
import os
import shutil
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Protocol

import anyio
import anyio.to_thread
from anyio.streams.memory import MemoryObjectReceiveStream

from immich_sync import daemon
from immich_sync.cli.options import logging_for
from immich_sync.core.folder import Account, Folder, Limits, Setup
from immich_sync.core.naming import album_name, shown
from immich_sync.core.types import Activity, Secret
from immich_sync.engine import Engine
from immich_sync.sandbox import Sandbox
from immich_sync.sandbox.sample_files import copy_samples

PACE = 0.25
"""Seconds between two samples: photos that come one by one can be followed by eye."""
PATIENCE = 60.0
"""Seconds within which the samples are in, or something is wrong."""
ALBUM = "{parent}"
IN_IMMICH = frozenset({"uploaded", "already_there"})


@dataclass(frozen=True, slots=True)
class Stage:
    """Where everything is, for people."""

    photos: Path
    url: str
    data: Path  # what the server stores
    samples: int


@dataclass(frozen=True, slots=True)
class Photo:
    """One file on its way; `seconds` from lying in the folder to being verified and filed."""

    name: str
    size: int  # bytes
    event: str  # "arrived", else what the daemon says became of it
    album: str | None = None
    proved: bool = False  # the server holds these very bytes
    seconds: float | None = None
    detail: str = ""


class Screen(Protocol):
    """What the demo is shown on."""

    def open(self, stage: Stage) -> None:
        """The curtain rises."""
        ...

    def photo(self, photo: Photo) -> None:
        """Something is new about a photo; a later word on the same name replaces this one."""
        ...

    def samples_are_in(self, seconds: float) -> None:
        """All samples are in, `seconds` after the first was put into the folder."""
        ...

    def close(self, kept: Path | None) -> None:
        """It is over; what it made is gone, or lies in `kept`."""
        ...


async def demonstrate(screen: Screen, *, once: bool, keep: bool) -> int:
    """Run the demo until interrupted; with `once`, until the samples are in. The exit code."""
    with _folder(keep=keep) as base:
        async with Sandbox(data=base / "server") as server:
            show = _Show(screen, server, base, once=once)
            try:
                with logging_for(show.setup, quiet=True):
                    code = await show.run()
            finally:
                screen.close(base if keep else None)
    return code


@contextmanager
def _folder(*, keep: bool) -> Iterator[Path]:
    base = Path(os.path.realpath(tempfile.mkdtemp(prefix="immich-sync-demo-")))
    try:
        yield base
    finally:
        if not keep:
            shutil.rmtree(base, ignore_errors=True)


class _Show:
    """One performance."""

    def __init__(self, screen: Screen, server: Sandbox, base: Path, *, once: bool) -> None:
        self.photos = base / "photos"
        self.setup = Setup(
            accounts=(Account("default", server.url, Secret(server.api_key)),),
            folders=(
                Folder("photos", os.fsencode(self.photos), "default", album=ALBUM, settle=1.0),
            ),
            limits=Limits(),
            state=str(base / "state"),
        )
        self._screen = screen
        self._server = server
        self._base = base
        self._once = once
        self._arrived: dict[bytes, float] = {}  # wall-clock seconds
        self._began = 0.0
        self._awaited: set[bytes] = set()
        self._engine: Engine | None = None

    async def run(self) -> int:
        """Until the daemon ends; the exit code."""
        self.photos.mkdir()
        waiting = self._base / "samples"
        copies = await anyio.to_thread.run_sync(copy_samples, waiting)
        samples = [copy.relative_to(waiting) for copy in copies]
        self._awaited = {os.fsencode(one) for one in samples if one.suffix != ".xmp"}
        self._screen.open(
            Stage(self.photos, self._server.url, self._server.data, len(self._awaited))
        )
        heard, hear = anyio.create_memory_object_stream[Activity](math.inf)
        started = anyio.Event()

        def start(engine: Engine) -> None:
            self._engine = engine
            started.set()

        async with heard, hear, anyio.create_task_group() as tasks:
            tasks.start_soon(self._bring, waiting, samples, started)
            tasks.start_soon(self._follow, hear)
            if self._once:
                tasks.start_soon(self._lose_patience)
            await daemon.run(self.setup, tell=heard.send_nowait, started=start)
            tasks.cancel_scope.cancel()
        return 1 if self._once and self._awaited else 0

    async def _bring(self, waiting: Path, samples: Sequence[Path], ready: anyio.Event) -> None:
        """Put the samples into the folder, whole and one by one."""
        await ready.wait()
        self._began = time.time()
        for sample in samples:
            target = self.photos / sample
            target.parent.mkdir(parents=True, exist_ok=True)
            (waiting / sample).replace(target)
            if sample.suffix != ".xmp":
                relative = os.fsencode(sample)
                self._arrived[relative] = time.time()
                self._screen.photo(Photo(shown(relative), target.stat().st_size, "arrived"))
            await anyio.sleep(PACE)

    async def _follow(self, hear: MemoryObjectReceiveStream[Activity]) -> None:
        """Show what the daemon says, and look at the server whether it is true."""
        async for activity in hear:
            if activity.place is None:
                continue
            relative = activity.place.relative
            self._screen.photo(await self._photo(relative, activity))
            if relative in self._awaited and activity.event in IN_IMMICH:
                self._awaited.remove(relative)
                if not self._awaited:
                    self._screen.samples_are_in(activity.at - self._began)
                    if self._once and self._engine is not None:
                        self._engine.stop()

    async def _photo(self, relative: bytes, activity: Activity) -> Photo:
        path = self.photos / os.fsdecode(relative)
        try:
            size, arrived = path.stat().st_size, path.stat().st_ctime
            checksum = await anyio.to_thread.run_sync(_sha1, path)
        except OSError:
            return Photo(shown(relative), 0, activity.event, detail=activity.detail)
        state = self._server.state
        asset = state.asset_of(state.admin.id, checksum)
        held = state.members.holding(asset.id) if asset else ()
        albums = [album.name for one in held if (album := state.albums.get(one))]
        return Photo(
            shown(relative),
            size,
            activity.event,
            album=_own(albums, relative),
            proved=asset is not None,
            seconds=max(0.0, activity.at - self._arrived.get(relative, arrived)),
            detail=activity.detail,
        )

    async def _lose_patience(self) -> None:
        await anyio.sleep(PATIENCE)
        if self._engine is not None:
            self._engine.stop()


def _own(albums: Sequence[str], relative: bytes) -> str | None:
    """The album of this path's own folder, of those that hold its bytes; copies have others."""
    own = album_name(
        ALBUM,
        folder="photos",
        directory=relative.rpartition(b"/")[0],
        local_time=datetime.now(UTC),  # which is in no name here
    )
    return own if own in albums else next(iter(albums), None)


def _sha1(path: Path) -> str:
    with path.open("rb") as opened:
        return hashlib.file_digest(opened, partial(hashlib.sha1, usedforsecurity=False)).hexdigest()
