"""The disks that lie within a folder: where, which, and since when they are away.

Its own module because a restart while a disk is away must not take its files for deleted.
"""

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from itertools import islice
from sqlite3 import Connection

from immich_sync.core.inner import hides
from immich_sync.core.types import FolderId
from immich_sync.store.database import Database
from immich_sync.store.ledger import Known
from immich_sync.store.rows import stamp_of, text


@dataclass(frozen=True, slots=True)
class Inner:
    """An inner mount as it was last believed."""

    place: bytes  # below the folder's root
    identity: str  # of the file system that the known files were on; "": nobody knows
    since: float | None = None  # when it was found away, wall-clock seconds; None: it is there


def remembered(database: Database, folder: FolderId) -> list[Inner]:
    """All of the folder. Raises StateTrouble."""
    with database.reading() as connection:
        rows = connection.execute(_REMEMBERED, (folder,)).fetchall()
        return [Inner(*row) for row in rows]


def remember(database: Database, folder: FolderId, inner: Inner, *, partial: bool = False) -> None:
    """It is like this from now on. Raises StateTrouble.

    `partial`: what it lacks was not deleted, for it may never have had it; only what goes after
    the next full scan was.
    """
    with database.writing() as connection:
        row = (folder, inner.place, text(inner.identity), inner.since)
        connection.execute(_REMEMBER, row)
        if partial:
            connection.execute(_PARTIAL, (folder,))


def is_known(database: Database, folder: FolderId, place: bytes) -> bool:
    """Whether a file is known at or below the place. Raises StateTrouble."""
    with database.reading() as connection:
        return connection.execute(_IS_KNOWN, _below(folder, place)).fetchone() is not None


def is_newer(database: Database, folder: FolderId, place: bytes, since: float) -> bool:
    """Whether a file below the place became known after `since`. Raises StateTrouble."""
    with database.reading() as connection:
        wanted = {**_below(folder, place), "since": since}
        return connection.execute(_IS_NEWER, wanted).fetchone() is not None


def sample(
    database: Database, folder: FolderId, inner: Inner, within: Collection[bytes], size: int
) -> list[Known]:
    """At most `size` files known there before it went away, evenly spread. Raises StateTrouble.

    What lies on a mount `within` this one says nothing of it.
    """
    with database.reading() as connection:
        total = sum(1 for _ in _mine(connection, folder, inner, within))
        every = max(1, -(-total // size))
        rows = islice(_mine(connection, folder, inner, within), 0, None, every)
        return [Known(row[0], row[1], stamp_of(row[2:])) for row in rows]


def take_away(database: Database, folder: FolderId, places: Collection[bytes]) -> int:
    """These were taken away for good; how many files are forgotten, none of them as deleted.

    Raises StateTrouble.
    """
    with database.writing() as connection:
        forgotten = 0
        for place in places:
            forgotten += connection.execute(_FORGET, _below(folder, place)).rowcount
            connection.execute(_TAKE_AWAY, (folder, place))
        return forgotten


def _mine(
    connection: Connection, folder: FolderId, inner: Inner, within: Collection[bytes]
) -> Iterator[tuple[bytes, bytes, int, int, int, int]]:
    wanted = {**_below(folder, inner.place), "since": inner.since}
    rows = connection.execute(_SAMPLE, wanted)
    return (row for row in rows if not hides(within, row[0]))


def _below(folder: FolderId, place: bytes) -> dict[str, object]:
    # "0" is the byte behind "/": between the two lies exactly what is below the place.
    return {"folder": folder, "place": place, "below": place + b"/", "last": place + b"0"}


_REMEMBERED = "SELECT place, identity, since FROM inner_mount WHERE folder = ? ORDER BY place"

_REMEMBER = """
INSERT INTO inner_mount (folder, place, identity, since) VALUES (?, ?, ?, ?)
ON CONFLICT DO UPDATE SET identity = excluded.identity, since = excluded.since
"""

_PARTIAL = "UPDATE folder SET on_delete = 'soon' WHERE id = ? AND on_delete = 'trash'"

_TAKE_AWAY = "DELETE FROM inner_mount WHERE folder = ? AND place = ?"

_FILES = """
FROM file WHERE folder = :folder AND (dir = :place OR (dir >= :below AND dir < :last))
"""

_IS_KNOWN = f"SELECT 1 {_FILES} LIMIT 1"

_IS_NEWER = f"SELECT 1 {_FILES} AND arrived_at > :since LIMIT 1"

_SAMPLE = f"""
SELECT dir, name, size, mtime_ns, inode, ctime_ns {_FILES}
AND (:since IS NULL OR arrived_at <= :since) ORDER BY dir, name
"""

_FORGET = f"DELETE {_FILES}"
