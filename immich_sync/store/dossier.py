"""Everything that the state knows of one path.

Its own module because only `explain` wants all of it at once, and may take its time.
"""

from dataclasses import dataclass
from sqlite3 import Connection

from immich_sync.core.departure import State
from immich_sync.core.types import (
    AccountId,
    Activity,
    AlbumId,
    Asset,
    Checksum,
    File,
    Job,
    Place,
    Priority,
    SidecarSent,
    below,
)
from immich_sync.store.changes import Superseded, former
from immich_sync.store.cleanups import Cleaned, at_place
from immich_sync.store.database import Database
from immich_sync.store.rows import asset_of, file_of, key


@dataclass(frozen=True, slots=True)
class Gone:
    """Bytes that departed from a path, when (wall-clock seconds), and what became of them."""

    at: float
    state: State
    note: str


@dataclass(frozen=True, slots=True)
class Dossier:
    """What is known; times in wall-clock seconds, activities and errors with the latest first."""

    file: File | None = None
    arrived_at: float | None = None  # when the path was first known
    changed_at: float | None = None  # since when it is held, or incomplete
    dismissed: bool = False
    asset: Asset | None = None
    job: Job | None = None
    failing_since: float | None = None
    albums: tuple[tuple[AlbumId, str | None], ...] = ()  # with the name they were found by
    sidecars: tuple[SidecarSent, ...] = ()
    activities: tuple[Activity, ...] = ()
    copies: tuple[bytes, ...] = ()  # other paths with these bytes, absolute
    cleaned: tuple[Cleaned, ...] = ()  # what our own cleanup took from here, the latest first
    former: tuple[Superseded, ...] = ()  # the bytes that lay here before, and their assets
    gone: tuple[Gone, ...] = ()  # those that were deleted here, and what became of their assets


MOST = 20
"""Activities and copies told at most."""


def dossier(database: Database, place: Place) -> Dossier:
    """All that is known of the place. Raises StateTrouble."""
    cleaned = tuple(at_place(database, place))
    with database.reading() as connection:
        row = connection.execute(_FILE, key(place)).fetchone()
        file = None if row is None else file_of(place, row[:9])
        arrived_at, changed_at, dismissed = (None, None, False) if row is None else row[9:12]
        account = connection.execute(_ACCOUNT, (place.folder,)).fetchone()
        job, failing_since = _job(connection, place)
        checksum = None if file is None else file.checksum
        asset = None
        if checksum is not None and account is not None and account[0] is not None:
            found = connection.execute(_ASSET, (account[0], checksum)).fetchone()
            asset = None if found is None else asset_of(found)
        return Dossier(
            file=file,
            arrived_at=arrived_at,
            changed_at=changed_at,
            dismissed=bool(dismissed),
            asset=asset,
            job=job,
            failing_since=failing_since,
            albums=() if asset is None else _albums(connection, asset),
            sidecars=() if asset is None else _sidecars(connection, asset),
            activities=_activities(connection, place),
            copies=() if checksum is None else _copies(connection, place, checksum),
            cleaned=cleaned,
            former=tuple(former(connection, place)),
            gone=_gone(connection, place),
        )


def _job(connection: Connection, place: Place) -> tuple[Job | None, float | None]:
    row = connection.execute(_JOB, key(place)).fetchone()
    if row is None:
        return None, None
    priority, due_at, attempts, error, turn, failing_since = row
    return Job(place, Priority(priority), due_at, attempts, error, turn), failing_since


def _albums(connection: Connection, asset: Asset) -> tuple[tuple[AlbumId, str | None], ...]:
    rows = connection.execute(_ALBUMS, (asset.account, asset.asset_id))
    return tuple((AlbumId(album), name) for album, name in rows)


def _sidecars(connection: Connection, asset: Asset) -> tuple[SidecarSent, ...]:
    rows = connection.execute(_SIDECARS, (asset.account, asset.checksum))
    return tuple(
        SidecarSent(AccountId(account), Checksum(sha1), name, Checksum(sidecar))
        for account, sha1, name, sidecar in rows
    )


def _activities(connection: Connection, place: Place) -> tuple[Activity, ...]:
    rows = connection.execute(_ACTIVITIES, (*key(place), MOST))
    return tuple(Activity(at, event, place, detail) for at, event, detail in rows)


def _gone(connection: Connection, place: Place) -> tuple[Gone, ...]:
    rows = connection.execute(_GONE, key(place))
    return tuple(Gone(at, State(state), note) for at, state, note in rows)


def _copies(connection: Connection, place: Place, checksum: Checksum) -> tuple[bytes, ...]:
    rows = connection.execute(_COPIES, (checksum, *key(place), MOST))
    return tuple(
        b"/".join((root.rstrip(b"/"), below(directory, name))) for root, directory, name in rows
    )


_FILE = """
SELECT size, mtime_ns, inode, ctime_ns, sha1, incomplete, motion, hold, note,
    arrived_at, changed_at, dismissed
FROM file WHERE folder = ? AND dir = ? AND name = ?
"""

_ACCOUNT = "SELECT account FROM folder WHERE id = ?"

_ASSET = """
SELECT account, sha1, asset_id, origin, verified_at, trashed_at, removed_at FROM asset
WHERE account = ? AND sha1 = ?
"""

_JOB = """
SELECT priority, due_at, attempts, error, round, failing_since FROM job
WHERE folder = ? AND dir = ? AND name = ?
"""

_ALBUMS = """
SELECT member.album_id, min(album.name) FROM member
LEFT JOIN album ON album.account = ? AND album.album_id = member.album_id
WHERE member.asset_id = ?
GROUP BY member.album_id ORDER BY 2, 1
"""

_SIDECARS = """
SELECT account, sha1, name, sidecar FROM sidecar WHERE account = ? AND sha1 = ? ORDER BY name
"""

_ACTIVITIES = """
SELECT at, event, detail FROM activity
WHERE folder = ? AND dir = ? AND name = ? ORDER BY id DESC LIMIT ?
"""

# No index knows bytes by their checksum: this looks through all files, for one question.
_COPIES = """
SELECT folder.root, file.dir, file.name FROM file JOIN folder ON folder.id = file.folder
WHERE file.sha1 = ? AND NOT (file.folder = ? AND file.dir = ? AND file.name = ?)
ORDER BY folder.root, file.dir, file.name LIMIT ?
"""

_GONE = """
SELECT at, state, note FROM departed WHERE folder = ? AND dir = ? AND name = ? ORDER BY at DESC
"""
