"""The gate that a local file passes before it is deleted, or put aside: it is in Immich, proved.

Its own module because nothing else can lose a photo, and all the conditions should stand on one
page, whoever asks for the deletion.

A file passes if, in this order: its stamp is the one it was synced with; its bytes, read again
from the descriptor that stays open, hash to the same; after that the server still names this very
asset for them, outside of its trash; and then, at the last moment, the name is still that file's,
its stamp has not moved, and no program has it open for writing (F_SETLEASE). Nor may Syncthing
share its folder, unless a person wants that. A sidecar passes
after its photo has gone, if its bytes are those that the server took with the photo, and nothing
is left that it may belong to as well.
"""

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace

import anyio

from immich_sync.coalesce import Coalescer
from immich_sync.core.cleanup import SYNCTHING, Kept
from immich_sync.core.errors import FileChanged, FileTrouble, SyncTrouble
from immich_sync.core.media import Kind, kind_of
from immich_sync.core.naming import shown
from immich_sync.core.ports import Blocking, Hands, Lane, Source
from immich_sync.core.types import AssetId, Checksum, Place, Stamp, below
from immich_sync.filesystem.mounts import hash_lane
from immich_sync.filesystem.removal import reread
from immich_sync.immich.check import Presence


@dataclass(frozen=True, slots=True)
class Sent:
    """A sidecar whose very bytes the server took (201) together with its file."""

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
class Proved:
    """A file that may go, open: what `Hands.unlink` and `Hands.move` are given."""

    opened: Source
    root: bytes
    directory: bytes
    name: bytes
    stamp: Stamp
    checksum: Checksum | None = None  # of its bytes, read again
    presence: Presence | None = None  # what the server said after that; None for a sidecar
    asked_at: tuple[float, float] = (0.0, 0.0)  # when it was asked: wall clock, monotonic

    @property
    def relative(self) -> bytes:
        """The path below the root."""
        return below(self.directory, self.name)


@dataclass(frozen=True, slots=True)
class Gate:
    """What proving needs; `checker` is asked anew for every file.

    `deletes_reach_phone`: whether a person wants files gone from a folder that Syncthing shares.
    """

    disk: Hands
    blocking: Blocking
    checker: Coalescer[Checksum, Presence]
    now: Callable[[], float]  # wall-clock seconds
    deletes_reach_phone: bool = False

    @asynccontextmanager
    async def prove(self, doomed: Doomed, reading: Lane) -> AsyncIterator[Proved]:
        """The file, proved to be in Immich now; what the caller does with it, it does in the block.

        Raises FileTrouble with the reason it is kept for, or ServerTrouble.
        """
        place = doomed.place
        path = shown(place.relative)
        opened, checksum, stamp = await self.blocking(
            reading, reread, self.disk, doomed.root, place.relative, doomed.stamp
        )
        try:
            if checksum != doomed.checksum:
                raise FileChanged(f"{path} has other bytes than those in Immich; it is kept.")
            asked_at = self.now(), anyio.current_time()
            presence = await self.checker.ask(checksum)
            if presence.asset_id != doomed.asset_id:
                raise FileTrouble(f"{path} is not in Immich any more; it is kept.")
            if presence.trashed:
                raise FileTrouble(f"{path} lies in Immich's trash; it is kept.")
            where = await self.blocking(reading, self._shared, doomed.root, place.directory)
            if where is not None:
                raise Kept(
                    f"{path} is kept: Syncthing shares {shown(where)} (it holds .stfolder), and"
                    " would delete it from the phone as well."
                )
            yield Proved(
                opened, doomed.root, place.directory, place.name, stamp, checksum, presence,
                asked_at,
            )  # fmt: skip
        finally:
            opened.close()

    @asynccontextmanager
    async def prove_sidecar(
        self, owner: Doomed, sent: Sent, reading: Lane
    ) -> AsyncIterator[Proved | None]:
        """The sidecar of a file that has gone; None if it is not there or another may use it.

        Raises FileTrouble with the reason it is kept for.
        """
        root, directory = owner.root, owner.place.directory
        names = await self.blocking(reading, self.disk.names, root, directory)
        if sent.name not in names or users(sent.name, names):
            yield None
            return
        relative = below(directory, sent.name)
        opened, checksum, stamp = await self.blocking(
            reading, reread, self.disk, root, relative, None
        )
        try:
            if checksum != sent.checksum:
                raise FileChanged(f"{shown(relative)} has other bytes than were sent; it is kept.")
            yield Proved(opened, root, directory, sent.name, stamp)
        finally:
            opened.close()

    def _shared(self, root: bytes, directory: bytes) -> bytes | None:
        return None if self.deletes_reach_phone else shared_at(self.disk, root, directory)

    async def delete(self, proved: Proved, reading: Lane) -> None:
        """The file is gone. Raises FileTrouble with the reason it was kept for."""
        await self.blocking(
            reading,
            self.disk.unlink,
            proved.opened,
            proved.root,
            proved.relative,
            proved.stamp,
        )


async def delete_all(
    gate: Gate, doomed: Sequence[Doomed], concurrency: int
) -> tuple[list[Place], list[tuple[Place, str]]]:
    """The places that are empty now, sidecars' among them, and those kept, each with its reason.

    Sidecars go last, when all that might use them has gone.
    """
    waiting = iter(doomed)
    gone: list[Doomed] = []
    kept: list[tuple[Place, str]] = []

    async def work() -> None:
        for one in waiting:
            lane = hash_lane(one.root)
            try:
                async with gate.prove(one, lane) as proved:
                    await gate.delete(proved, lane)
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
        place, lane = replace(one.place, name=one.sidecar.name), hash_lane(one.root)
        try:
            async with gate.prove_sidecar(one, one.sidecar, lane) as free:
                if free is not None:
                    await gate.delete(free, lane)
                    places.append(place)
        except SyncTrouble as trouble:
            kept.append((place, str(trouble)))
    return places, kept


def shared_at(disk: Hands, root: bytes, directory: bytes) -> bytes | None:
    """The directory with Syncthing's marker that a directory below `root` lies in, or is.

    None if Syncthing shares neither it nor any above it, on whatever file system. Blocks. Raises
    FileUnreadable.
    """
    inside, top = directory, root.rstrip(b"/")
    while not disk.links(root, below(inside, SYNCTHING)):
        if not inside:
            break
        inside = inside.rpartition(b"/")[0]
    else:
        return below(top, inside) if inside else root
    while top:
        top = top.rpartition(b"/")[0]
        if disk.links(top or b"/", SYNCTHING):
            return top or b"/"
    return None


def users(sidecar: bytes, names: Sequence[bytes]) -> list[bytes]:
    """What among `names` may mean this sidecar to be its own: whatever is no sidecar itself.

    In doubt a name counts: `a.xmp` is taken to be anything's with the stem `a`, in any case, and
    not only a photo's or video's, for a server may take more kinds than we know.
    """
    base = sidecar.rpartition(b".")[0].lower()
    return [
        name
        for name in names
        if kind_of(name) is not Kind.SIDECAR
        and base in {name.lower(), name.lower().rpartition(b".")[0]}
    ]
