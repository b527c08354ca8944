"""What a one-shot upload remembers of files, and how it opens the state beside a daemon."""

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from immich_sync.core.errors import Misconfigured
from immich_sync.core.types import Checksum, File, Hold, Place, Stamp
from immich_sync.store import accounts, ledger, report
from immich_sync.store.accounts import Kind
from immich_sync.store.database import Database, lock_state, open_beside, open_database
from immich_sync.store.recall import recall

STAMP = Stamp(3, 1, 2, 1)
SHA1 = Checksum(b"1" * 20)


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    """A new state."""
    with closing(open_database(tmp_path / "state.db")) as opened:
        yield opened


@pytest.fixture
def place(database: Database) -> Place:
    """A place below the root of a one-shot upload."""
    row = accounts.ensure_folder(database, name="x", root=b"/x", kind=Kind.ONCE, policy="", now=0.0)
    return Place(row.id, b"d", b"a.jpg")


@pytest.mark.parametrize(
    ("hold", "checksum", "stamp", "recalled", "recalled_hold"),
    [
        (None, SHA1, STAMP, True, None),
        (Hold.EMPTY, SHA1, STAMP, True, Hold.EMPTY),
        (Hold.REMOVED, SHA1, STAMP, True, None),
        (Hold.REJECTED, SHA1, STAMP, True, None),
        (Hold.REJECTED, None, STAMP, False, None),
        (None, SHA1, STAMP._replace(ctime_ns=9), False, None),
        (None, SHA1, STAMP._replace(size=4), False, None),
    ],
)
def test_recall(
    database: Database,
    place: Place,
    hold: Hold | None,
    checksum: Checksum | None,
    stamp: Stamp,
    recalled: bool,  # noqa: FBT001 - a column
    recalled_hold: Hold | None,
) -> None:
    """A file is recalled if its whole stamp is the same, and not held but for being empty."""
    known = File(place, STAMP, checksum, hold=hold, note="why" if hold else "")
    ledger.apply(database, [known], 0.0)

    (due,) = recall(database, [(place, stamp)], now=5.0)

    assert due.job.place == place
    assert due.asset is None
    assert (due.file is not None) == recalled
    if due.file is not None:
        assert (due.file.checksum, due.file.hold) == (SHA1, recalled_hold)


def test_unknown_file(database: Database, place: Place) -> None:
    """A place of which nothing is known is due with nothing known."""
    (due,) = recall(database, [(place, STAMP)], now=5.0)

    assert due.file is None


def test_not_in_the_report(database: Database, place: Place) -> None:
    """What was uploaded by hand is no watched folder, and none of its problems."""
    ledger.apply(database, [File(place, STAMP, SHA1, incomplete=True)], 0.0)

    assert report.folders(database, now=0.0) == []
    assert report.problems(database, limit=9) == []


def test_beside_a_daemon(tmp_path: Path) -> None:
    """A sound state opens beside its daemon, a damaged one only where there is none."""
    path = tmp_path / "state.db"
    open_beside(path).close()
    with lock_state(tmp_path):
        with closing(open_beside(path)) as opened:
            assert opened.moved_aside is None
        path.write_bytes(b"no database at all" * 100)
        with pytest.raises(Misconfigured, match="already running"):
            open_beside(path)
    with closing(open_beside(path)) as repaired:
        assert repaired.moved_aside is not None
