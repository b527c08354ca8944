"""What cleanup knows: which files may be ripe, what it is about to do, and what it did.

Its own module because a file leaves `file` in the very transaction that says that it is to go:
from then on no listing can take it for one that a person deleted.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import Enum
from sqlite3 import Connection

from immich_sync.core.cleanup import Jump
from immich_sync.core.types import (
    AccountId,
    Activity,
    Asset,
    AssetId,
    Checksum,
    File,
    FolderId,
    Place,
    Priority,
    Stamp,
)
from immich_sync.store.database import Database
from immich_sync.store.records import prune, write
from immich_sync.store.rows import Row, asset_of, file_of, integer, key, stamp_of, text


class State(Enum):
    """How far a cleaned file has come. Stored by value."""

    MEANT = "meant"  # about to be deleted or put aside
    DELETED = "deleted"
    QUARANTINED = "quarantined"
    EXPIRING = "expiring"  # about to be deleted from the quarantine
    EXPIRED = "expired"  # deleted from the quarantine
    UNDOING = "undoing"  # about to be put back
    UNDONE = "undone"  # put back, on a person's word: not cleaned again by itself


AWAY = (State.MEANT, State.DELETED, State.QUARANTINED, State.EXPIRING, State.EXPIRED, State.UNDOING)
"""States of what no longer lies in its folder, or will not in a moment."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """A file that the ledger calls synced; times are wall-clock seconds."""

    file: File
    changed_at: float  # since when these bytes are known at this place
    asset: Asset | None
    proved_at: float | None  # since when the asset is there without a break
    due: bool  # a job waits for it
    undone: bool  # a person brought these bytes back from a cleanup


@dataclass(frozen=True, slots=True)
class Cleaned:
    """A file that cleanup took, or is about to; `at` is wall-clock seconds."""

    place: Place
    stamp: Stamp
    checksum: Checksum
    account: AccountId
    asset_checksum: Checksum  # of a sidecar: its photo's
    asset_id: AssetId
    state: State
    at: float
    motion: bool = False
    sidecar: bool = False
    aside_root: bytes | None = None  # the quarantine's folder; None: deleted at once
    aside: bytes | None = None  # the path below it
    aside_disk: str = ""  # what tells the quarantine's disk from another one; "": nothing does
    note: str = ""  # why it is kept in quarantine for longer
    asked_at: float | None = None  # when the server was asked about it last
    unit: int = 0  # shared by what went together
    id: int = 0  # 0: not stored yet


def candidates(
    database: Database, folder: FolderId, after: Place | None, limit: int
) -> list[Candidate]:
    """The next files that are synced and wait for nothing, by place. Raises StateTrouble."""
    begin = (b"", b"") if after is None else (after.directory, after.name)
    with database.reading() as connection:
        rows = connection.execute(_CANDIDATES, (folder, *begin, limit))
        return [_candidate(folder, row) for row in rows]


def candidate(database: Database, place: Place) -> Candidate | None:
    """What is known of one file, whatever it waits for. Raises StateTrouble."""
    with database.reading() as connection:
        row = connection.execute(_CANDIDATE, key(place)).fetchone()
        return None if row is None else _candidate(place.folder, row)


def mean(database: Database, unit: Sequence[Cleaned], stamps: Sequence[Stamp | None]) -> list[int]:
    """These are about to go, and no file lies at their places any more, as far as is known.

    On the disk before it returns, power cut or not. [] (and nothing is written) if a file is not
    known with its stamp of `stamps` any more or became due; None stands for a sidecar, of which
    the ledger knows no file. Else their ids. Raises StateTrouble.
    """
    with database.writing(durable=True) as connection:
        for one, stamp in zip(unit, stamps, strict=True):
            if stamp is None:
                continue
            row = connection.execute(_STILL, (*key(one.place), one.checksum)).fetchone()
            if row is None or stamp_of(row) != stamp:
                return []
        ids: list[int] = []
        for one in unit:
            connection.execute(_GONE, key(one.place))
            ids.append(_insert(connection, one, ids[0] if ids else 0))
        connection.execute("UPDATE cleaned SET unit = id WHERE id = ?", (ids[0],))
        return ids


def settle(database: Database, one: Cleaned, activity: Activity | None = None) -> None:
    """The row says this from now on, and the activity is known. Raises StateTrouble."""
    with database.writing() as connection:
        _update(connection, one)
        if activity is not None:
            write(connection, activity, activity.at)
            prune(connection)


def intend(database: Database, rows: Sequence[Cleaned]) -> None:
    """The same for several, on the disk before it returns. Raises StateTrouble."""
    with database.writing(durable=True) as connection:
        for one in rows:
            _update(connection, one)


def spare(database: Database, one: Cleaned, now: float) -> None:
    """It was not touched after all: its file is known again, and looked at. Raises StateTrouble."""
    with database.writing() as connection:
        connection.execute("DELETE FROM cleaned WHERE id = ?", (one.id,))
        if one.sidecar:
            return
        if connection.execute(_KNOWN, key(one.place)).fetchone() is None:
            write(connection, File(one.place, one.stamp, one.checksum, motion=one.motion), now)
        connection.execute(_LOOK_AGAIN, (*key(one.place), Priority.RECHECK.value, now))


def unfinished(database: Database, folder: FolderId) -> list[Cleaned]:
    """What was about to happen when a process ended. Raises StateTrouble."""
    with database.reading() as connection:
        return [_cleaned(row) for row in connection.execute(_UNFINISHED, (folder,))]


def expiring(database: Database, folder: FolderId, asked: float, limit: int) -> list[Cleaned]:
    """The oldest in quarantine about which nobody asked since. Raises StateTrouble."""
    with database.reading() as connection:
        return [_cleaned(row) for row in connection.execute(_EXPIRING, (folder, asked, limit))]


def latest_aside(database: Database, folder: FolderId, root: bytes) -> Cleaned | None:
    """What was put last into the quarantine at `root`, and is there still. Raises StateTrouble."""
    with database.reading() as connection:
        row = connection.execute(_LATEST_ASIDE, (folder, root)).fetchone()
        return None if row is None else _cleaned(row)


def unit_of(database: Database, one: Cleaned) -> list[Cleaned]:
    """All that went together with it, itself included, photos first. Raises StateTrouble."""
    with database.reading() as connection:
        return [_cleaned(row) for row in connection.execute(_UNIT, (one.unit,))]


def away(database: Database, folder: FolderId, *, since: float | None = None) -> list[Cleaned]:
    """What cleanup took from the folder (since then), the oldest first. Raises StateTrouble."""
    with database.reading() as connection:
        rows = connection.execute(_AWAY, (folder, since or 0.0))
        return [_cleaned(row) for row in rows]


def at_place(database: Database, place: Place) -> list[Cleaned]:
    """What cleanup took from this place, the latest first. Raises StateTrouble."""
    with database.reading() as connection:
        return [_cleaned(row) for row in connection.execute(_AT_PLACE, key(place))]


def went_up(
    database: Database, account: AccountId, checksum: Checksum, place: Place, sidecar: Checksum
) -> bool:
    """Whether these bytes of the sidecar at `place` went up with the asset of `checksum`.

    Or with a photo that was cleaned out of the same directory, and is in Immich as far as we
    know. Raises StateTrouble.
    """
    wanted = {
        "account": account, "sha1": checksum, "name": place.name, "sidecar": sidecar,
        "folder": place.folder, "dir": place.directory,
    }  # fmt: skip
    with database.reading() as connection:
        return connection.execute(_WENT_UP, wanted).fetchone() is not None


def clock(database: Database) -> tuple[float | None, list[Jump]]:
    """When the wall clock was last looked at, and the jumps it made. Raises StateTrouble."""
    with database.reading() as connection:
        row = connection.execute("SELECT at FROM clock_seen").fetchone()
        jumps = connection.execute("SELECT at, by FROM clock_jump ORDER BY rowid")
        return None if row is None else row[0], [Jump(at, by) for at, by in jumps]


def saw_clock(database: Database, now: float, jump: Jump | None) -> None:
    """The wall clock was looked at `now`, and had made this jump. Raises StateTrouble."""
    with database.writing() as connection:
        connection.execute("INSERT OR REPLACE INTO clock_seen VALUES (1, ?)", (now,))
        if jump is not None:
            connection.execute("INSERT INTO clock_jump VALUES (?, ?)", (jump.at, jump.by))


def _candidate(folder: FolderId, row: Row) -> Candidate:
    directory, name, changed_at, proved_at, due, undone = row[:6]
    file = file_of(Place(folder, directory, name), row[6:15])
    if file is None:
        raise ValueError("a file without a note")
    return Candidate(file, changed_at, asset_of(row[15:]), proved_at, bool(due), bool(undone))


def _insert(connection: Connection, one: Cleaned, unit: int) -> int:
    row = connection.execute(
        _INSERT,
        (
            unit, *key(one.place), *map(integer, one.stamp), one.checksum, one.motion, one.sidecar,
            one.account, one.asset_checksum, one.asset_id, one.state.value, one.at, one.aside_root,
            one.aside, one.aside_disk,
        ),
    ).fetchone()  # fmt: skip
    return int(row[0])


def _update(connection: Connection, one: Cleaned) -> None:
    connection.execute(_UPDATE, (one.state.value, one.asked_at, text(one.note), one.id))


def _cleaned(row: Row) -> Cleaned:
    place = Place(FolderId(row[2]), row[3], row[4])
    made = Cleaned(
        place, stamp_of(row[5:9]), Checksum(row[9]), AccountId(row[12]), Checksum(row[13]),
        AssetId(row[14]), State(row[15]), row[16], bool(row[10]), bool(row[11]),
    )  # fmt: skip
    return replace(
        made, aside_root=row[17], aside=row[18], asked_at=row[19], note=row[20],
        aside_disk=row[21], unit=row[1], id=row[0],
    )  # fmt: skip


_COLUMNS = """
SELECT file.dir, file.name, file.changed_at, asset.proved_at, job.round IS NOT NULL,
    EXISTS (
        SELECT 1 FROM cleaned WHERE cleaned.folder = file.folder AND cleaned.sha1 = file.sha1
        AND cleaned.state = 'undone'),
    file.size, file.mtime_ns, file.inode, file.ctime_ns, file.sha1, file.incomplete, file.motion,
    file.hold, file.note,
    asset.account, asset.sha1, asset.asset_id, asset.origin, asset.verified_at, asset.trashed_at,
    asset.removed_at
