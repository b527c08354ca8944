"""No combination of facts with one missing cleans a file away; and what counts as waiting."""

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from immich_sync.core import cleanup
from immich_sync.core.cleanup import (
    DOWNTIME,
    Facts,
    Jump,
    Next,
    Proof,
    Verdict,
    World,
    aside_name,
    decide,
    jumped,
    ripe_at,
    sidecars_of,
    together,
    waited,
)
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
STAMP = Stamp(3, 5, 7, 11)
SHA1, SECOND, THIRD, FOURTH = (Checksum(letter * 20) for letter in (b"a", b"b", b"c", b"d"))
FILE = File(Place(FolderId(1), b"d", b"a.jpg"), STAMP, SHA1)
ASSET = Asset(AccountId(1), SHA1, AssetId("asset"), Origin.UPLOADED, verified_at=1.0)
PROOF = Proof(SHA1, AssetId("asset"), trashed=False)
GOOD = Facts(
    world=World(online=True, doubt="", newer=None),
    file=FILE,
    asset=ASSET,
    due=False,
    undone=False,
    in_album=True,
    ripe_at=NOW,
    now=NOW,
    seen=STAMP,
    links=1,
    syncthing=False,
    sidecar="",
    proof=PROOF,
)

BAD: dict[str, list[Any]] = {
    "world": [
        World(online=False, doubt="", newer=None),
        World(online=True, doubt="Much is gone.", newer=None),
        World(online=True, doubt="", newer="It is too new."),
    ],
    "file": [
        None,
        replace(FILE, checksum=None),
        replace(FILE, checksum=SECOND),
        replace(FILE, hold=Hold.REMOVED),
        replace(FILE, incomplete=True),
        *(replace(FILE, stamp=STAMP._replace(**{part: 99})) for part in Stamp._fields),
    ],
    "asset": [
        None,
        replace(ASSET, checksum=THIRD),
        replace(ASSET, asset_id=AssetId("another")),
        replace(ASSET, verified_at=None),
        replace(ASSET, trashed_at=1.0),
        replace(ASSET, removed_at=1.0),
    ],
    "due": [True],
    "undone": [True],
    "in_album": [False],
    "ripe_at": [NOW + 0.001, float("inf"), float("nan")],
    "seen": [None, *(STAMP._replace(**{part: 98}) for part in Stamp._fields)],
    "links": [2, 3],
    "syncthing": [True],
    "sidecar": ["its sidecar was not sent"],
    "proof": [
        None,
        replace(PROOF, checksum=FOURTH),
        replace(PROOF, asset_id=None),
        replace(PROOF, asset_id=AssetId("a third")),
        replace(PROOF, trashed=True),
    ],
}
"""Of each fact, values that speak against it, and no two that agree with each other."""


def test_everything_for_it_cleans() -> None:
    """Else the other tests would say nothing."""
    assert decide(GOOD) == Verdict(Next.CLEAN)


@pytest.mark.parametrize(("name", "value"), [(n, one) for n, some in BAD.items() for one in some])
def test_one_fact_missing_keeps_it(name: str, value: object) -> None:
    """Each of them alone, and with a sentence."""
    verdict = decide(replace(GOOD, **{name: value}))  # type: ignore[arg-type] # any of its fields

    assert verdict.next is not Next.CLEAN
    assert verdict.why.endswith(".") or verdict.next is Next.PROVE


@given(st.fixed_dictionaries({name: st.sampled_from([None, *some]) for name, some in BAD.items()}))
def test_no_combination_with_a_fact_missing_cleans(found: dict[str, object]) -> None:
    """Whatever else is wrong, no wrong makes another one right."""
    wrong = {name: value for name, value in found.items() if value is not None}
    assume(wrong)

    assert decide(replace(GOOD, **wrong)).next is not Next.CLEAN  # type: ignore[arg-type] # likewise


def test_what_goes_together_waits_for_the_last() -> None:
    """Of several, the one that is least ready speaks."""
    clean, prove = Verdict(Next.CLEAN), Verdict(Next.PROVE)
    wait, longer, keep = (
        Verdict(Next.WAIT, "", 5.0),
        Verdict(Next.WAIT, "", 9.0),
        Verdict(Next.KEEP, "x"),
    )

    assert together([clean, prove]) == prove
    assert together([wait, clean, longer]) == longer
    assert together([wait, keep, clean]) == keep


times = st.floats(0, 1e9, allow_nan=False)


