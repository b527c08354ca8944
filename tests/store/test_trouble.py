"""SQLite's result codes become sentences."""

import sqlite3
from pathlib import Path

import pytest

from immich_sync.core.errors import StateTrouble
from immich_sync.store.trouble import translated

STATE = Path("/state/state.db")


def failure(code: int) -> sqlite3.OperationalError:
    """What SQLite raises with this result code."""
    error = sqlite3.OperationalError("as SQLite says it")
    error.sqlite_errorcode = code
    return error


@pytest.mark.parametrize(
    ("code", "sentence"),
    [
        (sqlite3.SQLITE_FULL, "is full: free some space"),
        (sqlite3.SQLITE_IOERR, "failed"),
        (sqlite3.SQLITE_IOERR_FSYNC, "failed"),
        (sqlite3.SQLITE_READONLY, "cannot be opened for writing"),
        (sqlite3.SQLITE_READONLY_DIRECTORY, "cannot be opened for writing"),
        (sqlite3.SQLITE_CANTOPEN, "cannot be opened for writing"),
        (sqlite3.SQLITE_BUSY, "keeps /state/state.db locked"),
        (sqlite3.SQLITE_BUSY_SNAPSHOT, "keeps /state/state.db locked"),
        (sqlite3.SQLITE_CORRUPT, "is damaged"),
        (sqlite3.SQLITE_CORRUPT_INDEX, "is damaged"),
        (sqlite3.SQLITE_NOTADB, "is damaged"),
        (sqlite3.SQLITE_ERROR, "cannot be used as it is"),
    ],
)
def test_each_code_has_its_sentence(code: int, sentence: str) -> None:
    """The message names the file and what to do."""
    with pytest.raises(StateTrouble, match=sentence) as raised, translated(STATE):
        raise failure(code)

    assert "/state/state.db" in str(raised.value)


@pytest.mark.parametrize("error", [sqlite3.IntegrityError("x"), sqlite3.ProgrammingError("x")])
def test_our_own_mistakes_pass_through(error: sqlite3.Error) -> None:
    """A broken constraint is a mistake of the program, not of the disk."""
    with pytest.raises(type(error)), translated(STATE):
        raise error


def test_text_that_is_no_text_is_damage() -> None:
    """The driver's own refusal to decode a text has no code, and is damage."""
    connection = sqlite3.connect(":memory:")
    with pytest.raises(StateTrouble, match="is damaged"), translated(STATE):
        connection.execute("SELECT CAST(x'ff' AS TEXT)").fetchone()
    connection.close()
