"""What the ledger knows of whole directories: the snapshot that a listing is compared with.

Its own module because a restart reads every row through it: rows stay lean here, and come in the
order of the index.
"""

from collections.abc import Iterable, Iterator
from sqlite3 import Connection

from immich_sync.core.types import FolderId, Stamp
from immich_sync.store.database import Database
from immich_sync.store.departures import LEFT_BELOW
from immich_sync.store.rows import UNSIGNED

_BEHIND_ALL = b"\xff" * 8192  # twice as long as the longest path (PATH_MAX)


def stamps(
    database: Database, folder: FolderId, directories: Iterable[bytes]
) -> dict[bytes, dict[bytes, Stamp]]:
    """The stamps of the known files directly in each of the directories, by name.

    A file that waits to be read is known by the stamp it was seen with. A directory without known
    files is left out. Raises StateTrouble.
    """
    with database.reading() as connection:
        found = ((path, _stamps(connection, folder, path)) for path in directories)
        return {path: known for path, known in found if known}


def _stamps(connection: Connection, folder: FolderId, path: bytes) -> dict[bytes, Stamp]:
    return {
        name: Stamp(size, mtime_ns, inode & UNSIGNED, ctime_ns)
        for query in (_DIRECTORY, _WAITING)  # the job's word is the newer one
        for name, size, mtime_ns, inode, ctime_ns in connection.execute(query, (folder, path))
    }


def subdirectories_known(database: Database, folder: FolderId, path: bytes) -> set[bytes]:
    """The directories at or below `path` that hold known files. Raises StateTrouble."""
    with database.reading() as connection:
        return {row[0] for row in connection.execute(_BELOW, _range(folder, path))}


def children(
    database: Database, folder: FolderId, paths: Iterable[bytes]
) -> dict[bytes, set[bytes]]:
    """Of each path the directories directly in it, at or below which files are known.

    Costs two looks into the index for each of them, however many files they hold. Raises
    StateTrouble.
    """
    with database.reading() as connection:
        return {path: set(_children(connection, folder, path)) for path in paths}


def _children(connection: Connection, folder: FolderId, path: bytes) -> Iterator[bytes]:
    below = path + b"/" if path else b""
    last = path + b"0" if path else _BEHIND_ALL
    following = below or b"\0"  # the root's own files are in b""
    while found := connection.execute(_FOLLOWING, (folder, following, last)).fetchone():
        name, deeper, _ = found[0][len(below) :].partition(b"/")
        yield below + name
        # Siblings such as "a-1" lie between "a" and "a/", so only what is below "a" is skipped.
        following = below + name + (b"0" if deeper else b"\0")


def forget_below(
    database: Database, folder: FolderId, path: bytes, now: float, *, deleted: bool = True
) -> int:
    """Nothing at or below `path` is looked at any more: its files go; how many these were.

    They were `deleted`, or they lie where nobody looks. Jobs stay: something may have come back
    since, and if not, the worker will find out. `now` in wall-clock seconds. Raises StateTrouble.
    """
    with database.writing() as connection:
        wanted = _range(folder, path)
        if deleted:
            connection.execute(LEFT_BELOW, {**wanted, "now": now})
        return connection.execute(_FORGET, wanted).rowcount


def scanned(database: Database, folder: FolderId) -> None:
    """The folder was compared with its files to the end: what is known of it is not old any more.

    What goes from now on counts, if deletions do. Raises StateTrouble.
    """
    with database.reading() as connection:
        row = connection.execute(_OLD, (folder,)).fetchone()
    if row is not None:
        with database.writing() as connection:
            connection.execute(_OLD_NO_MORE, (folder,))


def _range(folder: FolderId, path: bytes) -> dict[str, int | bytes]:
    # "0" is the byte behind "/": between the two lies exactly what is below the path. Siblings
    # such as "path-1" lie between the path and its "/".
    if not path:
        return {"folder": folder, "path": b"", "below": b"", "last": _BEHIND_ALL}
    return {"folder": folder, "path": path, "below": path + b"/", "last": path + b"0"}


_OLD = "SELECT 1 FROM folder WHERE id = ? AND (restored_at IS NOT NULL OR on_delete = 'soon')"

_OLD_NO_MORE = """
UPDATE folder SET restored_at = NULL, on_delete = iif(on_delete = 'soon', 'trash', on_delete)
WHERE id = ?
"""

_DIRECTORY = """
SELECT name, size, mtime_ns, inode, ctime_ns FROM file WHERE folder = ? AND dir = ?
"""

_WAITING = """
SELECT name, size, mtime_ns, inode, ctime_ns FROM job
WHERE folder = ? AND dir = ? AND size IS NOT NULL
"""

_BELOW = """
SELECT DISTINCT dir FROM file
WHERE folder = :folder AND dir >= :path AND dir < :last AND (dir = :path OR dir >= :below)
"""

_FOLLOWING = """
SELECT dir FROM file WHERE folder = ? AND dir >= ? AND dir < ? ORDER BY dir LIMIT 1
"""

_FORGET = """
DELETE FROM file
WHERE folder = :folder AND dir >= :path AND dir < :last AND (dir = :path OR dir >= :below)
"""
