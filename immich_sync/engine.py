"""Everything that lives while folders are being synced, wired together.

Its own module because production and simulation run exactly this: what differs between them
(clock, threads, disk, watcher, transport) comes in as `Surroundings`.
"""

from collections.abc import Callable, Collection
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from dataclasses import dataclass
from datetime import time
from functools import partial

import anyio
import structlog
from anyio.abc import TaskGroup
from anyio.streams.memory import MemoryObjectReceiveStream

from immich_sync.auditing import Audited, Auditor
from immich_sync.changing import Changing
from immich_sync.cleaning import Cleaner
from immich_sync.core.breaker import Breaker
from immich_sync.core.errors import ServerTrouble, StateDamaged
from immich_sync.core.folder import Account, Folder, Limits, Setup
from immich_sync.core.measures import Measures
from immich_sync.core.ports import Blocking, ChangeSource, Clock, Hands, Lane
from immich_sync.core.types import AccountId, Activity, Due, FolderId, Place
from immich_sync.deleting import Deleter, Deletions, Mirrored, Unrest
from immich_sync.firstlook import waits
from immich_sync.immich.client import Immich
from immich_sync.inspecting import Swept
from immich_sync.intake import Intake
from immich_sync.joining import Joiner
from immich_sync.journal import Journal
from immich_sync.link import Link
from immich_sync.rooting import Root
from immich_sync.route import Route
from immich_sync.store import accounts, breakers, departures
from immich_sync.store.accounts import FolderRow
from immich_sync.store.database import Database
from immich_sync.store.door import Store
from immich_sync.tombstones import Tombstones
from immich_sync.waiting import Waiting
from immich_sync.worker import Crew
from immich_sync.world import World

