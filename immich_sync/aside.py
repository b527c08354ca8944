"""What lies aside: where a file goes in quarantine, and how it comes back.

Its own module because cleaning, undoing and a restart after a crash need the same few moves.
"""

from dataclasses import dataclass, replace

import structlog

from immich_sync.core import cleanup
from immich_sync.core.errors import FileTrouble
from immich_sync.core.folder import Folder
from immich_sync.core.naming import shown
from immich_sync.core.ports import Hands, Lane, Source, Target
from immich_sync.core.types import Activity, FolderId, Place, Stamp, below
from immich_sync.filesystem.removal import reread
from immich_sync.removing import users
from immich_sync.store import cleanups
from immich_sync.store.cleanups import Cleaned, State
from immich_sync.world import World

log = structlog.get_logger()


async def finish(world: World, folder: Folder, folder_id: FolderId, lane: Lane) -> None:
    """What a process that ended had begun is what the disk says it is. The root is online."""
    for row in await world.store(cleanups.unfinished, folder_id):
        there = await world.blocking(lane, world.disk.stat, folder.root, row.place.relative)
        try:
            aside = await lies_aside(world, row, lane)
        except cleanup.NoPlace as trouble:
            log.warning("not_cleaned", file=row.place.relative, why=str(trouble))
            continue  # nobody can say what became of it
        match row.state:
            case State.EXPIRING:
                state = State.QUARANTINED if aside else State.EXPIRED
            case State.UNDOING:
                state = State.QUARANTINED if aside else State.UNDONE
            case _ if there == row.stamp:  # it was not touched
                if aside:
                    await _drop_copy(world, row, lane)
                elif row.sidecar and await _is_left_over(world, folder, row, lane):
                    await _follow(world, folder, row, lane)
                    continue
                await world.store(cleanups.spare, row, world.clock.now())
                continue
            case _ if row.aside is not None and not aside:  # somebody else took it
                await world.store(cleanups.spare, replace(row, sidecar=True), world.clock.now())
                continue
            case _:
                state = State.DELETED if row.aside is None else State.QUARANTINED
        log.info("cleanup_finished", file=row.place.relative, state=state.value)
        if row.state is not State.MEANT and state is State.QUARANTINED:  # where it was before
            # One that was let go is asked for again soon, and not only tomorrow.
            asked_at = None if row.state is State.EXPIRING else row.asked_at
            await world.store(cleanups.settle, replace(row, state=state, asked_at=asked_at))
        else:
            await say(world, folder, replace(row, state=state))


async def _is_left_over(world: World, folder: Folder, row: Cleaned, lane: Lane) -> bool:
    """Whether the photo of a sidecar has gone, and nothing is left that it may belong to."""
    unit = await world.store(cleanups.unit_of, row)
    gone = [one.state in {State.DELETED, State.QUARANTINED} for one in unit if not one.sidecar]
    if not gone or not all(gone):
        return False
    names = await world.blocking(lane, world.disk.names, folder.root, row.place.directory)
    return not users(row.place.name, names)


async def _follow(world: World, folder: Folder, row: Cleaned, lane: Lane) -> None:
    """The sidecar goes where its photo went, if its bytes are still those that went up."""
    try:
        opened, checksum, stamp = await world.blocking(
            lane, reread, world.disk, folder.root, row.place.relative, row.stamp
        )
        try:
            if checksum != row.checksum:
                raise cleanup.Kept("It changed, and is kept.")
            await take(world, folder, row, Taken(opened, stamp), lane)
        finally:
            opened.close()
    except FileTrouble as trouble:
        log.info("not_cleaned", file=row.place.relative, why=str(trouble))
        await world.store(cleanups.spare, row, world.clock.now())


@dataclass(frozen=True, slots=True)
class Taken:
    """A file that is to go, open, with the stamp that it was proved with."""

    opened: Source
    stamp: Stamp


async def take(world: World, folder: Folder, row: Cleaned, taken: Taken, lane: Lane) -> Activity:
    """The file is gone from its folder, and that is known.

    Raises FileTrouble if it is not; then nothing has happened.
    """
    disk, relative = world.disk, row.place.relative
    if row.aside_root is None or row.aside is None:
        await world.blocking(lane, disk.unlink, taken.opened, folder.root, relative, taken.stamp)
        return await say(world, folder, replace(row, state=State.DELETED))
    to = Target(row.aside_root, row.aside, checksum=row.checksum)
    await world.blocking(lane, disk.move, taken.opened, folder.root, relative, taken.stamp, to)
    return await say(world, folder, replace(row, state=State.QUARANTINED))


