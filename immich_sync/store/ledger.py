"""The facts that have been learnt: written as they become true, read back one by one.

Its own module because every write of the worker goes through `apply`, in one transaction with
the end of its jobs.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import islice

from immich_sync.core.types import (
    AccountId,
    Activity,
    AlbumId,
    Asset,
    Checksum,
    File,
    FolderId,
    Member,
    Place,
    Record,
    Stamp,
)
from immich_sync.store.database import Database
from immich_sync.store.records import prune, write
from immich_sync.store.rows import asset_of, file_of, key, stamp_of, text


@dataclass(frozen=True, slots=True)
class Known:
    """A known file as a sample shows it."""

    directory: bytes
    name: bytes
    stamp: Stamp


def apply(database: Database, records: Sequence[Record], now: float) -> None:
    """All of the records are true, in their order, or (StateTrouble) none of them.

    The last word on a file or an asset wins, but an asset that we uploaded stays ours, and the
    time when it was first seen trashed or removed stays. Done, Again and a worker's Forgotten
    count only while their job is in the same round: a path that became due meanwhile stays due.
    Held says nothing of a path that is not known.
    `now` in wall-clock seconds.
    """
    with database.writing() as connection:
        for record in records:
            write(connection, record, now)
        if any(isinstance(record, Activity) for record in records):
            prune(connection)


def file(database: Database, place: Place) -> File | None:
    """What is known to lie at this place. Raises StateTrouble."""
    with database.reading() as connection:
        row = connection.execute(_READ_FILE, key(place)).fetchone()
        return None if row is None else file_of(place, row)


def stamp(database: Database, place: Place) -> Stamp | None:
    """The stamp that is known of this place: that of a waiting job first. Raises StateTrouble."""
    with database.reading() as connection:
        row = connection.execute(_READ_STAMP, (*key(place), *key(place))).fetchone()
        return None if row is None else stamp_of(row)


def file_count(database: Database, folder: FolderId, at_most: int = 1000) -> int:
    """How many files of the folder are known; counting ends at `at_most`. Raises StateTrouble."""
    with database.reading() as connection:
        return int(connection.execute(_COUNT, (folder, at_most)).fetchone()[0])


def sample(database: Database, folder: FolderId, size: int) -> list[Known]:
    """At most `size` known files, evenly spread over the folder. Raises StateTrouble."""
    with database.reading() as connection:
        total = int(connection.execute(_COUNT, (folder, -1)).fetchone()[0])
        rows = connection.execute(_IN_ORDER, (folder,))
        every = islice(rows, 0, None, max(1, -(-total // size)))
        return [Known(row[0], row[1], stamp_of(row[2:])) for row in every]


def asset(database: Database, account: AccountId, checksum: Checksum) -> Asset | None:
    """What is known of these bytes in this account. Raises StateTrouble."""
    with database.reading() as connection:
        row = connection.execute(_READ_ASSET, (account, checksum)).fetchone()
        return None if row is None else asset_of(row)


def members(database: Database, pairs: Iterable[Member]) -> set[Member]:
    """Those of the pairs that are known to have been put together once. Raises StateTrouble."""
    with database.reading() as connection:
        return {
            pair
            for pair in pairs
            if connection.execute(_READ_MEMBER, (pair.album, pair.asset)).fetchone()
        }


def album(database: Database, account: AccountId, name: str) -> AlbumId | None:
    """The album that this name stood for last in this account. Raises StateTrouble."""
    with database.reading() as connection:
        row = connection.execute(
            "SELECT album_id FROM album WHERE account = ? AND name = ?", (account, text(name))
        ).fetchone()
        return None if row is None else AlbumId(row[0])


def forget_album(database: Database, account: AccountId, album_id: AlbumId) -> None:
    """No name stands for this album any more, and nothing is in it. Raises StateTrouble."""
    with database.writing() as connection:
        connection.execute(
            "DELETE FROM album WHERE account = ? AND album_id = ?", (account, album_id)
        )
        connection.execute("DELETE FROM member WHERE album_id = ?", (album_id,))


_READ_FILE = """
SELECT size, mtime_ns, inode, ctime_ns, sha1, incomplete, motion, hold, note FROM file
WHERE folder = ? AND dir = ? AND name = ?
"""

_READ_ASSET = """
SELECT account, sha1, asset_id, origin, verified_at, trashed_at, removed_at FROM asset
WHERE account = ? AND sha1 = ?
"""

_READ_MEMBER = "SELECT 1 FROM member WHERE album_id = ? AND asset_id = ?"

_READ_STAMP = """
SELECT size, mtime_ns, inode, ctime_ns FROM job
WHERE folder = ? AND dir = ? AND name = ? AND size IS NOT NULL
UNION ALL
SELECT size, mtime_ns, inode, ctime_ns FROM file WHERE folder = ? AND dir = ? AND name = ?
LIMIT 1
"""

_COUNT = "SELECT count(*) FROM (SELECT 1 FROM file WHERE folder = ? LIMIT ?)"

_IN_ORDER = """
SELECT dir, name, size, mtime_ns, inode, ctime_ns FROM file WHERE folder = ? ORDER BY dir, name
"""
