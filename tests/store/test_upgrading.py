"""Tables that change: kept before, changed as a whole or not at all, refused if they are newer."""

import os
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
import sqlite_utils

from immich_sync.core.errors import Misconfigured, StateTrouble
from immich_sync.store.accounts import ensure_account
from immich_sync.store.copying import counted, look_at
from immich_sync.store.database import (
    Database,
    open_beside,
    open_database,
    open_read_only,
)
from immich_sync.store.migrations import STEPS, Step
from immich_sync.store.upgrading import applied, is_pending, upgrade

KILLED = """
import os, signal, sqlite3, sys
from pathlib import Path
import sqlite_utils
from immich_sync.store.migrations import STEPS
from immich_sync.store.upgrading import upgrade

def stacks(database):
    database.conn.execute("ALTER TABLE account ADD COLUMN stack TEXT")
    database.conn.execute("UPDATE account SET stack = user")
    os.kill(os.getpid(), signal.SIGKILL)

path = Path(sys.argv[1])
upgrade(sqlite_utils.Database(sqlite3.connect(path, isolation_level=None)), path, [*STEPS, stacks])
"""


def stacks(database: sqlite_utils.db.Database) -> None:
    """A step of some later version."""
    database.conn.execute("ALTER TABLE account ADD COLUMN stack TEXT")


def stacks_badly(database: sqlite_utils.db.Database) -> None:
    """One that goes wrong after it has changed something."""
    stacks(database)
    database.conn.execute("INSERT INTO nowhere VALUES (1)")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A state of this version with an account, closed."""
    path = tmp_path / "state.db"
    with closing(open_database(path)) as database:
        ensure_account(database, "http://nas", "anna")
    return path


def bring(path: Path, *more: Step) -> Path | None:
    """To a version that has these steps besides."""
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        tables = sqlite_utils.Database(connection, execute_plugins=False)
        return upgrade(tables, path, [*STEPS, *more])


def seen(path: Path) -> tuple[tuple[str, ...], dict[str, int], list[str]]:
    """The steps, the rows, and the columns of an account."""
    with closing(look_at(path)) as connection:
        columns = connection.execute("SELECT name FROM pragma_table_info('account')").fetchall()
        return applied(connection), counted(connection), [name for (name,) in columns]


def test_what_was_there_before_is_kept(path: Path) -> None:
    """A whole copy, ours alone, beside the state that has the new tables."""
    before = seen(path)
    kept = bring(path, stacks)

    assert kept == path.with_name("state.db.before-stacks")
    assert before == seen(kept)
    assert kept.stat().st_mode & 0o777 == 0o600
    assert seen(path)[0] == (*before[0], "stacks")
    assert seen(path)[2][-1] == "stack"


def test_a_new_state_has_nothing_to_keep(path: Path) -> None:
    """Neither has one whose tables need no step."""
    assert bring(path) is None
    assert [one.name for one in path.parent.glob("*before*")] == []


def test_a_step_that_fails_changes_nothing(path: Path) -> None:
    """Not even what it had done before, and however often it is tried, there is one copy."""
    before = seen(path)
    for _ in range(3):
        with pytest.raises(sqlite3.OperationalError, match="nowhere"):
            bring(path, stacks_badly)

    assert before == seen(path)
    assert [one.name for one in path.parent.glob("*before*")] == ["state.db.before-stacks_badly"]


def test_a_kill_in_the_middle_of_a_step_changes_nothing(path: Path) -> None:
    """The next start finds the old tables, and can begin again."""
    before = seen(path)
    killed = subprocess.run([sys.executable, "-c", KILLED, str(path)], check=False)  # noqa: S603 -- our own script
    after = seen(path)
    kept = bring(path, stacks)

    assert killed.returncode == -signal.SIGKILL
    assert before == after
    assert kept is not None
    assert seen(path)[0] == (*before[0], "stacks")


def test_without_room_for_the_copy_nothing_begins(small_disk: Path) -> None:
    """The sentence names the disk, and the state is as it was."""
    path = small_disk / "state.db"
    with closing(open_database(path)) as database:
        ensure_account(database, "http://nas", "anna")
    before = seen(path)
    left = os.statvfs(small_disk)
    (small_disk / "filler").write_bytes(bytes(left.f_bavail * left.f_frsize - 64 * 1024))
    with pytest.raises(StateTrouble, match="is full"):
        bring(path, stacks)

    assert before == seen(path)
    assert list(small_disk.glob("*before*")) == []


@pytest.mark.parametrize("opening", [open_database, open_beside, open_read_only])
def test_a_newer_state_keeps_what_its_daemon_left_in_the_wal(
    path: Path, opening: Callable[[Path], Database]
) -> None:
    """A refusal does not even tidy up after a daemon that was killed."""
    bring(path, stacks)
    writes = (
        "import os, sqlite3, sys; c = sqlite3.connect(sys.argv[1], isolation_level=None);"
        "c.execute(\"UPDATE account SET stack = 'new'\"); os._exit(0)"
    )
    subprocess.run([sys.executable, "-c", writes, str(path)], check=True)  # noqa: S603 -- our own script
    files = (path, path.with_name("state.db-wal"))
    before = [file.read_bytes() for file in files]
    with pytest.raises(Misconfigured, match="newer immich-sync"):
        opening(path)

    assert len(before[1]) > 0
    assert before == [file.read_bytes() for file in files]


def test_what_is_not_ours_has_steps_to_come(tmp_path: Path) -> None:
    """Another program's tables say nothing of our versions."""
    with closing(sqlite3.connect(tmp_path / "other.db")) as connection:
        connection.execute("CREATE TABLE photo (id INTEGER)")

        assert applied(connection) == ()
        assert is_pending(connection, tmp_path / "other.db")
