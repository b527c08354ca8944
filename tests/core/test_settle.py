"""When a file has held still for long enough."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from immich_sync.core.settle import (
    CUT_OFF,
    EMPTY,
    QUICK,
    Settling,
    Wants,
    lain_still,
    quiet_time,
)
from immich_sync.core.types import Completeness, Evidence, FolderId, Place, Stamp

WALL = 1_000_000.0
A = Place(FolderId(1), b"", b"a.jpg")
B = Place(FolderId(1), b"x", b"b.jpg")
WHOLE, CUT, UNKNOWN = Completeness.WHOLE, Completeness.CUT, Completeness.UNKNOWN


def _stamp(size: int, moved_at: float = WALL + 10_000) -> Stamp:
    """A stamp whose own times (in the future by default) say nothing about stillness."""
    at = int(moved_at * 1e9)
    return Stamp(size, at, 1, at)


@pytest.mark.parametrize(
    ("completeness", "evidence", "seconds"),
    [
        (WHOLE, Evidence.FINISHED, QUICK),
        (WHOLE, Evidence.NONE, 10.0),
        (WHOLE, Evidence.BEGUN, 30.0),
        (UNKNOWN, Evidence.FINISHED, 10.0),
        (UNKNOWN, Evidence.BEGUN, 30.0),
        (CUT, Evidence.FINISHED, CUT_OFF),
        (CUT, Evidence.BEGUN, CUT_OFF),
    ],
)
def test_how_long_depends_on_what_was_seen(
    completeness: Completeness, evidence: Evidence, seconds: float
) -> None:
    """Whole and closed: at once. Cut off: ten minutes. In between: the folder's setting."""
    assert quiet_time(completeness, evidence, 10.0) == seconds


def test_a_finished_whole_file_settles_at_the_first_look() -> None:
    """Its own times say that it has been still for long enough already."""
    settling = Settling(10.0)
    settling.hint(A, Evidence.FINISHED, 0.0)

    assert settling.due(QUICK, 10) == [A]
    assert settling.saw(A, _stamp(5, WALL - 2 * QUICK), WHOLE, QUICK, wall=WALL)
    assert len(settling) == 0


def test_a_growing_file_never_settles() -> None:
    """Each new stamp starts the wait anew."""
    settling = Settling(1.0)
    for second in range(1, 20):
        assert not settling.saw(A, _stamp(second), UNKNOWN, second * 0.9, wall=WALL)


def test_a_file_that_stalls_while_cut_off_waits_ten_minutes() -> None:
    """Longer than the folder's settle time, but not for ever: a damaged photo is kept too."""
    settling = Settling(1.0)

    assert not settling.saw(A, _stamp(5), CUT, 0.0, wall=WALL)
    assert not settling.saw(A, _stamp(5), CUT, CUT_OFF - 1, wall=WALL)
    assert settling.saw(A, _stamp(5), CUT, CUT_OFF, wall=WALL)


def test_an_empty_file_is_told_of_soon() -> None:
    """It is cut off, and nothing of it has to be kept."""
    settling = Settling(10.0)

    assert not settling.saw(A, _stamp(0), CUT, 0.0, wall=WALL)
    assert not settling.saw(A, _stamp(0), CUT, 10.0 + EMPTY - 1, wall=WALL)
    assert settling.saw(A, _stamp(0), CUT, 10.0 + EMPTY, wall=WALL)


def test_a_cut_off_file_that_moves_no_more_is_not_growing() -> None:
    """A `--once` run need not wait for it; one that may yet settle, it waits for."""
    settling = Settling(1.0)
    settling.saw(A, _stamp(5), CUT, 0.0, wall=WALL)

    assert settling.growing(0.5)
    assert not settling.growing(1.5)

    settling.hint(B, Evidence.BEGUN, 1.5)
    assert settling.growing(1.5)


def test_a_hint_brings_the_next_look_forward() -> None:
    """A file that waits for its next look is looked at soon after something happened to it."""
    settling = Settling(10.0)
    settling.saw(A, _stamp(5), UNKNOWN, 0.0, wall=WALL)
    settling.hint(A, Evidence.FINISHED, 1.0)

    assert settling.next_due() == 1.0 + QUICK
    assert settling.due(1.0 + QUICK, 10) == [A]


