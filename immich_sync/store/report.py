"""What `status` shows: numbers for each folder, what is in trouble, what happened lately.

Its own module because it only reads, through a connection of its own if no daemon runs, and may
take its time over the whole table.
"""

import json
from collections import Counter
from collections.abc import Collection, Iterable
from dataclasses import dataclass

from immich_sync.core.types import Activity, FolderId, Place, below
from immich_sync.store.database import Database
from immich_sync.store.queue import FAR
from immich_sync.store.rows import key


@dataclass(frozen=True, slots=True)
class FolderReport:
    """A folder in numbers; `bytes` are those of its files, `last_new` is wall-clock seconds."""

    folder: FolderId
    name: str
    root: bytes
    files: int  # known by their bytes, or held
    bytes: int
    verified: int  # in Immich by the server's word, not trashed or removed, and not due
    trashed: int  # a person put them into Immich's trash, or removed them from there
    failed: int  # held for another reason, and not dismissed
    pending: int  # jobs that are due
    waiting: int  # jobs that are not due yet
    last_new: float | None
    doubt: str = ""  # why the account's server is not believed to be the one we know
    doubted_at: float | None = None
    waiting_since: float | None = None  # when the longest waiting job became due, or failed first
    last_done: float | None = None  # when a file of it was last proved, as far as remembered
    cleaned: int = 0  # taken away by our own cleanup, for good or into quarantine
    quarantined: int = 0  # of these, still to be brought back
    unread: int = 0  # jobs of paths of which nothing else is known: not among `files`


@dataclass(frozen=True, slots=True)
class FileProblem:
    """A file that a person should know about."""

    what: str  # a Hold's value, "trashed", "incomplete" or "failing"
    place: Place
    path: bytes  # absolute
    since: float  # wall-clock seconds
    note: str  # what is known about the reason, for people; may be empty


def folders(database: Database, *, now: float) -> list[FolderReport]:
    """Every watched folder that the state knows, in the order of their ids. Raises StateTrouble."""
    with database.reading() as connection:
        wanted = {"now": now, "far": now + FAR}
        jobs = {
            folder: (total - waiting, waiting, since)
            for folder, total, waiting, since in connection.execute(_JOBS, wanted)
        }
        done = dict(connection.execute(_LAST_DONE).fetchall())
        cleaned = {row[0]: row[1:] for row in connection.execute(_CLEANED)}
        unread = dict(connection.execute(_UNREAD).fetchall())
        return [
            FolderReport(
                FolderId(folder), name, root, files, size, verified, trashed, failed,
                *jobs.get(folder, (0, 0, None))[:2], last_new, doubt or "", doubted_at,
                jobs.get(folder, (0, 0, None))[2], done.get(folder),
                cleaned=cleaned.get(folder, (0, 0))[0], quarantined=cleaned.get(folder, (0, 0))[1],
                unread=unread.get(folder, 0),
            )
            for folder, name, root, files, size, verified, trashed, failed, last_new, doubt,
            doubted_at
            in connection.execute(_FOLDERS)
        ]  # fmt: skip


def problems(
    database: Database,
    *,
    limit: int,
    folders: Collection[FolderId] | None = None,
    leaving: Collection[FolderId] = (),
) -> list[FileProblem]:
    """The `limit` oldest problems (of these folders only, if given). Raises StateTrouble.

    What a person trashed in Immich, or removed from its trash, is none in the folders `leaving` it.
    """
    wanted = {
        "limit": limit,
        "folders": None if folders is None else json.dumps(list(folders)),
        "leaving": json.dumps(list(leaving)),
    }
    with database.reading() as connection:
        return [
            FileProblem(
                what,
                Place(FolderId(folder), directory, name),
                b"/".join((root.rstrip(b"/"), below(directory, name))),
                since,
                note,
            )
            for what, folder, root, directory, name, since, note in connection.execute(
                _PROBLEMS, wanted
            )
        ]


def new_among(database: Database, places: Iterable[Place]) -> Counter[FolderId]:
    """Of how many of these places nothing is known yet, by folder. Raises StateTrouble."""
    with database.reading() as connection:
        return Counter(
            place.folder
            for place in places
            if connection.execute(_KNOWN, key(place) * 2).fetchone() is None
        )


def recent(database: Database, *, limit: int) -> list[Activity]:
    """The last events, newest first. Raises StateTrouble."""
    with database.reading() as connection:
        return [
            Activity(at, event, None if folder is None else Place(folder, directory, name), detail)
            for at, event, folder, directory, name, detail in connection.execute(_RECENT, (limit,))
        ]


