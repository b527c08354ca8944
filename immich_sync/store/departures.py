"""Files that lay here and are gone, in folders whose deletions reach Immich.

Its own module because a departure is written where files are forgotten, in the same transaction,
and read only by those who act on it.
"""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from sqlite3 import Connection

from immich_sync.core.departure import Departed, Facts, State
from immich_sync.core.types import (
    AccountId,
    AssetId,
    Checksum,
    FolderId,
    Place,
    Priority,
)
from immich_sync.store.database import Database
from immich_sync.store.halves import half
from immich_sync.store.rows import asset_of, key, text


@dataclass(frozen=True, slots=True)
class Counts:
    """A folder in numbers, of files."""

    lost: int  # gone together, and not approved: the most within one window
    known: int  # that lie there, or are among the lost
    waiting: int  # gone, and nothing was done about it


@dataclass(frozen=True, slots=True)
class Fate:
    """What became of a departed file; `asset` is what the server has of it, if it was asked."""

    departed: Departed
    state: State
    note: str = ""
    asset: AssetId | None = None


def left(connection: Connection, place: Place, now: float) -> None:
    """The file at this place departed, if its folder's deletions count; before it is forgotten."""
    folder, directory, name = key(place)
    connection.execute(_LEFT, {"folder": folder, "dir": directory, "name": name, "now": now})


def arrived(connection: Connection, place: Place, checksum: Checksum) -> None:
    """These bytes lie at this place, again or for the first time."""
    connection.execute(_ARRIVED, (*key(place), checksum))


def set_policy(database: Database, folder: FolderId, on_delete: str) -> None:
    """What deletions in this folder mean from now on; "ignore" is for those that wait, too.

    What was deleted before that was "trash" does not count: only what goes after the next full
    scan does, which finds all that is gone until then. Raises StateTrouble.
    """
    with database.writing() as connection:
        if on_delete == "ignore":
            _ignore(connection, folder)
        else:
            connection.execute(_ARM, (folder,))


def set_aside(database: Database, configured: Collection[FolderId]) -> None:
    """Deletions in folders that nobody wants watched any more mean nothing. Raises StateTrouble."""
    with database.writing() as connection:
        rows = connection.execute("SELECT id FROM folder WHERE on_delete <> 'ignore'").fetchall()
        for (folder,) in rows:
            if folder not in configured:
                _ignore(connection, folder)


def _ignore(connection: Connection, folder: int) -> None:
    connection.execute("UPDATE folder SET on_delete = 'ignore' WHERE id = ?", (folder,))
    connection.execute("DELETE FROM departed WHERE folder = ? AND state = 'waiting'", (folder,))
    connection.execute("DELETE FROM breaker WHERE folder = ? AND kind = 'deletions'", (folder,))


def mirrored(database: Database) -> list[bytes]:
    """The roots of the folders whose deletions reach Immich. Raises StateTrouble."""
    with database.reading() as connection:
        rows = connection.execute("SELECT root FROM folder WHERE on_delete <> 'ignore'")
        return [root for (root,) in rows]


def is_any_open(database: Database, account: AccountId) -> bool:
    """Whether a departed file of this account waits, or is in the making. Raises StateTrouble."""
    with database.reading() as connection:
        return connection.execute(_ANY, (account,)).fetchone() is not None


def tidy(database: Database, account: AccountId, now: float) -> int:
    """What lies here again, or under another name, has not departed; how many that were.

    A clock that was set back does not make anything wait for tomorrow. Raises StateTrouble.
    """
    with database.writing() as connection:
        wanted = {"account": account, "now": now}
        connection.execute(_REPLACED, wanted)
        back = connection.execute(_BACK, {"account": account}).rowcount
        back += connection.execute(_ELSEWHERE, {"account": account}).rowcount
        connection.execute(_NOT_TOMORROW, wanted)
        return back


def counts(database: Database, folder: FolderId, now: float, window: float) -> Counts:
    """The folder in numbers; what may turn up under another name is not lost yet.

    What went together long ago and still waits, as it does while nobody runs or no server
    answers, counts as if that were a moment ago; `window` in seconds. Raises StateTrouble.
    """
    with database.reading() as connection:
        wanted = {"folder": folder, "now": now, "window": window}
        lost, waiting = connection.execute(
            _COUNTS, {**wanted, **_account(connection, folder)}
        ).fetchone()
        known = connection.execute("SELECT count(*) FROM file WHERE folder = ?", (folder,))
        return Counts(lost, int(known.fetchone()[0]) + lost, waiting)


def due(database: Database, folder: FolderId, until: float, limit: int) -> list[Facts]:
    """What waits and departed before `until`, with what decides about it. Raises StateTrouble."""
    with database.reading() as connection:
        wanted = {"folder": folder, "until": until, "limit": limit}
        rows = connection.execute(_DUE, {**wanted, **_account(connection, folder)})
        return [
            Facts(
                departed := Departed(
                    Place(folder, row[0], row[1]), Checksum(row[2]), row[3], bool(row[4]), row[5],
                    bool(row[6]),
                ),
                asset_of(row[9:]),
                cleaned=bool(row[8]),
                reading=bool(row[7]),
                half=half(connection, departed),
            )
            for row in rows.fetchall()
        ]  # fmt: skip


