"""Watches one root for as long as it is wanted: a `ChangeSource` that mends itself.

Its own module because it is the bridge between watchdog's threads and the event loop. It is the
one place beside the daemon that may know asyncio, for `call_soon_threadsafe`: anyio's ways from a
thread into the loop wait for an answer, and deadlock with an observer that is being stopped.
"""

import asyncio
import contextlib
import errno
import threading
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from typing import TypeVar

import anyio
import anyio.to_thread

from immich_sync.core.naming import shown
from immich_sync.core.ports import Changes, ChangeSource, RootIdentity, WatchHealth
from immich_sync.filesystem.dirt import Dirt
from immich_sync.filesystem.mounts import identify, mode_for, mounts_below
from immich_sync.filesystem.watcher import Watcher, new_watcher
from immich_sync.filesystem.watchtree import Skip

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Patience:
    """How often to look and how long to wait; in seconds."""

    check: float = 30.0  # between two looks at what no event tells: threads, mounts, identity
    first: float = 60.0  # until a watcher that broke is replaced
    longest: float = 3600.0  # what doubling that ends at


_LIMITS = {
    errno.ENOSPC: "fs.inotify.max_user_watches",
    errno.EMFILE: "fs.inotify.max_user_instances",
}
_ROOMY = {errno.ENOSPC: 1_048_576, errno.EMFILE: 1024}


def nothing(directory: bytes, name: bytes, is_directory: bool) -> bool:  # noqa: FBT001 -- a `Skip`
    """Skips nothing."""
    del directory, name, is_directory
    return False


@asynccontextmanager
async def watching(
    root: bytes,
    *,
    mode: str = "auto",
    skip: Skip = nothing,
    patience: Patience | None = None,
    follows: bool = False,
) -> AsyncIterator[ChangeSource]:
    """A change source for `root`; when it is given, every directory is watched: scan then.

    `mode` is auto, inotify, both or poll; in poll mode the source never speaks. Whatever `follows`
    says, only what lies below the root itself is watched: for auto, links are polled besides. A
    watcher that cannot start or breaks is replaced, and a scan asked for; until then the mode is
    degraded. Never raises over the disk. Its threads are told to end when it is left, and not
    waited for: one of them may hang on a disk that died.
    """
    if mode == "auto":
        mode = await anyio.to_thread.run_sync(
            partial(mode_for, root, follows=follows), abandon_on_cancel=True
        )
    source = _Source(root, mode, skip, patience or Patience())
    if mode == "poll":
        yield source
        return
    try:
        await source.start()
        async with anyio.create_task_group() as group:
            group.start_soon(source.mend)
            yield source
            group.cancel_scope.cancel()
    finally:
        source.stop()