GRACE = 6.0
"""Seconds that workers have to finish once nothing new comes in; Docker kills after 10."""
LAST_WORDS = 1.0
"""Seconds to write down what was learnt until the end."""
REPAIR = 30.0
"""Seconds until a folder whose watching broke in a way nobody foresaw is looked after again."""
LOOKERS = 2
"""Small questions asked at once of one folder's disk."""

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
    """The running whole; `run` it once."""

    def __init__(
        self,
        setup: Setup,
        surroundings: Surroundings,
        database: Database,
        tell: Callable[[Activity], None] = lambda _: None,
        measures: Measures | None = None,
    ) -> None:
        self.setup = setup
        self.measures = measures or Measures()
        self.links: dict[str, Link] = {}  # by the account's name
        self.intakes: dict[FolderId, Intake] = {}
        self.strangers: dict[FolderId, AccountId] = {}  # folders whose key has another user now
        self.auditors: dict[str, Auditor] = {}  # by the name of an account that has been reached
        self.deleters: dict[str, Deleter] = {}  # likewise
        self.changing: dict[str, Changing] = {}  # likewise
        self.in_libraries: dict[FolderId, AccountId] = {}  # folders that are in Immich already
        self.cleaners: dict[FolderId, Cleaner] = {}  # of folders with cleanup, once reached
        self.one_at_a_time = anyio.Lock()  # who takes files away, or brings them back
        self.fatal: ServerTrouble | StateDamaged | None = None  # why it ended by itself, if it did
        self.stopping = False
        self._whole = anyio.CancelScope()
        self._surroundings = surroundings
        self._rows: dict[FolderId, tuple[Folder, FolderRow]] = {}
        self._joiners: dict[str, Joiner] = {}
        self._stop = anyio.Event()
        store = Store(database, surroundings.blocking, damaged=self._end_damaged)
        journal = Journal(store, surroundings.clock.now)
        self.tombstones = Tombstones(store, surroundings.clock.now)
        self.world = World(
            surroundings.clock, surroundings.blocking, surroundings.disk, store, journal
        )
        self._elapsed = Waiting(self.world)
        self._tell = tell
        self.crew = Crew(
            self.world, setup.limits, root=self._root, resettle=self._resettle, tell=tell,
            measures=self.measures,
        )  # fmt: skip

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

    async def approve(self, folder: FolderId, *, removed: bool = False) -> None:
        """A person says: the folder's root, whose key it is, and the server behind it are right.

        What the server lost goes up again, for all the account's folders; unless it was `removed`
        there on purpose.
        """
        intake = self.intakes[folder]
        name = intake.folder.account
        if intake.root.online and name in self.deleters:  # else it is the root that is asked about
            await self.deleters[name].approve(folder)
            await self.changing[name].approve(folder)
        intake.root.approve()
        intake.scan_soon("approved")
        if account := self.strangers.pop(folder, None):
            now = self.world.clock.now()
            await self.world.store(accounts.assign, folder, account, now)
            await self.tombstones.reopen(account)
            await self._open_way(folder, account)
        if account := self.in_libraries.pop(folder, None):
            await self.world.store(breakers.approve, folder, Breaker.LIBRARY)
            await self._open_way(folder, account)
        if auditor := self.auditors.get(intake.folder.account):
            auditor.answer(removed=removed)

    def audited(self) -> bool:
        """Whether every account whose server answers was reached, and audited if that was due."""
        return all(
            name in self.auditors or link.immich.gate.trouble is not None
            for name, link in self.links.items()
        )

    def unapproved(self, folder: FolderId) -> bool:
        """Whether nothing of the folder goes up before a person has said that all is right."""
        auditor = self.auditors.get(self._rows[folder][0].account)
        waiting = folder in self.strangers or folder in self.in_libraries
        return waiting or (auditor is not None and bool(auditor.doubt))

    def waiting(self, folder: FolderId) -> bool:
        """Whether so much of it went or changed at once that this waits for a person's word."""
        name = self._rows[folder][0].account
        return any(
            folder in one.tripped
            for one in (self.deleters.get(name), self.changing.get(name))
            if one is not None
        )

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
        looking = _looking(folder)
        root = Root(folder, row.id, self.world, looking, turned=self.crew.bell.ring)
        async with self._surroundings.watch(folder) as source:
            intake = Intake(
                folder, row.id, root, self.world, source,
                looking=looking, arrived=self.crew.bell.ring,
            )  # fmt: skip
            self.intakes[row.id] = intake
            await intake.run()

    async def _reach(self, link: Link, workers: TaskGroup) -> None:
        mine = {i: row for i, (folder, row) in self._rows.items() if folder.account == link.name}
        try:
            account = await link.reach([self._rows[i][0] for i in mine])
        except ServerTrouble as trouble:
            self.fatal = trouble
            self.stop()
            return
        joiner = Joiner(account, link.immich, self.world.store, self.world.journal)
        workers.start_soon(joiner.run)
        self._joiners[link.name] = joiner
        await self.tombstones.open(account)
        auditor = self._auditor(account, link, mine)
        link.restored = lambda: auditor.restored
        await auditor.first()
        self.auditors[link.name] = auditor
        names = {folder: self._rows[folder][0].name for folder in mine}
        changing = Changing(names, self.world, self.crew.bell.ring)
        self.changing[link.name] = changing
        for folder, row in mine.items():
            if row.account in {None, account}:
                await self.world.store(accounts.assign, folder, account, self.world.clock.now())
                workers.start_soon(self._open_way, folder, account)
            else:
                self.strangers[folder] = account
                log.warning("other_user", folder=self._rows[folder][0].name)
        deleter = self.deleters[link.name] = self._deleter(account, link, mine)
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(deleter.run)
            for cleaner in await self._cleaners(account, link, mine):
                tasks.start_soon(cleaner.run)
            tasks.start_soon(changing.run)
            await auditor.run()

    async def _cleaners(
        self, account: AccountId, link: Link, folders: Collection[FolderId]
    ) -> list[Cleaner]:
        made = {
            one: await self._cleaner(account, link, one, folder)
            for one in folders
            if (folder := self._rows[one][0]).cleans
        }
        self.cleaners.update(made)
        return list(made.values())

    async def _cleaner(
        self, account: AccountId, link: Link, folder_id: FolderId, folder: Folder
    ) -> Cleaner:
        looking = _looking(folder)

        def is_rested() -> bool:
            intake = self.intakes.get(folder_id)
            if intake is None or intake.last_scan is None or not intake.is_quiet():
                return False
            is_open = folder_id in self.crew.open_folders() and not self.waiting(folder_id)
            return is_open and not self.crew.busy

        swept = Swept(
            folder=folder,
            folder_id=folder_id,
            account=account,
            checker=link.checker,
            reading=await self.world.blocking(looking, self._surroundings.hashing, folder),
            looking=looking,
            root=partial(self._root, folder_id),
            is_rested=is_rested,
            doubt=lambda: self.auditors[link.name].doubt,
            newer=lambda: link.deletions_allowed,
            troubled=link.immich.gate.close,
        )
        return Cleaner(swept, self.world, self._elapsed, self.one_at_a_time, self._tell)

    def _deleter(self, account: AccountId, link: Link, folders: Collection[FolderId]) -> Deleter:
        def may_act(folder: FolderId) -> bool:
            return folder in self.crew.open_folders()

        mirrored = {
            one: Mirrored(folder, _looking(folder), partial(self._root, one), partial(may_act, one))
            for one in folders
            if (folder := self._rows[one][0]).on_delete == "trash"
        }

        def allowed() -> bool:
            return link.deletions_allowed is None and not self.auditors[link.name].restored

        deletions = Deletions(
            account, link.name, link.immich, mirrored, partial(self._unrest, folders), allowed
        )
        return Deleter(deletions, self.world, self.tombstones, self.crew.bell.ring)

    def _unrest(self, folders: Collection[FolderId]) -> Unrest:
        """Whether these folders may still show where a file went that is gone from its place."""
        intakes = [self.intakes.get(one) for one in folders]
        if any(one is None or one.is_looking() for one in intakes):
            return Unrest.SCANNING
        moving = any(one is not None and (one.settling() or not one.is_quiet()) for one in intakes)
        return Unrest.SETTLING if moving else Unrest.NONE

    def _auditor(self, account: AccountId, link: Link, folders: Collection[FolderId]) -> Auditor:
        settings = {folder: self._rows[folder][0] for folder in folders}

        def is_scanning() -> bool:
            return any(i.scanning for one in folders if (i := self.intakes.get(one)))

        audited = Audited(
            account=account,
            name=link.name,
            immich=link.immich,
            at=min((one.scan_at for one in settings.values()), default=time(3, 30)),
            restoring=[one for one in folders if settings[one].trashed == "restore"],
            is_scanning=is_scanning,
        )
        return Auditor(audited, self.world, self.tombstones, self.crew.bell.ring)

    async def _open_way(self, folder_id: FolderId, account: AccountId) -> None:
        """The folder's jobs may go to this account from now on, unless they are there already."""
        folder, _ = self._rows[folder_id]

        def still_to_come() -> bool | None:
            intake = self.intakes.get(folder_id)
            scanned = intake is not None and intake.last_scan is not None
            return bool(intake and intake.settling()) if scanned else None

        immich = self.links[folder.account].immich
        if await waits(folder_id, folder.name, immich, self.world, still_to_come):
            self.in_libraries[folder_id] = account
            return
        looking = _looking(folder)
        hashing = await self.world.blocking(looking, self._surroundings.hashing, folder)
        link, auditor = self.links[folder.account], self.auditors[folder.account]
        self.crew.routes[folder_id] = Route(
            folder=folder,
            account=account,
            immich=link.immich,
            checker=link.checker,
            joiner=self._joiners[link.name],
            flights=link.flights,
            uploads=link.uploads,
            looking=looking,
            hashing=hashing,
            tombstones=self.tombstones,
            takes_back=any(
                one.on_delete == "trash" and one.account == folder.account
                for one in self.setup.folders
            ),
            headroom=link.headroom,
            may_change=self.changing[folder.account].may_go,
            missed=auditor.missed,
            moved=partial(self.measures.moved, link.name),
            answered=partial(self.measures.uploaded, link.name),
            believed=lambda: not auditor.doubt,
        )
        self.crew.bell.ring()

    def _root(self, folder: FolderId) -> Root | None:
        intake = self.intakes.get(folder)
        return None if intake is None else intake.root

    def _resettle(self, place: Place) -> None:
        if intake := self.intakes.get(place.folder):
            intake.resettle(place)


def _looking(folder: Folder) -> Lane:
    return Lane(f"look {folder.name}", LOOKERS)


def _policy(folder: Folder) -> str:
    """What every known file is looked at again for, when a person changes it."""
    restores = " trashed='restore'" if folder.trashed == "restore" else ""
    return f"album={folder.album!r} album_id={folder.album_id!r}{restores}"