_JOBS = """
SELECT folder, count(*), sum(due_at > :now AND due_at <= :far),
    min(coalesce(failing_since, iif(due_at <= :now, due_at, NULL)))
FROM job GROUP BY folder
"""

_UNREAD = """
SELECT folder, count(*) FROM job WHERE NOT EXISTS (
    SELECT 1 FROM file WHERE file.folder = job.folder AND file.dir = job.dir
        AND file.name = job.name)
GROUP BY folder
"""

_KNOWN = """
SELECT 1 FROM file WHERE folder = ? AND dir = ? AND name = ?
UNION ALL SELECT 1 FROM job WHERE folder = ? AND dir = ? AND name = ?
"""

_LAST_DONE = """
SELECT folder, max(at) FROM activity WHERE event IN ('uploaded', 'already_there') GROUP BY folder
"""

_FOLDERS = """
SELECT folder.id, folder.name, folder.root, count(file.name), coalesce(sum(file.size), 0),
    count(*) FILTER (WHERE asset.verified_at IS NOT NULL AND asset.trashed_at IS NULL
        AND asset.removed_at IS NULL AND file.hold IS NULL AND job.round IS NULL),
    count(*) FILTER (WHERE asset.trashed_at IS NOT NULL OR file.hold = 'removed'),
    count(*) FILTER (
        WHERE file.hold IS NOT NULL AND file.hold NOT IN ('removed', 'changed')
            AND file.dismissed = 0),
    max(file.arrived_at), account.doubt, account.doubted_at
FROM folder
LEFT JOIN account ON account.id = folder.account
LEFT JOIN file ON file.folder = folder.id
LEFT JOIN asset ON asset.account = folder.account AND asset.sha1 = file.sha1
LEFT JOIN job ON job.folder = file.folder AND job.dir = file.dir AND job.name = file.name
WHERE folder.kind = 'watched'
GROUP BY folder.id ORDER BY folder.id
"""

_CLEANED = """
SELECT folder, count(*), count(*) FILTER (WHERE state IN ('quarantined', 'expiring', 'undoing'))
FROM cleaned WHERE sidecar = 0 AND state NOT IN ('meant', 'undone') GROUP BY folder
"""

# The subquery keeps the trash cheap: where nothing is trashed, no file is looked at.
_PROBLEMS = """
SELECT what, folder, root, dir, trouble.name, since, note FROM (
    SELECT coalesce(hold, 'incomplete') AS what, folder, dir, name, changed_at AS since, note
    FROM file WHERE dismissed = 0 AND (hold IS NOT NULL OR incomplete = 1)
        AND hold IS NOT 'changed'
    UNION ALL
    SELECT 'quarantine_kept', folder, dir, name, asked_at, note
    FROM cleaned WHERE state = 'quarantined' AND note <> '' AND asked_at IS NOT NULL
    UNION ALL
    SELECT 'cleaned_missing', folder, dir, name, asset.removed_at, ''
    FROM cleaned JOIN asset ON asset.account = cleaned.account AND asset.sha1 = asset_sha1
    WHERE sidecar = 0 AND state <> 'undone' AND removed_at IS NOT NULL AND trashed_at IS NULL
    UNION ALL
    SELECT 'failing', folder, dir, name, failing_since, error
    FROM job WHERE failing_since IS NOT NULL
    UNION ALL
    SELECT 'trashed', file.folder, file.dir, file.name, asset.trashed_at, file.note
    FROM file
    JOIN folder ON folder.id = file.folder
    JOIN asset ON asset.account = folder.account AND asset.sha1 = file.sha1
    WHERE EXISTS (SELECT 1 FROM asset WHERE trashed_at IS NOT NULL)
        AND file.dismissed = 0 AND file.hold IS NULL AND file.sha1 IN (
            SELECT sha1 FROM asset WHERE trashed_at IS NOT NULL)
        AND asset.trashed_at IS NOT NULL AND asset.removed_at IS NULL
) AS trouble
JOIN folder ON folder.id = trouble.folder AND folder.kind = 'watched'
WHERE (:folders IS NULL OR folder IN (SELECT value FROM json_each(:folders)))
    AND NOT (what IN ('trashed', 'removed')
        AND folder IN (SELECT value FROM json_each(:leaving)))
ORDER BY since, folder, dir, trouble.name
LIMIT :limit
"""

_RECENT = """
SELECT at, event, folder, dir, name, detail FROM activity ORDER BY id DESC LIMIT ?
"""
