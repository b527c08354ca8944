"""Put, taken, waited for: what is due, in which order, and what is known of it."""

from dataclasses import replace

import pytest

from immich_sync.core.types import (
    AccountId,
    Again,
    Arrival,
    Asset,
    AssetId,
    Checksum,
    Done,
    File,
    FolderId,
    Hold,
    Origin,
    Place,
    Priority,
    Stamp,
)
from immich_sync.store import accounts, ledger, queue
from immich_sync.store.database import Database

NOW = 1_000_000.0
WEEK = 7 * 24 * 3600.0


def put(database: Database, folder: FolderId, *names: bytes, now: float = NOW, **kind: int) -> int:
    """Arrivals of these names at the root; `priority` is BACKLOG unless given."""
    priority = Priority(kind.get("priority", Priority.BACKLOG.value))
    return queue.put(database, [Arrival(Place(folder, b"", name), priority) for name in names], now)


def names(database: Database, *folders: FolderId, now: float = NOW, limit: int = 64) -> list[bytes]:
    """The names that are taken, in order."""
    due = queue.take(database, now=now, limit=limit, folders=folders, busy=[])
    return [one.job.place.name for one in due]


def another(database: Database, root: bytes) -> FolderId:
    """A second folder, without an account yet."""
    return accounts.ensure_folder(
        database, name="other", root=root, kind=accounts.Kind.WATCHED, policy="", now=NOW
    ).id


def test_what_is_put_is_due(database: Database, folder: FolderId) -> None:
    """A new path is due at once, without attempts, and nothing is known of it."""
    put(database, folder, b"a.jpg")
    [due] = queue.take(database, now=NOW, limit=64, folders=[folder], busy=[])

    assert Place(folder, b"", b"a.jpg") == due.job.place
    assert (
        due.job.priority, due.job.due_at, due.job.attempts, due.job.error, due.job.round,
    ) == (Priority.BACKLOG, NOW, 0, "", queue.born(NOW))  # fmt: skip
    assert (due.file, due.asset) == (None, None)


def test_the_same_path_twice_is_one_row(database: Database, folder: FolderId) -> None:
    """In one call or in two, there is one job; the count is that of different paths."""
    assert put(database, folder, b"a.jpg", b"a.jpg") == 1
    assert put(database, folder, b"a.jpg", b"b.jpg", now=NOW + 1) == 2
    assert names(database, folder, now=NOW + 1) == [b"a.jpg", b"b.jpg"]


def test_the_more_urgent_priority_stays(database: Database, folder: FolderId) -> None:
    """NEW over BACKLOG over RECHECK, whichever comes first."""
    for first, second in ((0, 2), (2, 0)):
        put(database, folder, b"a.jpg", priority=first)
        put(database, folder, b"a.jpg", priority=second)
        [due] = queue.take(database, now=NOW, limit=64, folders=[folder], busy=[])

        assert due.job.priority is Priority.NEW
        ledger.apply(database, [Done(due.job)], NOW)


def test_the_order(database: Database, folder: FolderId) -> None:
    """Priority first, then the time of becoming due, then folder, directory and name."""
    other = another(database, b"/other")
    put(database, folder, b"later", now=NOW + 1)
    put(database, other, b"b", b"a", now=NOW)
    put(database, folder, b"z", now=NOW)
    put(database, folder, b"new", now=NOW + 2, priority=0)
    put(database, folder, b"recheck", now=NOW - 9, priority=2)

    assert names(database, other, folder, now=NOW + 2) == [
        b"new",
        b"z",
        b"a",
        b"b",
        b"later",
        b"recheck",
    ]


def test_only_so_many_are_taken(database: Database, folder: FolderId) -> None:
    """The limit counts what is returned, busy ones not included."""
    put(database, folder, b"a", b"b", b"c", b"d")
    busy = [Place(folder, b"", b"a"), Place(folder, b"", b"c")]
    due = queue.take(database, now=NOW, limit=1, folders=[folder], busy=busy)

    assert [one.job.place.name for one in due] == [b"b"]
    assert queue.take(database, now=NOW, limit=0, folders=[folder], busy=[]) == []


def test_a_paused_folder_is_left_alone(database: Database, folder: FolderId) -> None:
    """Jobs of folders that are not named are not taken, and nobody waits for them."""
    other = another(database, b"/other")
    put(database, other, b"a")

    assert names(database, folder) == []
    assert names(database) == []
    assert queue.next_due(database, now=NOW, folders=[folder]) is None
    assert names(database, other) == [b"a"]


def test_what_is_known_comes_along(
    database: Database, folder: FolderId, account: AccountId
) -> None:
    """A job brings the file at its path and the asset of its bytes in the folder's account."""
    place, checksum = Place(folder, b"2024/May", b"a\xff.jpg"), Checksum(b"\x01" * 20)
    file = File(
        place, Stamp(7, -5, 2**64 - 1, 9), checksum, incomplete=True, motion=True,
        hold=Hold.TOO_LARGE, note="the proxy takes 100 MB",
    )  # fmt: skip
    asset = Asset(account, checksum, AssetId("x"), Origin.UPLOADED, 1.0, 2.0, 3.0)
    queue.put(database, [Arrival(place, Priority.NEW)], NOW)
    ledger.apply(database, [file, asset], NOW)
    [due] = queue.take(database, now=NOW, limit=1, folders=[folder], busy=[])

    assert (file, asset) == (due.file, due.asset)


