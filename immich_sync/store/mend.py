"""What a person may say about a path that is in trouble: try it again, or leave it.

Its own module because only here are facts undone, and only because somebody asked for it.
"""

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from sqlite3 import Connection

from immich_sync.core.types import AccountId, Checksum, Hold, Place, Priority
from immich_sync.store.database import Database
from immich_sync.store.queue import born
from immich_sync.store.rows import Key, key

_GONE = frozenset({Hold.REMOVED.value, Hold.MISSING.value})
"""Held because Immich had it and has it no more."""


@dataclass(frozen=True, slots=True)
class Retried:
    """What became of a retry, in files."""

    due: int
    gone: int  # Immich had them and has them no more: they stay held unless a person insists


def retry(
    database: Database, places: Collection[Place] | None, now: float, *, force: bool = False
) -> Retried:
    """The paths are due now with a clean slate, and not held any more.

    None stands for all that fails, waits or is held, but for what was dismissed, and for changes
    that wait to be approved. Of a named path the server is asked again, whatever it said a moment
    ago. What is gone from Immich stays held; with `force` it is not taken for proved any more, and
    so goes up again. Raises StateTrouble.
    """
    with database.writing() as connection:
        for place in places or ():
            connection.execute(_DISPROVE if force else _DOUBT, key(place))
        keys = _in_trouble(connection, now) if places is None else {key(place) for place in places}
        held = {place for place in keys if _is_gone(connection, place)}
        wanted = keys if force else keys - held
        due = sum(_retry(connection, place, now) for place in sorted(wanted))
        return Retried(due, 0 if force or places is None else len(held))


def checksums(database: Database, places: Iterable[Place]) -> dict[AccountId, set[Checksum]]:
    """The bytes that are known to lie at these places, by account. Raises StateTrouble."""
    found: dict[AccountId, set[Checksum]] = {}
    with database.reading() as connection:
        for place in places:
            row = connection.execute(_FILE, key(place)).fetchone()
            if row is not None and None not in row[:2]:
                found.setdefault(AccountId(row[0]), set()).add(Checksum(row[1]))
    return found


def dismiss(database: Database, places: Iterable[Place]) -> int:
    """These paths are listed as problems no more, until their bytes change; how many were.

    A failing job is dropped. If nothing but the job was known of its path (its bytes could never
    be read), a later scan finds it again. Raises StateTrouble.
    """
    with database.writing() as connection:
        return sum(_dismiss(connection, key(place)) for place in places)


def _in_trouble(connection: Connection, now: float) -> set[Key]:
    return {
        *connection.execute(_HELD),
        *connection.execute("SELECT folder, dir, name FROM job WHERE due_at > ?", (now,)),
        *connection.execute("SELECT folder, dir, name FROM job WHERE failing_since IS NOT NULL"),
    }


def _is_gone(connection: Connection, place: Key) -> bool:
    row = connection.execute(_FILE, place).fetchone()
    return row is not None and row[2] in _GONE


def _retry(connection: Connection, place: Key, now: float) -> bool:
    file = connection.execute(_FILE, place).fetchone()
    if file is None and connection.execute(_JOB, place).fetchone() is None:
        return False
    if file is not None:
        # A row without a checksum says nothing once its hold is gone.
        connection.execute(_LET_GO if file[1] is not None else _FORGET, place)
    connection.execute(_PUT, (*place, Priority.BACKLOG.value, now, born(now)))
    return True


def _dismiss(connection: Connection, place: Key) -> bool:
    failing = connection.execute(_DROP, place).rowcount > 0
    listed = connection.execute(_DISMISS, (*place, failing)).rowcount > 0
    return failing or listed


# The first condition is word for word the index's: SQLite needs it to use the index.
_HELD = """
SELECT folder, dir, name FROM file
WHERE dismissed = 0 AND (hold IS NOT NULL OR incomplete = 1) AND hold IS NOT NULL
    AND hold <> 'changed'
"""

_FILE = """
SELECT folder.account, file.sha1, file.hold FROM file JOIN folder ON folder.id = file.folder
WHERE file.folder = ? AND file.dir = ? AND file.name = ?
"""

_JOB = "SELECT 1 FROM job WHERE folder = ? AND dir = ? AND name = ?"

_ASSET = """
(account, sha1) IN (
    SELECT folder.account, file.sha1 FROM file JOIN folder ON folder.id = file.folder
    WHERE file.folder = ? AND file.dir = ? AND file.name = ?)
"""

# A word so old is asked for again; without any, nothing would tell that it was ever there.
_DOUBT = f"UPDATE asset SET verified_at = 0 WHERE verified_at IS NOT NULL AND {_ASSET}"  # noqa: S608 - our own words

_DISPROVE = f"UPDATE asset SET verified_at = NULL WHERE {_ASSET}"  # noqa: S608 - likewise

_LET_GO = """
UPDATE file SET hold = NULL, note = '', dismissed = 0 WHERE folder = ? AND dir = ? AND name = ?
"""

_FORGET = "DELETE FROM file WHERE folder = ? AND dir = ? AND name = ?"

_PUT = """
INSERT INTO job (folder, dir, name, priority, due_at, round) VALUES (?, ?, ?, ?, ?, ?)
ON CONFLICT DO UPDATE SET
    priority = min(priority, excluded.priority), due_at = excluded.due_at, attempts = 0,
    error = '', failing_since = NULL, round = round + 1
"""

_DROP = """
DELETE FROM job WHERE folder = ? AND dir = ? AND name = ? AND failing_since IS NOT NULL
"""

_DISMISS = """
UPDATE file SET dismissed = 1
WHERE folder = ? AND dir = ? AND name = ? AND dismissed = 0 AND (
    ? OR hold IS NOT NULL OR incomplete = 1 OR EXISTS (
        SELECT 1 FROM folder JOIN asset ON asset.account = folder.account
        WHERE folder.id = file.folder AND asset.sha1 = file.sha1 AND trashed_at IS NOT NULL))
"""