def test_what_is_lost_is_not_looked_at_again() -> None:
    """A temporary that vanished leaves nothing behind."""
    settling = Settling(10.0)
    settling.hint(A, Evidence.BEGUN, 0.0)
    settling.lost(A)

    assert settling.due(100.0, 10) == []
    assert len(settling) == 0


def test_looks_come_in_order_and_in_bounded_handfuls() -> None:
    """Those that moved first are looked at first."""
    settling = Settling(10.0)
    settling.hint(B, Evidence.NONE, 0.0)
    settling.hint(A, Evidence.NONE, 0.01)

    assert settling.due(10.0, 1) == [B]
    assert settling.due(10.0, 1) == [A]
    assert settling.next_due() is None


def test_a_short_stillness_by_foreign_clocks_is_not_believed() -> None:
    """On a NAS whose clock is behind ours, a growing file looks still: only our watch counts."""
    settling = Settling(10.0)

    assert not settling.saw(A, _stamp(5, WALL - 60), UNKNOWN, 0.0, wall=WALL)
    assert not settling.saw(A, _stamp(6, WALL - 60), UNKNOWN, 9.0, wall=WALL)
    assert settling.saw(A, _stamp(6, WALL - 60), UNKNOWN, 19.0, wall=WALL)


def test_what_has_lain_still_for_long_is_believed_to() -> None:
    """A backlog is not watched for ten seconds a file."""
    assert Settling(10.0).saw(A, _stamp(5, WALL - CUT_OFF - 1), CUT, 0.0, wall=WALL)


def test_times_in_the_future_say_nothing() -> None:
    """A camera with a wrong clock is waited for by our own watch."""
    assert lain_still(_stamp(1, WALL + 1), WALL) == 0.0
    assert lain_still(_stamp(1, WALL - 7), WALL) == pytest.approx(7)


@given(
    st.lists(
        st.tuples(st.floats(0.01, 5), st.integers(0, 3), st.sampled_from([WHOLE, CUT, UNKNOWN])),
        max_size=30,
    ),
    st.sampled_from(list(Evidence)),
)
def test_nothing_settles_unless_one_stamp_held(
    steps: list[tuple[float, int, Completeness]], evidence: Evidence
) -> None:
    """Whatever is seen, a file settles only when one stamp has been seen for its quiet time."""
    settling, now = Settling(2.0), 0.0
    settling.hint(A, evidence, now)
    held_since, last = now, -1
    for pause, size, completeness in steps:
        now += pause
        if size != last:
            held_since, last = now, size
        if settling.saw(A, _stamp(size), completeness, now, wall=WALL):
            assert now - held_since >= quiet_time(completeness, evidence, 2.0) - 1e-9
            return


@pytest.mark.parametrize(
    ("size", "completeness", "wants", "until"),
    [
        (5, CUT, Wants.REST, CUT_OFF),
        (0, CUT, Wants.BYTES, 10.0 + EMPTY),
        (5, UNKNOWN, Wants.STILLNESS, 10.0),
    ],
)
def test_it_is_known_what_a_file_waits_for_and_how_long(
    size: int, completeness: Completeness, wants: Wants, until: float
) -> None:
    """Its time does not move as long as it does not: later looks say the same."""
    settling = Settling(10.0)
    for now in (0.0, 5.0):
        assert not settling.saw(A, _stamp(size, WALL), completeness, now, wall=WALL + now)

        waiting = settling.waiting(A)
        assert waiting is not None
        assert waiting.wants is wants
        assert waiting.until == pytest.approx(until)
        assert waiting.anew == pytest.approx(CUT_OFF)
    assert settling.waiting(B) is None


def test_what_its_own_times_say_shortens_the_wait() -> None:
    """Ten minutes of lying still are believed, whoever saw it first when."""
    settling = Settling(10.0)
    settling.saw(A, _stamp(5, WALL - 500), CUT, 0.0, wall=WALL)

    waiting = settling.waiting(A)
    assert waiting is not None
    assert waiting.until == waiting.anew == pytest.approx(100.0)
    assert settling.saw(A, _stamp(5, WALL - 500), CUT, 100.1, wall=WALL + 100.1)
