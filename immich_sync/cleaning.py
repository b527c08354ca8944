"""Cleans one folder: what has long been in Immich, proved, goes into quarantine, or is deleted.

Its own module because nothing else of the daemon takes files away. What may go is decided in
`core.cleanup`; here the facts are gathered, one file at a time, right before the deed.
"""

from collections.abc import Callable, Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import replace

import anyio
import structlog

from immich_sync.aside import Taken, disk_at, finish, free_place, lies_aside, restore, take
from immich_sync.core import cleanup
from immich_sync.core.cleanup import Next
from immich_sync.core.errors import FileTrouble, ServerTrouble, SyncTrouble
from immich_sync.core.naming import shown
from immich_sync.core.types import Activity, Place, Stamp
from immich_sync.elapsed import Elapsed
from immich_sync.expiring import Expirer
from immich_sync.inspecting import Inspector, Sidecar, Swept
from immich_sync.removing import Doomed, Gate, Proved, shared_at
from immich_sync.store import cleanups, mend
from immich_sync.store.cleanups import Candidate, Cleaned, State
from immich_sync.world import World

PAGE = 500
"""Files taken from the ledger at once."""
SELDOM = 6 * 3600.0
"""Seconds between two rounds, unless a file waits for less than ten times that."""
SOON, GLANCE = 60.0, 1.0
"""Seconds until a round that came to no end goes on; and, before the first one, until a look."""

log = structlog.get_logger()


class Cleaner:
    """Cleans one folder; `run` for the program's life.

    `one_at_a_time` is shared with whoever undoes: a file is taken away, or brought back.
    """

    def __init__(
        self,
        swept: Swept,
        world: World,
        elapsed: Elapsed,
        one_at_a_time: anyio.Lock,
        tell: Callable[[Activity], None] = lambda _: None,
    ) -> None:
        self.looked = False  # whether it had its turn, with whatever success
        self.trouble = ""  # why nothing of the folder is cleaned away, for people
        self.shared = False  # whether that is because Syncthing shares it
        self.since: float | None = None  # since when, wall-clock seconds
        self._disk = ""  # of the quarantine, at the last look
        self._after: Place | None = None  # where a round that was interrupted goes on
        self._swept = swept
        self._world = world
        self._elapsed = elapsed
        self._alone = one_at_a_time
        self._tell = tell
        self._gate = Gate(
            world.disk, world.blocking, swept.checker, world.clock.now,
            swept.folder.deletes_reach_phone,
        )  # fmt: skip
        self._inspector = Inspector(swept, world, elapsed)
        self._expirer = Expirer(swept, world, elapsed, one_at_a_time, tell)

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
        await self._elapsed.look()
        root = self._swept.root()
        if root is None or not await root.check():
            return False
        shared = await self._sharing()
        self._blame(shared or await self._quarantine_trouble(), shared=bool(shared))
        if self.trouble:
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
                if self.trouble:  # so do not read the next one for nothing
                    return True
        self._after = self.since = None
        await self._expirer.run()
        return True

    async def _sharing(self) -> str:
        """Why a phone would lose what is cleaned away; "" if none would, or a person wants it."""
        folder = self._swept.folder
        if folder.deletes_reach_phone:
            return ""
        where = await self._world.blocking(
            self._swept.looking, shared_at, self._world.disk, folder.root, b""
        )
        return "" if where is None else f"{cleanup.shared(where)}."

    async def _quarantine_trouble(self) -> str:
        """Why nothing can be put aside; "" if it can."""
        folder, looking = self._swept.folder, self._swept.looking
        if folder.after_upload != "quarantine":
            return ""
        where = folder.quarantine_dir
        self._disk = await self._world.blocking(looking, disk_at, self._world.disk, where)
        if not self._disk:
            return f"The quarantine {shown(where)} is not there: mount its disk."
        last = await self._world.store(cleanups.latest_aside, self._swept.folder_id, where)
        try:
            if last is not None:
                await lies_aside(self._world, last, looking)
        except cleanup.NoPlace as trouble:
            return f"{trouble} If that one is no more, name another quarantine_dir."
        return ""

    def _blame(self, trouble: str, *, shared: bool = False) -> None:
        if trouble and self.since is None:
            self.since = self._world.clock.now()
            event = "cleanup_waits" if shared else "quarantine_missing"
            log.warning(event, folder=self._swept.folder.name, why=trouble)
        self.trouble, self.shared = trouble, shared

    async def _consider(self, one: Candidate) -> None:
        """Clean this file, with what belongs to it, if everything speaks for it."""
        await self._elapsed.look()
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
                if number == 0 or row.aside is None:  # else it is asked for again at the end
                    self._check_freshness(proved)
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
                if isinstance(trouble, cleanup.NoPlace):
                    self._blame(f"{trouble} Nothing is cleaned away until it can be.")
                return
            done.append(row)

    def _check_freshness(self, proved: Mapping[Place, Proved]) -> None:
        """Raises Kept if the server's word has grown old, for our own disk let us wait."""
        now, steady = self._world.clock.now(), anyio.current_time()
        asked = [one.asked_at for one in proved.values() if one.presence is not None]
        if not all(cleanup.is_fresh(now - wall, steady - then) for wall, then in asked):
            raise cleanup.Kept("Too much time passed since Immich was asked; it is kept for now.")

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
            aside_disk=self._disk if quarantine else "",
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