@given(
    needed=st.floats(1, 1e7), changed=times, proved=times, now=times, stamp=st.integers(0, 10**18)
)
def test_all_times_must_be_old_enough(
    needed: float, changed: float, proved: float, now: float, stamp: int
) -> None:
    """Ours and the file's: the latest counts, and none that is unknown."""
    seen = Stamp(1, stamp, 1, 0)

    due = ripe_at(needed, (changed, proved), seen, now, [])

    assert due == pytest.approx(max(changed, proved, stamp / 1e9) + needed)
    assert ripe_at(needed, (changed, None), seen, now, []) >= now + needed - 1e-3


@given(passed=st.floats(0, 1e6), by=st.floats(-1e9, 1e9), later=st.floats(0, 1e6))
def test_a_jump_is_no_waiting(passed: float, by: float, later: float) -> None:
    """What was set ahead or back is taken out of what was waited, whatever it was."""
    jump = jumped(NOW, NOW + passed + by, passed)
    jumps = [] if jump is None else [jump]

    really, slack = passed + later, cleanup.SLACK + 1e-3
    found = waited(NOW, NOW + really + by, jumps)
    assert really + min(by, 0.0) - slack <= found <= really + slack
    if by >= 0.0 or by < -really:  # else the clock showed NOW twice, and the later one counts
        assert found == pytest.approx(really, abs=slack)


def test_a_jump_counts_for_what_was_before_it() -> None:
    """What is known since then was never told a wrong time."""
    assert waited(100.0, 200.0, [Jump(50.0, 40.0)]) == 100.0
    assert waited(100.0, 200.0, [Jump(100.0, 60.0)]) == 40.0


def test_a_clock_that_was_set_back_makes_nothing_older() -> None:
    """What is known since the clock is right did not wait for the years that it was ahead."""
    ahead = [Jump(1000.0, -950.0)]

    assert waited(100.0, 110.0, ahead) == 10.0
    assert waited(1000.0, 60.0, ahead) == 10.0  # known while it was ahead


def test_a_time_that_the_clock_skipped_is_when_it_had_skipped_it() -> None:
    """So is one that was noted last before nobody ran for days."""
    assert waited(150.0, 210.0, [Jump(100.0, 100.0)]) == 10.0


@given(
    steps=st.lists(st.tuples(st.floats(1, 1e5), st.floats(-1e6, 1e6)), min_size=1, max_size=5),
    which=st.integers(0, 4),
    part=st.floats(0, 1),
)
def test_no_jumps_make_a_wait_longer_than_it_was(
    steps: list[tuple[float, float]], which: int, part: float
) -> None:
    """Whatever the clock did before and after: nobody waited for longer than really passed."""
    assume(which < len(steps))
    wall, passed, since, began = 1e7, 0.0, 0.0, 0.0
    jumps: list[Jump] = []
    for number, (lasts, by) in enumerate(steps):
        if number == which:
            since, began = wall + part * lasts, passed + part * lasts
        wall, passed = wall + lasts, passed + lasts
        jumps.append(Jump(wall, by))
        wall += by

    assert waited(since, wall, jumps) <= passed - began + 1e-3


def test_a_day_without_a_daemon_is_waiting_and_a_year_is_not() -> None:
    """A cron job that runs once a day has to come to an end."""
    assert jumped(NOW, NOW + DOWNTIME, None) is None
    assert jumped(NOW, NOW + DOWNTIME + 1, None) == Jump(NOW, DOWNTIME + 1)
    assert jumped(NOW, NOW - 1, None) == Jump(NOW, -1.0)


def test_whatever_may_be_a_sidecar_is_one() -> None:
    """By the photo's whole name or its stem, in any case."""
    names = [b"a.jpg", b"A.JPG.XMP", b"a.xmp", b"b.xmp", b"a.jpg.txt", b"a.b.xmp"]

    assert sidecars_of(b"a.jpg", names) == [b"A.JPG.XMP", b"a.xmp"]


@pytest.mark.parametrize(
    ("name", "number", "aside"),
    [
        (b"a.jpg", 1, b"a.jpg"),
        (b"a.jpg", 2, b"a~2.jpg"),
        (b"a", 3, b"a~3"),
        (b".jpg", 2, b".jpg~2"),
    ],
)
def test_a_name_in_the_quarantine(name: bytes, number: int, aside: bytes) -> None:
    """Its number stands before the extension."""
    assert aside_name(name, number) == aside
