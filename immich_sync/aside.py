"""What lies aside: where a file goes in quarantine, and how it comes back.

Its own module because cleaning, undoing and a restart after a crash need the same few moves.
"""

from dataclasses import replace

import structlog

from immich_sync.core import cleanup
from immich_sync.core.errors import FileTrouble
from immich_sync.core.folder import Folder
from immich_sync.core.naming import shown
from immich_sync.core.ports import Hands, Lane, Target
from immich_sync.core.types import Activity, FolderId, Place, below
from immich_sync.filesystem.removal import reread
from immich_sync.store import cleanups
from immich_sync.store.cleanups import Cleaned, State
from immich_sync.world import World

log = structlog.get_logger()


async def finish(world: World, folder: Folder, folder_id: FolderId, lane: Lane) -> None:
    """What a process that ended had begun is what the disk says it is. The root is online."""
    for row in await world.store(cleanups.unfinished, folder_id):
        there = await world.blocking(lane, world.disk.stat, folder.root, row.place.relative)
        aside = await _lies_aside(world, row, lane)
        match row.state:
            case State.EXPIRING:
                state = State.QUARANTINED if aside else State.EXPIRED
            case State.UNDOING:
                state = State.QUARANTINED if aside else State.UNDONE
            case _ if there == row.stamp:  # it was not touched
                if aside:
                    await _drop_copy(world, row, lane)
                await world.store(cleanups.spare, row, world.clock.now())
                continue
            case _ if row.aside is not None and not aside:  # somebody else took it
                await world.store(cleanups.spare, replace(row, sidecar=True), world.clock.now())
                continue
            case _:
                state = State.DELETED if row.aside is None else State.QUARANTINED
        await world.store(cleanups.settle, replace(row, state=state))
        log.info("cleanup_finished", file=row.place.relative, state=state.value)


async def _lies_aside(world: World, row: Cleaned, lane: Lane) -> bool:
    if row.aside_root is None or row.aside is None:
        return False
    return await world.blocking(lane, world.disk.links, row.aside_root, row.aside) > 0


async def _drop_copy(world: World, row: Cleaned, lane: Lane) -> None:
    """The copy that was made before a move ended goes: the file itself is where it was."""
    if row.aside_root is None or row.aside is None:
        return
    try:
        opened, _, stamp = await world.blocking(
            lane, reread, world.disk, row.aside_root, row.aside, None
        )
        try:
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
