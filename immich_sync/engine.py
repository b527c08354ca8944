"""Everything that lives while folders are being synced, wired together.

Its own module because production and simulation run exactly this: what differs between them
(clock, threads, disk, watcher, transport) comes in as `Surroundings`.
"""

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from dataclasses import dataclass

import anyio
import structlog
from anyio.abc import TaskGroup
from anyio.streams.memory import MemoryObjectReceiveStream

from immich_sync.core.errors import ServerTrouble, StateDamaged
from immich_sync.core.folder import Account, Folder, Limits, Setup
from immich_sync.core.measures import Measures
from immich_sync.core.ports import Blocking, ChangeSource, Clock, Hands, Lane
from immich_sync.core.types import Activity, Due, FolderId, Place
from immich_sync.elapsed import Elapsed
from immich_sync.immich.client import Immich
from immich_sync.intake import Intake
from immich_sync.journal import Journal
from immich_sync.keeper import House, Keeper, looking
from immich_sync.link import Link
from immich_sync.rooting import Root
from immich_sync.store import accounts, departures
from immich_sync.store.accounts import FolderRow
from immich_sync.store.database import Database
from immich_sync.store.door import Store
from immich_sync.tombstones import Tombstones
from immich_sync.worker import Crew
from immich_sync.world import World

