"""What becomes of an asset whose file was deleted here."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from immich_sync.core.cleanup import Jump
from immich_sync.core.departure import Conditions, Departed, Facts, Half, Verdict, decide
from immich_sync.core.types import (
    AccountId,
    Asset,
    AssetId,
    Checksum,
    FolderId,
    Hold,
    Origin,
    Place,
)

SHA1 = Checksum(b"\x01" * 20)
NOW = 1_780_000_000.0
ASSET = Asset(AccountId(1), SHA1, AssetId("asset"), Origin.UPLOADED, verified_at=NOW - 9_000)
GONE = Departed(Place(FolderId(1), b"d", b"a.jpg"), SHA1, 7, motion=False, at=NOW - 700)
FACTS = Facts(GONE, ASSET)
GIVEN = Conditions(online=True, believed=True, tripped=False, wait=600.0, now=NOW)

times = st.none() | st.floats(0, NOW)
facts = st.builds(
    Facts,
    st.builds(
        Departed,
        place=st.just(GONE.place),
        checksum=st.just(SHA1),
        size=st.just(7),
        motion=st.booleans(),
        at=st.floats(0, 2 * NOW),
        approved=st.booleans(),
    ),
    st.none()
    | st.builds(
        Asset,
        account=st.just(AccountId(1)),
        checksum=st.just(SHA1),
        asset_id=st.just(AssetId("asset")),
        origin=st.sampled_from(Origin),
        verified_at=times,
        trashed_at=times,
        removed_at=times,
    ),
    stone=st.none() | st.sampled_from([Hold.REMOVED, Hold.MISSING, Hold.DEPARTED]),
    cleaned=st.booleans(),
    reading=st.booleans(),
    half=st.sampled_from(Half),
    hidden=st.none() | st.booleans(),
)
conditions = st.builds(
    Conditions,
    online=st.booleans(),
    believed=st.booleans(),
    tripped=st.booleans(),
    wait=st.floats(0, 10_000),
    now=st.just(NOW),
)


@given(facts, conditions)
def test_nothing_is_trashed_without_every_reason(found: Facts, given_: Conditions) -> None:
    """Ours, proved, untouched by people, gone for long enough, on a healthy folder and server."""
    if decide(found, given_)[0] is not Verdict.TRASH:
        return
    asset, departed = found.asset, found.departed
    assert asset is not None
    assert asset.origin is Origin.UPLOADED
    assert asset.verified_at is not None
    assert asset.removed_at is None
    assert found.stone not in {Hold.REMOVED, Hold.MISSING}
    assert asset.trashed_at is None or found.stone is Hold.DEPARTED
    assert not found.cleaned
    assert not found.reading
    assert given_.online
    assert given_.believed
    assert not given_.tripped or departed.approved
    assert departed.at + given_.wait <= given_.now
    assert found.half is not Half.HERE
    assert not (departed.motion and found.hidden)


def test_what_we_uploaded_and_lost_goes() -> None:
    """With nothing against it, it goes into the trash."""
    assert decide(FACTS, GIVEN) == (Verdict.TRASH, "")


@pytest.mark.parametrize(
    ("found", "verdict"),
    [
        (replace(FACTS, asset=None), Verdict.KEEP),
        (replace(FACTS, asset=replace(ASSET, verified_at=None)), Verdict.KEEP),
        (replace(FACTS, asset=replace(ASSET, origin=Origin.FOUND)), Verdict.KEEP),
        (replace(FACTS, asset=replace(ASSET, trashed_at=NOW)), Verdict.KEEP),
        (replace(FACTS, stone=Hold.REMOVED), Verdict.KEEP),
        (replace(FACTS, cleaned=True), Verdict.KEEP),
        (replace(FACTS, reading=True), Verdict.WAIT),
        (replace(FACTS, half=Half.HERE), Verdict.WAIT),
        (replace(FACTS, departed=replace(GONE, at=NOW - 599)), Verdict.WAIT),
        (replace(FACTS, departed=replace(GONE, at=NOW + 9_000)), Verdict.WAIT),
    ],
)
def test_what_stands_in_the_way(found: Facts, verdict: Verdict) -> None:
    """For good if nothing will change it, else until it has passed."""
    assert decide(found, GIVEN)[0] is verdict


@pytest.mark.parametrize(
    ("half", "hidden", "verdict"),
    [
        (Half.LEAVING, None, Verdict.WAIT),
        (Half.TRASHED, True, Verdict.WITH_STILL),
        (Half.TRASHED, False, Verdict.TRASH),
        (Half.KEPT, True, Verdict.KEEP),
        (Half.NONE, True, Verdict.KEEP),
        (Half.NONE, False, Verdict.TRASH),
    ],
)
def test_a_moving_part_follows_its_still(
    half: Half, *, hidden: bool | None, verdict: Verdict
) -> None:
    """Immich keeps and deletes a hidden one with its still; one that is shown goes by itself."""
    motion = replace(FACTS, departed=replace(GONE, motion=True), half=half, hidden=hidden)

    assert decide(motion, GIVEN)[0] is verdict


@pytest.mark.parametrize(("skipped", "verdict"), [(90.0, Verdict.TRASH), (110.0, Verdict.WAIT)])
def test_what_the_clock_skipped_is_no_waiting(skipped: float, verdict: Verdict) -> None:
    """It has been gone for 700 seconds by the clock, and 600 are asked for."""
    given_ = replace(GIVEN, jumps=(Jump(NOW - 400, skipped),))

    assert decide(FACTS, given_)[0] is verdict


@pytest.mark.parametrize("way", ["online", "believed"])
def test_the_folder_and_the_server_must_be_well(way: str) -> None:
    """Whatever is not, it waits."""
    given_ = replace(GIVEN, **{way: False})  # type: ignore[arg-type] # one of its booleans

    assert decide(FACTS, given_)[0] is Verdict.WAIT


def test_a_breaker_lets_only_the_approved_through() -> None:
    """What departed after the word waits for the next one."""
    approved = replace(FACTS, departed=replace(GONE, approved=True))

    assert decide(FACTS, replace(GIVEN, tripped=True))[0] is Verdict.WAIT
    assert decide(approved, replace(GIVEN, tripped=True))[0] is Verdict.TRASH
