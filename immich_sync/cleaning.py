"""Cleans one folder: what has long been in Immich, proved, goes into quarantine, or is deleted.

Its own module because nothing else of the daemon takes files away. What may go is decided in
`core.cleanup`; here the facts are gathered, one file at a time, right before the deed.
"""

from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack
from dataclasses import replace

import anyio
import structlog

from immich_sync.aside import Taken, finish, free_place, restore, say, shown_aside, take
from immich_sync.core import cleanup
from immich_sync.core.cleanup import Next
from immich_sync.core.errors import FileTrouble, ServerTrouble, SyncTrouble
from immich_sync.core.naming import shown
from immich_sync.core.types import Activity, Checksum, Place, Stamp
from immich_sync.filesystem.removal import reread
from immich_sync.inspecting import Inspector, Sidecar, Swept
from immich_sync.removing import Doomed, Gate, Proved
from immich_sync.store import cleanups, mend
from immich_sync.store.cleanups import Candidate, Cleaned, State
from immich_sync.waiting import Waiting
from immich_sync.world import World

PAGE = 500
"""Files taken from the ledger at once."""
SELDOM = 6 * 3600.0
"""Seconds between two rounds, unless a file waits for less than ten times that."""
SOON, GLANCE = 60.0, 1.0
"""Seconds until a round that came to no end goes on; and, before the first one, until a look."""
AGAIN = 24 * 3600.0
"""Seconds until the server is asked again about what it did not let go from the quarantine."""

log = structlog.get_logger()