def test_an_asset_of_another_account_is_none_of_ours(database: Database, folder: FolderId) -> None:
    """The same bytes in somebody else's account say nothing about this folder's."""
    place, checksum = Place(folder, b"", b"a.jpg"), Checksum(b"\x01" * 20)
    theirs = accounts.ensure_account(database, "http://nas:2283", "ben")
    put(database, folder, b"a.jpg")
    ledger.apply(
        database,
        [
            File(place, Stamp(1, 1, 1, 1), checksum),
            Asset(theirs, checksum, AssetId("x"), Origin.FOUND),
        ],
        NOW,
    )
    [due] = queue.take(database, now=NOW, limit=1, folders=[folder], busy=[])

    assert due.asset is None


def test_what_failed_waits(database: Database, folder: FolderId) -> None:
    """After Again a job is due at its time, with its attempts and its error."""
    put(database, folder, b"a")
    [due] = queue.take(database, now=NOW, limit=1, folders=[folder], busy=[])
    ledger.apply(database, [Again(due.job, NOW + 30, 1, "no permission")], NOW)

    assert names(database, folder, now=NOW + 29) == []
    [again] = queue.take(database, now=NOW + 30, limit=1, folders=[folder], busy=[])
    assert replace(due.job, due_at=NOW + 30, attempts=1, error="no permission") == again.job


@pytest.mark.parametrize("priority", [Priority.BACKLOG, Priority.RECHECK])
def test_a_scan_does_not_hurry_a_failing_job(
    database: Database, folder: FolderId, priority: Priority
) -> None:
    """Found again and again in its directory, a failing file still waits its time."""
    put(database, folder, b"a")
    [due] = queue.take(database, now=NOW, limit=1, folders=[folder], busy=[])
    ledger.apply(database, [Again(due.job, NOW + 30, 2, "no")], NOW)
    put(database, folder, b"a", now=NOW + 1, priority=priority.value)

    assert queue.next_due(database, now=NOW + 1, folders=[folder]) == NOW + 30
    [again] = queue.take(database, now=NOW + 30, limit=1, folders=[folder], busy=[])
    assert (again.job.attempts, again.job.error) == (2, "no")


def test_new_bytes_get_a_clean_slate(database: Database, folder: FolderId) -> None:
    """A file that arrives anew is due at once, its old failures forgotten."""
    put(database, folder, b"a")
    [due] = queue.take(database, now=NOW, limit=1, folders=[folder], busy=[])
    ledger.apply(database, [Again(due.job, NOW + 30, 2, "no")], NOW)
    put(database, folder, b"a", now=NOW + 1, priority=Priority.NEW.value)
    [again] = queue.take(database, now=NOW + 1, limit=1, folders=[folder], busy=[])

    assert (again.job.attempts, again.job.error) == (0, "")
    assert queue.Counts(1, 0, 0) == queue.counts(database, now=NOW + 1, folders=[folder])


def test_a_job_that_waits_without_failure_is_hurried(database: Database, folder: FolderId) -> None:
    """Whoever was only put off (its bytes moved) is due as soon as it is found again."""
    put(database, folder, b"a")
    [due] = queue.take(database, now=NOW, limit=1, folders=[folder], busy=[])
    ledger.apply(database, [Again(due.job, NOW + 30, 0, "")], NOW)
    put(database, folder, b"a", now=NOW + 1)

    assert names(database, folder, now=NOW + 1) == [b"a"]


def test_a_clock_that_jumped_back_stops_nothing(database: Database, folder: FolderId) -> None:
    """A job due in more than a week was put by a wrong clock, and is due."""
    put(database, folder, b"a", now=NOW + WEEK + 1)
    put(database, folder, b"b", now=NOW + WEEK)

    assert names(database, folder) == [b"a"]
    assert queue.next_due(database, now=NOW, folders=[folder]) == NOW
    assert queue.Counts(1, 1, 0) == queue.counts(database, now=NOW, folders=[folder])


def test_when_the_next_is_due(database: Database, folder: FolderId) -> None:
    """The earliest waiting time over folders and priorities, busy ones left out; now if due."""
    other = another(database, b"/other")
    put(database, folder, b"a", now=NOW + 20, priority=0)
    put(database, other, b"b", now=NOW + 10, priority=2)
    both = [folder, other]

    assert queue.next_due(database, now=NOW, folders=both) == NOW + 10
    busy = [Place(other, b"", b"b")]
    assert queue.next_due(database, now=NOW, folders=both, busy=busy) == NOW + 20
    assert queue.next_due(database, now=NOW + 15, folders=both) == NOW + 15
    assert queue.next_due(database, now=NOW + 15, folders=both, busy=busy) == NOW + 20


def test_the_counts(database: Database, folder: FolderId) -> None:
    """Due and waiting jobs are counted apart, failing ones among them, per named folder."""
    other = another(database, b"/other")
    put(database, folder, b"a", b"b", b"c")
    put(database, other, b"d")
    [due] = queue.take(database, now=NOW, limit=1, folders=[folder], busy=[])
    ledger.apply(database, [Again(due.job, NOW + 5, 1, "no")], NOW)

    assert queue.Counts(2, 1, 1) == queue.counts(database, now=NOW, folders=[folder])
    assert queue.Counts(3, 1, 1) == queue.counts(database, now=NOW, folders=[folder, other])
    assert queue.Counts(0, 0, 0) == queue.counts(database, now=NOW, folders=[])


def test_taking_stays_quick_in_a_long_queue(database: Database, folder: FolderId) -> None:
    """Neither ordering nor joining reads more of the queue than is taken: no sorting step."""
    with database.reading() as connection:
        steps = [
            row[3]
            for row in connection.execute(
                f"EXPLAIN QUERY PLAN {queue._DUE}",
                (folder, 0, 0.0, NOW),
            )
        ]

    assert "USING INDEX job_due (folder=? AND priority=? AND due_at>? AND due_at<?)" in steps[1]
    assert not [step for step in steps if "TEMP B-TREE" in step or step.startswith("SCAN")]
