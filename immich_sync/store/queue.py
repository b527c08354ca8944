"""Which paths are due: put in by intake, taken by the worker.

Its own module because order and waiting are decided here and nowhere else. Which jobs are being
worked on is not written down: whoever takes says which are busy.
"""

import json
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from heapq import merge
from itertools import islice
from sqlite3 import Connection

from immich_sync.core.types import Arrival, Due, FolderId, Job, Place, Priority
from immich_sync.store.database import Database
from immich_sync.store.rows import Key, Row, asset_of, file_of, key, stamp_columns, stamp_of

FAR = 7 * 24 * 3600.0
"""No job waits this long, in seconds: a later `due_at` means that the wall clock jumped back."""
LOOKED = 1000
"""Large files' jobs that are passed over at a time, in search of small ones."""
_EVER = float("inf")


@dataclass(frozen=True, slots=True)
class Counts:
    """How many jobs there are; `failing` ones are among the others."""

    due: int
    waiting: int
    failing: int


def born(now: float) -> int:
    """The first round of a job that is made `now` (wall-clock seconds).

    No earlier job of its path had it: whoever still works on that one, which was dismissed
    meanwhile, must not end this one.
    """
    return round(now * 1e6)


def put(database: Database, arrivals: Sequence[Arrival], now: float) -> int:
    """Every path is due, in one row each; how many different paths these were.

    A path that has a row already keeps the more urgent priority and grows its round, so that a
    worker who has it in hand does not end it. A new arrival (its bytes just changed) is due at
    once with a clean slate. Anything weaker does not hurry a job that waits from a failure: a
    file that fails again and again must not be tried at every listing of its directory.
    Raises StateTrouble.
    """
    wanted: dict[Key, Arrival] = {}
    for arrival in sorted(arrivals, key=lambda one: one.priority.value, reverse=True):
        wanted[key(arrival.place)] = arrival
    with database.writing() as connection:
        connection.executemany(
            _PUT,
            (
                (*place, arrival.priority.value, now, born(now), *stamp_columns(arrival.stamp))
                for place, arrival in sorted(wanted.items(), key=lambda item: item[0])
            ),
        )
    return len(wanted)


_PUT = """
INSERT INTO job (folder, dir, name, priority, due_at, round, size, mtime_ns, inode, ctime_ns)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
ON CONFLICT DO UPDATE SET
    priority = min(priority, excluded.priority),
    round = round + 1,
    size = excluded.size, mtime_ns = excluded.mtime_ns, inode = excluded.inode,
    ctime_ns = excluded.ctime_ns,
    due_at = CASE
        WHEN excluded.priority > 0 AND attempts > 0 THEN due_at
        ELSE min(due_at, excluded.due_at) END,
    attempts = CASE WHEN excluded.priority = 0 THEN 0 ELSE attempts END,
    error = CASE WHEN excluded.priority = 0 THEN '' ELSE error END,
    failing_since = CASE WHEN excluded.priority = 0 THEN NULL ELSE failing_since END
"""


def take(
    database: Database,
    *,
    now: float,
    limit: int,
    folders: Collection[FolderId],
    busy: Collection[Place],
    large: int | None = None,
) -> list[Due]:
    """At most `limit` due jobs of `folders` that are not `busy`, with what is known of their paths.

    At most `large` of them (None: any number) are of large files, as far as sizes are known; for
    smaller ones no more than LOOKED large ones are passed over. Ordered by priority, then by the
    time they became due, then by folder, directory and name. Nothing is written: a job is over
    only by Done. Raises StateTrouble.
    """
    taken = frozenset(busy)
    with database.reading() as connection:
        rows = _due(connection, now, folders)
        free = (due for due in map(_due_of, rows) if due.job.place not in taken)
        return list(islice(free if large is None else _sparing(free, large), limit))


def _sparing(free: Iterator[Due], large: int) -> Iterator[Due]:
    passed = 0
    for due in free:
        if not due.is_large:
            yield due
        elif large > 0:
            large -= 1
            yield due
        elif (passed := passed + 1) > LOOKED:
            return


def holds(database: Database, folder: FolderId, number: int) -> bool:
    """Whether the folder has at least so many jobs. Raises StateTrouble."""
    with database.reading() as connection:
        found = connection.execute(
            "SELECT count(*) FROM (SELECT 1 FROM job WHERE folder = ? LIMIT ?)", (folder, number)
        )
        return bool(found.fetchone()[0] >= number)


