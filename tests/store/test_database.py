"""The state file: made, opened again, refused, moved aside."""

import random
import shutil
import sqlite3
import stat
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import pytest

from immich_sync.core.errors import Misconfigured, StateTrouble
from immich_sync.core.types import Arrival, FolderId, Place, Priority
from immich_sync.store import accounts, known, ledger, queue, report
from immich_sync.store.database import Database, open_database, open_read_only
from tests.store.filling import fill

CORRUPTIONS = 300


def read_a_little(database: Database, folder: FolderId) -> None:
    """What a start reads."""
    queue.take(database, now=2.0, limit=64, folders=[folder], busy=[])
    known.stamps(database, folder, [b"dir0", b"dir1", b"dir2"])
    known.subdirectories_known(database, folder, b"")
    report.folders(database, now=2.0)
    report.problems(database, limit=10)
    report.recent(database, limit=10)


def mode(path: Path) -> int:
    """The permission bits."""
    return stat.S_IMODE(path.stat().st_mode)


def test_a_new_state_is_for_its_owner_only(tmp_path: Path) -> None:
    """The folder is made 0700, the file and its WAL 0600."""
    path = tmp_path / "state" / "state.db"
    database = open_database(path)

    assert [
        mode(path.parent), mode(path), mode(path.with_name("state.db-wal")),
    ] == [0o700, 0o600, 0o600]  # fmt: skip
    database.close()


def test_it_is_in_wal_mode_with_foreign_keys(database: Database) -> None:
    """The pragmas that safety rests on are in force."""
    with database.reading() as connection:
        found = [
            connection.execute(f"PRAGMA {name}").fetchone()[0]
            for name in ("journal_mode", "synchronous", "foreign_keys", "busy_timeout")
        ]

    assert found == ["wal", 1, 1, 10_000]


def test_it_is_there_again_after_closing(tmp_path: Path) -> None:
    """What was written is read by the next opening."""
    path = tmp_path / "state.db"
    first = open_database(path)
    folder = fill(first)
    first.close()
    again = open_database(path)

    assert ledger.file_count(again, folder) == 40
    assert again.moved_aside is None
    again.close()


def test_closing_twice_is_harmless(tmp_path: Path) -> None:
    """A second close does nothing."""
    database = open_database(tmp_path / "state.db")
    database.close()
    database.close()


def test_a_name_with_odd_characters_is_only_a_name(tmp_path: Path) -> None:
    """A question mark, a hash sign and a percent sign in the path mean nothing to SQLite."""
    path = tmp_path / "what?mode=memory#100%41" / "state.db"
    database = open_database(path)

    assert path.exists()
    database.close()


def test_an_exception_undoes_the_transaction(database: Database) -> None:
    """What was written before an exception is not there, and the next transaction works."""

    def write_and_fail() -> None:
        with database.writing() as connection:
            connection.execute("INSERT INTO account (server, user) VALUES ('a', 'b')")
            raise KeyError

    with pytest.raises(KeyError):
        write_and_fail()
    accounts.ensure_account(database, "c", "d")
    with database.reading() as connection:
        rows = connection.execute("SELECT server FROM account").fetchall()

    assert rows == [("c",)]


def test_eight_may_open_a_new_state_at_once(tmp_path: Path) -> None:
    """A daemon and one-shots that start together all get the same tables."""

    def open_and_write(number: int) -> None:
        database = open_database(tmp_path / "state.db")
        accounts.ensure_account(database, "http://nas", f"user {number}")
        database.close()

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(open_and_write, range(8)))
    database = open_read_only(tmp_path / "state.db")
    with database.reading() as connection:
        assert connection.execute("SELECT count(*) FROM account").fetchone() == (8,)
    database.close()


def test_two_writers_lose_nothing(database: Database) -> None:
    """A one-shot writes beside the daemon: each waits for the other's transaction."""
    folder = fill(database, files=0)

    def write(number: int) -> None:
        with closing(open_database(database.path)) as mine:
            for n in range(50):
                place = Place(folder, b"%d" % number, b"%d" % n)
                queue.put(mine, [Arrival(place, Priority.NEW)], now=1.0)

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(write, range(4)))

    assert queue.counts(database, now=1.0, folders=[folder]) == queue.Counts(200, 0, 0)


def test_after_a_failure_of_the_disk_the_file_is_read_anew(database: Database) -> None:
    """A failed read or write drops the connection, with all that the kernel still holds of it."""
    folder = fill(database)
    with database.reading() as before:
        pass
    failure = sqlite3.OperationalError("disk I/O error")
    failure.sqlite_errorcode = sqlite3.SQLITE_IOERR_FSYNC
    with pytest.raises(StateTrouble, match="failed"), database.writing():
        raise failure
    with pytest.raises(sqlite3.ProgrammingError, match="closed"):
        before.execute("SELECT 1")

    assert ledger.file_count(database, folder) == 40


def test_a_reader_sees_what_the_daemon_writes(database: Database) -> None:
    """A read-only connection reads committed rows while the writer is open."""
    folder = fill(database)
    reader = open_read_only(database.path)

    assert ledger.file_count(reader, folder) == 40
    with pytest.raises(StateTrouble, match="cannot be opened for writing"):
        queue.put(reader, [Arrival(Place(folder, b"", b"a"), Priority.NEW)], now=1.0)
    reader.close()


