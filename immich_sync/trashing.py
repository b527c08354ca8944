"""Puts photos into Immich's trash whose files were deleted here, and sees to it that it happened.

Its own module because each step has its order: the server is asked once more, the intent is
written down, only then is it sent; and whatever became of it, even by a crash, is settled by
asking again.
"""

from collections.abc import Awaitable, Callable, Collection, Iterable, Sequence
from dataclasses import replace

import structlog

from immich_sync.core.departure import Conditions, Departed, Facts, State, Verdict, decide
from immich_sync.core.errors import SyncTrouble
from immich_sync.core.tombstones import Why
from immich_sync.core.types import AccountId, Activity, AssetId, Checksum, Hold
from immich_sync.immich import trash
from immich_sync.immich.check import Presence, bulk_check
from immich_sync.immich.client import Immich
from immich_sync.store import departures
from immich_sync.store.departures import Fate
from immich_sync.tombstones import Tombstones
from immich_sync.world import World

MOST = 100
"""Assets put into the trash in one request."""

log = structlog.get_logger()


class NoTrash(SyncTrouble):
    """The server keeps no trash: what it deletes is gone for good."""


class Trashing:
    """Settles the departed files of one account; `changed` is called when files may be due."""

    def __init__(
        self,
        account: AccountId,
        immich: Immich,
        world: World,
        tombstones: Tombstones,
        changed: Callable[[], None],
    ) -> None:
        self._account = account
        self._immich = immich
        self._world = world
        self._stones = tombstones
        self._changed = changed

    def stone(self, checksum: Checksum) -> Hold | None:
        """What keeps these bytes out of Immich, if anything does."""
        if self._stones.departed(self._account, checksum):
            return Hold.DEPARTED
        return self._stones.hold(self._account, checksum)

    async def recover(self) -> None:
        """What was begun and has no known end, as the server has it now.

        Raises SyncTrouble.
        """
        await self._stones.follow(self._account)
        await self._settle(await self._world.store(departures.meant, self._account))

    async def put(
        self, doomed: Sequence[Facts], conditions: Conditions, may: Callable[[], Awaitable[bool]]
    ) -> bool:
        """Put these into the trash, after asking the server once more; False if it has to wait.

        `may` is asked last: whether what is gone can still be believed to be. At most MOST at once.
        Raises NoTrash and other SyncTrouble.
        """
        if not await trash.is_kept(self._immich):
            raise NoTrash(
                "This server keeps no trash: what it is told to delete is gone for good, so"
                " nothing is. Switch its trash on (Administration → Settings → Trash), or say"
                ' on_delete = "ignore".'
            )
        presences = await bulk_check(self._immich, [one.departed.checksum for one in doomed])
        wanted = [
            one
            for one, presence in zip(doomed, presences, strict=True)
            if await self._is_ours(one, presence)
            and (not one.departed.motion or await self._goes_alone(one, conditions))
        ]
        if not await may():
            return False
        departed = [one.departed for one in wanted]
        if not (meant := await self._world.store(departures.mean, self._account, departed)):
            return True
        ids = {one.departed: one.asset.asset_id for one in wanted if one.asset is not None}
        await self._stones.write(self._account, [one.checksum for one in meant], Why.DEPARTED)
        refused = await self._ask(sorted({ids[one] for one in meant}))
        await self._settle(meant, [one.checksum for one in meant if ids[one] in refused])
        return True

    async def leave(self, fates: Sequence[Fate]) -> None:
        """These are decided and nothing is sent. Raises StateTrouble."""
        if not fates:
            return
        now = self._world.clock.now()
        await self._world.store(departures.settle, self._account, fates, now)
        for fate in fates:
            log.info("left_in_immich", file=fate.departed.place.relative, why=fate.note)

    async def _ask(self, ids: Sequence[AssetId]) -> frozenset[AssetId]:
        """Those that the server refused: one makes it refuse all, so then each is asked alone."""
        immich = self._immich
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
                await self._stones.write(self._account, [checksum], Why.TRASHED)
                await self._leave_one(
                    facts, State.KEPT, "A person put it into Immich's trash before."
                )
        else:
            await self._leave_one(facts, State.KEPT, "Immich has it as another asset by now.")
        return False

    async def _goes_alone(self, facts: Facts, conditions: Conditions) -> bool:
        """Whether a moving part is an asset of its own; else it goes, or stays, with its still."""
        asset = facts.asset
        hidden = asset is not None and await trash.is_hidden(self._immich, asset.asset_id)
        if hidden is None:
            why = "Immich does not show it to this key: it may lie in the locked folder."
            await self._leave_one(facts, State.KEPT, why)
            return False
        verdict, why = decide(replace(facts, hidden=hidden), conditions)
        if verdict is Verdict.WITH_STILL:
            await self._stones.write(self._account, [facts.departed.checksum], Why.DEPARTED)
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
        account, now = self._account, self._world.clock.now()
        presences = await bulk_check(self._immich, [one.checksum for one in meant])
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
        await self.leave([Fate(facts.departed, state, why)])