def sample(database: Database, folder: FolderId, size: int) -> list[bytes]:
    """The names of at most `size` jobs, evenly spread over the folder. Raises StateTrouble."""
    with database.reading() as connection:
        rows = connection.execute(
            "SELECT name FROM job WHERE folder = ? ORDER BY dir, name", (folder,)
        )
        names = [name for (name,) in rows]
        return names[:: max(1, -(-len(names) // size))]


def next_due(
    database: Database,
    *,
    now: float,
    folders: Collection[FolderId],
    busy: Collection[Place] = (),
    large: int | None = None,
) -> float | None:
    """When `take` will next have something: `now` if it has already, None if nothing waits.

    Wall-clock seconds. Raises StateTrouble.
    """
    if take(database, now=now, limit=1, folders=folders, busy=busy, large=large):
        return now
    taken = {key(place) for place in busy}
    with database.reading() as connection:
        return min(
            (
                found
                for folder in folders
                for priority in Priority
                if (found := _first(connection, folder, priority, now, taken)) is not None
            ),
            default=None,
        )


def _first(
    connection: Connection, folder: FolderId, priority: Priority, now: float, taken: set[Key]
) -> float | None:
    rows = connection.execute(_WAITING, (folder, priority.value, now, now + FAR))
    return next((float(row[0]) for row in rows if (folder, row[1], row[2]) not in taken), None)


def counts(database: Database, *, now: float, folders: Collection[FolderId]) -> Counts:
    """How many jobs of `folders` are due, wait and fail. Raises StateTrouble."""
    with database.reading() as connection:
        wanted = {"now": now, "far": now + FAR, "folders": json.dumps(list(folders))}
        total, waiting = map(int, connection.execute(_COUNTS, wanted).fetchone())
        failing = int(connection.execute(_FAILING, wanted).fetchone()[0])
    return Counts(total - waiting, waiting, failing)


def _due(connection: Connection, now: float, folders: Collection[FolderId]) -> Iterator[Row]:
    """Lazily, in order: each folder's rows come sorted from its index and are merged."""
    for priority in Priority:
        for after, until in ((-_EVER, now), (now + FAR, _EVER)):
            yield from merge(
                *(
                    connection.execute(_DUE, (folder, priority.value, after, until))
                    for folder in folders
                ),
                key=lambda row: (row[4], *row[:3]),
            )


def _due_of(row: Row) -> Due:
    folder, directory, name, priority, due_at, attempts, error, turn = row[:8]
    place = Place(folder, directory, name)
    file = file_of(place, row[8:17])
    # A known path that is due for another reason than its bytes: only those that are known have
    # been seen to hold still.
    known = None if file is None else file.stamp
    stamp = known if row[24] is None else stamp_of(row[24:])
    job = Job(place, Priority(priority), due_at, attempts, error, turn, stamp)
    return Due(job, file, asset_of(row[17:24]))


_DUE = """
SELECT job.folder, job.dir, job.name, job.priority, job.due_at, job.attempts, job.error, job.round,
    file.size, file.mtime_ns, file.inode, file.ctime_ns, file.sha1, file.incomplete, file.motion,
    file.hold, file.note,
    asset.account, asset.sha1, asset.asset_id, asset.origin, asset.verified_at, asset.trashed_at,
    asset.removed_at,
    job.size, job.mtime_ns, job.inode, job.ctime_ns
FROM job
JOIN folder ON folder.id = job.folder
LEFT JOIN file ON file.folder = job.folder AND file.dir = job.dir AND file.name = job.name
LEFT JOIN asset ON asset.account = folder.account AND asset.sha1 = file.sha1
WHERE job.folder = ? AND job.priority = ? AND job.due_at > ? AND job.due_at <= ?
ORDER BY job.due_at, job.dir, job.name
"""

_WAITING = """
SELECT due_at, dir, name FROM job
WHERE folder = ? AND priority = ? AND due_at > ? AND due_at <= ?
ORDER BY due_at
"""

_COUNTS = """
SELECT count(*), coalesce(sum(due_at > :now AND due_at <= :far), 0)
FROM job WHERE folder IN (SELECT value FROM json_each(:folders))
"""

# The plus keeps SQLite from walking the folder's whole range for the few jobs that fail.
_FAILING = """
SELECT count(*) FROM job
WHERE failing_since IS NOT NULL AND +folder IN (SELECT value FROM json_each(:folders))
"""