FROM file
JOIN folder ON folder.id = file.folder
LEFT JOIN asset ON asset.account = folder.account AND asset.sha1 = file.sha1
LEFT JOIN job ON job.folder = file.folder AND job.dir = file.dir AND job.name = file.name
WHERE file.folder = ?
"""

_CANDIDATES = f"""
{_COLUMNS} AND (file.dir, file.name) > (?, ?) AND file.hold IS NULL AND file.incomplete = 0
    AND job.round IS NULL AND asset.verified_at IS NOT NULL AND asset.trashed_at IS NULL
    AND asset.removed_at IS NULL
ORDER BY file.dir, file.name LIMIT ?
"""

_CANDIDATE = f"{_COLUMNS} AND file.dir = ? AND file.name = ?"

_STILL = """
SELECT size, mtime_ns, inode, ctime_ns FROM file
WHERE folder = ? AND dir = ? AND name = ? AND sha1 = ? AND hold IS NULL AND NOT EXISTS (
    SELECT 1 FROM job WHERE job.folder = file.folder AND job.dir = file.dir
    AND job.name = file.name)
"""

_KNOWN = "SELECT 1 FROM file WHERE folder = ? AND dir = ? AND name = ?"

_GONE = "DELETE FROM file WHERE folder = ? AND dir = ? AND name = ?"

_INSERT = """
INSERT INTO cleaned (
    unit, folder, dir, name, size, mtime_ns, inode, ctime_ns, sha1, motion, sidecar, account,
    asset_sha1, asset_id, state, at, aside_root, aside, aside_disk)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) RETURNING id
