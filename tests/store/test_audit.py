"""What an audit's findings become in the state."""

from dataclasses import replace

import pytest

from immich_sync.core.audit import Findings
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
    Priority,
    Stamp,
)
from immich_sync.store import audit, ledger, queue
from immich_sync.store.audit import Standing
from immich_sync.store.database import Database

BEFORE, BEGAN, LATER = 1_000.0, 2_000.0, 3_000.0
SUM = Checksum(b"\x01" * 20)
ID, OTHER = AssetId("x"), AssetId("y")


@pytest.fixture
def place(folder: FolderId) -> Place:
    """A path of the folder."""
    return Place(folder, b"d", b"a.jpg")


def fill(
    database: Database, account: AccountId, place: Place, hold: Hold | None = None, **at: float
) -> Asset:
    """The place has an asset, verified before the audit began unless `at` says otherwise."""
    times = {"verified_at": BEFORE, **at}
    asset = Asset(account, SUM, ID, Origin.UPLOADED, **times)
    file = File(place, Stamp(1, 2, 3, 4), SUM)
    held = [] if hold is None else [Held(place, hold, "gone")]
    ledger.apply(database, [file, asset, *held], BEFORE)
    return asset


def settle(
    database: Database,
    account: AccountId,
    findings: Findings,
    restoring: list[FolderId] | None = None,
    lost: Hold | None = Hold.MISSING,
) -> None:
    """The audit is over."""
    audit.settle(database, account, findings, restoring=restoring or [], lost=lost, now=LATER)


def due(database: Database, folder: FolderId) -> list[Priority]:
    """The priorities of what is due."""
    jobs = queue.take(database, now=LATER, limit=9, folders=[folder], busy=[])
    return [one.job.priority for one in jobs]


def hold_of(database: Database, place: Place) -> Hold | None:
    """How the file is held."""
    file = ledger.file(database, place)
    assert file is not None
    return file.hold


def test_pages_hold_what_was_proved(database: Database, account: AccountId) -> None:
    """In order of their checksums, from any of them on; what was never proved is left out."""
    sums = [Checksum(bytes([n]) * 20) for n in range(5)]
    assets = [
        Asset(account, one, AssetId(one.hex()), Origin.FOUND, verified_at=1.0) for one in sums
    ]
    assets[3] = replace(assets[3], verified_at=None)
    ledger.apply(database, assets[::-1], BEFORE)

    assert audit.page(database, account, b"", 2) == assets[:2]
    assert audit.page(database, account, sums[1], 9) == [assets[2], assets[4]]
    assert audit.page(database, account, sums[4], 9) == []
    other = Checksum(b"\x09" * 20)
    assert audit.without_asset(database, account, [other, sums[0]]) == [other]


def test_an_audit_is_remembered(database: Database, account: AccountId) -> None:
    """When it began; a doubt stays until an audit is believed."""
    before = audit.standing(database, account)
    audit.doubt(database, account, "much is gone", BEFORE)
    doubted = audit.standing(database, account)
    settle(database, account, Findings(BEGAN))

    assert before == Standing()
    assert doubted == Standing(None, "much is gone")
    assert audit.standing(database, account) == Standing(BEGAN, "")


@pytest.mark.parametrize("restores", [True, False])
def test_what_was_trashed_is_due_only_where_it_is_restored(
    database: Database, account: AccountId, folder: FolderId, place: Place, *, restores: bool
) -> None:
    """Elsewhere the ledger just knows since when."""
    asset = fill(database, account, place)
    findings = Findings(BEGAN, trashed=[(SUM, ID)])
    settle(database, account, findings, [folder] if restores else [])

    known = replace(asset, verified_at=BEGAN, trashed_at=BEGAN)
    assert known == ledger.asset(database, account, SUM)
    assert due(database, folder) == ([Priority.BACKLOG] if restores else [])


@pytest.mark.parametrize("hold", [None, Hold.MISSING, Hold.REMOVED])
@pytest.mark.parametrize(("named", "origin"), [(ID, Origin.UPLOADED), (OTHER, Origin.FOUND)])
def test_what_is_there_again_is_let_go_and_due(
    database: Database,
    account: AccountId,
    folder: FolderId,
    place: Place,
    hold: Hold | None,
    named: AssetId,
    origin: Origin,
) -> None:
    """For its album; under another id it is no upload of ours."""
    asset = fill(database, account, place, hold, trashed_at=1.0, removed_at=2.0)
    settle(database, account, Findings(BEGAN, alive=[(SUM, named)]))

    known = Asset(account, SUM, named, origin, verified_at=BEGAN)
    assert known == ledger.asset(database, account, SUM) != asset
    assert hold_of(database, place) is None
    assert due(database, folder) == [Priority.RECHECK]


