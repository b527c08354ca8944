"""Backups of a state on a real disk, and what becomes of one that is put back."""

import hashlib
import json
import os
import sqlite3
import subprocess
import sys
import tarfile
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from immich_sync.core.audit import Findings
from immich_sync.core.errors import Misconfigured, StateTrouble
from immich_sync.core.keeping import judged
from immich_sync.core.tombstones import Condition, Why, condition
from immich_sync.core.types import AccountId, Checksum, FolderId, Hold
from immich_sync.store import audit, ledger, tombstones
from immich_sync.store.backup import MANIFEST, read_backup, write_backup
from immich_sync.store.database import Database, open_database, open_read_only
from immich_sync.store.lock import lock_state
from immich_sync.store.migrations import STEPS
from immich_sync.store.restoring import restore
from immich_sync.store.soundness import look
from immich_sync.store.tombstones import FILE, open_tombstones
from tests.store.filling import fill

NOW = 1_800_000_000.0
ACCOUNT = AccountId(1)
ONE, TWO, THREE = (Checksum(n.to_bytes(20, "big")) for n in (1, 2, 3))

WRITER = """
import sqlite3, sys
connection = sqlite3.connect(sys.argv[1], isolation_level=None, timeout=30)
for n in range(1_000_000):
    connection.execute("INSERT INTO activity (at, event, detail) VALUES (?, 'e', ?)", (n, "x" * 99))
    if n == 20:
        print("writing", flush=True)
"""


@pytest.fixture
def state(tmp_path: Path) -> Path:
    """A state folder with some of everything, and a tombstone; nobody uses it."""
    with closing(open_database(tmp_path / "state" / "state.db")) as database:
        fill(database)
        tombstones.write(database, ACCOUNT, {ONE: Why.REMOVED}, NOW)
    return tmp_path / "state"


@pytest.fixture
def opened(state: Path) -> Iterator[Database]:
    """The same, open."""
    with closing(open_database(state / "state.db")) as database:
        yield database


def keep(state: Path, target: Path) -> Path:
    """A backup of it."""
    return Path(write_backup(state, target, now=NOW, version="0.1.0").path)


def listed(folder: Path) -> list[str]:
    """The names in a folder, but for those that SQLite and the lock leave."""
    passing = ("-wal", "-shm", ".lock")
    return sorted(one.name for one in folder.iterdir() if not one.name.endswith(passing))


def test_a_backup_is_one_file_of_the_owners_only(state: Path, tmp_path: Path) -> None:
    """It says what is in it, and nothing else is left beside it."""
    (tmp_path / "kept").mkdir()
    target = tmp_path / "kept" / "state.tar"
    kept = write_backup(state, target, now=NOW, version="0.1.0")

    assert (kept.path, kept.made_at, kept.version) == (str(target), NOW, "0.1.0")
    assert (kept.contents.rows["file"], kept.contents.rows["asset"]) == (40, 40)
    assert kept.contents.tombstones == Condition(lines=1)
    assert kept.contents.schema == tuple(step.__name__ for step in STEPS)
    assert listed(target.parent) == ["state.tar"]
    assert target.stat().st_mode & 0o777 == 0o600
    with tarfile.open(target) as tar:
        assert [(one.name, one.mode) for one in tar] == [
            (MANIFEST, 0o600), ("state.db", 0o600), (FILE, 0o600),
        ]  # fmt: skip
    assert kept == read_backup(target)


def test_a_folder_gets_backups_with_the_time_in_their_names(state: Path, tmp_path: Path) -> None:
    """So a timer needs no name; and what is there is never overwritten."""
    (tmp_path / "kept").mkdir()
    made = keep(state, tmp_path / "kept")
    before = made.read_bytes()
    with pytest.raises(Misconfigured, match="is there already, and was left as it is"):
        keep(state, tmp_path / "kept")

    stamp = time.strftime("%Y%m%dT%H%M%S", time.localtime(NOW))
    assert listed(made.parent) == [f"immich-sync-state-{stamp}.tar"]
    assert before == made.read_bytes()


