"""The state of every release there was, opened by this version."""

from contextlib import closing
from pathlib import Path

import pytest

from immich_sync.core.errors import StateTrouble
from immich_sync.core.keeping import judged
from immich_sync.core.types import AccountId, Checksum, FolderId, Hold
from immich_sync.store import ledger, queue
from immich_sync.store.audit import standing
from immich_sync.store.backup import read_backup
from immich_sync.store.copying import look_at
from immich_sync.store.database import STATE_FILE, open_database
from immich_sync.store.migrations import STEPS
from immich_sync.store.restoring import restore
from immich_sync.store.soundness import look
from immich_sync.store.tombstones import FILE, open_tombstones
from immich_sync.version import VERSION
from tests.store.released.make import HERE, REMOVED

RELEASED = sorted(HERE.glob("*.tar"))
NOW = 1_900_000_000.0
COMMAND = "python -m tests.store.released.make"


def schema(path: Path) -> set[tuple[str, str]]:
    """Each column, and each index, of each table; whatever way led to it."""
    with closing(look_at(path)) as connection:
        columns = connection.execute(
            "SELECT m.name, c.name || ' ' || c.type || ' ' || c.pk FROM sqlite_master m"
            " JOIN pragma_table_info(m.name) c WHERE m.type = 'table'"
        )
        indexes = connection.execute("SELECT tbl_name, name FROM sqlite_master WHERE type='index'")
        return {(str(table), str(what)) for table, what in [*columns, *indexes]}


def test_this_version_has_its_file() -> None:
    """Made by the command that CONTRIBUTING.md names."""
    assert HERE / f"{VERSION}.tar" in RELEASED, COMMAND


@pytest.mark.parametrize("released", RELEASED, ids=lambda path: path.stem)
def test_it_is_restored_and_used(released: Path, tmp_path: Path) -> None:
    """What it knew is known, what was removed stays removed, and it is sound."""
    found = restore(tmp_path / "state", released, now=NOW)
    with closing(open_database(tmp_path / "state" / STATE_FILE)) as database:
        account, folder = AccountId(1), FolderId(1)
        files = ledger.file_count(database, folder)
        asset = ledger.asset(database, account, Checksum((1).to_bytes(20, "big")))
        held = [
            one.file.hold
            for one in queue.take(database, now=NOW, limit=9, folders=[folder], busy=[])
            if one.file is not None
        ]
        gone = open_tombstones(database, account, NOW)
        since = standing(database, account).restored_at

    assert found.backup.version == released.stem
    assert (files, asset and asset.asset_id, since) == (6, "asset-1", NOW)
    assert held.count(Hold.TOO_LARGE) == 1
    assert gone == {REMOVED: Hold.REMOVED}
    assert judged(look(tmp_path / "state"), [step.__name__ for step in STEPS]).sound


@pytest.mark.parametrize("released", RELEASED, ids=lambda path: path.stem)
def test_it_is_upgraded_to_the_tables_of_a_new_state(released: Path, tmp_path: Path) -> None:
    """No column and no index tells an old state from a new one.

    If this fails for the version that is being made: `python -m tests.store.released.make`. If it
    fails for a released one, a step is missing that brings its tables up to date.
    """
    read_backup(released, tmp_path)
    before = (tmp_path / FILE).read_bytes()
    open_database(tmp_path / STATE_FILE).close()
    open_database(tmp_path / "new" / STATE_FILE).close()

    assert schema(tmp_path / STATE_FILE) == schema(tmp_path / "new" / STATE_FILE), COMMAND
    assert before == (tmp_path / FILE).read_bytes()
    assert list(tmp_path.glob("*corrupt*")) == []


@pytest.mark.parametrize("released", RELEASED, ids=lambda path: path.stem)
def test_a_full_disk_leaves_an_old_state_as_it_was(released: Path, small_disk: Path) -> None:
    """There is room for it or there is not: nothing in between."""
    read_backup(released, small_disk)
    before = (small_disk / STATE_FILE).read_bytes()
    (small_disk / "filler").write_bytes(bytes(1024 * 1024 - 2 * len(before)))
    target = small_disk / "state"
    backup = small_disk.parent / "backup.tar"
    backup.write_bytes(released.read_bytes())
    with pytest.raises(StateTrouble, match="is full"):
        restore(target, backup, now=NOW)

    assert not (target / STATE_FILE).exists()
    assert before == (small_disk / STATE_FILE).read_bytes()
