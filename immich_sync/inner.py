"""The disks that are mounted within one folder, over time: there, away, or another one.

Its own module because the folder's root goes on being believed while one of them is away; whoever
treats a file as gone asks `Root`, which asks here.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace

import anyio
import structlog

from immich_sync.core.errors import FileTrouble
from immich_sync.core.folder import Folder
from immich_sync.core.inner import InnerFacts, InnerState, hides, judge, touches
from immich_sync.core.naming import shown
from immich_sync.core.ports import Disk, Lane, RootIdentity
from immich_sync.core.types import FolderId, Place, below
from immich_sync.store import inner
from immich_sync.store.inner import Inner
from immich_sync.store.ledger import Known
from immich_sync.world import World

SAMPLE = 100
"""Known files looked up to tell whether a disk is the one that they were on."""

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Away:
    """An inner mount that is not there; `since` in wall-clock seconds."""

    since: float
    why: str


class InnerMounts:
    """What is believed of the mounts within a folder; `check` looks again."""

    def __init__(self, folder: Folder, folder_id: FolderId, world: World) -> None:
        self.away: Mapping[bytes, Away] = {}  # by the place below the root
        self.returns = 0  # how often one came back, or turned out to be another one
        self._folder = folder
        self._id = folder_id
        self._world = world
        # One of them that hangs must not hold up who asks the folder's own disk.
        self._looking = Lane(f"look within {folder.name}", 1)
        self._rows: dict[bytes, Inner] = {}
        self._recalled = False
        self._samples: dict[bytes, Sequence[Known]] = {}  # that were drawn last
        self._one_look = anyio.Lock()  # an older look must not be the last word

    async def check(self, doubted: Collection[bytes] | None = ()) -> None:
        """Look at all of them, and closely at the `doubted` ones, None being all.

        Raises StateTrouble.
        """
        async with self._one_look:
            if not self._recalled:
                rows = await self._world.store(inner.remembered, self._id)
                self._rows, self._recalled = {one.place: one for one in rows}, True
            if doubted is None:
                self._samples.clear()  # what is touched there is known by another time by now
            disk, root = self._world.disk, self._folder.root
            met = await self._world.blocking(
                self._looking, _meet, disk, root, frozenset(self._rows)
            )
            away = {}
            for place, seen in met.items():
                closely = doubted is None or place in doubted
                if (found := await self._look_at(place, seen, closely=closely)) is not None:
                    away[place] = found
            self.away = away

    async def sift(
        self, gone: Sequence[Place], lost: Sequence[bytes], unlisted: Collection[bytes]
    ) -> tuple[list[Place], list[bytes]]:
        """Of files and directories that are not there, those that can be believed to be gone.

        `unlisted`: places that were away when they were looked for. Raises StateTrouble.
        """
        missing = {*lost, *(place.directory for place in gone)}
        doubted = [one for one in self._rows if any(touches((one,), each) for each in missing)]
        if doubted:
            await self.check(doubted)
        away = {*self.away, *unlisted}
        return (
            [place for place in gone if not hides(away, place.directory)],
            [directory for directory in lost if not touches(away, directory)],
        )

    async def approve(self) -> None:
        """A person says that what is away was taken away for good: nothing is known of it.

        Its photos stay in Immich. Raises StateTrouble.
        """
        async with self._one_look:
            if self.away:
                files = await self._world.store(inner.take_away, self._id, tuple(self.away))
                log.info("mount_approved", folder=self._folder.name, files=files)
            for place in self.away:
                self._rows.pop(place, None)
                self._samples.pop(place, None)
            self.away = {}

    async def _look_at(
        self, place: bytes, seen: RootIdentity | None, *, closely: bool
    ) -> Away | None:
        """The mount is remembered as it is found now; why it is away, if it is."""
        store, now = self._world.store, self._world.clock.now()
        known = await store(inner.is_known, self._id, place)
        was = self._rows.get(place)
        if seen is None and not known:
            if was is not None:  # nothing is left to be told of it
                await store(inner.take_away, self._id, [place])
                del self._rows[place]
            return None
        if was is None:
            # Files were known here before anything was mounted: who tells that they are on it?
            was = Inner(place, "" if known else str(seen))
        facts = InnerFacts(seen, was.identity, known, closely or was.since is not None)
        state, why = judge(facts)
        if state is InnerState.DOUBTFUL:
            facts = await self._look_up(was, facts)
            state, why = judge(facts)
        if state is InnerState.AWAY:
            since = now if was.since is None else was.since
            await self._remember(replace(was, since=since))
            if was.since is None or place not in self.away:
                log.warning("mount_offline", folder=self._folder.name, file=place, why=why)
            return Away(since, why)
        is_now = Inner(place, was.identity if seen is None else str(seen))
        same = was.identity == is_now.identity
        if facts.known and not (same and was.since is None):
            partial = not same or await self._has_mixed(was, now)
            await self._remember(is_now, partial=partial)
            self.returns += 1
            log.info("mount_online", folder=self._folder.name, file=place)
        else:
            await self._remember(is_now)
        return None

    async def _has_mixed(self, was: Inner, now: float) -> bool:
        """Whether files were met there while it was away: what another disk had is not deleted."""
        since = now if was.since is None else was.since
        return since > now or await self._world.store(inner.is_newer, self._id, was.place, since)

    async def _look_up(self, was: Inner, facts: InnerFacts) -> InnerFacts:
        """The facts, with what was found of a sample of the files that are known there."""
        sample = self._samples.get(was.place)
        if sample:  # drawing one reads all that is known there, and this one may be enough
            found = await self._count(facts, sample)
            if was.since is not None or judge(found)[0] is InnerState.THERE:
                return found
        sample = self._samples[was.place] = await self._draw(was)
        if not sample and (was.since is None or not await self._draw(replace(was, since=None))):
            return replace(facts, known=False)  # all of it lies on disks within this one
        return await self._count(facts, sample)

    async def _count(self, facts: InnerFacts, sample: Sequence[Known]) -> InnerFacts:
        disk, root = self._world.disk, self._folder.root
        found = await self._world.blocking(self._looking, count, disk, root, sample)
        return replace(facts, sampled=len(sample), found=found)

    async def _draw(self, one: Inner) -> Sequence[Known]:
        within = [each for each in self._rows if each.startswith(one.place + b"/")]
        return await self._world.store.look(inner.sample, self._id, one, within, SAMPLE)

    async def _remember(self, one: Inner, *, partial: bool = False) -> None:
        if partial or self._rows.get(one.place) != one:
            await self._world.store(inner.remember, self._id, one, partial=partial)
            self._rows[one.place] = one


def advice(folder: Folder, place: bytes, why: str) -> str:
    """What a person is told of a mount that is away."""
    return (
        f"{shown(place)} within {folder.name}: {why}. What was known there counts neither as gone"
        " nor as deleted. Mount it; if it was taken away for good, run: immich-sync approve"
        f" {folder.name} (its photos stay in Immich)."
    )


def count(disk: Disk, root: bytes, sample: Sequence[Known]) -> int:
    """How many of these files lie there with the size and time that we know. Blocks."""
    found = 0
    for known in sample:
        try:
            there = disk.stat(root, below(known.directory, known.name))
        except FileTrouble:
            continue
        was = known.stamp
        found += there is not None and there[:2] == was[:2]  # size and mtime: inodes may differ
    return found


def _meet(
    disk: Disk, root: bytes, remembered: Collection[bytes]
) -> Mapping[bytes, RootIdentity | None]:
    """What lies at each inner mount, remembered or met, the outer ones first. Blocks."""
    places = sorted({*remembered, *disk.inner(root)})
    return {place: disk.identify(root.rstrip(b"/") + b"/" + place) for place in places}
