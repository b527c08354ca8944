"""Known paths whose bytes became others: which asset the former ones had, and how many these are.

Its own module because it is written where files are, in the same transaction, and asked by the
breaker and by `explain` alone.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from sqlite3 import Connection

from immich_sync.core.breaker import Breaker
from immich_sync.core.types import AssetId, Checksum, FolderId, Hold, Place, Priority
from immich_sync.store.database import Database
from immich_sync.store.rows import key


@dataclass(frozen=True, slots=True)
class Superseded:
    """Bytes that lay at a path before, and the asset that has them; `at` in wall-clock seconds."""

    checksum: Checksum
    asset_id: AssetId
    at: float


@dataclass(frozen=True, slots=True)
class Counts:
    """A folder in numbers, of files."""

    changed: int  # other bytes than before, within the window or held, and not approved
    suspected: int  # rewritten, and not read yet; counting ends at a limit
    known: int
    held: int  # that wait for a person's word


def replaced(connection: Connection, place: Place, checksum: Checksum, now: float) -> None:
    """These bytes lie at this place now; before the ledger forgets which lay there."""
    row = connection.execute(_BEFORE, key(place)).fetchone()
    if row is None or row[0] in {None, checksum}:
        return
    wanted = dict(zip(("folder", "dir", "name"), key(place), strict=True))
    wanted = {**wanted, "old": row[0], "new": checksum, "now": now}
    connection.execute(_SUPERSEDE, wanted)
    connection.execute(_CARRY_ON, wanted)  # bytes in between that never got into Immich


def is_change(database: Database, place: Place, checksum: Checksum) -> bool:
    """Whether these bytes took the place of others that are in Immich, and nobody approved it.

    Raises StateTrouble.
    """
    with database.reading() as connection:
        return connection.execute(_IS_CHANGE, (*key(place), checksum)).fetchone() is not None


def is_any_held(database: Database, folder: FolderId) -> bool:
    """Whether a file of the folder waits because so many changed. Raises StateTrouble."""
    with database.reading() as connection:
        return connection.execute(_ANY_HELD, (folder,)).fetchone() is not None


def is_waiting(database: Database, folder: FolderId) -> bool:
    """Whether one is held, or the breaker has tripped over some. Raises StateTrouble."""
    with database.reading() as connection:
        tripped = connection.execute(_TRIPPED, (folder, Breaker.CHANGES.value)).fetchone()
        return (
            tripped is not None or connection.execute(_ANY_HELD, (folder,)).fetchone() is not None
        )


def counts(database: Database, folder: FolderId, since: float, at_most: int) -> Counts:
    """The folder in numbers. Raises StateTrouble."""
    with database.reading() as connection:
        wanted = {"folder": folder, "since": since, "most": at_most}
        return Counts(*connection.execute(_COUNTS, wanted).fetchone())


def free(database: Database, folder: FolderId, now: float, *, approved: bool) -> None:
    """What was held because so much changed is due; if `approved`, it does not count any more.

    Raises StateTrouble.
    """
    with database.writing() as connection:
        if approved:
            connection.execute("UPDATE superseded SET counted = 0 WHERE folder = ?", (folder,))
        held = (Hold.CHANGED.value, folder)
        connection.execute(_MAKE_DUE, (Priority.BACKLOG.value, now, *held))
        connection.execute(_LET_GO, held)


def former(connection: Connection, place: Place) -> Sequence[Superseded]:
    """The bytes that lay at this place before, the latest first."""
    return [
        Superseded(Checksum(old), AssetId(asset), at)
        for old, asset, at in connection.execute(_FORMER, key(place))
    ]


_BEFORE = "SELECT sha1 FROM file WHERE folder = ? AND dir = ? AND name = ?"

# Bytes that Immich has already are no edit, but another file that took the name. A file that was
# cut off and is whole now is worth its record, and is not counted.
_SUPERSEDE = """
INSERT INTO superseded (folder, dir, name, old, new, asset_id, at, counted)
SELECT file.folder, file.dir, file.name, :old, :new, asset.asset_id, :now, 1 - file.incomplete
FROM file JOIN folder ON folder.id = file.folder
JOIN asset ON asset.account = folder.account AND asset.sha1 = :old
WHERE file.folder = :folder AND file.dir = :dir AND file.name = :name
    AND asset.verified_at IS NOT NULL AND NOT EXISTS (
        SELECT 1 FROM asset AS known WHERE known.account = folder.account AND known.sha1 = :new)
ON CONFLICT DO UPDATE SET at = excluded.at
"""

_CARRY_ON = """
UPDATE OR IGNORE superseded SET new = :new
WHERE folder = :folder AND dir = :dir AND name = :name AND new = :old AND old <> :new
    AND NOT EXISTS (
        SELECT 1 FROM folder JOIN asset ON asset.account = folder.account AND asset.sha1 = :old
        WHERE folder.id = :folder)
"""

_IS_CHANGE = """
SELECT 1 FROM superseded WHERE folder = ? AND dir = ? AND name = ? AND new = ? AND counted = 1
"""

# The first conditions are the index's.
_ANY_HELD = """
SELECT 1 FROM file WHERE dismissed = 0 AND (hold IS NOT NULL OR incomplete = 1)
    AND hold = 'changed' AND folder = ? LIMIT 1
"""

_TRIPPED = "SELECT 1 FROM breaker WHERE folder = ? AND kind = ?"

_COUNTS = """
SELECT
    (SELECT count(*) FROM superseded
     WHERE folder = :folder AND counted = 1 AND (at > :since OR EXISTS (
        SELECT 1 FROM file WHERE file.folder = superseded.folder AND file.dir = superseded.dir
            AND file.name = superseded.name AND file.sha1 = superseded.new
            AND file.hold = 'changed'))),
    (SELECT count(*) FROM (
        SELECT 1 FROM job JOIN file ON file.folder = job.folder AND file.dir = job.dir
            AND file.name = job.name
        WHERE job.folder = :folder AND job.size IS NOT NULL AND file.sha1 IS NOT NULL AND (
            file.size <> job.size OR file.mtime_ns <> job.mtime_ns OR file.inode <> job.inode)
        LIMIT :most)),
    (SELECT count(*) FROM file WHERE folder = :folder),
    (SELECT count(*) FROM file WHERE hold = 'changed' AND folder = :folder AND dismissed = 0
        AND (hold IS NOT NULL OR incomplete = 1))
"""

_MAKE_DUE = """
INSERT INTO job (folder, dir, name, priority, due_at)
SELECT folder, dir, name, ?, ? FROM file WHERE hold = ? AND folder = ?
ON CONFLICT DO UPDATE SET round = round + 1, due_at = min(due_at, excluded.due_at)
"""

_LET_GO = "UPDATE file SET hold = NULL, note = '' WHERE hold = ? AND folder = ?"

_FORMER = """
SELECT old, asset_id, at FROM superseded WHERE folder = ? AND dir = ? AND name = ? ORDER BY at DESC
"""