class _Source:
    """The watcher in use, what it noticed, and what is wrong with it."""

    def __init__(self, root: bytes, mode: str, skip: Skip, patience: Patience) -> None:
        self._root = root
        self._mode = mode
        self._skip = skip
        self._patience = patience
        self._dirt = Dirt()
        self._loop = asyncio.get_running_loop()
        self._bell = anyio.Event()
        self._alarm = anyio.Event()
        self._rung = False
        self._watcher: Watcher | None = None
        self._trouble = ""
        self._known: tuple[RootIdentity | None, frozenset[tuple[int, bytes]]] = (None, frozenset())

    async def changes(self) -> Changes:
        """Wait until there is something to say; everything since the last call, coalesced."""
        while True:
            if taken := self._dirt.take():
                return taken
            await self._bell.wait()
            self._bell = anyio.Event()

    def health(self) -> WatchHealth:
        """How well it watches just now."""
        if self._mode == "poll":
            return WatchHealth("poll")
        watcher = self._watcher
        if self._trouble or watcher is None:
            return WatchHealth("degraded", 0, self._trouble)
        watches, unwatched = watcher.watches(), watcher.unwatched()
        if missing := unwatched.get(errno.ENOSPC):
            return WatchHealth("degraded", watches, _limit_reached(errno.ENOSPC, missing))
        trouble = f"{sum(unwatched.values())} directories cannot be read" if unwatched else ""
        return WatchHealth(self._mode, watches, trouble)

    async def start(self) -> bool:
        """Replaces the watcher, if there is one; true if the new one watches."""
        self.stop()
        watcher = new_watcher(self._root, self._dirt, self._skip, self._ring)
        self._watcher = watcher
        try:
            self._known = await self._in_thread(self._look)
            await anyio.to_thread.run_sync(watcher.start, abandon_on_cancel=True)
        except (OSError, RuntimeError) as error:  # RuntimeError: no thread could be started
            self._trouble = _cannot_watch(self._root, error)
            self.stop()
            return False
        self._trouble = ""
        return True

    async def mend(self) -> None:
        """Replaces the watcher whenever it breaks; never returns."""
        patience = self._patience
        pause = patience.first
        while True:
            elsewhere = self._known[0] is None
            if self._watcher is not None:
                since = anyio.current_time()
                elsewhere = await self._until_broken()
                if anyio.current_time() - since > pause:
                    pause = patience.first
                self.stop()
                self._ask_for_scan(self._trouble)
            if elsewhere:
                await anyio.sleep(min(1.0, patience.check))  # what moves once often moves twice
            else:
                await anyio.sleep(pause)
                pause = min(2 * pause, patience.longest)
            while await self._in_thread(lambda: identify(self._root)) is None:
                self._trouble = f"{shown(self._root)} is not there: is its disk mounted?"
                await anyio.sleep(patience.check)
            if await self.start():
                self._ask_for_scan("the folder is watched anew")

    def stop(self) -> None:
        """Tells the watcher, if there is one, to end; a thread does so, for it may take long."""
        watcher, self._watcher = self._watcher, None
        if watcher is not None:
            threading.Thread(target=watcher.stop, name="stop watching", daemon=True).start()

    async def _until_broken(self) -> bool:
        """Why is left in `_trouble`; true if another directory than before lies at the root."""
        while self._watcher is not None:
            with anyio.move_on_after(self._patience.check):
                await self._alarm.wait()
            self._alarm = anyio.Event()
            if lost := self._watcher.lost():
                self._trouble = f"{shown(self._root)} was {lost}"
                return True
            if died := self._watcher.died():
                self._trouble = f"watching {shown(self._root)} ended: {died}; it is started again"
                return False
            if await self._in_thread(self._look) != self._known:
                self._trouble = f"something was mounted or moved at or below {shown(self._root)}"
                return True
        return False

    def _look(self) -> tuple[RootIdentity | None, frozenset[tuple[int, bytes]]]:
        """What no event tells of: which directory lies at the root, what is mounted below it."""
        return identify(self._root), mounts_below(self._root)

    def _ask_for_scan(self, reason: str) -> None:
        self._dirt.scan(reason)
        self._bell.set()

    def _ring(self) -> None:
        """Called in the observer's thread: never waits, never raises."""
        if self._rung:
            return
        self._rung = True
        with contextlib.suppress(RuntimeError):  # the loop was closed meanwhile
            self._loop.call_soon_threadsafe(self._woken)

    def _woken(self) -> None:
        self._rung = False
        self._bell.set()
        if self._watcher is not None and (self._watcher.lost() or self._watcher.died()):
            self._alarm.set()

    async def _in_thread(self, function: Callable[[], T]) -> T:
        return await anyio.to_thread.run_sync(function, abandon_on_cancel=True)


def _cannot_watch(root: bytes, error: Exception) -> str:
    if isinstance(error, OSError) and error.errno in _LIMITS:
        return _limit_reached(error.errno, 0)
    reason = error.strerror if isinstance(error, OSError) else str(error)
    return f"{shown(root)} cannot be watched: {reason}"


def _limit_reached(code: int, missing: int) -> str:
    """The sentence that gets a person out of it, with the very setting to change."""
    what = f"{missing:,} directories are" if missing else "the folder is"
    return (
        f"{what} not watched, since the system's limit is reached: raise {_LIMITS[code]}, for"
        f" example by `sysctl {_LIMITS[code]}={_ROOMY[code]}`, lasting in /etc/sysctl.d;"
        " until then changes are found by scanning"
    )