def test_nothing_to_read_yet_is_a_sentence(tmp_path: Path) -> None:
    """Reading where nothing was ever written says so, and makes nothing."""
    with pytest.raises(Misconfigured, match="There is no state at"):
        open_read_only(tmp_path / "state.db")

    assert list(tmp_path.iterdir()) == []


def test_an_older_state_is_not_read(tmp_path: Path) -> None:
    """A state file without our tables is left to the daemon to bring up to date."""
    sqlite3.connect(tmp_path / "state.db").close()
    (tmp_path / "state.db").touch()
    with pytest.raises(Misconfigured, match="older immich-sync"):
        open_read_only(tmp_path / "state.db")


@pytest.mark.parametrize("opening", [open_database, open_read_only])
def test_a_newer_state_is_refused_untouched(
    tmp_path: Path, opening: Callable[[Path], Database]
) -> None:
    """A step that this version does not know is named, and the file keeps its bytes."""
    path = tmp_path / "state.db"
    database = open_database(path)
    with database.writing() as connection:
        connection.execute(
            "INSERT INTO _sqlite_migrations (migration_set, name, applied_at)"
            " VALUES ('immich_sync', 'stacks', '2030-01-01')"
        )
    database.close()
    before = path.read_bytes()
    with pytest.raises(Misconfigured, match=r"newer immich-sync \(it has the step stacks\)"):
        opening(path)

    assert before == path.read_bytes()
    assert list(tmp_path.glob("*corrupt*")) == []


def test_a_state_folder_that_cannot_be_made_is_a_sentence(tmp_path: Path) -> None:
    """Where a file lies in the way of the folder, the message names the folder."""
    (tmp_path / "file").touch()
    with pytest.raises(Misconfigured, match="cannot be written"):
        open_database(tmp_path / "file" / "state.db")


def test_what_is_no_database_is_moved_aside(tmp_path: Path) -> None:
    """A file with other bytes in it is kept beside the new one, which is empty and works."""
    path = tmp_path / "state.db"
    path.write_bytes(b"these are holiday notes, not a database\n" * 100)
    before = path.read_bytes()
    database = open_database(path)
    aside = database.moved_aside

    assert aside is not None
    assert aside.name.startswith("state.db.corrupt-")
    assert before == aside.read_bytes()
    assert report.folders(database, now=1.0) == []
    database.close()


def test_each_damaged_file_is_kept(tmp_path: Path) -> None:
    """Two damaged files within a second do not overwrite one another."""
    path = tmp_path / "state.db"
    for text in (b"one" * 1000, b"two" * 1000):
        path.write_bytes(text)
        open_database(path).close()
    kept = {file.read_bytes()[:3] for file in tmp_path.glob("state.db.corrupt-*")}

    assert {b"one", b"two"} == kept


def test_damage_met_while_running_is_remembered(tmp_path: Path) -> None:
    """A row that makes no value pauses everything, and the next start begins anew."""
    path = tmp_path / "state.db"
    database = open_database(path)
    folder = fill(database)
    with database.writing() as connection:
        connection.execute("UPDATE asset SET origin = 'uplo@ded'")
    with pytest.raises(StateTrouble, match="is damaged"):
        queue.take(database, now=2.0, limit=64, folders=[folder], busy=[])
    database.close()
    again = open_database(path)

    assert again.moved_aside is not None
    assert ledger.file_count(again, folder) == 0
    again.close()
    third = open_database(path)

    assert third.moved_aside is None
    third.close()


def test_a_truncated_file_is_trouble_or_moved_aside(tmp_path: Path) -> None:
    """Cut off at half its length, the state is never read as if it were whole."""
    path = tmp_path / "state.db"
    database = open_database(path)
    folder = fill(database, files=400)
    database.close()
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])

    def use() -> Path | None:
        opened = open_database(path)
        try:
            read_a_little(opened, folder)
            return opened.moved_aside
        finally:
            opened.close()

    try:
        moved_aside = use()
    except StateTrouble:
        moved_aside = use()

    assert moved_aside is not None


def test_no_corruption_escapes_the_tree_of_trouble(tmp_path: Path) -> None:
    """Whatever 64 bytes are overwritten: opening and reading work or raise our own errors."""
    whole = tmp_path / "whole.db"
    database = open_database(whole)
    folder = fill(database)
    database.close()
    length = whole.stat().st_size
    chance = random.Random(20)  # noqa: S311 — reproducible, not secret
    outcomes: dict[str, int] = {"worked": 0, "moved aside": 0, "trouble": 0}
    for number in range(CORRUPTIONS):
        path = tmp_path / str(number) / "state.db"
        path.parent.mkdir()
        shutil.copyfile(whole, path)
        with path.open("r+b") as file:
            file.seek(chance.randrange(length))
            file.write(chance.randbytes(64))
        try:
            database = open_database(path)
        except (StateTrouble, Misconfigured):
            outcomes["trouble"] += 1
            continue
        try:
            read_a_little(database, folder)
            outcomes["worked" if database.moved_aside is None else "moved aside"] += 1
        except StateTrouble:
            outcomes["trouble"] += 1
        finally:
            database.close()
        shutil.rmtree(path.parent)

    assert sum(outcomes.values()) == CORRUPTIONS
    assert min(outcomes.values()) > 0
