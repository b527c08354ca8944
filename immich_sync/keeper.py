"""All who look after one account's photos, once its server has answered.

Its own module because each of them knows the others by a word or two only, and somebody has to
pass these on; the engine knows accounts, and not what is done for them.
"""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from datetime import time
from functools import partial

import anyio
import structlog
from anyio.abc import TaskGroup

from immich_sync.auditing import Audited, Auditor
from immich_sync.changing import Changing
from immich_sync.cleaning import Cleaner
from immich_sync.core.breaker import Breaker
from immich_sync.core.folder import Folder
from immich_sync.core.measures import Measures
from immich_sync.core.naming import shown
from immich_sync.core.ports import Lane
from immich_sync.core.types import AccountId, Activity, FolderId, below
from immich_sync.deleting import Deleter, Deletions, Mirrored, Unrest
from immich_sync.elapsed import Elapsed
from immich_sync.firstlook import waits
from immich_sync.inspecting import Swept
from immich_sync.intake import Intake
from immich_sync.joining import Joiner
from immich_sync.link import Link
from immich_sync.rooting import Root
from immich_sync.route import Route
from immich_sync.store import accounts, breakers
from immich_sync.store.accounts import FolderRow
from immich_sync.tombstones import Tombstones
from immich_sync.worker import Crew
from immich_sync.world import World

LOOKERS = 2
"""Small questions asked at once of one folder's disk."""

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class House:
    """What all accounts have in common."""

    world: World
    crew: Crew
    tombstones: Tombstones
    elapsed: Elapsed
    measures: Measures
    intakes: Mapping[FolderId, Intake]  # of the folders that are being looked after by now
    hashing: Callable[[Folder], Lane]
    tell: Callable[[Activity], None]
    one_at_a_time: anyio.Lock  # who takes files away, or brings them back

    def root(self, folder: FolderId) -> Root | None:
        """What is believed of the folder's root; None before anybody looked."""
        intake = self.intakes.get(folder)
        return None if intake is None else intake.root