GRACE = 6.0
"""Seconds that workers have to finish once nothing new comes in; Docker kills after 10."""
LAST_WORDS = 1.0
"""Seconds to write down what was learnt until the end."""
REPAIR = 30.0
"""Seconds until a folder whose watching broke in a way nobody foresaw is looked after again."""

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What the program stands in: the real machine, or a simulated one."""

    clock: Clock
    blocking: Blocking
    disk: Hands
    watch: Callable[[Folder], AbstractAsyncContextManager[ChangeSource]]
    hashing: Callable[[Folder], Lane]
    connect: Callable[[Account, Limits], AbstractAsyncContextManager[Immich]]


class Engine:
    """The running whole; `run` it once.

    One that takes the place of one `before` it, which has ended, goes on with what does not end
    with an engine: an order may still be taking files away, or bringing them back.
    """

    def __init__(
        self,
        setup: Setup,
        surroundings: Surroundings,
        database: Database,
        tell: Callable[[Activity], None] = lambda _: None,
        before: "Engine | None" = None,
    ) -> None:
        self.setup = setup
        self.measures: Measures = Measures() if before is None else before.measures
        self.links: dict[str, Link] = {}  # by the account's name
        self.intakes: dict[FolderId, Intake] = {}
        self.keepers: dict[str, Keeper] = {}  # likewise, once it has been reached and audited
        # Who takes files away, or brings them back.
        self.one_at_a_time: anyio.Lock = anyio.Lock() if before is None else before.one_at_a_time
        self.fatal: ServerTrouble | StateDamaged | None = None  # why it ended by itself, if it did
        self.stopping = False
        self._whole = anyio.CancelScope()
        self._surroundings = surroundings
        self._rows: dict[FolderId, tuple[Folder, FolderRow]] = {}
        self._stop = anyio.Event()
        store = Store(database, surroundings.blocking, damaged=self._end_damaged)
        journal = Journal(store, surroundings.clock.now)
        self.tombstones = Tombstones(store, surroundings.clock.now)
        self.world = World(
            surroundings.clock, surroundings.blocking, surroundings.disk, store, journal
        )
        self.crew = Crew(
            self.world, setup.limits, root=self._root, resettle=self._resettle, tell=tell,
            measures=self.measures,
        )  # fmt: skip
        self.elapsed: Elapsed = Elapsed(self.world, None if before is None else before.elapsed)
        self._house = House(
            world=self.world,
            crew=self.crew,
            tombstones=self.tombstones,
            elapsed=self.elapsed,
            measures=self.measures,
            intakes=self.intakes,
            hashing=surroundings.hashing,
            tell=tell,
            one_at_a_time=self.one_at_a_time,
        )

    async def run(self) -> None:
        """Sync until `stop` is called, or until an account or the state is unusable (`fatal`)."""
        with self._whole:
            await self._run()

    async def _run(self) -> None:
        async with AsyncExitStack() as connections:
            for account in self.setup.accounts:
                immich = await connections.enter_async_context(
                    self._surroundings.connect(account, self.setup.limits)
                )
                self.links[account.name] = Link(
                    account, immich, self.world, self.setup.limits, self.crew.bell.ring
                )
            for folder in self.setup.folders:
                row = await self._open_folder(folder)
                self._rows[row.id] = (folder, row)
            await self.world.store(departures.set_aside, self._rows)
            try:
                await self._sync()
            finally:
                with anyio.move_on_after(LAST_WORDS, shield=True):
                    await self.world.journal.flush()

    def stop(self) -> None:
        """Take in nothing new, finish what is in hand within GRACE, and end."""
        self.stopping = True
        self._stop.set()

    def _end_damaged(self, trouble: StateDamaged) -> None:
        """Nothing can be written down any more: all is cut, and the next start repairs."""
        self.fatal = self.fatal or trouble
        self.stop()
        self._whole.cancel()

    async def told_to_stop(self) -> None:
        """Returns once `stop` was called, by whomever."""
        await self._stop.wait()

    def scan(self, folder: FolderId) -> None:
        """A person wants the folder scanned now, and its server asked for all that it has of it."""
        self.intakes[folder].scan_soon("asked for")
        if keeper := self._keeper(folder):
            keeper.audit_soon()

    async def approve(self, folder: FolderId, *, removed: bool = False) -> None:
        """A person says: the folder's root, whose key it is, and the server behind it are right.

        What the server lost goes up again, for all the account's folders; unless it was `removed`
        there on purpose. Disks within the folder that are away were taken away for good.
        """
        intake = self.intakes[folder]
        keeper = self.keepers.get(intake.folder.account)
        if keeper and intake.root.online:  # else it is the root that is asked about
            await keeper.approve_loss(folder)
        if intake.root.online:
            await intake.root.inner.approve()
        intake.root.approve()
        intake.scan_soon("approved")
        if keeper:
            await keeper.approve(folder, removed=removed)

    def audited(self) -> bool:
        """Whether every account whose server answers was reached, and audited if that was due."""
        return all(
            name in self.keepers or link.immich.gate.trouble is not None
            for name, link in self.links.items()
        )

    def unapproved(self, folder: FolderId) -> bool:
        """Whether nothing of the folder goes up before a person has said that all is right."""
        keeper = self._keeper(folder)
        return keeper is not None and keeper.is_unapproved(folder)

    def waiting(self, folder: FolderId) -> bool:
        """Whether so much of it went or changed at once that this waits for a person's word."""
        keeper = self._keeper(folder)
        return keeper is not None and keeper.is_waiting(folder)

    async def _open_folder(self, folder: Folder) -> FolderRow:
        row = await self.world.store(
            accounts.ensure_folder,
            name=folder.name,
            root=folder.root,
            kind=accounts.Kind.WATCHED,
            policy=_policy(folder),
            now=self.world.clock.now(),
        )
        await self.world.store(departures.set_policy, row.id, folder.on_delete)
        return row

    async def _sync(self) -> None:
        """The outer group holds those who work, the inner one those who bring work in."""
        send, receive = anyio.create_memory_object_stream[Due](0)
        finished = anyio.Event()
        async with anyio.create_task_group() as workers:
            workers.start_soon(self.world.journal.run)
            workers.start_soon(self._work, receive, finished)
            for link in self.links.values():
                workers.start_soon(link.run)
            async with anyio.create_task_group() as sources:
                for folder, row in self._rows.values():
                    sources.start_soon(self._take_in, folder, row)
                for link in self.links.values():
                    sources.start_soon(self._reach, link, workers)
                sources.start_soon(self.crew.feed, send)
                await self._stop.wait()
                sources.cancel_scope.cancel()
            with anyio.move_on_after(GRACE):
                await finished.wait()
            workers.cancel_scope.cancel()

    async def _work(self, jobs: MemoryObjectReceiveStream[Due], finished: anyio.Event) -> None:
        await self.crew.work(jobs)
        finished.set()

    async def _take_in(self, folder: Folder, row: FolderRow) -> None:
        """Look after one folder; what breaks there stays there."""
        while True:
            try:
                await self._look_after(folder, row)
            except Exception:
                log.exception("folder_failed", folder=folder.name)
                await anyio.sleep(REPAIR)

    async def _look_after(self, folder: Folder, row: FolderRow) -> None:
        lane = looking(folder)
        root = Root(folder, row.id, self.world, lane, turned=self.crew.bell.ring)
        async with self._surroundings.watch(folder) as source:
            intake = Intake(
                folder, row.id, root, self.world, source,
                looking=lane, arrived=self.crew.bell.ring,
            )  # fmt: skip
            self.intakes[row.id] = intake
            await intake.run()

    async def _reach(self, link: Link, workers: TaskGroup) -> None:
        mine = {i: one for i, one in self._rows.items() if one[0].account == link.name}
        try:
            account = await link.reach([folder for folder, _ in mine.values()])
        except ServerTrouble as trouble:
            self.fatal = trouble
            self.stop()
            return
        keeper = Keeper(account, link, mine, self._house)
        await keeper.prepare()
        self.keepers[link.name] = keeper
        await keeper.run(workers)

    def _root(self, folder: FolderId) -> Root | None:
        return self._house.root(folder)

    def _keeper(self, folder: FolderId) -> Keeper | None:
        return self.keepers.get(self._rows[folder][0].account)

    def _resettle(self, place: Place) -> None:
        if intake := self.intakes.get(place.folder):
            intake.resettle(place)


def _policy(folder: Folder) -> str:
    """What every known file is looked at again for, when a person changes it."""
    restores = " trashed='restore'" if folder.trashed == "restore" else ""
    return f"album={folder.album!r} album_id={folder.album_id!r}{restores}"