"""

_UPDATE = "UPDATE cleaned SET state = ?, asked_at = ?, note = ? WHERE id = ?"

_LOOK_AGAIN = """
INSERT INTO job (folder, dir, name, priority, due_at) VALUES (?, ?, ?, ?, ?)
ON CONFLICT DO UPDATE SET round = round + 1
"""

_READ = """
SELECT id, unit, folder, dir, name, size, mtime_ns, inode, ctime_ns, sha1, motion, sidecar,
    account, asset_sha1, asset_id, state, at, aside_root, aside, asked_at, note, aside_disk
FROM cleaned
"""

_OPEN = "state NOT IN ('deleted', 'undone')"  # word for word the index's

_UNFINISHED = f"""
{_READ} WHERE folder = ? AND {_OPEN} AND state IN ('meant', 'expiring', 'undoing') ORDER BY id
"""

_EXPIRING = f"""
{_READ} WHERE folder = ? AND {_OPEN} AND state = 'quarantined'
    AND (asked_at IS NULL OR asked_at < ?)
ORDER BY at, id LIMIT ?
"""

_LATEST_ASIDE = f"""
{_READ} WHERE folder = ? AND {_OPEN} AND state = 'quarantined' AND aside_root = ?
ORDER BY at DESC, id DESC LIMIT 1
"""

_UNIT = f"{_READ} WHERE unit = ? ORDER BY sidecar, id"

_AWAY = f"{_READ} WHERE folder = ? AND state <> 'undone' AND at >= ? ORDER BY id"

_AT_PLACE = f"{_READ} WHERE folder = ? AND dir = ? AND name = ? ORDER BY id DESC"

_WENT_UP = """
SELECT 1 FROM sidecar
WHERE account = :account AND name = :name AND sidecar = :sidecar AND (
    sha1 = :sha1 OR sha1 IN (
        SELECT asset_sha1 FROM cleaned
        JOIN asset ON asset.account = cleaned.account AND asset.sha1 = asset_sha1
        WHERE folder = :folder AND dir = :dir AND cleaned.account = :account
            AND trashed_at IS NULL AND removed_at IS NULL))
LIMIT 1
"""