def test_where_nothing_can_be_written_is_a_sentence(state: Path, tmp_path: Path) -> None:
    """It names the path, and leaves nothing behind."""
    with pytest.raises(Misconfigured, match="cannot be written"):
        keep(state, tmp_path / "nowhere" / "state.tar")
    (tmp_path / "link.tar").symlink_to(tmp_path / "nowhere" / "else.tar")
    with pytest.raises(Misconfigured, match="is there already"):
        keep(state, tmp_path / "link.tar")
    with pytest.raises(Misconfigured, match="There is no state at"):
        keep(tmp_path / "nothing", tmp_path / "state.tar")

    assert listed(tmp_path) == ["link.tar", "state"]


@pytest.mark.parametrize("room", [0.5, 1.5])
def test_a_full_disk_keeps_no_half_backup(state: Path, small_disk: Path, room: float) -> None:
    """Whether it fills with the tables or with the backup: the sentence is about its own disk."""
    left = int((state / "state.db").stat().st_size * room)
    (small_disk / "filler").write_bytes(bytes(1024 * 1024 - left))
    with pytest.raises(StateTrouble, match=f"{small_disk}.*free some space") as raised:
        keep(state, small_disk / "state.tar")

    assert str(state) not in str(raised.value)
    assert listed(small_disk) == ["filler"]


def test_a_backup_is_of_one_moment_while_others_write(state: Path, tmp_path: Path) -> None:
    """A writer that never rests neither waits for it nor keeps it from coming to its end."""
    with subprocess.Popen(  # noqa: S603 -- our own script
        [sys.executable, "-c", WRITER, str(state / "state.db")], stdout=subprocess.PIPE
    ) as writer:
        assert writer.stdout is not None
        assert writer.stdout.readline() == b"writing\n"
        began = time.monotonic()
        kept = [write_backup(state, tmp_path / f"{n}.tar", now=NOW, version="1") for n in range(3)]
        took = time.monotonic() - began
        assert writer.poll() is None
        writer.kill()

    rows = [one.contents.rows["activity"] for one in kept]
    assert rows == sorted(set(rows))
    assert took < 20


@pytest.mark.parametrize("place", [0.1, 0.3, 0.5, 0.7, 0.9])
def test_a_backup_that_was_damaged_is_refused(state: Path, tmp_path: Path, place: float) -> None:
    """One bit anywhere in what was written, or an end that is missing; the state is untouched."""
    target = keep(state, tmp_path / "state.tar")
    whole, before = target.read_bytes(), (state / "state.db").read_bytes()
    with tarfile.open(target) as tar:
        inside = tar.getmember("state.db")
    at = inside.offset_data + int(inside.size * place)
    for bad in (whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :], whole[:at], b"", b"x" * 999):
        target.write_bytes(bad)
        with pytest.raises(Misconfigured, match="no backup of immich-sync, or not a whole one"):
            restore(state, target, now=NOW)

    assert before == (state / "state.db").read_bytes()
    assert listed(state) == ["state.db", FILE]


def test_a_backup_of_a_newer_version_is_refused(state: Path, tmp_path: Path) -> None:
    """By its tables or by its form, with the state untouched."""
    with closing(sqlite3.connect(state / "state.db")) as connection, connection:
        connection.execute(
            "INSERT INTO _sqlite_migrations (migration_set, name, applied_at)"
            " VALUES ('immich_sync', 'stacks', '2030-01-01')"
        )
    with pytest.raises(Misconfigured, match="newer immich-sync"):
        keep(state, tmp_path / "state.tar")
    newer = _packed(tmp_path, state)
    with pytest.raises(Misconfigured, match=r"newer immich-sync \(it has the step stacks\)"):
        restore(tmp_path / "other", newer, now=NOW)
    newer.write_bytes(newer.read_bytes().replace(b'"form": 1', b'"form": 2'))
    with pytest.raises(Misconfigured, match="newer immich-sync"):
        restore(tmp_path / "other", newer, now=NOW)

    assert listed(tmp_path / "other") == []


