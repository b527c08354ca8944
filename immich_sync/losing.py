"""Whether so much is gone from a folder that a person has to speak before anything is deleted.

Its own module because one deleted file looks harmless: only who counts them sees that a directory
was emptied by mistake, by a program that went wrong or by a disk that fails.
"""

from collections.abc import Mapping

import structlog

from immich_sync.core import breaker
from immich_sync.core.breaker import LOST, Breaker
from immich_sync.core.types import FolderId
from immich_sync.store import breakers, departures
from immich_sync.world import World

log = structlog.get_logger()


class Losing:
    """Counts what is gone from some folders, by name."""

    def __init__(self, folders: Mapping[FolderId, str], world: World) -> None:
        self.tripped: set[FolderId] = set()  # folders of which a person has to speak first
        self._folders = folders
        self._world = world
        self._weighed = False  # whether that is known of all folders, since the start

    async def weigh(self, folder: FolderId) -> bool:
        """Whether a person has to speak before anything of this folder is deleted.

        Raises StateTrouble.
        """
        store, now = self._world.store, self._world.clock.now()
        before = await self._stands(folder)
        found = await store(departures.counts, folder, now, breaker.WINDOW)
        tripped = breaker.holds(
            LOST, tripped=before, count=found.lost, known=found.known, left=found.waiting
        )
        if tripped and not before:
            why = f"{found.lost:,} of {found.known:,} files are gone from this folder at once."
            await store(breakers.trip, folder, Breaker.DELETIONS, why, now)
            log.error("deletions_held", folder=self._folders[folder], why=why)
        elif before and not tripped:
            await store(breakers.reset, folder, Breaker.DELETIONS)
            log.info("deletions_resolved", folder=self._folders[folder])
        if tripped:
            self.tripped.add(folder)
        else:
            self.tripped.discard(folder)
        return tripped

    async def nothing_waits(self) -> None:
        """Whatever was gone is back, or was settled: no folder waits for a word any more.

        Raises StateTrouble.
        """
        for folder in tuple(self.tripped if self._weighed else self._folders):
            if await self._stands(folder):
                await self.weigh(folder)
        self._weighed = True

    async def approve(self, folder: FolderId) -> bool:
        """A person says that what is gone now was deleted on purpose; whether that was asked.

        Raises StateTrouble.
        """
        if folder not in self._folders or not await self._stands(folder):
            return False
        await self._world.store(departures.approve, folder)
        await self._world.store(breakers.reset, folder, Breaker.DELETIONS)
        self.tripped.discard(folder)
        log.info("deletions_approved", folder=self._folders[folder])
        return True

    async def _stands(self, folder: FolderId) -> bool:
        return Breaker.DELETIONS in await self._world.store(breakers.standing, folder)
