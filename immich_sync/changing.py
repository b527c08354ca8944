"""Whether files whose bytes changed go up at once, or wait because so many changed together.

Its own module because one file looks harmless: only who counts them sees that a tagger went over
the whole library, and that each photo in it is about to be in Immich twice.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import anyio
import structlog

from immich_sync.core import breaker
from immich_sync.core.breaker import CHANGED, Breaker
from immich_sync.core.types import Checksum, FolderId, Place
from immich_sync.store import breakers, changes
from immich_sync.world import World

GLANCE = 60.0
"""Seconds between two looks at what waits."""
BELIEVED = 1.0
"""Seconds for which a count is believed, as long as it leaves room for one more."""

NOTE = "Many files of this folder changed at once: it waits until a person says that it is right."
"""Why such a file is held, for people."""

log = structlog.get_logger()


@dataclass(slots=True)
class _Weighed:
    """The last count of a folder: when (monotonic), what followed, and for how many more."""

    at: float
    may: bool
    room: int  # changes that may still come before there are too many


class Changing:
    """Counts the changed files of some folders, by name; `freed` is called when some are due."""

    def __init__(
        self, folders: Mapping[FolderId, str], world: World, freed: Callable[[], None]
    ) -> None:
        self.tripped: set[FolderId] = set()
        self._folders = folders
        self._world = world
        self._freed = freed
        self._weighed: dict[FolderId, _Weighed] = {}

    async def run(self) -> None:
        """Let go what need not wait any more, until cancelled."""
        while True:
            for folder in self._folders:
                if await self._world.store(changes.is_waiting, folder):
                    await self._weigh(folder)
            await anyio.sleep(GLANCE)

    async def may_go(self, place: Place, checksum: Checksum) -> bool:
        """Whether these bytes may be uploaded: they are no change, or one of few."""
        if not await self._world.store(changes.is_change, place, checksum):
            return True
        last = self._weighed.get(place.folder)
        if last is None or last.at + BELIEVED <= anyio.current_time():
            return await self._weigh(place.folder)
        if last.may and last.room == 0:
            return await self._weigh(place.folder)
        last.room -= last.may
        return last.may

    async def approve(self, folder: FolderId) -> bool:
        """A person says that what changed was meant to; whether that was asked."""
        held = await self._world.store(changes.is_any_held, folder)
        if folder not in self.tripped and not held:  # it may wait for what cannot be read
            return False
        now = self._world.clock.now()
        await self._world.store(changes.free, folder, now, approved=True)
        await self._world.store(breakers.reset, folder, Breaker.CHANGES)
        self.tripped.discard(folder)
        self._weighed.pop(folder, None)
        log.info("changes_approved", folder=self._folders[folder])
        self._freed()
        return True

    async def _weigh(self, folder: FolderId) -> bool:
        """Whether the folder's changes go up; what is rewritten and not read yet may be one."""
        store, now = self._world.store, self._world.clock.now()
        standing = await store(breakers.standing, folder)
        before = Breaker.CHANGES in standing
        most = CHANGED.most + 1
        found = await store(changes.counts, folder, now - breaker.WINDOW, most)
        tripped = breaker.holds(
            CHANGED, tripped=before, count=found.changed, known=found.known, left=found.held
        )
        room = CHANGED.of(found.known) - found.changed - found.suspected
        may = not tripped and room >= 0
        self._weighed[folder] = _Weighed(anyio.current_time(), may, room)
        if tripped:
            self.tripped.add(folder)
        else:
            self.tripped.discard(folder)
        if tripped and not before:
            why = f"{found.changed:,} of {found.known:,} files of this folder changed at once."
            await store(breakers.trip, folder, Breaker.CHANGES, why, now)
            log.error("changes_held", folder=self._folders[folder], why=why)
        elif before and not tripped:
            await store(breakers.reset, folder, Breaker.CHANGES)
        if may and found.held:
            await store(changes.free, folder, now, approved=False)
            self._freed()
        return may