def _packed(folder: Path, state: Path) -> Path:
    """A backup as a version would make it that knows these tables."""
    digest = hashlib.sha256((state / "state.db").read_bytes()).hexdigest()
    said = {
        "form": 1, "version": "9", "made_at": NOW, "schema": [], "rows": {}, "tombstones": None,
        "files": {"state.db": {"sha256": digest}},
    }  # fmt: skip
    (folder / MANIFEST).write_text(json.dumps(said))
    with tarfile.open(folder / "newer.tar", "w") as tar:
        tar.add(folder / MANIFEST, MANIFEST)
        tar.add(state / "state.db", "state.db")
    return folder / "newer.tar"


def test_what_is_put_back_is_old(state: Path, tmp_path: Path) -> None:
    """Each account is marked until it is audited; what was there lies aside, and all is sound."""
    backup = keep(state, tmp_path / "state.tar")
    with closing(open_database(state / "state.db")) as database:
        _forget_a_file(database)
    found = restore(state, backup, now=NOW + 1)
    with closing(open_database(state / "state.db")) as database:
        marked = audit.standing(database, ACCOUNT)
        files = ledger.file_count(database, FolderId(1))
        audit.settle(database, ACCOUNT, Findings(NOW + 2), restoring=(), lost=None, now=NOW + 3)
        after = audit.standing(database, ACCOUNT)
    with closing(open_read_only(Path(found.aside) / "state.db")) as database:
        before = ledger.file_count(database, FolderId(1))

    assert (marked.restored_at, after.restored_at) == (NOW + 1, None)
    assert (files, before) == (40, 39)
    assert judged(look(state), [step.__name__ for step in STEPS]).sound
    assert listed(state) == [Path(found.aside).name, "state.db", FILE]
    assert (Path(found.aside).stat().st_mode & 0o777, found.tombstones) == (0o700, 0)
    assert (state / "state.db").stat().st_mode & 0o777 == 0o600


def _forget_a_file(database: Database) -> None:
    with database.writing() as connection:
        connection.execute("DELETE FROM file WHERE name = ?", (b"IMG_001.jpg",))


def test_no_tombstone_is_lost(state: Path, tmp_path: Path) -> None:
    """Those since the backup stay, those that only the backup has come back, in their order."""
    with closing(open_database(state / "state.db")) as database:
        tombstones.write(database, ACCOUNT, {THREE: Why.REMOVED}, NOW + 1)
        tombstones.write(database, ACCOUNT, {THREE: Why.BACK}, NOW + 2)
    backup = keep(state, tmp_path / "state.tar")
    (state / FILE).unlink()
    with closing(open_database(state / "state.db")) as database:
        tombstones.write(database, ACCOUNT, {TWO: Why.REMOVED}, NOW + 9)
    found = restore(state, backup, now=NOW + 10)
    with closing(open_database(state / "state.db")) as database:
        standing = open_tombstones(database, ACCOUNT, NOW + 11)
        gone = [ledger.asset(database, ACCOUNT, one) for one in (ONE, TWO, THREE)]

    assert standing == {ONE: Hold.REMOVED, TWO: Hold.REMOVED}
    assert (found.tombstones, found.removed) == (3, 2)
    assert [one and one.trashed_at for one in gone] == [NOW, NOW + 9, None]
    assert condition(tombstones.lines(state / FILE)) == Condition(lines=4)
    assert condition(tombstones.lines(Path(found.aside) / FILE)) == Condition(lines=1)
    assert (state / FILE).stat().st_mode & 0o777 == 0o600


def test_a_backup_is_put_where_nothing_was(state: Path, tmp_path: Path) -> None:
    """On a new machine, with its tombstones."""
    found = restore(tmp_path / "new", keep(state, tmp_path / "state.tar"), now=NOW)

    assert found.aside == ""
    assert listed(tmp_path / "new") == ["state.db", FILE]
    assert (tmp_path / "new" / FILE).read_bytes() == (state / FILE).read_bytes()


