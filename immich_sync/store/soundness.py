"""Looks at a state folder, and changes nothing in it.

Its own module because whoever doubts a state must be able to ask, whichever version wrote it and
whether or not a daemon uses it.
"""

import sqlite3
import stat
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

from immich_sync.core.errors import Misconfigured, StateTrouble
from immich_sync.core.keeping import Contents, Look
from immich_sync.core.tombstones import Condition, condition
from immich_sync.store.copying import counted, look_at
from immich_sync.store.database import STATE_FILE
from immich_sync.store.tombstones import FILE, lines
from immich_sync.store.trouble import TROUBLES, damaged, is_damage, trouble
from immich_sync.store.upgrading import applied

_MOST = 10
"""Complaints of SQLite's that are told."""


def look(state: Path) -> Look:
    """Every page of the state in this folder was read, and every line of the tombstones.

    Raises Misconfigured if there is no state, StateTrouble if the tombstones cannot be read.
    """
    path = state / STATE_FILE
    require(path)
    stones = tombstones(state / FILE)
    modes = dict(_modes(state))
    try:
        with closing(look_at(path)) as connection:
            connection.execute("BEGIN")  # all of it is of one moment
            schema = applied(connection)
            complaints = integrity(connection)
            contents = Contents(schema, {} if complaints else counted(connection), stones)
            orphans = 0 if complaints else _orphans(connection)
            return Look(str(state), modes, contents, "", complaints, orphans)
    except TROUBLES as error:
        said = damaged(path, str(error)) if is_damage(error) else str(trouble(path, error))
        return Look(str(state), modes, Contents(tombstones=stones), said)


def require(path: Path) -> None:
    """Raises Misconfigured if there is no state file at `path`, or it cannot be looked at."""
    try:
        there = path.exists()
    except OSError as error:
        raise Misconfigured(f"{path} cannot be looked at ({error.strerror}).") from error
    if not there:
        raise Misconfigured(
            f"There is no state at {path}: name its folder with state_dir in the configuration, or "
            "with IMMICH_SYNC_STATE_DIR."
        )


def integrity(connection: sqlite3.Connection, *, quick: bool = False) -> tuple[str, ...]:
    """What SQLite finds wrong in the pages; `quick` does not compare indexes. sqlite3.Error."""
    word = "quick_check" if quick else "integrity_check"
    said = connection.execute(f"PRAGMA {word}({_MOST})").fetchall()
    return () if said == [("ok",)] else tuple(str(one) for (one,) in said)


def tombstones(path: Path) -> Condition | None:
    """How this file of tombstones reads; None if there is none. Raises StateTrouble."""
    found = condition(lines(path))
    return found if found != Condition() or path.exists() else None


def _orphans(connection: sqlite3.Connection) -> int:
    return len(connection.execute("PRAGMA foreign_key_check").fetchall())


def _modes(state: Path) -> Iterator[tuple[str, int]]:
    """Of what is ours in the folder; the socket is judged by the folder it lies in."""
    names = ("", STATE_FILE, f"{STATE_FILE}-wal", f"{STATE_FILE}-shm", FILE)
    for path in (state / name for name in names):
        try:
            yield str(path), stat.S_IMODE(path.stat().st_mode)
        except FileNotFoundError:
            continue
        except OSError as error:
            raise StateTrouble(f"{path} cannot be looked at ({error.strerror}).") from error
