"""Opens the state file and lends its one connection out for reading and for writing.

Its own module because every other one of `store` is given a Database and asks it for nothing but
`reading()` and `writing()`.
"""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import sqlite_utils

from immich_sync.core.errors import Misconfigured, StateDamaged, StateTrouble
from immich_sync.store.copying import uri
from immich_sync.store.lock import lock_state
from immich_sync.store.room import make_file, move_aside
from immich_sync.store.trouble import TROUBLES, code, damaged, is_damage, translated, trouble
from immich_sync.store.upgrading import is_pending, refuse_newer, upgrade

__all__ = [
    "STATE_FILE",
    "Database",
    "lock_state",
    "open_beside",
    "open_database",
    "open_read_only",
]

STATE_FILE = "state.db"
"""The state's file in its folder."""

_BUSY_SECONDS = 10.0  # a one-shot process may write beside the daemon
_PAGE_CACHE_KIB = 16 * 1024
_WAL_BYTES = 32 * 1024 * 1024  # what the WAL is cut back to after a burst


class Database:
    """A state file and its connection; used by one thread at a time, closed by who opened it."""

    def __init__(self, path: Path, *, read_only: bool, moved_aside: Path | None = None) -> None:
        self.path = path
        self.moved_aside = moved_aside
        """Where a damaged predecessor was moved when this one was opened, if there was one."""
        self._read_only = read_only
        self._tables: sqlite_utils.Database | None = _connect(path, read_only=read_only)

    @contextmanager
    def reading(self) -> Iterator[sqlite3.Connection]:
        """The connection, to query and to turn rows into values. Raises StateTrouble.

        A row that makes no value (an unknown word, a missing number) is damage as well.
        """
        with self._watched():
            try:
                yield self._connection()
            except (ValueError, TypeError) as error:
                self.note_damage()
                raise StateDamaged(damaged(self.path, str(error))) from error

    @contextmanager
    def writing(self, *, durable: bool = False) -> Iterator[sqlite3.Connection]:
        """The connection within an IMMEDIATE transaction, committed at the end, else undone.

        What was written `durable` outlives a power cut, and costs a sync of the disk. Raises
        StateTrouble; then nothing of it has been written.
        """
        with self._watched():
            connection = self._connection()
            if durable:  # it cannot be changed within a transaction (sqlite.org/pragma.html)
                connection.execute("PRAGMA synchronous = FULL")
            connection.execute("BEGIN IMMEDIATE")
            try:
                yield connection
                connection.execute("COMMIT")
            except BaseException:
                if connection.in_transaction:
                    connection.execute("ROLLBACK")
                raise
            finally:
                if durable:
                    connection.execute("PRAGMA synchronous = NORMAL")

    def close(self) -> None:
        """Give the connection back; a second call does nothing. Raises StateTrouble."""
        tables, self._tables = self._tables, None
        if tables is not None:
            with translated(self.path):
                tables.close()

    def _connection(self) -> sqlite3.Connection:
        if self._tables is None:
            self._tables = _connect(self.path, read_only=self._read_only)
        return self._tables.conn

    @contextmanager
    def _watched(self) -> Iterator[None]:
        with translated(self.path):
            try:
                yield
            except TROUBLES as error:
                if code(error) == sqlite3.SQLITE_IOERR:
                    # What the kernel still holds after a failed fsync is not to be believed:
                    # the next use reads the file anew.
                    self._drop()
                elif is_damage(error):
                    self.note_damage()
                raise

    def _drop(self) -> None:
        with suppress(sqlite3.Error, StateTrouble):
            self.close()

    def note_damage(self) -> None:
        """The next start will know, even if the damaged page is not among those it reads first."""
        if not self._read_only:
            with suppress(OSError):
                marker(self.path).touch(mode=0o600)


def open_database(path: Path) -> Database:
    """The state file at `path`, made if there is none, with all its tables.

    A damaged file is moved aside and made anew: see `Database.moved_aside`. Raises Misconfigured
    if the folder cannot be written or a newer version has written the file (which is then left
    as it is), and StateTrouble if the disk is full or failing.
    """
    moved_aside = move_aside(path) if marker(path).exists() else None
    make_file(path)
    try:
        database = Database(path, read_only=False, moved_aside=moved_aside)
    except TROUBLES as error:
        if not is_damage(error):
            raise trouble(path, error) from error
        moved_aside = move_aside(path)
        make_file(path)
        with translated(path):
            database = Database(path, read_only=False, moved_aside=moved_aside)
    marker(path).unlink(missing_ok=True)
    return database


def open_beside(path: Path) -> Database:
    """The state file at `path`, made if there is none, for a program beside the daemon.

    A damaged file is repaired only where no daemon holds it: to move it aside under one would lose
    what that writes. Raises Misconfigured or StateTrouble.
    """
    if path.exists() and not marker(path).exists():
        try:
            return Database(path, read_only=False)
        except TROUBLES as error:
            if not is_damage(error):
                raise trouble(path, error) from error
    elif not path.exists():
        return open_database(path)
    with lock_state(path.parent):
        return open_database(path)


def open_read_only(path: Path) -> Database:
    """The state file at `path`, for looking only; the daemon may go on writing meanwhile.

    Raises Misconfigured if there is none yet or its tables are not of this version, and
    StateTrouble if it cannot be read.
    """
    if not path.exists():
        raise Misconfigured(
            f"There is no state at {path} yet: start immich-sync run, or name the state folder "
            "with IMMICH_SYNC_STATE_DIR."
        )
    with translated(path):
        return Database(path, read_only=True)


def marker(path: Path) -> Path:
    """The empty file that says that the state at `path` was found damaged."""
    return path.with_name(f"{path.name}.damaged")


def _connect(path: Path, *, read_only: bool) -> sqlite_utils.Database:
    if not read_only:
        refuse_newer(path)
    connection = sqlite3.connect(
        f"{uri(path)}?mode={'ro' if read_only else 'rw'}",
        uri=True,
        timeout=_BUSY_SECONDS,
        isolation_level=None,
        check_same_thread=False,
    )
    try:
        return _prepared(connection, path, read_only=read_only)
    except BaseException:
        connection.close()
        raise


def _prepared(
    connection: sqlite3.Connection, path: Path, *, read_only: bool
) -> sqlite_utils.Database:
    pending = is_pending(connection, path)
    tables = sqlite_utils.Database(connection, execute_plugins=False)
    connection.execute(f"PRAGMA cache_size = -{_PAGE_CACHE_KIB}")
    connection.execute("PRAGMA temp_store = MEMORY")
    connection.execute("PRAGMA trusted_schema = OFF")
    if read_only:
        if pending:
            raise Misconfigured(
                f"{path} was last written by an older immich-sync: start immich-sync run once, "
                "which brings it up to date."
            )
        return tables
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = NORMAL")
    connection.execute(f"PRAGMA journal_size_limit = {_WAL_BYTES}")
    connection.execute("PRAGMA foreign_keys = ON")
    if pending:
        upgrade(tables, path)
    return tables