def meant(database: Database, account: AccountId) -> list[Departed]:
    """Whose assets we meant to put into the trash, and do not know whether we did.

    Raises StateTrouble.
    """
    with database.reading() as connection:
        return [
            Departed(
                Place(FolderId(row[0]), row[1], row[2]), Checksum(row[3]), row[4], bool(row[5]),
                row[6], bool(row[7]),
            )
            for row in connection.execute(_MEANT, (account,))
        ]  # fmt: skip


def mean(database: Database, account: AccountId, departed: Sequence[Departed]) -> list[Departed]:
    """The intent is on record: those that no known path holds now; the others are left alone.

    Raises StateTrouble.
    """
    with database.writing() as connection:
        held = _held(connection, account, [one.checksum for one in departed])
        return [
            one
            for one in departed
            if one.checksum not in held
            and connection.execute(_MEAN, (*key(one.place), one.checksum)).rowcount
        ]


def settle(database: Database, account: AccountId, fates: Collection[Fate], now: float) -> None:
    """These are the fates. What was trashed is known to be, in the same transaction.

    If files with such bytes have come meanwhile, they are due. Raises StateTrouble.
    """
    with database.writing() as connection:
        for fate in fates:
            departed = fate.departed
            connection.execute(
                _FATE, (fate.state.value, text(fate.note), *key(departed.place), departed.checksum)
            )
            if fate.state is State.TRASHED and fate.asset is not None:
                connection.execute(_TRASHED, (now, now, account, departed.checksum, fate.asset))
        trashed = [one.departed.checksum for one in fates if one.state is State.TRASHED]
        for checksum in _held(connection, account, trashed):
            connection.execute(_MAKE_DUE, (Priority.BACKLOG.value, now, checksum, account))


def approve(database: Database, folder: FolderId) -> None:
    """A person said that what is gone from this folder was deleted on purpose.

    Raises StateTrouble.
    """
    with database.writing() as connection:
        connection.execute("UPDATE departed SET approved = 1 WHERE folder = ?", (folder,))


def _account(connection: Connection, folder: FolderId) -> dict[str, int | None]:
    row = connection.execute("SELECT account FROM folder WHERE id = ?", (folder,)).fetchone()
    return {"account": None if row is None else row[0]}


def _held(
    connection: Connection, account: AccountId, checksums: Iterable[Checksum]
) -> set[Checksum]:
    """Those that a known path of the account holds. Walks all files once, if any is asked for."""
    wanted = set(checksums)
    if not wanted:
        return set()
    connection.execute(
        "CREATE TEMP TABLE IF NOT EXISTS wanted (sha1 BLOB PRIMARY KEY) WITHOUT ROWID"
    )
    connection.execute("DELETE FROM wanted")
    connection.executemany("INSERT INTO wanted VALUES (?)", [(one,) for one in sorted(wanted)])
    return {Checksum(row[0]) for row in connection.execute(_HOLDING, (account,))}


_ROWS = """
INSERT INTO departed (folder, dir, name, sha1, size, motion, at, state)
SELECT file.folder, file.dir, file.name, file.sha1, file.size, file.motion, :now, 'waiting'
FROM file JOIN folder ON folder.id = file.folder
WHERE folder.on_delete = 'trash' AND folder.restored_at IS NULL
    AND file.sha1 IS NOT NULL AND file.folder = :folder
"""

_AGAIN = """
ON CONFLICT DO UPDATE SET
    at = excluded.at, state = 'waiting', approved = 0, note = '', motion = excluded.motion
WHERE state <> 'meant'
"""

_ARM = "UPDATE folder SET on_delete = 'soon' WHERE id = ? AND on_delete = 'ignore'"

_LEFT = f"{_ROWS} AND file.dir = :dir AND file.name = :name {_AGAIN}"

LEFT_BELOW = f"""
{_ROWS} AND file.dir >= :path AND file.dir < :last AND (file.dir = :path OR file.dir >= :below)
{_AGAIN}
"""
"""What lies at or below a path departs; see `known.forget_below`, which binds the names."""

# What is in the making is settled by whoever made it.
_ARRIVED = """
DELETE FROM departed WHERE folder = ? AND dir = ? AND name = ? AND sha1 = ? AND state <> 'meant'
"""

_ANY = """
SELECT 1 FROM folder JOIN departed ON departed.folder = folder.id
WHERE account = ? AND state IN ('waiting', 'meant') LIMIT 1
"""

_MINE = "SELECT id FROM folder WHERE account = :account AND kind = 'watched'"

