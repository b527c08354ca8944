"""The ladder that a file climbs."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from immich_sync.core.plan import FRESH, Facts, Step, next_step
from immich_sync.core.types import (
    AccountId,
    Asset,
    AssetId,
    Checksum,
    File,
    FolderId,
    Hold,
    Origin,
    Place,
    Stamp,
)

NOW = 1_000_000.0
STAMP = Stamp(10, 20, 30, 40)
FILE = File(Place(FolderId(1), b"", b"a.jpg"), STAMP, Checksum(bytes(20)))
ASSET = Asset(AccountId(1), Checksum(bytes(20)), AssetId("x"), Origin.UPLOADED, verified_at=NOW)
OLD = replace(ASSET, verified_at=NOW - FRESH - 1)
UNPROVED = replace(ASSET, verified_at=None)
TRASHED = replace(ASSET, trashed_at=NOW)
OLD_TRASHED = replace(OLD, trashed_at=1.0)
FORGOTTEN = replace(ASSET, verified_at=0.0)

LADDER = [
    ("nothing is known of the path", Facts(None, None, None), Step.HASH),
    ("the file was rewritten", Facts(Stamp(11, 21, 30, 41), FILE, ASSET), Step.HASH),
    ("only the ctime moved", Facts(Stamp(10, 20, 30, 41), FILE, ASSET), Step.HASH),
    ("it is held", Facts(STAMP, replace(FILE, hold=Hold.REJECTED), None), Step.REST),
    ("its bytes are new to us", Facts(STAMP, FILE, None), Step.CHECK),
    ("the server's word is old", Facts(STAMP, FILE, OLD), Step.CHECK),
    ("an earlier upload was never proved", Facts(STAMP, FILE, UNPROVED), Step.CHECK),
    ("the server lacks it", Facts(STAMP, FILE, None, absent=True), Step.UPLOAD),
    ("an unproved upload is lost", Facts(STAMP, FILE, UNPROVED, absent=True), Step.UPLOAD),
    ("a proved asset is gone", Facts(STAMP, FILE, OLD, absent=True), Step.MISS),
    ("an asset of old is gone", Facts(STAMP, FILE, FORGOTTEN, absent=True), Step.MISS),
    (
        "only its tombstone is left",
        Facts(STAMP, FILE, None, absent=True, tombstoned=True),
        Step.MISS,
    ),
    ("its tombstone outlived it", Facts(STAMP, FILE, ASSET, tombstoned=True), Step.JOIN),
    ("a trashed asset is gone", Facts(STAMP, FILE, TRASHED, absent=True), Step.MISS),
    ("it was gone before", Facts(STAMP, FILE, replace(ASSET, removed_at=1.0)), Step.MISS),
    ("it was just sent", Facts(STAMP, FILE, UNPROVED, sent=True), Step.VERIFY),
    ("it is in the trash", Facts(STAMP, FILE, TRASHED), Step.LEAVE),
    ("it was sent, and lies in the trash", Facts(STAMP, FILE, TRASHED, sent=True), Step.LEAVE),
    ("it wants its album", Facts(STAMP, FILE, ASSET), Step.JOIN),
    ("it is in its album", Facts(STAMP, FILE, ASSET, joined=True), Step.DONE),
    ("it is a motion part", Facts(STAMP, replace(FILE, motion=True), ASSET), Step.DONE),
]


@pytest.mark.parametrize(("facts", "step"), [row[1:] for row in LADDER], ids=[r[0] for r in LADDER])
def test_each_rung_of_the_ladder(facts: Facts, step: Step) -> None:
    """What is known decides, alone, what is done next."""
    assert next_step(facts, wants_album=True, now=NOW) is step


def test_a_folder_without_an_album_is_done_with_the_proof() -> None:
    """Without an album, a proved asset is all there is to reach."""
    assert next_step(Facts(STAMP, FILE, ASSET), wants_album=False, now=NOW) is Step.DONE


RESTORING = [
    ("it is in the trash", Facts(STAMP, FILE, TRASHED), Step.RESTORE),
    ("it was sent, and lies in the trash", Facts(STAMP, FILE, TRASHED, sent=True), Step.RESTORE),
    ("the word on the trash is old", Facts(STAMP, FILE, OLD_TRASHED), Step.CHECK),
    ("it was restored", Facts(STAMP, FILE, ASSET), Step.JOIN),
    ("the trash was emptied", Facts(STAMP, FILE, TRASHED, absent=True, tombstoned=True), Step.MISS),
    ("it is gone", Facts(STAMP, FILE, replace(TRASHED, removed_at=1.0)), Step.MISS),
    ("it is held", Facts(STAMP, replace(FILE, hold=Hold.REMOVED), TRASHED), Step.REST),
]


@pytest.mark.parametrize(
    ("facts", "step"), [row[1:] for row in RESTORING], ids=[r[0] for r in RESTORING]
)
def test_a_folder_that_restores_takes_its_photos_out_of_the_trash(facts: Facts, step: Step) -> None:
    """Out of the trash, but never back from beyond it."""
    assert next_step(facts, wants_album=True, now=NOW, restores=True) is step


@given(
    facts=st.builds(
        Facts,
        stamp=st.sampled_from([None, STAMP, Stamp(1, 2, 3, 4)]),
        file=st.sampled_from(
            [None, FILE, replace(FILE, hold=Hold.EMPTY), replace(FILE, motion=True)]
        ),
        asset=st.sampled_from([None, ASSET, OLD, UNPROVED, TRASHED, replace(OLD, removed_at=1.0)]),
        absent=st.booleans(),
        tombstoned=st.booleans(),
        sent=st.booleans(),
        joined=st.booleans(),
    ),
    wants_album=st.booleans(),
    restores=st.booleans(),
)
def test_done_is_never_said_without_a_fresh_proof(
    *, facts: Facts, wants_album: bool, restores: bool
) -> None:
    """DONE means: these very bytes, named by the server lately, outside its trash, in the album.

    And UPLOAD means that the server lacks them and that nobody took them out.
    """
    file, asset = facts.file, facts.asset
    step = next_step(facts, wants_album=wants_album, now=NOW, restores=restores)

    assert step is not Step.UPLOAD or (facts.absent and not facts.tombstoned)
    if step is not Step.DONE:
        return
    assert file is not None
    assert asset is not None
    assert file.stamp == facts.stamp
    assert asset.verified_at is not None
    assert NOW - asset.verified_at <= FRESH
    assert asset.trashed_at is None
    assert asset.removed_at is None
    assert facts.joined or file.motion or not wants_album
    assert not facts.absent
