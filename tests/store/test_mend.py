"""What a person may say about paths in trouble."""

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
    Held,
    Hold,
    Origin,
    Place,
    Priority,
    Stamp,
)
from immich_sync.store import ledger, mend, queue, report
from immich_sync.store.database import Database

NOW = 1_000_000.0
ONE = Checksum(b"\x01" * 20)
STAMP = Stamp(10, 20, 30, 40)


@pytest.fixture
def place(folder: FolderId) -> Place:
    """A path of the folder."""
    return Place(folder, b"2024", b"IMG_1.jpg")


def fail(database: Database, place: Place) -> None:
    """The path was tried three times and waits for an hour."""
    queue.put(database, [Arrival(place, Priority.NEW)], NOW)
    [due] = queue.take(database, now=NOW, limit=1, folders=[place.folder], busy=[])
    ledger.apply(database, [Again(due.job, NOW + 3600, 3, "no")], NOW)


def attempts(database: Database, place: Place) -> list[tuple[Place, int]]:
    """What is due now, and how often it was tried."""
    due = queue.take(database, now=NOW, limit=64, folders=[place.folder], busy=[])
    return [(one.job.place, one.job.attempts) for one in due]


@pytest.mark.parametrize("named", [True, False])
def test_a_failing_job_is_due_again(database: Database, place: Place, *, named: bool) -> None:
    """Named, or among all, it is due now with a clean slate."""
    fail(database, place)

    assert mend.retry(database, [place] if named else None, NOW) == mend.Retried(1, 0)
    assert [(place, 0)] == attempts(database, place)
    assert report.problems(database, limit=9) == []


def test_a_persons_word_wins_over_an_attempt_under_way(database: Database, place: Place) -> None:
    """An attempt that fails after the retry was asked for does not put it off."""
    fail(database, place)
    [running] = queue.take(database, now=NOW + 3600, limit=1, folders=[place.folder], busy=[])
    mend.retry(database, [place], NOW)
    ledger.apply(database, [Again(running.job, NOW + 7200, 4, "no")], NOW)

    assert [(place, 0)] == attempts(database, place)


@pytest.mark.parametrize("named", [True, False])
def test_a_held_file_is_let_go(database: Database, place: Place, *, named: bool) -> None:
    """Its hold and its note are gone, its bytes are known, and it is due."""
    ledger.apply(database, [File(place, STAMP, ONE, hold=Hold.REJECTED, note="no")], NOW)

    assert mend.retry(database, [place] if named else None, NOW) == mend.Retried(1, 0)
    assert File(place, STAMP, ONE) == ledger.file(database, place)
    assert [(place, 0)] == attempts(database, place)


def test_a_file_held_unread_is_read(database: Database, place: Place) -> None:
    """Without a checksum nothing is known of it once its hold is gone."""
    ledger.apply(database, [File(place, STAMP, None, hold=Hold.EMPTY)], NOW)
    mend.retry(database, [place], NOW)

    assert ledger.file(database, place) is None
    assert [(place, 0)] == attempts(database, place)


@pytest.mark.parametrize("hold", [Hold.REMOVED, Hold.MISSING])
def test_what_is_gone_goes_up_again_only_by_force(
    database: Database, place: Place, account: AccountId, hold: Hold
) -> None:
    """Named, it is counted and stays held; among all, not even that; by force nothing is proved."""
    asset = Asset(account, ONE, AssetId("x"), Origin.UPLOADED, verified_at=1.0, removed_at=2.0)
    ledger.apply(database, [File(place, STAMP, ONE), asset, Held(place, hold, "")], NOW)

    assert mend.retry(database, [place], NOW) == mend.Retried(0, 1)
    assert mend.retry(database, None, NOW) == mend.Retried(0, 0)
    assert attempts(database, place) == []
    assert mend.checksums(database, [place]) == {account: {ONE}}
    assert mend.retry(database, [place], NOW, force=True) == mend.Retried(1, 0)
    assert attempts(database, place) == [(place, 0)]
    assert replace(asset, verified_at=None) == ledger.asset(database, account, ONE)


def test_the_server_is_asked_again_about_what_is_retried(
    database: Database, place: Place, account: AccountId
) -> None:
    """That it was there once is not forgotten: absent, it must not pass for new."""
    asset = Asset(account, ONE, AssetId("x"), Origin.UPLOADED, verified_at=NOW)
    ledger.apply(database, [File(place, STAMP, ONE, hold=Hold.TOO_LARGE), asset], NOW)
    mend.retry(database, [place], NOW)

    assert replace(asset, verified_at=0.0) == ledger.asset(database, account, ONE)


