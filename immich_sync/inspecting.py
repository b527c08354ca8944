"""Gathers what is known of a file, and of what belongs to it, right before it may be cleaned away.

Its own module because these are the facts that `core.cleanup` decides on: each comes from the disk
or the ledger at that very moment, and none from an earlier look.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from immich_sync.coalesce import Coalescer
from immich_sync.core import cleanup
from immich_sync.core.cleanup import Facts, Proof, Verdict, decide, ripe_at, together
from immich_sync.core.errors import ServerTrouble
from immich_sync.core.folder import Folder
from immich_sync.core.media import motion_of, still_of
from immich_sync.core.naming import shown
from immich_sync.core.ports import Hands, Lane, Source
from immich_sync.core.types import (
    AccountId,
    AlbumId,
    Checksum,
    FolderId,
    Member,
    Place,
    Stamp,
)
from immich_sync.elapsed import Elapsed
from immich_sync.filesystem.removal import reread
from immich_sync.filesystem.scan import Policy, takes
from immich_sync.immich.check import Presence
from immich_sync.pipeline import album_for
from immich_sync.removing import Proved, shared_at, users
from immich_sync.rooting import Root
from immich_sync.store import cleanups, ledger
from immich_sync.store.cleanups import Candidate
from immich_sync.world import World


@dataclass(frozen=True, slots=True)
class Swept:
    """A folder as its cleanup sees it."""

    folder: Folder
    folder_id: FolderId
    account: AccountId
    checker: Coalescer[Checksum, Presence]
    reading: Lane
    looking: Lane
    root: Callable[[], Root | None]
    is_rested: Callable[[], bool]  # scanned, not busy, not paused, and its server answers
    doubt: Callable[[], str]
    newer: Callable[[], str | None]
    troubled: Callable[[ServerTrouble], None]


@dataclass(frozen=True, slots=True)
class Sight:
    """What lies at a place and beside it, looked at just now."""

    stamp: Stamp | None
    links: int
    syncthing: bool
    names: tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class Sidecar:
    """A sidecar that would go along."""

    place: Place
    checksum: Checksum
    owner: Candidate


class Inspector:
    """Looks at the files of one folder."""

    def __init__(self, swept: Swept, world: World, elapsed: Elapsed) -> None:
        self._swept = swept
        self._world = world
        self._elapsed = elapsed
        self._policy = Policy.of(swept.folder)

    def ripe_at(self, one: Candidate) -> float:
        """When the file has lain still, in Immich, for long enough; wall-clock seconds."""
        return ripe_at(
            self._swept.folder.cleanup_after,
            (one.changed_at, one.proved_at),
            one.file.stamp,
            self._world.clock.now(),
            self._elapsed.jumps,
        )

    async def unit(self, one: Candidate, names: Sequence[bytes]) -> list[Candidate]:
        """What goes together with it, moving part first; [] if its still will bring it along."""
        place = one.file.place
        if one.file.motion:
            return [] if still_of(place.name, names) else [one]
        name = motion_of(place.name, names)
        if name is None or not takes(self._policy, place.directory, name):
            return [one]
        motion = await self._world.store(cleanups.candidate, replace(place, name=name))
        if motion is None:
            return []  # it is not synced yet, and may be its moving part
        return [motion, one] if motion.file.motion else [one]

    async def judge(
        self, unit: Sequence[Candidate], proved: Mapping[Place, Proved]
    ) -> tuple[Verdict, list[Sidecar]]:
        """The verdict on all of it, by what is known, and lies there, now."""
        root = self._swept.root()
        online = root is not None and await root.check()
        world = cleanup.World(online, self._swept.doubt(), self._swept.newer())
        verdicts: list[Verdict] = []
        along: list[Sidecar] = []
        for first in unit:
            fresh = await self._world.store(cleanups.candidate, first.file.place)
            known = fresh if fresh is not None and fresh.file == first.file else None
            one = known or first
            seen = await self.look(one.file.place)
            why, found = await self._sidecars(one, unit, seen.names)
            along += [each for each in found if each not in along]
            verdicts.append(
                decide(
                    Facts(
                        world=world,
                        file=known.file if known else None,
                        asset=known.asset if known else None,
                        due=known is None or known.due,
                        undone=one.undone,
                        in_album=await self._in_album(one),
                        ripe_at=self.ripe_at(one),
                        now=self._world.clock.now(),
                        seen=seen.stamp,
                        links=seen.links,
                        syncthing=seen.syncthing,
                        sidecar=why,
                        proof=_proof(proved.get(one.file.place)),
                    )
                )
            )
        return together(verdicts), along

    async def look(self, place: Place) -> Sight:
        """What lies there and beside it. Raises FileUnreadable."""
        folder = self._swept.folder
        return await self._world.blocking(
            self._swept.looking, sight, self._world.disk, folder, place
        )

    async def _in_album(self, one: Candidate) -> bool:
        folder, asset = self._swept.folder, one.asset
        if asset is None or one.file.motion or not folder.wants_album:
            return asset is not None
        album = await self._album(one)
        if album is None:
            return False
        member = Member(album, asset.asset_id)
        return member in await self._world.store(ledger.members, [member])

    async def _album(self, one: Candidate) -> AlbumId | None:
        folder = self._swept.folder
        if folder.album_id is not None:
            return folder.album_id
        name = album_for(folder, one.file.place.directory, one.file.stamp)
        if name is None:
            return None
        return await self._world.store(ledger.album, self._swept.account, name)

    async def _sidecars(
        self, one: Candidate, unit: Sequence[Candidate], names: Sequence[bytes]
    ) -> tuple[str, list[Sidecar]]:
        """Why a sidecar keeps the file here ("" if none does), and those that go along."""
        place, along = one.file.place, list[Sidecar]()
        going = {each.file.place.name for each in unit}
        for name in cleanup.sidecars_of(place.name, names):
            beside = replace(place, name=name)
            opened, checksum, _ = await self.reread(beside)
            opened.close()
            if not await self._went_up(unit, beside, checksum):
                return f"its sidecar {shown(name)} is not in Immich with it as it is now", []
            if going.issuperset(users(name, names)):
                along.append(Sidecar(beside, checksum, unit[-1]))
        return "", along

    async def _went_up(self, unit: Sequence[Candidate], sidecar: Place, checksum: Checksum) -> bool:
        for one in unit:
            if one.file.checksum is not None and await self._world.store(
                cleanups.went_up, self._swept.account, one.file.checksum, sidecar, checksum
            ):
                return True
        return False

    async def reread(self, place: Place) -> tuple[Source, Checksum, Stamp]:
        """The file, open, with its checksum and its stamp; the caller closes it.

        Raises FileTrouble.
        """
        return await self._world.blocking(
            self._swept.reading, reread, self._world.disk, self._swept.folder.root,
            place.relative, None,
        )  # fmt: skip


def _proof(proved: Proved | None) -> Proof | None:
    if proved is None or proved.checksum is None or proved.presence is None:
        return None
    return Proof(proved.checksum, proved.presence.asset_id, proved.presence.trashed)


def sight(disk: Hands, folder: Folder, place: Place) -> Sight:
    """What lies there and beside it. Blocks. Raises FileUnreadable."""
    return Sight(
        stamp=disk.stat(folder.root, place.relative),
        links=disk.links(folder.root, place.relative),
        syncthing=not folder.deletes_reach_phone
        and shared_at(disk, folder.root, place.directory) is not None,
        names=tuple(disk.names(folder.root, place.directory)),
    )
