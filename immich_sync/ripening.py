"""When a cleanup will take a file, or which fact keeps it here, as far as disk and ledger tell.

Its own module because it asks as the cleanup itself does, but changes nothing, and neither a
daemon nor a server is needed for it.
"""

from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path

from immich_sync.core import cleanup
from immich_sync.core.cleanup import Facts, Next, decide, ripe_at
from immich_sync.core.errors import FileTrouble
from immich_sync.core.folder import Folder
from immich_sync.core.naming import shown
from immich_sync.core.ports import Hands
from immich_sync.core.types import Place
from immich_sync.filesystem.following import disk_for
from immich_sync.filesystem.removal import reread
from immich_sync.inspecting import sight
from immich_sync.store.cleanups import Candidate, candidate, clock, went_up
from immich_sync.store.database import STATE_FILE, Database, open_read_only
from immich_sync.store.holdings import folder_at


@dataclass(frozen=True, slots=True)
class Ripening:
    """What a cleanup will do with a file, for people, and when (wall-clock seconds)."""

    what: str
    at: float | None = None


def ripening(
    state: Path, folder: Folder, relative: bytes, *, has_album: bool, now: float
) -> Ripening | None:
    """What the folder's cleanup makes of a file; None if the file is not in Immich. Blocks.

    `has_album` says whether its asset is known to be in an album. Raises StateTrouble.
    """
    if not folder.cleans or not (state / STATE_FILE).exists():
        return None
    with closing(open_read_only(state / STATE_FILE)) as database:
        number = folder_at(database, folder.root)
        if number is None:
            return None
        directory, _, name = relative.rpartition(b"/")
        one = candidate(database, Place(number, directory, name))
        if one is None or not _is_in_immich(one):
            return None
        return _judged(database, folder, one, has_album=has_album, now=now)


def _is_in_immich(one: Candidate) -> bool:
    file, asset = one.file, one.asset
    if asset is None or asset.verified_at is None or asset.trashed_at or asset.removed_at:
        return False
    return not (one.due or file.hold or file.incomplete)


def _judged(
    database: Database, folder: Folder, one: Candidate, *, has_album: bool, now: float
) -> Ripening | None:
    disk, place = disk_for([folder]), one.file.place
    try:
        seen = sight(disk, folder, place)
        sidecar = _sidecar(database, disk, folder, one, seen.names)
    except FileTrouble as trouble:
        return Ripening(f"It is not cleaned away: {trouble}")
    if seen.stamp != one.file.stamp:
        return None
    _, jumps = clock(database)
    ours = one.changed_at, one.proved_at
    ripe = ripe_at(folder.cleanup_after, ours, one.file.stamp, now, jumps)
    verdict = decide(
        Facts(
            world=cleanup.World(online=True, doubt="", newer=None),
            file=one.file,
            asset=one.asset,
            due=False,
            undone=one.undone,
            in_album=has_album or one.file.motion or not folder.wants_album,
            ripe_at=now,  # what else is to be said is said first
            now=now,
            seen=seen.stamp,
            links=seen.links,
            syncthing=seen.syncthing,
            sidecar=sidecar,
        )
    )
    if verdict.next is not Next.PROVE:
        return Ripening(f"It is not cleaned away. {verdict.why}")
    return Ripening(_CLEANS[folder.after_upload], max(ripe, now))


def _sidecar(
    database: Database, disk: Hands, folder: Folder, one: Candidate, names: tuple[bytes, ...]
) -> str:
    for name in cleanup.sidecars_of(one.file.place.name, names):
        beside = replace(one.file.place, name=name)
        opened, checksum, _ = reread(disk, folder.root, beside.relative, None)
        opened.close()
        asset = one.asset
        if asset is None or not went_up(database, asset.account, asset.checksum, beside, checksum):
            return f"its sidecar {shown(name)} is not in Immich with it as it is now"
    return ""


_CLEANS = {
    "quarantine": "Unless something speaks against it until then, it goes into quarantine.",
    "delete": "Unless something speaks against it until then, it is deleted here.",
}
