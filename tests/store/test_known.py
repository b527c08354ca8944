"""Whole directories of the ledger."""

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from immich_sync.core.types import Arrival, Checksum, File, FolderId, Place, Priority, Stamp
from immich_sync.store import known, ledger, queue
from immich_sync.store.database import Database

NOW = 1_000_000.0
ONE = Checksum(b"\x01" * 20)
TREE = [b"", b"a", b"a-1", b"a/b", b"a/b/c", b"a0", b"b", b"\xff\xff"]
NAMES = st.sampled_from([b"a", b"b", b"a.", b"a0", b"\xff", b"-"])
PATHS = st.lists(NAMES, max_size=3).map(b"/".join)


def fill(database: Database, folder: FolderId) -> None:
    """Two files and a job in each directory of the tree."""
    for number, path in enumerate(TREE):
        files = [
            File(Place(folder, path, name), Stamp(number, 1, 2**64 - 1, 3), ONE)
            for name in (b"x.jpg", b"y.jpg")
        ]
        ledger.apply(database, files, NOW)
        queue.put(database, [Arrival(Place(folder, path, b"z.jpg"), Priority.NEW)], NOW)


def test_the_stamps_of_directories(database: Database, folder: FolderId) -> None:
    """Each directory has its own files only; one without files is left out."""
    fill(database, folder)
    wanted = {name: Stamp(1, 1, 2**64 - 1, 3) for name in (b"x.jpg", b"y.jpg")}

    assert {b"a": wanted} == known.stamps(database, folder, [b"a", b"nothing"])
    assert set(TREE) == set(known.stamps(database, folder, TREE))


def test_another_folder_is_another_tree(database: Database, folder: FolderId) -> None:
    """Nothing of one folder is seen in another."""
    fill(database, folder)
    other = FolderId(folder + 1)

    assert known.stamps(database, other, TREE) == {}
    assert set() == known.subdirectories_known(database, other, b"")


def test_directories_below(database: Database, folder: FolderId) -> None:
    """A directory and what lies in it, but not its siblings with longer names."""
    fill(database, folder)

    assert {b"a", b"a/b", b"a/b/c"} == known.subdirectories_known(database, folder, b"a")
    assert {b"a/b/c"} == known.subdirectories_known(database, folder, b"a/b/c")
    assert set() == known.subdirectories_known(database, folder, b"nothing")
    assert set(TREE) == known.subdirectories_known(database, folder, b"")


def test_forgetting_below(database: Database, folder: FolderId) -> None:
    """Files at and below the directory go, all others stay."""
    fill(database, folder)

    assert known.forget_below(database, folder, b"a", NOW) == 6
    left = set(TREE) - {b"a", b"a/b", b"a/b/c"}
    assert known.subdirectories_known(database, folder, b"") == left


def test_forgetting_below_ends_no_job(database: Database, folder: FolderId) -> None:
    """A tree that comes back while a scan believes it gone is still due."""
    fill(database, folder)
    known.forget_below(database, folder, b"", NOW)
    due = queue.take(database, now=NOW, limit=64, folders=[folder], busy=[])

    assert {one.job.place.directory for one in due} == set(TREE)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.sets(PATHS), PATHS)
def test_below_is_what_a_path_says(
    database: Database, folder: FolderId, paths: set[bytes], top: bytes
) -> None:
    """For any names, the index range holds exactly what starts with the path and a slash."""
    known.forget_below(database, folder, b"", NOW)
    ledger.apply(
        database, [File(Place(folder, path, b"x"), Stamp(1, 1, 1, 1), ONE) for path in paths], NOW
    )
    wanted = {path for path in paths if not top or path == top or path.startswith(top + b"/")}

    assert wanted == known.subdirectories_known(database, folder, top)
    assert len(wanted) == known.forget_below(database, folder, top, NOW)
    assert paths - wanted == known.subdirectories_known(database, folder, b"")


@given(paths=st.lists(PATHS, max_size=12), path=PATHS)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
def test_directories_in_a_directory(
    database: Database, folder: FolderId, paths: list[bytes], path: bytes
) -> None:
    """Whatever their names: the first step below the path of all that holds known files."""
    known.forget_below(database, folder, b"", NOW)
    files = [File(Place(folder, one, b"x.jpg"), Stamp(1, 1, 1, 1), ONE) for one in paths]
    ledger.apply(database, files, NOW)
    inside = path + b"/" if path else b""
    found = (one for one in paths if one and one.startswith(inside))
    expected = {inside + one[len(inside) :].partition(b"/")[0] for one in found}

    assert {path: expected} == known.children(database, folder, [path])
