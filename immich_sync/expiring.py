"""Deletes what has lain in quarantine for long enough, if Immich still has it.

Its own module because this is the last copy here: all that was true when the file was put aside
is asked again, and in doubt it stays.
"""

from collections.abc import Callable
from dataclasses import replace

import anyio
import structlog

from immich_sync.aside import lies_aside, say, shown_aside
from immich_sync.core import cleanup
from immich_sync.core.errors import FileTrouble
from immich_sync.core.types import Activity, Checksum
from immich_sync.elapsed import Elapsed
from immich_sync.filesystem.removal import reread
from immich_sync.inspecting import Swept
from immich_sync.store import cleanups
from immich_sync.store.cleanups import Cleaned, State
from immich_sync.world import World

PAGE = 500
"""Files that are looked at in one round."""
AGAIN = 24 * 3600.0
"""Seconds until the server is asked again about what it did not let go."""

log = structlog.get_logger()


class Expirer:
    """Of one folder's quarantine; `one_at_a_time` is shared with whoever undoes."""

    def __init__(
        self,
        swept: Swept,
        world: World,
        elapsed: Elapsed,
        one_at_a_time: anyio.Lock,
        tell: Callable[[Activity], None],
    ) -> None:
        self._swept = swept
        self._world = world
        self._elapsed = elapsed
        self._alone = one_at_a_time
        self._tell = tell

    async def run(self) -> None:
        """Whatever is over is gone, or it is said why it is kept. Raises ServerTrouble."""
        swept, now = self._swept, self._world.clock.now()
        rows = await self._world.store(cleanups.expiring, swept.folder_id, now - AGAIN, PAGE)
        for row in rows:
            await self._elapsed.look()
            now = self._world.clock.now()
            waited = cleanup.waited(row.at, now, self._elapsed.jumps)
            if waited < swept.folder.quarantine_for or not swept.is_rested():
                return
            if swept.newer() is not None or swept.doubt():
                return
            async with self._alone:
                await self._let_go(replace(row, asked_at=now, note=""))

    async def _let_go(self, row: Cleaned) -> None:
        if row.aside_root is None or row.aside is None:
            return
        disk, reading = self._world.disk, self._swept.reading
        try:
            opened, checksum, stamp = await self._world.blocking(
                reading, reread, disk, row.aside_root, row.aside, None
            )
            try:
                asked = self._world.clock.now(), anyio.current_time()
                await self._still_in_immich(row, checksum)
                await self._world.store(cleanups.intend, [replace(row, state=State.EXPIRING)])
                self._check_freshness(*asked)
                await self._world.blocking(
                    reading, disk.unlink, opened, row.aside_root, row.aside, stamp
                )
            finally:
                opened.close()
        except FileTrouble as trouble:
            await self._keep(row, trouble)
        else:
            self._tell(
                await say(self._world, self._swept.folder, replace(row, state=State.EXPIRED))
            )

    async def _keep(self, row: Cleaned, trouble: FileTrouble) -> None:
        """It stays, and that is said; unless somebody took it, and its disk is there."""
        state, note = State.QUARANTINED, str(trouble)
        try:
            if not await lies_aside(self._world, row, self._swept.looking):
                state = State.EXPIRED
        except cleanup.NoPlace as away:
            note = str(away)
        await self._world.store(cleanups.settle, replace(row, state=state, note=note))
        log.warning("quarantine_kept", file=shown_aside(row), why=note)

    async def _still_in_immich(self, row: Cleaned, checksum: Checksum) -> None:
        """Raises Kept if it is not."""
        if checksum != row.checksum:
            raise cleanup.Kept("It has other bytes than were put into quarantine.")
        if row.account != self._swept.account:
            raise cleanup.Kept("It went to another account than the folder's of today.")
        presence = await self._swept.checker.ask(row.asset_checksum)
        if presence.asset_id is None:
            raise cleanup.Kept("Immich does not have it any more.")
        if presence.trashed:
            raise cleanup.Kept("In Immich it lies in the trash.")

    def _check_freshness(self, wall: float, steady: float) -> None:
        passed = self._world.clock.now() - wall, anyio.current_time() - steady
        if not cleanup.is_fresh(*passed):
            raise cleanup.Kept("Too much time passed since Immich was asked; it is kept for now.")