async def lies_aside(world: World, row: Cleaned, lane: Lane) -> bool:
    """Whether it lies in its quarantine. Raises NoPlace if that cannot be told: it is not there."""
    if row.aside_root is None or row.aside is None:
        return False
    if await world.blocking(lane, world.disk.links, row.aside_root, row.aside) > 0:
        return True
    there = await world.blocking(lane, disk_at, world.disk, row.aside_root)
    if not there or there != (row.aside_disk or there):
        said = "is another disk than the one it was put on" if there else "is not there"
        raise cleanup.NoPlace(f"The quarantine {shown(row.aside_root)} {said}: mount its disk.")
    return False


def disk_at(disk: Hands, root: bytes) -> str:
    """Blocking: what tells the disk at `root` from another one, over restarts; "": none is there.

    What the system calls a disk may change from one start to the next, so that counts only where
    there is nothing else.
    """
    found = disk.identify(root)
    return "" if found is None else f"{found.filesystem or found.source}|{found.inode}"


async def _drop_copy(world: World, row: Cleaned, lane: Lane) -> None:
    """The copy that was made before a move ended goes: the file itself is where it was."""
    if row.aside_root is None or row.aside is None:
        return
    try:
        opened, checksum, stamp = await world.blocking(
            lane, reread, world.disk, row.aside_root, row.aside, None
        )
        try:
            if checksum != row.checksum:
                raise cleanup.Kept("It has other bytes than the file.")
            await world.blocking(lane, world.disk.unlink, opened, row.aside_root, row.aside, stamp)
        finally:
            opened.close()
    except FileTrouble as trouble:
        log.info("copy_left", file=shown_aside(row), why=str(trouble))


async def restore(world: World, folder: Folder, row: Cleaned, lane: Lane) -> None:
    """The file lies at its place again. Raises FileTrouble, also if something lies there."""
    if row.aside_root is None or row.aside is None:
        raise AssertionError("only what lies in quarantine can be brought back")
    opened, _, stamp = await world.blocking(
        lane, reread, world.disk, row.aside_root, row.aside, None
    )
    try:
        to = Target(folder.root, row.place.relative, mode=0o755)
        await world.blocking(lane, world.disk.move, opened, row.aside_root, row.aside, stamp, to)
    finally:
        opened.close()


def free_place(disk: Hands, folder: Folder, place: Place) -> bytes:
    """Blocking: a path below the quarantine at which nothing lies. Raises FileUnreadable."""
    top = folder.name.encode("utf-8", "replace").replace(b"/", b"_")
    directory = below(b"_" if top in {b".", b".."} else top, place.directory).rstrip(b"/")
    number = 1
    while True:
        relative = below(directory, cleanup.aside_name(place.name, number))
        if not disk.links(folder.quarantine_dir, relative):
            return relative
        number += 1


def _detail(row: Cleaned) -> str:
    said = f"sha1 {row.checksum.hex()}, asset {row.asset_id}"
    return said if row.aside is None else f"{said}, {shown_aside(row)}"


def shown_aside(row: Cleaned) -> str | None:
    """Where it lies in quarantine, absolute; None if it was deleted at once."""
    if row.aside_root is None or row.aside is None:
        return None
    return shown(below(row.aside_root.rstrip(b"/"), row.aside))


async def say(world: World, folder: Folder, row: Cleaned) -> Activity:
    """What happened to the file is known, in the audit log too."""
    event = _EVENTS[row.state]
    activity = Activity(world.clock.now(), event, row.place, _detail(row))
    await world.store(cleanups.settle, row, activity)
    log.info(
        event, folder=folder.name, file=row.place.relative, sha1=row.checksum.hex(),
        asset=row.asset_id, aside=shown_aside(row),
    )  # fmt: skip
    return activity


_EVENTS = {
    State.DELETED: "cleaned",
    State.QUARANTINED: "quarantined",
    State.EXPIRED: "quarantine_over",
    State.UNDONE: "undone",
}
"""What the list of recent events calls it."""
