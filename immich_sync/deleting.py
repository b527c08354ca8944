"""What was deleted here goes into Immich's trash, in folders where a person wants that.

Its own module because it alone takes something out of people's sight: it waits, asks everything
anew at the last moment, and writes its intent down before it sends it.
"""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import Enum, auto

import structlog

from immich_sync.bell import Bell
from immich_sync.core import breaker
from immich_sync.core.breaker import Breaker
from immich_sync.core.departure import (
    Conditions,
    Departed,
    Facts,
    State,
    Verdict,
    decide,
)
from immich_sync.core.errors import FileTrouble, NotImmich, Refused, ServerTrouble, SyncTrouble
from immich_sync.core.folder import Folder
from immich_sync.core.ports import Hands, Lane
from immich_sync.core.tombstones import Why
from immich_sync.core.types import AccountId, Activity, AssetId, Checksum, FolderId, Hold, Place
from immich_sync.elapsed import Elapsed
from immich_sync.immich import trash
from immich_sync.immich.check import Presence, bulk_check
from immich_sync.immich.client import Immich
from immich_sync.rooting import Root
from immich_sync.store import breakers, departures
from immich_sync.store.departures import Fate
from immich_sync.tombstones import Tombstones
from immich_sync.world import World

GLANCE = 60.0
"""Seconds between two looks at what has departed."""
LEAST = 0.5
"""Seconds, however short the wait."""
LOOKED = 5000
"""Departed files that are decided upon at once: some of them may wait for long."""
MOST = 100
"""Assets put into the trash in one request."""
SETTLING = 3600.0
"""Seconds after which a file that keeps moving is no reason to wait: it was never the one."""

log = structlog.get_logger()


class Unrest(Enum):
    """What may still turn up in an account's folders."""

    NONE = auto()
    SETTLING = auto()  # files that move, and are not read before they hold still
    SCANNING = auto()  # anything


@dataclass(frozen=True, slots=True)
class Mirrored:
    """A folder whose deletions reach Immich."""

    folder: Folder
    looking: Lane
    root: Callable[[], Root | None]
    may_act: Callable[[], bool]  # its way is open, and no person has paused it


@dataclass(frozen=True, slots=True)
class Deletions:
    """An account with such folders, as its deleter sees it."""

    account: AccountId
    name: str
    immich: Immich
    folders: Mapping[FolderId, Mirrored]
    unrest: Callable[[], Unrest]  # of all its folders
    unlisted: Callable[[], str]  # what of these cannot be listed, as sentences; "" if all can be
    allowed: Callable[[], bool]  # whether the server may be told to delete anything