class Cleaner:
    """Cleans one folder; `run` for the program's life.

    `one_at_a_time` is shared with whoever undoes: a file is taken away, or brought back.
    """

    def __init__(
        self,
        swept: Swept,
        world: World,
        waiting: Waiting,
        one_at_a_time: anyio.Lock,
        tell: Callable[[Activity], None] = lambda _: None,
    ) -> None:
        self.looked = False  # whether it had its turn, with whatever success
        self._missing = False  # whether the quarantine was not there at the last look
        self._after: Place | None = None  # where a round that was interrupted goes on
        self._swept = swept
        self._world = world
        self._waiting = waiting
        self._alone = one_at_a_time
        self._tell = tell
        self._gate = Gate(world.disk, world.blocking, swept.checker)
        self._inspector = Inspector(swept, world, waiting)

    async def run(self) -> None:
        """Clean whatever is ripe, again and again, until cancelled."""
        while True:
            done = False
            if self._swept.is_rested():
                try:
                    done = await self._round()
                except ServerTrouble as trouble:
                    self._swept.troubled(trouble)
                except SyncTrouble as trouble:
                    log.warning("cleanup_waits", folder=self._swept.folder.name, why=str(trouble))
                except Exception:  # the uploads go on
                    log.exception("cleanup_failed", folder=self._swept.folder.name)
                self.looked = True
            soon = SOON if self.looked else GLANCE
            await anyio.sleep(self._every() if done else min(self._every(), soon))

    def _every(self) -> float:
        folder = self._swept.folder
        return min(SELDOM, max(1.0, min(folder.cleanup_after, folder.quarantine_for) / 10))

    async def _round(self) -> bool:
        """Look through the folder; False if there was something better to do before its end."""
        await self._waiting.look()
        if not await self._is_there():
            return False
        folder, folder_id = self._swept.folder, self._swept.folder_id
        async with self._alone:
            await finish(self._world, folder, folder_id, self._swept.looking)
        while page := await self._world.store(cleanups.candidates, folder_id, self._after, PAGE):
            for one in page:
                if not self._swept.is_rested():
                    return False
                await self._consider(one)
                self._after = one.file.place
        self._after = None
        await self._expire()
        return True

    async def _is_there(self) -> bool:
        root, folder = self._swept.root(), self._swept.folder
        if root is None or not await root.check():
            return False
        if folder.after_upload != "quarantine":
            return True
        there = await self._world.blocking(
            self._swept.looking, self._world.disk.identify, folder.quarantine_dir
        )
        if there is None and not self._missing:
            log.warning("quarantine_missing", folder=folder.name, path=folder.quarantine_dir)
        self._missing = there is None
        return not self._missing

    async def _consider(self, one: Candidate) -> None:
        """Clean this file, with what belongs to it, if everything speaks for it."""
        await self._waiting.look()
        if self._inspector.ripe_at(one) > self._world.clock.now() or one.undone:
            return
        async with self._alone:
            try:
                await self._clean(one)
            except ServerTrouble:
                raise
            except SyncTrouble as trouble:
                log.info("not_cleaned", file=one.file.place.relative, why=str(trouble))
                if type(trouble) is FileTrouble:  # the server said so: may it be learnt
                    await self._ask_again(one.file.place)

    async def _ask_again(self, place: Place) -> None:
        await self._world.store(mend.retry, [place], self._world.clock.now())

    async def _clean(self, first: Candidate) -> None:
        sight = await self._inspector.look(first.file.place)
        unit = await self._inspector.unit(first, sight.names)
        if not unit:
            return
        verdict, sidecars = await self._inspector.judge(unit, {})
        if verdict.next is not Next.PROVE:
            log.debug("not_cleaned", file=first.file.place.relative, why=verdict.why)
            return
        async with AsyncExitStack() as proofs:
            proved: dict[Place, Proved] = {}
            for one in unit:
                doomed = self._doomed(one)
                entered = self._gate.prove(doomed, self._swept.reading)
                proved[one.file.place] = await proofs.enter_async_context(entered)
            for beside in sidecars:
                held = await self._hold(beside)
                proofs.callback(held.opened.close)
                proved[beside.place] = held
            verdict, again = await self._inspector.judge(unit, proved)
            if verdict.next is Next.CLEAN and again == sidecars:
                await self._do(unit, sidecars, proved)

    async def _hold(self, sidecar: Sidecar) -> Proved:
        place = sidecar.place
        opened, checksum, stamp = await self._inspector.reread(place)
        if checksum != sidecar.checksum:
            opened.close()
            raise cleanup.Kept(f"{shown(place.relative)} changed just now; it is kept.")
        return Proved(opened, self._swept.folder.root, place.directory, place.name, stamp)

    def _doomed(self, one: Candidate) -> Doomed:
        if one.file.checksum is None or one.asset is None:
            raise AssertionError("nothing is proved that was not judged")
        return Doomed(
            self._swept.folder.root, one.file.place, one.file.stamp, one.file.checksum,
            one.asset.asset_id,
        )  # fmt: skip

    async def _do(
        self,
        unit: Sequence[Candidate],
        sidecars: Sequence[Sidecar],
        proved: dict[Place, Proved],
    ) -> None:
        """The intent is on the disk, then the files are gone, then that is known."""
        rows = [await self._row(self._doomed(one), motion=one.file.motion) for one in unit]
        stamps: list[Stamp | None] = [one.file.stamp for one in unit]
        for each in sidecars:
            row = await self._row(self._doomed(each.owner))
            stamp = proved[each.place].stamp
            aside = await self._aside(each.place)
            rows.append(
                replace(
                    row, place=each.place, checksum=each.checksum, stamp=stamp, sidecar=True,
                    aside=aside,
                )
            )  # fmt: skip
            stamps.append(None)
        ids = await self._world.store(cleanups.mean, rows, stamps)
        if not ids:
            return
        done: list[Cleaned] = []
        rows = [replace(row, id=number, unit=ids[0]) for row, number in zip(rows, ids, strict=True)]
        for number, row in enumerate(rows):
            try:
                one = proved[row.place]
                self._tell(
                    await take(
                        self._world, self._swept.folder, row, Taken(one.opened, one.stamp),
                        self._swept.reading,
                    )
                )  # fmt: skip
            except FileTrouble as trouble:
                log.info("not_cleaned", file=row.place.relative, why=str(trouble))
                now = self._world.clock.now()
                for left in rows[number:]:
                    await self._world.store(cleanups.spare, left, now)
                if not row.sidecar:  # a pair goes together or not at all
                    await self._bring_back(done)
                return
            done.append(row)

    async def _row(self, doomed: Doomed, *, motion: bool = False) -> Cleaned:
        quarantine = self._swept.folder.after_upload == "quarantine"
        return Cleaned(
            place=doomed.place,
            stamp=doomed.stamp,
            checksum=doomed.checksum,
            account=self._swept.account,
            asset_checksum=doomed.checksum,
            asset_id=doomed.asset_id,
            state=State.MEANT,
            at=self._world.clock.now(),
            motion=motion,
            aside_root=self._swept.folder.quarantine_dir if quarantine else None,
            aside=await self._aside(doomed.place) if quarantine else None,
        )

    async def _aside(self, place: Place) -> bytes | None:
        """A free place in the quarantine."""
        folder = self._swept.folder
        if folder.after_upload != "quarantine":
            return None
        return await self._world.blocking(
            self._swept.looking, free_place, self._world.disk, folder, place
        )

    async def _bring_back(self, done: Sequence[Cleaned]) -> None:
        for row in done:
            if row.aside_root is not None and row.aside is not None:
                await restore(self._world, self._swept.folder, row, self._swept.reading)
                await self._world.store(cleanups.spare, row, self._world.clock.now())

    async def _told(self, row: Cleaned) -> None:
        self._tell(await say(self._world, self._swept.folder, row))

    async def _expire(self) -> None:
        """What has lain in quarantine for long enough is deleted, if Immich still has it."""
        if self._swept.newer() is not None or self._swept.doubt():
            return
        now = self._world.clock.now()
        rows = await self._world.store(cleanups.expiring, self._swept.folder_id, now - AGAIN, PAGE)
        for row in rows:
            await self._waiting.look()
            now = self._world.clock.now()
            waited = cleanup.waited(row.at, now, self._waiting.jumps)
            if waited < self._swept.folder.quarantine_for or not self._swept.is_rested():
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
                await self._still_in_immich(row, checksum)
                await self._world.store(cleanups.intend, [replace(row, state=State.EXPIRING)])
                await self._world.blocking(
                    reading, disk.unlink, opened, row.aside_root, row.aside, stamp
                )
            finally:
                opened.close()
        except FileTrouble as trouble:
            gone = await self._world.blocking(reading, disk.links, row.aside_root, row.aside) == 0
            state = State.EXPIRED if gone else State.QUARANTINED
            await self._world.store(cleanups.settle, replace(row, state=state, note=str(trouble)))
            log.warning("quarantine_kept", file=shown_aside(row), why=str(trouble))
        else:
            await self._told(replace(row, state=State.EXPIRED))

    async def _still_in_immich(self, row: Cleaned, checksum: Checksum) -> None:
        """Raises Kept if it is not."""
        if checksum != row.checksum:
            raise cleanup.Kept("It has other bytes than were put into quarantine.")
        presence = await self._swept.checker.ask(row.asset_checksum)
        if presence.asset_id is None:
            raise cleanup.Kept("Immich does not have it any more.")
        if presence.trashed:
            raise cleanup.Kept("In Immich it lies in the trash.")
