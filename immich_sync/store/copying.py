"""Copies a state that may be in use, as it is at one moment.

Its own module because a backup and an upgrade need the same copy: whole, ours alone, on the disk.
"""

import os
import sqlite3
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path
from urllib.parse import quote_from_bytes

PAGES = 1024
"""Pages of 4 kB that are copied in one go."""
BREATH = 0.005
"""Seconds between two goes, in which the disk is somebody else's."""
_BUSY_SECONDS = 10.0


def look_at(path: Path) -> sqlite3.Connection:
    """The state at `path`, of whatever version, for looking only. Raises sqlite3.Error."""
    return sqlite3.connect(
        f"{uri(path)}?mode=ro", uri=True, timeout=_BUSY_SECONDS, isolation_level=None
    )


def uri(path: Path) -> str:
    """The file as SQLite's URI, whatever characters its name has."""
    return f"file:{quote_from_bytes(os.fsencode(path.absolute()))}"


def copy(source: Path, target: Path) -> Mapping[str, int]:
    """A new file `target` holds what `source` holds now, and is on the disk; the rows by table.

    Nobody waits for it: a reader of the WAL sees one moment for as long as it likes, while others
    go on writing (https://sqlite.org/wal.html). Raises sqlite3.Error, OSError (FileExistsError if
    something is there already).
    """
    descriptor = os.open(target, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        with closing(look_at(source)) as reading, closing(_open_plainly(target)) as writing:
            reading.execute("BEGIN")  # else the copy began anew with each write of the daemon
            rows = counted(reading)
            reading.backup(writing, pages=PAGES, sleep=BREATH)
            writing.execute("PRAGMA journal_mode = DELETE")  # one file, without companions
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
    return rows


def counted(connection: sqlite3.Connection) -> dict[str, int]:
    """The rows of each table of ours, by its name. Raises sqlite3.Error."""
    return {
        name: int(connection.execute(f'SELECT count(*) FROM "{name}"').fetchone()[0])  # noqa: S608 -- names of tables cannot be bound
        for (name,) in connection.execute(_TABLES).fetchall()
    }


def keep_name(folder: Path) -> None:
    """What was just made, renamed or removed in `folder` is so after a power cut. OSError."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _open_plainly(path: Path) -> sqlite3.Connection:
    return sqlite3.connect(f"{uri(path)}?mode=rw", uri=True, isolation_level=None)


_TABLES = r"""
SELECT name FROM sqlite_master
WHERE type = 'table' AND name NOT LIKE '\_%' ESCAPE '\' AND name NOT LIKE 'sqlite\_%' ESCAPE '\'
ORDER BY name
"""