def test_what_was_removed_is_held(
    database: Database, account: AccountId, folder: FolderId, place: Place
) -> None:
    """It keeps the time when it was seen in the trash, and is not due."""
    asset = fill(database, account, place, trashed_at=500.0)
    settle(database, account, Findings(BEGAN, removed=[SUM]))

    assert replace(asset, removed_at=BEGAN) == ledger.asset(database, account, SUM)
    assert hold_of(database, place) is Hold.REMOVED
    assert due(database, folder) == []


@pytest.mark.parametrize("hold", [None, Hold.MISSING])
@pytest.mark.parametrize("lost", [Hold.MISSING, Hold.REMOVED])
def test_what_was_lost_is_held(
    database: Database,
    account: AccountId,
    folder: FolderId,
    place: Place,
    hold: Hold | None,
    lost: Hold,
) -> None:
    """As missing, or as a person says."""
    fill(database, account, place, hold)
    settle(database, account, Findings(BEGAN, lost=[SUM]), lost=lost)

    assert hold_of(database, place) is lost
    assert due(database, folder) == []


@pytest.mark.parametrize("hold", [None, Hold.MISSING])
def test_what_was_lost_and_is_wanted_is_due(
    database: Database, account: AccountId, folder: FolderId, place: Place, hold: Hold | None
) -> None:
    """Nothing is known of its asset, but all of its bytes."""
    fill(database, account, place, hold)
    settle(database, account, Findings(BEGAN, lost=[SUM]), lost=None)
    file = ledger.file(database, place)

    assert ledger.asset(database, account, SUM) is None
    assert file == File(place, Stamp(1, 2, 3, 4), SUM)
    assert due(database, folder) == [Priority.BACKLOG]


@pytest.mark.parametrize(
    "findings",
    [
        Findings(BEGAN, trashed=[(SUM, ID)]),
        Findings(BEGAN, alive=[(SUM, OTHER)]),
        Findings(BEGAN, removed=[SUM]),
        Findings(BEGAN, lost=[SUM]),
    ],
    ids=["trashed", "alive", "removed", "lost"],
)
@pytest.mark.parametrize("lost", [Hold.MISSING, None])
def test_a_newer_word_stands(
    database: Database,
    account: AccountId,
    folder: FolderId,
    place: Place,
    findings: Findings,
    lost: Hold | None,
) -> None:
    """What a worker learnt while the audit went on is not undone by it."""
    asset = fill(database, account, place, verified_at=BEGAN + 1)
    settle(database, account, findings, [folder], lost)

    assert asset == ledger.asset(database, account, SUM)
    assert hold_of(database, place) is None
    assert due(database, folder) == []


def test_a_word_of_tomorrow_is_an_old_one(
    database: Database, account: AccountId, place: Place
) -> None:
    """The clock was set back since; the audit's word is the newer one."""
    fill(database, account, place, verified_at=LATER + 1)
    settle(database, account, Findings(BEGAN, lost=[SUM]))

    assert hold_of(database, place) is Hold.MISSING


def test_what_came_back_by_another_way_is_let_go(
    database: Database, account: AccountId, folder: FolderId, place: Place
) -> None:
    """An upload by hand, or a tombstone that was outlived, frees the files that were held."""
    fill(database, account, place, Hold.REMOVED)
    settle(database, account, Findings(BEGAN))
    by_hand = hold_of(database, place)
    other = Place(folder, b"", b"b.jpg")
    bytes_of_other = Checksum(b"\x02" * 20)
    ledger.apply(
        database,
        [File(other, Stamp(1, 1, 1, 1), bytes_of_other), Held(other, Hold.MISSING, "")],
        BEFORE,
    )
    settle(database, account, Findings(BEGAN, returned=[bytes_of_other]))

    assert by_hand is None
    assert hold_of(database, other) is None
    assert due(database, folder) == [Priority.RECHECK, Priority.RECHECK]


def test_a_file_held_for_another_reason_stays_held(
    database: Database, account: AccountId, folder: FolderId, place: Place
) -> None:
    """An audit frees only what was held for being gone, and holds nothing twice."""
    fill(database, account, place, Hold.REJECTED)
    settle(database, account, Findings(BEGAN, lost=[SUM]))

    assert hold_of(database, place) is Hold.REJECTED
    assert due(database, folder) == []
