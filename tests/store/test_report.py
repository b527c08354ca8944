"""The numbers and the problems that `status` shows."""

from immich_sync.core.types import (
    AccountId,
    Activity,
    Again,
    Arrival,
    Asset,
    AssetId,
    Checksum,
    Done,
    File,
    FolderId,
    Held,
    Hold,
    Origin,
    Place,
    Priority,
    Stamp,
)
from immich_sync.store import accounts, ledger, queue, report
from immich_sync.store.database import Database

NOW = 1_000_000.0


def checksum(number: int) -> Checksum:
    """Another one for each number."""
    return Checksum(number.to_bytes(20, "big"))


def add(
    database: Database, folder: FolderId, account: AccountId, name: bytes, **at: float | None
) -> Place:
    """A file of 100 bytes whose asset was verified, trashed or removed then; recorded `at`."""
    place, digest = Place(folder, b"d", name), checksum(int.from_bytes(name, "big"))
    ledger.apply(
        database,
        [
            File(place, Stamp(100, 1, 1, 1), digest),
            Asset(
                account, digest, AssetId(name.hex()), Origin.UPLOADED,
                verified_at=at.get("verified", 1.0),
                trashed_at=at.get("trashed"),
                removed_at=at.get("removed"),
            ),
        ],
        at.get("at") or NOW,
    )  # fmt: skip
    return place


def test_an_empty_folder(database: Database, folder: FolderId) -> None:
    """All numbers are zero, and nothing ever arrived."""
    wanted = report.FolderReport(folder, "photos", b"/volume1/photos", 0, 0, 0, 0, 0, 0, 0, None)

    assert [wanted] == report.folders(database, now=NOW)


def test_a_folder_without_account_counts_its_files(database: Database) -> None:
    """Before the server was ever reached, files are known, and none is verified."""
    folder = accounts.ensure_folder(
        database, name="p", root=b"/p", kind=accounts.Kind.WATCHED, policy="", now=NOW
    ).id
    ledger.apply(database, [File(Place(folder, b"", b"a"), Stamp(5, 1, 1, 1), checksum(1))], NOW)
    [found] = report.folders(database, now=NOW)

    assert (found.files, found.bytes, found.verified) == (1, 5, 0)


def test_what_was_done_last(database: Database, folder: FolderId) -> None:
    """The last proof of a file counts, and no failure after it."""
    place = Place(folder, b"", b"a")
    done = [Activity(NOW + at, "uploaded", place) for at in (1, 5)]
    ledger.apply(database, [*done, Activity(NOW + 9, "failed", place)], NOW)

    (found,) = report.folders(database, now=NOW)
    assert (found.last_done, found.waiting_since) == (NOW + 5, None)


def test_the_numbers(database: Database, folder: FolderId, account: AccountId) -> None:
    """Each file is counted where it belongs, and a verified file that is due is not verified."""
    add(database, folder, account, b"verified")
    add(database, folder, account, b"unproved", verified=None)
    add(database, folder, account, b"trashed", trashed=2.0)
    held = add(database, folder, account, b"held", verified=None)
    removed = add(database, folder, account, b"removed", removed=2.0)
    again = add(database, folder, account, b"again", at=NOW + 7)
    waits = Place(folder, b"", b"waits")
    ledger.apply(database, [Held(held, Hold.REJECTED, ""), Held(removed, Hold.REMOVED, "")], NOW)
    queue.put(database, [Arrival(place, Priority.RECHECK) for place in (again, waits)], NOW)
    jobs = queue.take(database, now=NOW, limit=9, folders=[folder], busy=[again])
    ledger.apply(database, [Again(jobs[0].job, NOW + 60, 1, "no")], NOW)

    assert [
        report.FolderReport(
            folder, "photos", b"/volume1/photos", files=6, bytes=600, verified=1, trashed=2,
            failed=1, pending=1, waiting=1, last_new=NOW + 7, waiting_since=NOW, unread=1,
        )
    ] == report.folders(database, now=NOW)  # fmt: skip


