"""How each kind of record becomes rows.

Its own module because it is the one list of all that can be learnt; when and together with what
it is written is the ledger's business.
"""

from sqlite3 import Connection

from immich_sync.core.types import (
    Activity,
    Again,
    Asset,
    Done,
    File,
    Forgotten,
    Held,
    KnownAlbum,
    Member,
    Record,
    SidecarSent,
)
from immich_sync.store import changes, departures
from immich_sync.store.rows import integer, key, text

KEPT_ACTIVITIES = 1000


def write(connection: Connection, record: Record, now: float) -> None:
    """The record is part of the open transaction."""
    match record:
        case File():
            _write_file(connection, record, now)
        case Asset():
            _write_asset(connection, record)
        case Member(album, asset_id):
            connection.execute("INSERT OR IGNORE INTO member VALUES (?, ?)", (album, asset_id))
        case KnownAlbum(account, name, album):
            connection.execute(
                "INSERT OR REPLACE INTO album VALUES (?, ?, ?)", (account, text(name), album)
            )
        case SidecarSent(account, checksum, name, sidecar):
            connection.execute(
                "INSERT OR REPLACE INTO sidecar VALUES (?, ?, ?, ?)",
                (account, checksum, name, sidecar),
            )
        case Done(job):
            connection.execute(_DONE, (*key(job.place), job.round))
        case Again():
            _write_again(connection, record, now)
        case Held(place, hold, note):
            connection.execute(_HELD, (hold.value, text(note), hold.value, now, *key(place)))
        case Forgotten():
            _forget(connection, record, now)
        case Activity():
            place_or_none = (None, None, None) if record.place is None else key(record.place)
            connection.execute(
                _ACTIVITY, (record.at, record.event, *place_or_none, text(record.detail))
            )


def prune(connection: Connection) -> None:
    """Of the activities only the last KEPT_ACTIVITIES are left."""
    connection.execute(_PRUNE, (KEPT_ACTIVITIES,))


def _write_file(connection: Connection, file: File, now: float) -> None:
    stamp = file.stamp
    if file.checksum is not None:
        departures.arrived(connection, file.place, file.checksum)
        changes.replaced(connection, file.place, file.checksum, now)
    connection.execute(
        _FILE,
        (
            *key(file.place),
            integer(stamp.size),
            integer(stamp.mtime_ns),
            integer(stamp.inode),
            integer(stamp.ctime_ns),
            file.checksum,
            file.incomplete,
            file.motion,
            None if file.hold is None else file.hold.value,
            text(file.note),
            now,
            now,
        ),
    )


def _write_asset(connection: Connection, asset: Asset) -> None:
    connection.execute(
        _ASSET,
        (
            asset.account,
            asset.checksum,
            asset.asset_id,
            asset.origin.value,
            asset.verified_at,
            asset.trashed_at,
            asset.removed_at,
        ),
    )


def _write_again(connection: Connection, again: Again, now: float) -> None:
    place = key(again.job.place)
    failing = again.attempts > 0
    connection.execute(
        _AGAIN,
        (again.due_at, again.attempts, text(again.error), failing, now, *place, again.job.round),
    )


def _forget(connection: Connection, forgotten: Forgotten, now: float) -> None:
    place = key(forgotten.place)
    if forgotten.round is not None:
        ended = connection.execute(_DONE, (*place, forgotten.round)).rowcount
        if not ended:
            return
    departures.left(connection, forgotten.place, now)
    connection.execute("DELETE FROM file WHERE folder = ? AND dir = ? AND name = ?", place)


# `changed_at` tells since when a file has been held or incomplete; a dismissal ends with the
# bytes, or with the reason, that it was about.
_FILE = """
INSERT INTO file (
    folder, dir, name, size, mtime_ns, inode, ctime_ns, sha1, incomplete, motion, hold, note,
    arrived_at, changed_at)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
ON CONFLICT DO UPDATE SET
    changed_at = iif(
        sha1 IS excluded.sha1 AND size = excluded.size AND hold IS excluded.hold
        AND incomplete = excluded.incomplete,
        changed_at, excluded.changed_at),
    dismissed = dismissed AND sha1 IS excluded.sha1 AND size = excluded.size
        AND hold IS excluded.hold,
    size = excluded.size, mtime_ns = excluded.mtime_ns, inode = excluded.inode,
    ctime_ns = excluded.ctime_ns, sha1 = excluded.sha1, incomplete = excluded.incomplete,
    motion = excluded.motion, hold = excluded.hold, note = excluded.note
"""

# In an update, every right-hand side sees the row as it was before.
_HELD = """
UPDATE file SET hold = ?, note = ?, dismissed = dismissed AND hold IS ?,
    changed_at = iif(hold IS NULL, ?, changed_at)
WHERE folder = ? AND dir = ? AND name = ?
"""

_ASSET = """
INSERT INTO asset (
    account, sha1, asset_id, origin, verified_at, trashed_at, removed_at, proved_at)
VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?5)
ON CONFLICT DO UPDATE SET
    proved_at = iif(
        asset_id = excluded.asset_id AND trashed_at IS NULL AND removed_at IS NULL,
        coalesce(proved_at, excluded.verified_at), excluded.verified_at),
    origin = iif(asset_id = excluded.asset_id AND origin = 'uploaded', origin, excluded.origin),
    trashed_at = iif(
        asset_id = excluded.asset_id AND excluded.trashed_at IS NOT NULL,
        coalesce(trashed_at, excluded.trashed_at), excluded.trashed_at),
    removed_at = iif(
        asset_id = excluded.asset_id AND excluded.removed_at IS NOT NULL,
        coalesce(removed_at, excluded.removed_at), excluded.removed_at),
    asset_id = excluded.asset_id, verified_at = excluded.verified_at
"""

_DONE = "DELETE FROM job WHERE folder = ? AND dir = ? AND name = ? AND round = ?"

_AGAIN = """
UPDATE job SET due_at = ?, attempts = ?, error = ?,
    failing_since = iif(?, coalesce(failing_since, ?), NULL)
WHERE folder = ? AND dir = ? AND name = ? AND round = ?
"""

_ACTIVITY = """
INSERT INTO activity (at, event, folder, dir, name, detail) VALUES (?, ?, ?, ?, ?, ?)
"""

_PRUNE = "DELETE FROM activity WHERE id <= (SELECT max(id) FROM activity) - ?"
