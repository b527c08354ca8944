"""Whether files whose bytes changed go up at once, or wait because so many changed together.

Its own module because one file looks harmless: only who counts them sees that a tagger went over
the whole library, and that each photo in it is about to be in Immich twice.
"""

from collections.abc import Callable, Mapping

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
"""Seconds for which a count is believed."""

NOTE = "Many files of this folder changed at once: it waits until a person says that it is right."
"""Why such a file is held, for people."""

log = structlog.get_logger()


class Changing:
    """Counts the changed files of some folders, by name; `freed` is called when some are due."""

    def __init__(
        self, folders: Mapping[FolderId, str], world: World, freed: Callable[[], None]
    ) -> None:
        self.tripped: set[FolderId] = set()
        self._folders = folders
        self._world = world
        self._freed = freed
        self._weighed: dict[FolderId, tuple[float, bool]] = {}  # when (monotonic), and how

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
        at, may = self._weighed.get(place.folder, (-BELIEVED, False))
        if at + BELIEVED > anyio.current_time():
            return may
        return await self._weigh(place.folder)

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
        may = not tripped and found.changed + found.suspected <= CHANGED.of(found.known)
        self._weighed[folder] = (anyio.current_time(), may)
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
