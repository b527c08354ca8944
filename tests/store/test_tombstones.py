"""The tombstones' file on a real disk."""

import errno
import os
from pathlib import Path

import pytest

from immich_sync.core.errors import StateTrouble
from immich_sync.core.tombstones import Why
from immich_sync.core.types import (
    AccountId,
    Asset,
    AssetId,
    Checksum,
    File,
    FolderId,
    Held,
    Hold,
    Origin,
    Place,
    Stamp,
)
from immich_sync.store import accounts, ledger, tombstones
from immich_sync.store.database import Database, open_database
from immich_sync.store.tombstones import FILE, open_tombstones

NOW = 1_000_000.0
ONE, TWO = Checksum(b"\x01" * 20), Checksum(b"\x02" * 20)


@pytest.fixture
def file(database: Database) -> Path:
    """Where the tombstones lie."""
    return database.path.with_name(FILE)


def test_what_is_written_stands_for_its_user_alone(
    database: Database, account: AccountId, file: Path
) -> None:
    """In a file that is ours alone; another user of the same server knows nothing of it."""
    tombstones.write(database, account, {ONE: Why.REMOVED, TWO: Why.MISSING}, NOW)
    tombstones.write(database, account, {TWO: Why.WANTED}, NOW)
    ben = accounts.ensure_account(database, "http://nas:2283", "ben")
    moved = accounts.ensure_account(database, "https://photos.example", "anna")

    assert open_tombstones(database, account, NOW) == {ONE: Hold.REMOVED}
    assert open_tombstones(database, moved, NOW) == {ONE: Hold.REMOVED}
    assert open_tombstones(database, ben, NOW) == {}
    assert file.stat().st_mode & 0o777 == 0o600
    assert file.read_bytes().count(b"\n") == 3


def test_nothing_to_say_makes_no_file(database: Database, account: AccountId, file: Path) -> None:
    """Where nobody ever removed anything, there is nothing to back up."""
    tombstones.write(database, account, {}, NOW)

    assert open_tombstones(database, account, NOW) == {}
    assert not file.exists()


def test_a_torn_last_line_is_left_behind(
    database: Database, account: AccountId, file: Path
) -> None:
    """A power cut in the middle of a line costs that line; what comes after it is whole."""
    tombstones.write(database, account, {ONE: Why.REMOVED}, NOW)
    tombstones.write(database, account, {TWO: Why.REMOVED}, NOW)
    os.truncate(file, file.stat().st_size - 9)

    assert open_tombstones(database, account, NOW) == {ONE: Hold.REMOVED}
    tombstones.write(database, account, {TWO: Why.MISSING}, NOW)
    assert open_tombstones(database, account, NOW) == {ONE: Hold.REMOVED, TWO: Hold.MISSING}


def test_they_outlive_the_state(
    database: Database, account: AccountId, file: Path, tmp_path: Path
) -> None:
    """Beside a new state, the same user's tombstones stand."""
    tombstones.write(database, account, {ONE: Why.REMOVED}, NOW)
    fresh = open_database(tmp_path / "fresh" / "state.db")
    file.rename(tmp_path / "fresh" / FILE)
    same = accounts.ensure_account(fresh, "http://nas:2283", "anna")
    found = open_tombstones(fresh, same, NOW)
    fresh.close()

    assert found == {ONE: Hold.REMOVED}


def test_the_state_makes_up_for_a_lost_file(
    database: Database, account: AccountId, folder: FolderId, file: Path
) -> None:
    """What only the ledger knew to be gone or trashed is written anew; what is there is not."""
    stamp = Stamp(1, 1, 1, 1)
    sums = [Checksum(bytes([n]) * 20) for n in range(6)]
    trashed, purged, lost, there, held, back = sums

    def asset(checksum: Checksum, **at: float) -> Asset:
        times = {"verified_at": 1.0, **at}
        return Asset(account, checksum, AssetId(checksum.hex()), Origin.FOUND, **times)

    ledger.apply(
        database,
        [
            asset(trashed, trashed_at=2.0),
            asset(purged, trashed_at=2.0, removed_at=3.0),
            asset(lost, removed_at=3.0),
            asset(there),
            File(Place(folder, b"", b"held"), stamp, held),
            Held(Place(folder, b"", b"held"), Hold.REMOVED, ""),
            asset(back),
            File(Place(folder, b"", b"back"), stamp, back),
            Held(Place(folder, b"", b"back"), Hold.REMOVED, ""),
        ],
        NOW,
    )
    removed, missing = Hold.REMOVED, Hold.MISSING
    wanted = {trashed: removed, purged: removed, lost: missing, held: removed}

    assert wanted == open_tombstones(database, account, NOW)
    assert file.read_bytes().count(b"\n") == 4
    assert wanted == open_tombstones(database, account, NOW)
    assert file.read_bytes().count(b"\n") == 4


def test_a_file_that_cannot_be_read_is_not_taken_for_empty(
    database: Database, account: AccountId, file: Path
) -> None:
    """Rather nothing goes up than something that was thrown away."""
    file.mkdir()

    with pytest.raises(StateTrouble, match=os.strerror(errno.EISDIR)):
        open_tombstones(database, account, NOW)
    with pytest.raises(StateTrouble, match="remembers which photos were removed"):
        tombstones.write(database, account, {ONE: Why.REMOVED}, NOW)


def _fill(path: Path) -> None:
    with path.open("wb", buffering=0) as file:
        while True:
            file.write(bytes(4096))


def test_a_full_disk_is_said_and_loses_nothing(small_disk: Path) -> None:
    """What was written before stands; the line that did not fit is written once there is room."""
    database = open_database(small_disk / "state.db")
    account = accounts.ensure_account(database, "http://nas:2283", "anna")
    tombstones.write(database, account, {ONE: Why.REMOVED}, NOW)
    ballast = small_disk / "ballast"
    with pytest.raises(OSError, match=os.strerror(errno.ENOSPC)):
        _fill(ballast)
    many = {Checksum(n.to_bytes(20, "big")): Why.REMOVED for n in range(1, 100)}

    with pytest.raises(StateTrouble, match="cannot be written"):
        tombstones.write(database, account, many, NOW)
    assert open_tombstones(database, account, NOW)[ONE] is Hold.REMOVED
    ballast.unlink()
    tombstones.write(database, account, many, NOW)
    assert len(open_tombstones(database, account, NOW)) == 100
    database.close()