@pytest.mark.root
def test_what_root_puts_back_belongs_to_the_daemon(state: Path, tmp_path: Path) -> None:
    """Else it could not open its own state any more."""
    backup = keep(state, tmp_path / "state.tar")
    (state / FILE).write_bytes(b"")
    for path in (state, *state.iterdir()):
        os.chown(path, 4711, 4712)
    found = restore(state, backup, now=NOW)
    made = [*state.iterdir(), *Path(found.aside).iterdir()]

    assert found.tombstones == 1
    assert {(one.stat().st_uid, one.stat().st_gid) for one in made} == {(4711, 4712)}


def test_a_damaged_state_is_kept_too(state: Path, tmp_path: Path) -> None:
    """With all that belongs to it; none of it is taken for a part of the new one."""
    backup = keep(state, tmp_path / "state.tar")
    for name in ("state.db", "state.db-wal", "state.db-shm", "state.db.damaged"):
        (state / name).write_bytes(name.encode() * 999)
    found = restore(state, backup, now=NOW)
    with closing(open_database(state / "state.db")) as database:
        moved_aside, files = database.moved_aside, ledger.file_count(database, FolderId(1))

    assert (moved_aside, files) == (None, 40)
    assert {one.name for one in Path(found.aside).iterdir()} == {
        "state.db", "state.db-wal", "state.db-shm", "state.db.damaged",
    }  # fmt: skip
    assert (Path(found.aside) / "state.db").read_bytes() == b"state.db" * 999


def test_nothing_is_put_back_under_a_daemon(state: Path, tmp_path: Path) -> None:
    """Its lock is respected, and named."""
    backup = keep(state, tmp_path / "state.tar")
    with lock_state(state), pytest.raises(Misconfigured, match=f"pid {os.getpid()}"):
        restore(state, backup, now=NOW)

    assert listed(state) == ["state.db", FILE]


def test_what_a_killed_restore_left_is_swept(state: Path, tmp_path: Path) -> None:
    """Only what it had not yet put in place."""
    backup = keep(state, tmp_path / "state.tar")
    (state / ".restoring-abc").mkdir()
    (state / ".restoring-abc" / "state.db").touch()
    found = restore(state, backup, now=NOW)

    assert listed(state) == [Path(found.aside).name, "state.db", FILE]


def test_a_look_changes_nothing(opened: Database, state: Path) -> None:
    """Also while it is in use; what is torn is told from what is damaged."""
    with (state / FILE).open("ab") as file:
        file.write(b'{"at": "2026-01-01T0')
    state.chmod(0o750)
    before = {one.name: one.read_bytes() for one in state.iterdir() if one.name != "state.db-shm"}
    found = look(state)
    after = {one.name: one.read_bytes() for one in state.iterdir() if one.name != "state.db-shm"}

    assert opened.moved_aside is None
    assert before == after
    assert (found.trouble, found.complaints, found.orphans) == ("", (), 0)
    assert found.contents.rows["file"] == 40
    assert found.contents.tombstones == Condition(lines=1, torn=1)
    assert found.modes[str(state)] == 0o750


def test_a_look_finds_what_is_wrong(state: Path) -> None:
    """A page, a row that refers to nothing, or a file that is none."""
    path = state / "state.db"
    whole = path.read_bytes()
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("PRAGMA foreign_keys = OFF")
        connection.execute("DELETE FROM account")
    orphans = look(state).orphans
    path.write_bytes(whole[:8192] + bytes(4096) + whole[12288:])
    page = look(state)
    path.write_bytes(b"holiday notes" * 99)
    foreign = look(state)

    assert orphans > 0
    assert page.complaints or page.trouble
    assert "is damaged" in foreign.trouble
    assert judged(foreign, []).sound is False