def test_the_time_of_arrival_is_the_first(
    database: Database, folder: FolderId, account: AccountId
) -> None:
    """A file that is recorded again later has not arrived later."""
    add(database, folder, account, b"a")
    add(database, folder, account, b"a", at=NOW + 50)
    [found] = report.folders(database, now=NOW)

    assert found.last_new == NOW


def test_the_problems(database: Database, folder: FolderId, account: AccountId) -> None:
    """Held, trashed, incomplete and failing files, oldest first, with path and reason."""
    add(database, folder, account, b"fine")
    trashed = add(database, folder, account, b"trashed", trashed=4.0)
    held = add(database, folder, account, b"held", verified=None)
    ledger.apply(database, [Held(held, Hold.REJECTED, "Immich takes no .xyz")], 3.0)
    incomplete = Place(folder, b"", b"cut.jpg")
    ledger.apply(database, [File(incomplete, Stamp(1, 1, 1, 1), checksum(9), incomplete=True)], 2.0)
    failing = Place(folder, b"d/e", b"locked.jpg")
    queue.put(database, [Arrival(failing, Priority.NEW)], NOW)
    for attempt, at in ((1, 1.0), (2, 5.0)):
        [due] = queue.take(database, now=NOW, limit=1, folders=[folder], busy=[])
        ledger.apply(database, [Again(due.job, NOW, attempt, "no permission")], at)
    root = b"/volume1/photos/"
    wanted = [
        report.FileProblem("failing", failing, root + b"d/e/locked.jpg", 1.0, "no permission"),
        report.FileProblem("incomplete", incomplete, root + b"cut.jpg", 2.0, ""),
        report.FileProblem("rejected", held, root + b"d/held", 3.0, "Immich takes no .xyz"),
        report.FileProblem("trashed", trashed, root + b"d/trashed", 4.0, ""),
    ]

    assert wanted == report.problems(database, limit=9)
    assert wanted[:2] == report.problems(database, limit=2)
    assert wanted == report.problems(database, limit=9, folders=[folder])
    assert report.problems(database, limit=9, folders=[]) == []


def test_a_problem_that_is_over_is_not_listed(
    database: Database, folder: FolderId, account: AccountId
) -> None:
    """A failing job that ended and a trashed asset that was restored are gone."""
    place = add(database, folder, account, b"a", trashed=4.0)
    queue.put(database, [Arrival(place, Priority.NEW)], NOW)
    [due] = queue.take(database, now=NOW, limit=1, folders=[folder], busy=[])
    ledger.apply(database, [Again(due.job, NOW, 1, "no")], NOW)

    assert [one.what for one in report.problems(database, limit=9)] == ["trashed", "failing"]
    add(database, folder, account, b"a")
    ledger.apply(database, [Done(due.job)], NOW)
    assert report.problems(database, limit=9) == []


def test_what_a_person_put_away_is_no_problem_where_it_is_left(
    database: Database, folder: FolderId, account: AccountId
) -> None:
    """In such a folder neither what lies in the trash nor what was removed from it is listed."""
    trashed = add(database, folder, account, b"trashed", trashed=4.0)
    both = {"trashed": 4.0, "removed": 5.0}
    removed, missing = (add(database, folder, account, name, **both) for name in (b"r", b"m"))
    ledger.apply(database, [Held(removed, Hold.REMOVED, "")], 5.0)
    ledger.apply(database, [Held(missing, Hold.MISSING, "")], 6.0)

    every = report.problems(database, limit=9)
    left = report.problems(database, limit=9, leaving=[folder])

    assert [one.place for one in every] == [trashed, removed, missing]
    assert [one.place for one in left] == [missing]


def test_what_is_new_is_told_from_what_is_known(
    database: Database, folder: FolderId, account: AccountId
) -> None:
    """Neither a known file nor one with a job is new."""
    known = add(database, folder, account, b"known")
    due, new = Place(folder, b"", b"due"), Place(folder, b"", b"new")
    queue.put(database, [Arrival(due, Priority.NEW)], NOW)

    assert report.new_among(database, [known, due, new]) == {folder: 1}