@pytest.mark.parametrize(
    ("before", "after"),
    [(Priority.NEW, Priority.NEW), (Priority.RECHECK, Priority.BACKLOG)],
)
def test_a_retry_is_at_least_backlog(
    database: Database, place: Place, before: Priority, after: Priority
) -> None:
    """What somebody asked for goes before what is only looked at again, and never falls back."""
    queue.put(database, [Arrival(place, before)], NOW)
    mend.retry(database, [place], NOW)
    [due] = queue.take(database, now=NOW, limit=1, folders=[place.folder], busy=[])

    assert due.job.priority is after


def test_what_is_not_known_is_not_retried(database: Database, place: Place) -> None:
    """A path without file and job is counted out, and nothing is put."""
    assert mend.retry(database, [place], NOW) == mend.Retried(0, 0)
    assert attempts(database, place) == []


def test_all_does_not_mean_the_healthy(database: Database, place: Place) -> None:
    """Files in Immich and jobs that are due already stay as they are."""
    ledger.apply(database, [File(place, STAMP, ONE)], NOW)
    other = Place(place.folder, b"", b"other")
    queue.put(database, [Arrival(other, Priority.NEW)], NOW)

    assert mend.retry(database, None, NOW) == mend.Retried(0, 0)


def test_a_held_file_is_dismissed_until_it_changes(database: Database, place: Place) -> None:
    """It is listed no more, nor retried with all; other bytes list it again."""
    held = File(place, STAMP, ONE, hold=Hold.REJECTED, note="no")
    ledger.apply(database, [held], NOW)

    assert mend.dismiss(database, [place]) == 1
    ledger.apply(database, [held], NOW)
    assert report.problems(database, limit=9) == []
    assert mend.retry(database, None, NOW) == mend.Retried(0, 0)
    assert mend.dismiss(database, [place]) == 0
    ledger.apply(
        database, [File(place, STAMP, Checksum(b"\x02" * 20), hold=Hold.REJECTED)], NOW + 5
    )
    assert [problem.since for problem in report.problems(database, limit=9)] == [NOW + 5]


def test_a_failing_job_is_dismissed(database: Database, place: Place) -> None:
    """Its job is dropped, and its file is not listed."""
    ledger.apply(database, [File(place, STAMP, ONE)], NOW)
    fail(database, place)

    assert mend.dismiss(database, [place]) == 1
    assert report.problems(database, limit=9) == []
    assert queue.next_due(database, now=NOW, folders=[place.folder]) is None


def test_who_works_on_a_dismissed_job_does_not_end_the_next_one(
    database: Database, place: Place
) -> None:
    """Its bytes were rewritten meanwhile: they are due, whatever came of the old ones."""
    fail(database, place)
    mend.retry(database, [place], NOW)
    [old] = queue.take(database, now=NOW, limit=1, folders=[place.folder], busy=[])
    ledger.apply(database, [Again(old.job, NOW + 60, 1, "no")], NOW)
    assert mend.dismiss(database, [place]) == 1
    queue.put(database, [Arrival(place, Priority.NEW, STAMP)], NOW + 1)
    ledger.apply(database, [Done(old.job)], NOW + 1)

    [new] = queue.take(database, now=NOW + 1, limit=1, folders=[place.folder], busy=[])
    assert new.job.stamp == STAMP


def test_a_trashed_file_is_dismissed(database: Database, place: Place, account: AccountId) -> None:
    """What lies in Immich's trash on purpose need not be listed for ever."""
    trashed = Asset(account, ONE, AssetId("x"), Origin.FOUND, verified_at=1.0, trashed_at=2.0)
    ledger.apply(database, [File(place, STAMP, ONE), trashed], NOW)

    assert [problem.what for problem in report.problems(database, limit=9)] == ["trashed"]
    assert mend.dismiss(database, [place]) == 1
    assert report.problems(database, limit=9) == []


def test_what_is_in_no_trouble_is_not_dismissed(database: Database, place: Place) -> None:
    """A job that is merely due stays, and so does a file that is in Immich."""
    ledger.apply(database, [File(place, STAMP, ONE)], NOW)
    queue.put(database, [Arrival(place, Priority.NEW)], NOW)

    assert mend.dismiss(database, [place]) == 0
    [due] = queue.take(database, now=NOW, limit=1, folders=[place.folder], busy=[])
    ledger.apply(database, [Done(due.job)], NOW)
    assert mend.dismiss(database, [place]) == 0
