"""When so much goes or changes that a person has to speak first."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from immich_sync.core.breaker import CHANGED, LOST, Limit, holds, trips

limits = st.sampled_from([LOST, CHANGED])
numbers = st.integers(0, 1_000_000)


@pytest.mark.parametrize(
    ("limit", "known", "at_most"),
    [
        (LOST, 8, 10),
        (LOST, 100, 10),
        (LOST, 500, 50),
        (LOST, 200_000, 100),
        (CHANGED, 40, 10),
        (CHANGED, 4_000, 400),
        (CHANGED, 200_000, 500),
    ],
)
def test_a_tenth_or_so_many_but_never_a_handful(limit: Limit, known: int, at_most: int) -> None:
    """Whichever is less, and ten files never ask for a person."""
    assert not trips(limit, at_most, known)
    assert trips(limit, at_most + 1, known)


@given(limits, numbers, numbers, numbers)
def test_more_never_trips_less(limit: Limit, count: int, more: int, known: int) -> None:
    """What trips still does if more is gone."""
    assert not trips(limit, count, known) or trips(limit, count + more, known)


@given(limits, numbers, numbers, st.integers(1, 1_000_000))
def test_time_resets_nothing(limit: Limit, count: int, known: int, left: int) -> None:
    """A breaker that tripped stays so while anything waits, however little it is by now."""
    assert holds(limit, tripped=True, count=count, known=known, left=left)


@given(limits, st.booleans(), st.integers(0, 10), numbers)
def test_all_back_is_all_well(limit: Limit, tripped: bool, count: int, known: int) -> None:  # noqa: FBT001 - Hypothesis gives it by place
    """Once nothing waits and nothing is gone, it has reset."""
    assert not holds(limit, tripped=tripped, count=count, known=known, left=0)
