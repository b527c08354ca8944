"""What was deleted here goes into Immich's trash, in folders where a person wants that.

Its own module because it alone decides to take something out of people's sight: it waits, and asks
everything anew at the last moment.
"""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import Enum, auto

import structlog

from immich_sync.bell import Bell
from immich_sync.core.departure import Conditions, Facts, State, Verdict, decide
from immich_sync.core.errors import FileTrouble, NotImmich, Refused, ServerTrouble, SyncTrouble
from immich_sync.core.folder import Folder
from immich_sync.core.ports import Hands, Lane
from immich_sync.core.types import AccountId, FolderId, Place
from immich_sync.elapsed import Elapsed
from immich_sync.immich.client import Immich
from immich_sync.losing import Losing
from immich_sync.rooting import Root
from immich_sync.store import departures
from immich_sync.store.departures import Fate
from immich_sync.tombstones import Tombstones
from immich_sync.trashing import MOST, Trashing
from immich_sync.world import World

GLANCE = 60.0
"""Seconds between two looks at what has departed."""
LEAST = 0.5
"""Seconds, however short the wait."""
LOOKED = 5000
"""Departed files that are decided upon at once: some of them may wait for long."""
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
        self._given = deletions
        self._world = world
        self._elapsed = elapsed
        names = {one: mirrored.folder.name for one, mirrored in deletions.folders.items()}
        self._losing = Losing(names, world)
        self._trashing = Trashing(deletions.account, deletions.immich, world, tombstones, changed)
        self._trouble = ""
        self._unlisted = ""
        self._wanted = Bell()

    @property
    def trouble(self) -> str:
        """Why nothing is deleted though it should be, for people; "" if there is no reason."""
        return self._unlisted or self._trouble

    @property
    def tripped(self) -> Collection[FolderId]:
        """The folders of which a person has to speak first."""
        return self._losing.tripped

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
        await self._rest()

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
        asked = await self._losing.approve(folder)
        if asked:
            self._wanted.ring()
        return asked

    async def _look(self) -> None:
        store, account = self._world.store, self._given.account
        if self._given.folders:
            await self._elapsed.look()  # before anything departs, or a jump is not known for one
        if not await self._is_any_open():
            await self._rest()
            return
        if not self._all_listed():
            return
        await self._given.immich.gate.wait_open()
        await self._trashing.recover()
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

    async def _rest(self) -> None:
        self._trouble = self._unlisted = ""
        await self._losing.nothing_waits()

    async def _look_at(self, folder_id: FolderId, mirrored: Mirrored, wait: float) -> None:
        tripped = await self._losing.weigh(folder_id)
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
            judged = replace(one, stone=self._trashing.stone(one.departed.checksum))
            verdict, why = decide(judged, conditions)
            if verdict is Verdict.KEEP:
                kept.append(Fate(one.departed, State.KEPT, why))
            elif verdict is Verdict.TRASH:
                doomed.append(judged)
        await self._trashing.leave(kept)
        if not (doomed := await self._gone(doomed, mirrored)):
            return

        async def may() -> bool:  # it may have gone while the server was asked, or a disk within it
            return await root.check() and self._all_listed()

        done = await self._trashing.put(doomed[:MOST], conditions, may)
        self._trouble = ""
        if done and doomed[MOST:]:
            self._wanted.ring()

    async def _gone(self, doomed: Sequence[Facts], mirrored: Mirrored) -> list[Facts]:
        """Those at whose place nothing lies; the others were not deleted, or it cannot be told."""
        places = [one.departed.place for one in doomed]
        gone, taken = await self._world.blocking(
            mirrored.looking, _look, self._world.disk, mirrored.folder.root, places
        )
        why = "Something lies at its place that is passed over: a link, or what nobody looks at."
        kept = [one.departed for one in doomed if one.departed.place in taken]
        await self._trashing.leave([Fate(one, State.KEPT, why) for one in kept])
        return [one for one in doomed if one.departed.place in gone]


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
