"""Local files go once Immich has proved to have them: what an upload was asked to delete.

Its own module because nothing else of a one-shot upload can lose a photo, and all the conditions
should stand on one page.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import anyio

from immich_sync.coalesce import Coalescer
from immich_sync.core.errors import FileChanged, FileTrouble, FileUnreadable, SyncTrouble
from immich_sync.core.media import Kind, kind_of
from immich_sync.core.naming import shown
from immich_sync.core.ports import Blocking, Lane
from immich_sync.core.types import AssetId, Checksum, Place, Stamp, below
from immich_sync.filesystem.disk import LocalDisk
from immich_sync.filesystem.mounts import hash_lane
from immich_sync.filesystem.removal import remove, reread
from immich_sync.immich.check import Presence


@dataclass(frozen=True, slots=True)
class Sent:
    """A sidecar whose very bytes the server took (201) together with its file, in this run."""

    name: bytes
    checksum: Checksum


@dataclass(frozen=True, slots=True)
class Doomed:
    """A file below `root` that is to go, as it was when Immich was seen to have it."""

    root: bytes
    place: Place
    stamp: Stamp
    checksum: Checksum
    asset_id: AssetId
    sidecar: Sent | None = None


@dataclass(frozen=True, slots=True)
class Remover:
    """What removing needs."""

    disk: LocalDisk
    blocking: Blocking
    checker: Coalescer[Checksum, Presence]

    async def remove(self, doomed: Doomed, reading: Lane) -> None:
        """The file is gone.

        Only if its stamp has not moved since, its bytes hash to the same again, and after that
        the server still names this very asset for them, outside of its trash. Raises FileTrouble
        with the reason it was kept for, or ServerTrouble.
        """
        place = doomed.place
        path = shown(place.relative)
        opened, checksum, stamp = await self.blocking(
            reading, reread, self.disk, doomed.root, place.relative, doomed.stamp
        )
        try:
            if checksum != doomed.checksum:
                raise FileChanged(f"{path} has other bytes than those in Immich; it is kept.")
            presence = await self.checker.ask(checksum)
            if presence.asset_id != doomed.asset_id:
                raise FileTrouble(f"{path} is not in Immich any more; it is kept.")
            if presence.trashed:
                raise FileTrouble(f"{path} lies in Immich's trash; it is kept.")
            await self.blocking(
                reading, remove, opened, doomed.root, place.directory, place.name, stamp
            )
        finally:
            opened.close()

    async def remove_sidecar(self, owner: Doomed, sent: Sent, reading: Lane) -> bool:
        """Whether the sidecar of a removed file is gone: not if another file may use it.

        Raises FileTrouble if it was written to since, or the disk does not let it go.
        """
        names = await self.blocking(reading, _names, self.disk, owner.root, owner.place.directory)
        if sent.name not in names or users(sent.name, names):
            return False
        relative = below(owner.place.directory, sent.name)
        opened, checksum, stamp = await self.blocking(
            reading, reread, self.disk, owner.root, relative, None
        )
        try:
            if checksum != sent.checksum:
                raise FileChanged(f"{shown(relative)} has other bytes than were sent; it is kept.")
            await self.blocking(
                reading, remove, opened, owner.root, owner.place.directory, sent.name, stamp
            )
        finally:
            opened.close()
        return True


async def remove_all(
    remover: Remover, doomed: Sequence[Doomed], concurrency: int
) -> tuple[list[Place], list[tuple[Place, str]]]:
    """The places that are empty now, sidecars' among them, and those kept, each with its reason.

    Sidecars go last, when all that might use them has gone.
    """
    waiting = iter(doomed)
    gone: list[Doomed] = []
    kept: list[tuple[Place, str]] = []

    async def work() -> None:
        for one in waiting:
            try:
                await remover.remove(one, hash_lane(one.root))
            except SyncTrouble as trouble:
                kept.append((one.place, str(trouble)))
            else:
                gone.append(one)

    async with anyio.create_task_group() as tasks:
        for _ in range(min(concurrency, len(doomed))):
            tasks.start_soon(work)
    places = [one.place for one in gone]
    for one in gone:
        if one.sidecar is None:
            continue
        place = replace(one.place, name=one.sidecar.name)
        try:
            if await remover.remove_sidecar(one, one.sidecar, hash_lane(one.root)):
                places.append(place)
        except SyncTrouble as trouble:
            kept.append((place, str(trouble)))
    return places, kept


def users(sidecar: bytes, names: Sequence[bytes]) -> list[bytes]:
    """The photos and videos among `names` that may mean this sidecar to be theirs.

    In doubt a name counts: `a.xmp` is taken to be anything's with the stem `a`, in any case.
    """
    base = sidecar.rpartition(b".")[0].lower()
    return [
        name
        for name in names
        if kind_of(name) not in {None, Kind.SIDECAR}
        and base in {name.lower(), name.lower().rpartition(b".")[0]}
    ]


def _names(disk: LocalDisk, root: bytes, directory: bytes) -> list[bytes]:
    try:
        return [entry.name for entry in disk.list(root, directory) if entry.stamp is not None]
    except OSError as error:
        raise FileUnreadable(
            f"{shown(directory) or 'the folder'} cannot be listed: {error.strerror}."
        ) from error
