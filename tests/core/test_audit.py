"""The ledger's word against the server's."""

from dataclasses import replace

import pytest

from immich_sync.core.audit import FEW, Finding, Findings, find, hold_for, note
from immich_sync.core.types import AccountId, Asset, AssetId, Checksum, Hold, Origin

BEFORE, SINCE, AFTER, NOW = 5.0, 10.0, 15.0, 20.0
ID, OTHER = AssetId("x"), AssetId("y")
THERE = Asset(AccountId(1), Checksum(bytes(20)), ID, Origin.UPLOADED, verified_at=1.0)
TRASHED = replace(THERE, trashed_at=BEFORE)
PURGED = replace(TRASHED, removed_at=BEFORE)
GONE = replace(THERE, removed_at=BEFORE)
JUST_GONE = replace(THERE, removed_at=AFTER)
OF_TOMORROW = replace(THERE, removed_at=NOW + 1)

TABLE = [
    ("there as known", THERE, ID, False, Finding.FINE),
    ("in the trash as known", TRASHED, ID, True, Finding.FINE),
    ("newly in the trash", THERE, ID, True, Finding.TRASHED),
    ("restored from the trash", TRASHED, ID, False, Finding.ALIVE),
    ("another asset with these bytes", THERE, OTHER, False, Finding.ALIVE),
    ("another asset, in the trash", TRASHED, OTHER, True, Finding.TRASHED),
    ("the trash was emptied", TRASHED, None, False, Finding.REMOVED),
    ("emptied long ago", PURGED, None, False, Finding.FINE),
    ("back after the trash was emptied", PURGED, ID, False, Finding.ALIVE),
    ("back in the trash", PURGED, ID, True, Finding.TRASHED),
    ("gone, never seen in the trash", THERE, None, False, Finding.LOST),
    ("gone since before the last audit", GONE, None, False, Finding.FINE),
    ("missed since the last audit", JUST_GONE, None, False, Finding.LOST),
    ("missed before the clock was set back", OF_TOMORROW, None, False, Finding.FINE),
    ("back after it was missed", JUST_GONE, ID, False, Finding.ALIVE),
]


@pytest.mark.parametrize(
    ("known", "asset_id", "trashed", "finding"),
    [row[1:] for row in TABLE],
    ids=[row[0] for row in TABLE],
)
def test_what_the_servers_word_changes(
    known: Asset, asset_id: AssetId | None, *, trashed: bool, finding: Finding
) -> None:
    """Each pair of what was known and what is said has one meaning."""
    assert find(known, asset_id, trashed=trashed, since=SINCE, now=NOW) is finding


def test_without_an_audit_before_nothing_was_settled() -> None:
    """What was missed before the first audit is judged with it."""
    assert find(GONE, None, trashed=False, since=None, now=NOW) is Finding.LOST


def _audited(*, lost: int, there: int, trashed: int = 0, settled: int = 0) -> Findings:
    found = Findings(NOW)
    for known, asset_id, times in (
        (THERE, None, lost),
        (THERE, ID, there),
        (TRASHED, None, trashed),
        (GONE, None, settled),
    ):
        for _ in range(times):
            found.take(known, asset_id, trashed=False, since=SINCE)
    return found


@pytest.mark.parametrize(
    ("found", "doubted"),
    [
        (_audited(lost=FEW, there=0), False),
        (_audited(lost=FEW + 1, there=0), True),
        (_audited(lost=FEW + 1, there=79), True),
        (_audited(lost=FEW + 1, there=84), False),
        (_audited(lost=200, there=800), False),
        (_audited(lost=201, there=799), True),
        (_audited(lost=0, there=10, trashed=500), False),
        (_audited(lost=21, there=10, settled=500), True),
    ],
)
def test_many_gone_at_once_are_not_believed(found: Findings, *, doubted: bool) -> None:
    """More than 20 and more than a fifth; an emptied trash and old losses do not count."""
    assert bool(found.doubt()) is doubted


def test_the_sentence_names_the_numbers() -> None:
    """Whoever reads it can judge for themselves."""
    assert "1,150 of 1,200 photos" in _audited(lost=1150, there=50).doubt()


@pytest.mark.parametrize(
    ("asset", "tombstone", "hold"),
    [
        (THERE, None, Hold.MISSING),
        (TRASHED, None, Hold.REMOVED),
        (THERE, Hold.REMOVED, Hold.REMOVED),
        (TRASHED, Hold.MISSING, Hold.REMOVED),
        (None, Hold.MISSING, Hold.MISSING),
        (None, Hold.REMOVED, Hold.REMOVED),
    ],
)
def test_a_removal_is_what_was_seen_in_the_trash(
    asset: Asset | None, tombstone: Hold | None, hold: Hold
) -> None:
    """By the ledger or by the tombstone; else nobody can tell, and it is missing."""
    assert hold_for(asset, tombstone) is hold
    assert "trash" in note(hold)