class Keeper:
    """One account's. First `prepare`, then `run`; the rest is asked and told meanwhile."""

    def __init__(
        self,
        account: AccountId,
        link: Link,
        folders: Mapping[FolderId, tuple[Folder, FolderRow]],
        house: House,
    ) -> None:
        self.strangers: set[FolderId] = set()  # folders that were synced to another user
        self.in_libraries: set[FolderId] = set()  # folders that are in Immich already
        self.cleaners: dict[FolderId, Cleaner] = {}
        self._account = account
        self._link = link
        self._house = house
        self._folders = {one: folder for one, (folder, _) in folders.items()}
        self._owners = {one: row.account for one, (_, row) in folders.items()}
        names = {one: folder.name for one, folder in self._folders.items()}
        freed = house.crew.bell.ring
        self._joiner = Joiner(account, link.immich, house.world.store, house.world.journal)
        self._auditor = Auditor(self._audited(), house.world, house.tombstones, freed)
        self._changing = Changing(names, house.world, freed)
        self._deleter = Deleter(
            self._deletions(), house.world, house.tombstones, house.elapsed, freed
        )
        link.restored = lambda: self._auditor.restored

    async def prepare(self) -> None:
        """What has to be known before anything goes up. Raises StateTrouble."""
        await self._house.tombstones.open(self._account)
        await self._auditor.first()

    async def run(self, workers: TaskGroup) -> None:
        """Open the folders' ways, and look after them until cancelled.

        What `workers` are given goes on until these have ended: who works at a file still needs it.
        """
        workers.start_soon(self._joiner.run)
        for one, folder in self._folders.items():
            if self._owners[one] in {None, self._account}:
                await self._assign(one)
                workers.start_soon(self._open_way, one)
            else:
                self.strangers.add(one)
                log.warning("other_user", folder=folder.name)
            if folder.cleans:
                self.cleaners[one] = await self._cleaner(one, folder)
        async with anyio.create_task_group() as tasks:
            for cleaner in self.cleaners.values():
                tasks.start_soon(cleaner.run)
            tasks.start_soon(self._deleter.run)
            tasks.start_soon(self._changing.run)
            await self._auditor.run()

    @property
    def doubt(self) -> str:
        """Why the server is not believed to be the one we know; "" if it is."""
        return self._auditor.doubt

    @property
    def trouble(self) -> str:
        """Why nothing is deleted though it should be, for people; "" if there is no reason."""
        return self._deleter.trouble

    def is_unapproved(self, folder: FolderId) -> bool:
        """Whether nothing of the folder goes up before a person has said that all is right."""
        return folder in self.strangers or folder in self.in_libraries or bool(self.doubt)

    def is_waiting(self, folder: FolderId) -> bool:
        """Whether so much of it went or changed at once that this waits for a person's word."""
        return folder in self._deleter.tripped or folder in self._changing.tripped

    def audit_soon(self) -> None:
        """The server is asked for all that it should have, once no folder is being scanned."""
        self._auditor.audit_soon()

    async def approve_loss(self, folder: FolderId) -> None:
        """A person says that what went or changed did so on purpose."""
        await self._deleter.approve(folder)
        await self._changing.approve(folder)

    async def approve(self, folder: FolderId, *, removed: bool) -> None:
        """A person says: whose key it is, and the server behind it, are right."""
        if folder in self.strangers:
            self.strangers.discard(folder)
            await self._assign(folder)
            await self._house.tombstones.reopen(self._account)
            await self._open_way(folder)
        if folder in self.in_libraries:
            self.in_libraries.discard(folder)
            await self._house.world.store(breakers.approve, folder, Breaker.LIBRARY)
            await self._open_way(folder)
        self._auditor.answer(removed=removed)

    async def _assign(self, folder: FolderId) -> None:
        world = self._house.world
        await world.store(accounts.assign, folder, self._account, world.clock.now())

    async def _open_way(self, folder_id: FolderId) -> None:
        """The folder's jobs may go to this account from now on, unless they are there already."""
        house, link, folder = self._house, self._link, self._folders[folder_id]
        still_to_come = partial(self._still_to_come, folder_id)
        if await waits(folder_id, folder.name, link.immich, house.world, still_to_come):
            self.in_libraries.add(folder_id)
            return
        house.crew.routes[folder_id] = Route(
            folder=folder,
            account=self._account,
            immich=link.immich,
            checker=link.checker,
            joiner=self._joiner,
            flights=link.flights,
            uploads=link.uploads,
            looking=looking(folder),
            hashing=await house.world.blocking(looking(folder), house.hashing, folder),
            tombstones=house.tombstones,
            takes_back=any(one.on_delete == "trash" for one in self._folders.values()),
            headroom=link.headroom,
            may_change=self._changing.may_go,
            missed=self._auditor.missed,
            moved=partial(house.measures.moved, link.name),
            answered=partial(house.measures.uploaded, link.name),
            believed=lambda: not self.doubt,
        )
        house.crew.bell.ring()

    def _still_to_come(self, folder: FolderId) -> bool | None:
        intake = self._house.intakes.get(folder)
        if intake is None or intake.last_scan is None:
            return None
        return bool(intake.settling())

    def _audited(self) -> Audited:
        folders, intakes = self._folders, self._house.intakes

        def is_scanning() -> bool:
            return any(i.scanning for one in folders if (i := intakes.get(one)))

        return Audited(
            account=self._account,
            name=self._link.name,
            immich=self._link.immich,
            at=min((one.scan_at for one in folders.values()), default=time(3, 30)),
            restoring=[i for i, one in folders.items() if one.trashed == "restore"],
            is_scanning=is_scanning,
        )

    def _deletions(self) -> Deletions:
        house, link = self._house, self._link

        def may_act(folder: FolderId) -> bool:
            return folder in house.crew.open_folders()

        mirrored = {
            one: Mirrored(folder, looking(folder), partial(house.root, one), partial(may_act, one))
            for one, folder in self._folders.items()
            if folder.on_delete == "trash"
        }
        return Deletions(
            account=self._account,
            name=link.name,
            immich=link.immich,
            folders=mirrored,
            unrest=partial(_unrest, house.intakes, self._folders),
            unlisted=partial(_unlisted, house.intakes, self._folders),
            allowed=lambda: link.deletions_forbidden is None,
        )

    async def _cleaner(self, folder_id: FolderId, folder: Folder) -> Cleaner:
        house, link = self._house, self._link

        def is_rested() -> bool:
            intake = house.intakes.get(folder_id)
            if intake is None or intake.last_scan is None or not intake.is_quiet():
                return False
            is_open = folder_id in house.crew.open_folders() and not self.is_waiting(folder_id)
            return is_open and not house.crew.busy

        swept = Swept(
            folder=folder,
            folder_id=folder_id,
            account=self._account,
            checker=link.checker,
            reading=await house.world.blocking(looking(folder), house.hashing, folder),
            looking=looking(folder),
            root=partial(house.root, folder_id),
            is_rested=is_rested,
            doubt=lambda: self.doubt,
            newer=lambda: link.deletions_forbidden,
            troubled=link.immich.gate.close,
        )
        return Cleaner(swept, house.world, house.elapsed, house.one_at_a_time, house.tell)


def _unlisted(intakes: Mapping[FolderId, Intake], folders: Collection[FolderId]) -> str:
    """What of these folders could not be listed, as sentences; "" if all could be."""
    for one in folders:
        intake = intakes.get(one)
        if intake is None:
            continue
        root, name = intake.folder.root, intake.folder.name
        if (found := intake.unlisted()) is not None:
            return (
                f"{shown(below(root, found) if found else root)} cannot be listed, and what is gone"
                " from its place may lie there now. Give the user that runs immich-sync the right"
                " to read it, or ignore it."
            )
        if intake.root.online and intake.root.inner.away:
            return (
                f"{shown(below(root, min(intake.root.inner.away)))} is not mounted, and what is"
                " gone from its place may lie there now. Mount it; if it was taken away for good,"
                f" run: immich-sync approve {name}."
            )
    return ""


def looking(folder: Folder) -> Lane:
    """Where small questions are asked of the folder's disk."""
    return Lane(f"look {folder.name}", LOOKERS)


def _unrest(intakes: Mapping[FolderId, Intake], folders: Collection[FolderId]) -> Unrest:
    """Whether these folders may still show where a file went that is gone from its place."""
    mine = [intakes.get(one) for one in folders]
    if any(one is None or one.is_looking() for one in mine):
        return Unrest.SCANNING
    moving = any(one is not None and (one.settling() or not one.is_quiet()) for one in mine)
    return Unrest.SETTLING if moving else Unrest.NONE