class Deleter:
    """Acts on one account's departed files; `changed` is called when files may have become due."""

    def __init__(
        self,
        deletions: Deletions,
        world: World,
        tombstones: Tombstones,
        elapsed: Elapsed,
        changed: Callable[[], None] = lambda: None,
    ) -> None:
        self.tripped: set[FolderId] = set()  # folders of which a person has to speak first
        self._weighed = False  # whether that is known of all folders, since the start
        self._trouble = ""
        self._unlisted = ""
        self._given = deletions
        self._world = world
        self._stones = tombstones
        self._elapsed = elapsed
        self._changed = changed
        self._wanted = Bell()

    @property
    def trouble(self) -> str:
        """Why nothing is deleted though it should be, for people; "" if there is no reason."""
        return self._unlisted or self._trouble

    async def run(self) -> None:
        """Look every minute, or more often where less is to be waited for, until cancelled.

        Without a folder whose deletions reach Immich, only until what was begun once is settled.
        """
        waits = (one.folder.delete_after for one in self._given.folders.values())
        glance = min(GLANCE, max(LEAST, min(waits, default=GLANCE) / 4))
        while self._given.folders or await self._is_any_open():
            try:
                await self._look()
            except (NotImmich, Refused) as trouble:  # of what is asked for: uploads may go on
                self._note(f"{trouble} What was deleted here stays in Immich until then.")
            except ServerTrouble as trouble:
                self._given.immich.gate.close(trouble)
            except SyncTrouble as trouble:
                self._note(str(trouble))
            except Exception:
                log.exception("deletions_failed", account=self._given.name)
            await self._wanted.heard(glance)
        await self._reset_all()

    def _note(self, trouble: str) -> None:
        if trouble != self._trouble:
            log.warning("deletions_wait", account=self._given.name, error=trouble)
        self._trouble = trouble

    def _all_listed(self) -> bool:
        """Whether all directories could be listed: what is gone may lie in one that could not."""
        why, before = self._given.unlisted(), self._unlisted
        self._unlisted = why and f"{why} What was deleted here stays in Immich until then."
        if why and self._unlisted != before:
            log.warning("deletions_wait", account=self._given.name, error=self._unlisted)
        return not why

    async def approve(self, folder: FolderId) -> bool:
        """A person says that what is gone now was deleted on purpose; whether that was asked."""
        if folder not in self._given.folders:
            return False
        standing = await self._world.store(breakers.standing, folder)
        if Breaker.DELETIONS not in standing:
            return False
        await self._world.store(departures.approve, folder)
        await self._world.store(breakers.reset, folder, Breaker.DELETIONS)
        self.tripped.discard(folder)
        log.info("deletions_approved", folder=self._given.folders[folder].folder.name)
        self._wanted.ring()
        return True

    async def _look(self) -> None:
        store, account = self._world.store, self._given.account
        if self._given.folders:
            await self._elapsed.look()  # before anything departs, or a jump is not known for one
        if not await self._is_any_open():
            await self._reset_all()
            return
        if not self._all_listed():
            return
        await self._given.immich.gate.wait_open()
        await self._stones.follow(account)
        await self._settle(await store(departures.meant, account))
        now = self._world.clock.now()
        unrest = self._given.unrest()
        if unrest is Unrest.SCANNING:
            return
        await store(departures.tidy, account, now)
        for folder_id, mirrored in self._given.folders.items():
            wait = mirrored.folder.delete_after
            wait = max(wait, SETTLING) if unrest is Unrest.SETTLING else wait
            await self._look_at(folder_id, mirrored, wait)

    async def _is_any_open(self) -> bool:
        return await self._world.store(departures.is_any_open, self._given.account)

    async def _reset_all(self) -> None:
        self._trouble = self._unlisted = ""
        for folder in tuple(self.tripped if self._weighed else self._given.folders):
            if Breaker.DELETIONS in await self._world.store(breakers.standing, folder):
                await self._weigh(folder)
        self._weighed = True

    async def _look_at(self, folder_id: FolderId, mirrored: Mirrored, wait: float) -> None:
        tripped = await self._weigh(folder_id)
        await self._elapsed.look()
        root, now = mirrored.root(), self._world.clock.now()
        facts = await self._world.store(departures.due, folder_id, now - wait, LOOKED)
        if not facts or root is None or not root.online or not await root.check():
            return
        if not self._all_listed():  # a disk within the folder is away by now
            return
        conditions = Conditions(
            online=root.online,
            believed=self._given.allowed() and mirrored.may_act(),
            tripped=tripped,
            wait=wait,
            now=now,
            jumps=self._elapsed.jumps,
        )
        doomed: list[Facts] = []
        kept: list[Fate] = []
        for one in facts:
            judged = replace(one, stone=self._stone(one.departed.checksum))
            verdict, why = decide(judged, conditions)
            if verdict is Verdict.KEEP:
                kept.append(Fate(one.departed, State.KEPT, why))
            elif verdict is Verdict.TRASH:
                doomed.append(judged)
        if kept:
            await self._leave(kept)
        doomed = await self._gone(doomed, mirrored)
        if doomed and await self._trash(doomed[:MOST], root, conditions) and doomed[MOST:]:
            self._wanted.ring()

    async def _gone(self, doomed: Sequence[Facts], mirrored: Mirrored) -> list[Facts]:
        """Those at whose place nothing lies; the others were not deleted, or it cannot be told."""
        places = [one.departed.place for one in doomed]
        gone, taken = await self._world.blocking(
            mirrored.looking, _look, self._world.disk, mirrored.folder.root, places
        )
        why = "Something lies at its place that is passed over: a link, or what nobody looks at."
        kept = [one.departed for one in doomed if one.departed.place in taken]
        if kept:
            await self._leave([Fate(one, State.KEPT, why) for one in kept])
        return [one for one in doomed if one.departed.place in gone]

    def _stone(self, checksum: Checksum) -> Hold | None:
        account = self._given.account
        if self._stones.departed(account, checksum):
            return Hold.DEPARTED
        return self._stones.hold(account, checksum)

    async def _weigh(self, folder_id: FolderId) -> bool:
        """Whether so much is gone from the folder that a person has to speak first."""
        store, now = self._world.store, self._world.clock.now()
        name = self._given.folders[folder_id].folder.name
        standing = await store(breakers.standing, folder_id)
        before = Breaker.DELETIONS in standing
        found = await store(departures.counts, folder_id, now, breaker.WINDOW)
        tripped = breaker.holds(
            breaker.LOST, tripped=before, count=found.lost, known=found.known, left=found.waiting
        )
        if tripped and not before:
            why = f"{found.lost:,} of {found.known:,} files are gone from this folder at once."
            await store(breakers.trip, folder_id, Breaker.DELETIONS, why, now)
            log.error("deletions_held", folder=name, why=why)
        elif before and not tripped:
            await store(breakers.reset, folder_id, Breaker.DELETIONS)
            log.info("deletions_resolved", folder=name)
        if tripped:
            self.tripped.add(folder_id)
        else:
            self.tripped.discard(folder_id)
        return tripped

    async def _trash(self, doomed: Sequence[Facts], root: Root, conditions: Conditions) -> bool:
        """Put these into the trash, after asking the server once more; False if it has to wait."""
        immich, account = self._given.immich, self._given.account
        if not await trash.is_kept(immich):
            self._note(
                "This server keeps no trash: what it is told to delete is gone for good, so"
                " nothing is. Switch its trash on (Administration → Settings → Trash), or say"
                ' on_delete = "ignore".'
            )
            return False
        self._trouble = ""
        presences = await bulk_check(immich, [one.departed.checksum for one in doomed])
        wanted = [
            one
            for one, presence in zip(doomed, presences, strict=True)
            if await self._is_ours(one, presence)
            and (not one.departed.motion or await self._goes_alone(one, conditions))
        ]
        # The folder may have gone while the server was asked, or a disk within it.
        if not await root.check() or not self._all_listed():
            return False
        if not wanted:
            return True
        departed = [one.departed for one in wanted]
        if not (meant := await self._world.store(departures.mean, account, departed)):
            return True
        ids = {one.departed: one.asset.asset_id for one in wanted if one.asset is not None}
        await self._stones.write(account, [one.checksum for one in meant], Why.DEPARTED)
        refused = await self._ask(sorted({ids[one] for one in meant}))
        await self._settle(meant, [one.checksum for one in meant if ids[one] in refused])
        return True

    async def _ask(self, ids: Sequence[AssetId]) -> frozenset[AssetId]:
        """Those that the server refused: one makes it refuse all, so then each is asked alone."""
        immich = self._given.immich
        if await trash.put(immich, ids):
            return frozenset()
        if len(ids) == 1:
            return frozenset(ids)
        return frozenset([one for one in ids if not await trash.put(immich, [one])])

    async def _is_ours(self, facts: Facts, presence: Presence) -> bool:
        """Whether the server still has the very asset that we know, outside the trash."""
        if facts.asset is not None and presence == Presence(facts.asset.asset_id):
            return True
        if presence.asset_id is None:
            await self._leave_one(facts, State.KEPT, "It is not in Immich any more.")
        elif presence.trashed:
            if facts.stone is Hold.DEPARTED:  # another file with these bytes took it there
                await self._leave_one(facts, State.TRASHED, "")
            else:
                checksum = facts.departed.checksum
                await self._stones.write(self._given.account, [checksum], Why.TRASHED)
                await self._leave_one(
                    facts, State.KEPT, "A person put it into Immich's trash before."
                )
        else:
            await self._leave_one(facts, State.KEPT, "Immich has it as another asset by now.")
        return False

    async def _goes_alone(self, facts: Facts, conditions: Conditions) -> bool:
        """Whether a moving part is an asset of its own; else it goes, or stays, with its still."""
        asset = facts.asset
        hidden = asset is not None and await trash.is_hidden(self._given.immich, asset.asset_id)
        if hidden is None:
            why = "Immich does not show it to this key: it may lie in the locked folder."
            await self._leave_one(facts, State.KEPT, why)
            return False
        verdict, why = decide(replace(facts, hidden=hidden), conditions)
        if verdict is Verdict.WITH_STILL:
            await self._stones.write(self._given.account, [facts.departed.checksum], Why.DEPARTED)
            await self._leave_one(facts, State.WITH_STILL, why)
        elif verdict is Verdict.KEEP:
            await self._leave_one(facts, State.KEPT, why)
        return verdict is Verdict.TRASH

    async def _settle(self, meant: Sequence[Departed], refused: Collection[Checksum] = ()) -> None:
        """What we meant to trash, as the server has it now. Raises ServerTrouble.

        What it has `refused` it would refuse again: Immich keeps from every key what a person put
        into the locked folder (Immich 3.1: access.ts).
        """
        if not meant:
            return
        account, now = self._given.account, self._world.clock.now()
        presences = await bulk_check(self._given.immich, [one.checksum for one in meant])
        fates: list[Fate] = []
        alive: list[Checksum] = []
        for one, presence in zip(meant, presences, strict=True):
            if presence.asset_id is not None and not presence.trashed:
                if one.checksum in refused:
                    why = "Immich refused to delete it: it may lie in the locked folder."
                    fates.append(Fate(one, State.KEPT, why))
                else:
                    fates.append(Fate(one, State.WAITING, "Immich has it still."))
                alive.append(one.checksum)
            else:
                fates.append(Fate(one, State.TRASHED, asset=presence.asset_id))
        await self._stones.write(account, alive, Why.BACK)
        await self._world.store(departures.settle, account, fates, now)
        self._tell(fates, now)
        self._changed()

    def _tell(self, fates: Iterable[Fate], now: float) -> None:
        for fate in fates:
            if fate.state is State.TRASHED:
                place, checksum = fate.departed.place, fate.departed.checksum.hex()
                detail = f"It was deleted here: asset {fate.asset or 'unknown'}, SHA-1 {checksum}."
                self._world.journal.note(Activity(now, "put_into_trash", place, detail))
                log.info("put_into_trash", file=place.relative, asset=fate.asset, checksum=checksum)

    async def _leave_one(self, facts: Facts, state: State, why: str) -> None:
        await self._leave([Fate(facts.departed, state, why)])

    async def _leave(self, fates: Sequence[Fate]) -> None:
        now = self._world.clock.now()
        await self._world.store(departures.settle, self._given.account, fates, now)
        for fate in fates:
            log.info("left_in_immich", file=fate.departed.place.relative, why=fate.note)


def _look(
    disk: Hands, root: bytes, places: Iterable[Place]
) -> tuple[frozenset[Place], frozenset[Place]]:
    """Those where nothing lies at all, and those where something does. Blocks.

    A link above all, there or on the way: what it leads to was not deleted. Where it cannot be
    told, a place is in neither.
    """
    gone: list[Place] = []
    taken: list[Place] = []
    for place in places:
        try:
            (taken if disk.links(root, place.relative) else gone).append(place)
        except FileTrouble:
            continue
    return frozenset(gone), frozenset(taken)