# Deleted and written anew, as some editors do: a change, and no deletion.
_REPLACED = f"""
INSERT INTO superseded (folder, dir, name, old, new, asset_id, at, counted)
SELECT file.folder, file.dir, file.name, departed.sha1, file.sha1, asset.asset_id, :now, 0
FROM departed
JOIN file ON file.folder = departed.folder AND file.dir = departed.dir
    AND file.name = departed.name AND file.sha1 <> departed.sha1
JOIN asset ON asset.account = :account AND asset.sha1 = departed.sha1
WHERE departed.state = 'waiting' AND departed.folder IN ({_MINE})
    AND asset.verified_at IS NOT NULL
ON CONFLICT DO NOTHING
"""  # noqa: S608 - our own words

_BACK = f"""
DELETE FROM departed WHERE state = 'waiting' AND folder IN ({_MINE}) AND EXISTS (
    SELECT 1 FROM file WHERE file.folder = departed.folder AND file.dir = departed.dir
    AND file.name = departed.name)
"""  # noqa: S608 - our own words

_ELSEWHERE = f"""
DELETE FROM departed WHERE state = 'waiting' AND folder IN ({_MINE}) AND sha1 IN (
    SELECT file.sha1 FROM file WHERE file.folder IN ({_MINE}) AND file.sha1 IN (
        SELECT sha1 FROM departed WHERE state = 'waiting' AND folder IN ({_MINE})))
"""  # noqa: S608 - our own words

_NOT_TOMORROW = f"""
UPDATE departed SET at = :now WHERE state = 'waiting' AND at > :now AND folder IN ({_MINE})
"""  # noqa: S608 - our own words

# A job that is not read yet: only bytes of the same size can be the same.
_UNREAD = """
(EXISTS (
    SELECT 1 FROM job WHERE job.folder = departed.folder AND job.dir = departed.dir
    AND job.name = departed.name)
OR departed.size IN (
    SELECT job.size FROM folder JOIN job ON job.folder = folder.id
    LEFT JOIN file ON file.folder = job.folder AND file.dir = job.dir AND file.name = job.name
    WHERE folder.account = :account AND job.size IS NOT NULL AND (
        file.sha1 IS NULL OR file.size <> job.size OR file.mtime_ns <> job.mtime_ns
        OR file.inode <> job.inode))
OR EXISTS (
    SELECT 1 FROM folder JOIN job ON job.folder = folder.id
    LEFT JOIN file ON file.folder = job.folder AND file.dir = job.dir AND file.name = job.name
    WHERE folder.account = :account AND job.size IS NULL AND file.sha1 IS NULL))
"""

_COUNTS = f"""
WITH
first AS (SELECT min(at) AS at FROM departed WHERE folder = :folder AND state = 'waiting'),
together AS (
    SELECT count(*) OVER (ORDER BY at RANGE BETWEEN :window PRECEDING AND CURRENT ROW) AS count
    FROM departed WHERE folder = :folder AND approved = 0 AND NOT {_UNREAD}
        AND at > min(:now, coalesce((SELECT at FROM first), :now)) - :window)
SELECT
    (SELECT coalesce(max(count), 0) FROM together),
    (SELECT count(*) FROM departed WHERE folder = :folder AND state = 'waiting')
"""  # noqa: S608 - our own words

_DUE = f"""
SELECT dir, name, departed.sha1, size, motion, at, approved, {_UNREAD},
    departed.sha1 IN (SELECT asset_sha1 FROM cleaned WHERE account = :account),
    asset.account, asset.sha1, asset_id, origin, verified_at, trashed_at, removed_at
FROM departed
LEFT JOIN asset ON asset.account = :account AND asset.sha1 = departed.sha1
WHERE folder = :folder AND state = 'waiting' AND at <= :until
ORDER BY motion, at, dir, name LIMIT :limit
"""  # noqa: S608 - our own words

_MEANT = """
SELECT departed.folder, dir, departed.name, sha1, size, motion, at, approved
FROM folder JOIN departed ON departed.folder = folder.id
WHERE account = ? AND state = 'meant' ORDER BY departed.folder, dir, departed.name
"""

_MEAN = """
UPDATE departed SET state = 'meant'
WHERE folder = ? AND dir = ? AND name = ? AND sha1 = ? AND state = 'waiting'
"""

_FATE = """
UPDATE departed SET state = ?, note = ? WHERE folder = ? AND dir = ? AND name = ? AND sha1 = ?
"""

_TRASHED = """
UPDATE asset SET verified_at = ?, trashed_at = coalesce(trashed_at, ?)
WHERE account = ? AND sha1 = ? AND asset_id = ?
"""

_HOLDING = """
SELECT DISTINCT file.sha1 FROM folder JOIN file ON file.folder = folder.id
WHERE folder.account = ? AND folder.kind = 'watched' AND file.sha1 IN (SELECT sha1 FROM wanted)
"""

_MAKE_DUE = """
INSERT INTO job (folder, dir, name, priority, due_at)
SELECT file.folder, file.dir, file.name, ?, ? FROM file JOIN folder ON folder.id = file.folder
WHERE file.hold IS NULL AND file.sha1 = ? AND folder.account = ? AND folder.kind = 'watched'
ON CONFLICT DO UPDATE SET round = round + 1
"""
