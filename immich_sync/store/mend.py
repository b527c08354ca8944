"""What a person may say about a path that is in trouble: try it again, or leave it.

Its own module because only here are facts undone, and only because somebody asked for it.
"""

from collections.abc import Collection, Iterable
from sqlite3 import Connection

from immich_sync.core.types import Hold, Place, Priority
from immich_sync.store.database import Database
from immich_sync.store.rows import Key, key


def retry(database: Database, places: Collection[Place] | None, now: float) -> int:
    """The paths are due now with a clean slate, and not held any more; how many were known.

    None stands for all that fails, waits or is held, but for what was dismissed. What a person
    removed from Immich is forgotten to have been there, so that it goes up again; and of a named
    path the server is asked again, whatever it said a moment ago. Raises StateTrouble.
    """
    with database.writing() as connection:
        if places is not None:
            for place in places:
                connection.execute(_DOUBT, key(place))
        keys = _in_trouble(connection, now) if places is None else {key(place) for place in places}
        return sum(_retry(connection, place, now) for place in sorted(keys))


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


def _retry(connection: Connection, place: Key, now: float) -> bool:
    file = connection.execute(_FILE, place).fetchone()
    if file is None and connection.execute(_JOB, place).fetchone() is None:
        return False
    if file is not None:
        account, sha1, hold = file
        if hold == Hold.REMOVED.value:
            connection.execute("DELETE FROM asset WHERE account = ? AND sha1 = ?", (account, sha1))
        # A row without a checksum says nothing once its hold is gone.
        connection.execute(_LET_GO if sha1 is not None else _FORGET, place)
    connection.execute(_PUT, (*place, Priority.BACKLOG.value, now))
    return True


def _dismiss(connection: Connection, place: Key) -> bool:
    failing = connection.execute(_DROP, place).rowcount > 0
    listed = connection.execute(_DISMISS, (*place, failing)).rowcount > 0
    return failing or listed


# The first condition is word for word the index's: SQLite needs it to use the index.
_HELD = """
SELECT folder, dir, name FROM file
WHERE dismissed = 0 AND (hold IS NOT NULL OR incomplete = 1) AND hold IS NOT NULL
"""

_FILE = """
SELECT folder.account, file.sha1, file.hold FROM file JOIN folder ON folder.id = file.folder
WHERE file.folder = ? AND file.dir = ? AND file.name = ?
"""

_JOB = "SELECT 1 FROM job WHERE folder = ? AND dir = ? AND name = ?"

_DOUBT = """
UPDATE asset SET verified_at = NULL WHERE (account, sha1) IN (
    SELECT folder.account, file.sha1 FROM file JOIN folder ON folder.id = file.folder
    WHERE file.folder = ? AND file.dir = ? AND file.name = ?)
"""

_LET_GO = """
UPDATE file SET hold = NULL, note = '', dismissed = 0 WHERE folder = ? AND dir = ? AND name = ?
"""

_FORGET = "DELETE FROM file WHERE folder = ? AND dir = ? AND name = ?"

_PUT = """
INSERT INTO job (folder, dir, name, priority, due_at) VALUES (?, ?, ?, ?, ?)
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
