"""Turns what SQLite raises into the tree of trouble.

Its own module because it is the one place where SQLite's result codes mean something; everything
above it knows StateTrouble only.
"""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from immich_sync.core.errors import StateDamaged, StateTrouble

_PRIMARY = 0xFF  # the low byte of an extended result code, see https://sqlite.org/rescode.html

TROUBLES = (sqlite3.DatabaseError, UnicodeDecodeError)
"""What a bad disk or file can raise; the second when damaged bytes are in SQLite's own message."""


def code(error: Exception) -> int | None:
    """SQLite's primary result code; None if the driver itself could make no value of a row."""
    extended: int | None = getattr(error, "sqlite_errorcode", None)
    return None if extended is None else extended & _PRIMARY


def is_damage(error: Exception) -> bool:
    """Whether the file's own bytes are wrong, as opposed to the disk or another program."""
    if isinstance(error, sqlite3.ProgrammingError):
        return False
    return code(error) in {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB, None}


def trouble(path: Path, error: Exception) -> StateTrouble:
    """The sentence for people about what happened to the state file at `path`."""
    match code(error):
        case sqlite3.SQLITE_FULL:
            text = (
                f"The disk that holds {path} is full: free some space there. "
                "Everything waits until then; nothing is lost."
            )
        case sqlite3.SQLITE_IOERR:
            text = (
                f"The disk that holds {path} failed ({error}): see whether it is healthy and has "
                "free space. Everything waits until it works again."
            )
        case sqlite3.SQLITE_READONLY | sqlite3.SQLITE_CANTOPEN | sqlite3.SQLITE_PERM:
            text = (
                f"{path} cannot be opened for writing ({error}): see whether its disk is mounted "
                "read-only or has no room for another file, and whether its folder belongs to the "
                "user who runs immich-sync."
            )
        case sqlite3.SQLITE_BUSY | sqlite3.SQLITE_LOCKED:
            text = f"Another program keeps {path} locked (a backup?): waiting until it lets go."
        case sqlite3.SQLITE_CORRUPT | sqlite3.SQLITE_NOTADB | None:
            return StateDamaged(damaged(path, str(error)))
        case _:
            text = (
                f"{path} cannot be used as it is ({error}): stop immich-sync and move the file "
                "away; it is made anew, and nothing is uploaded twice."
            )
    return StateTrouble(text)


def damaged(path: Path, why: str) -> str:
    """The sentence about a state file whose bytes are wrong."""
    return (
        f"{path} is damaged ({why}): restart immich-sync; it moves the file aside and makes it "
        "anew from the folders and the server, and nothing is uploaded twice."
    )


@contextmanager
def translated(path: Path) -> Iterator[None]:
    """StateTrouble for whatever SQLite raises within, except for our own mistakes.

    A broken constraint and a closed connection are mistakes of the program: they pass through.
    """
    try:
        yield
    except (sqlite3.IntegrityError, sqlite3.ProgrammingError):
        raise
    except TROUBLES as error:
        raise trouble(path, error) from error
