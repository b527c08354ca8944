"""Verdicts on trouble."""

from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from immich_sync.core import errors
from immich_sync.core.backoff import (
    Forget,
    GiveUp,
    PauseAccount,
    Resettle,
    RetryAt,
    Verdict,
    decide,
)
from immich_sync.core.folder import Limits
from immich_sync.core.types import Hold

NOW = 1_000.0
LIMITS = Limits(retry_first=30.0, retry_longest=21_600.0)


def _leaves(error: type[errors.SyncTrouble]) -> Iterator[type[errors.SyncTrouble]]:
    below = error.__subclasses__()
    if not below:
        yield error
    for one in below:
        yield from _leaves(one)


def _verdict(error: errors.SyncTrouble, attempts: int = 0, jitter: float = 0.5) -> Verdict:
    return decide(error, attempts, now=NOW, jitter=jitter, limits=LIMITS)


@pytest.mark.parametrize("leaf", list(_leaves(errors.SyncTrouble)), ids=lambda one: one.__name__)
def test_every_trouble_has_a_verdict(leaf: type[errors.SyncTrouble]) -> None:
    """No leaf of the tree falls through; what never reaches a worker is the exception."""
    if leaf in {errors.OutcomeUnknown, errors.StateDamaged}:  # the pipeline's, and the door's
        with pytest.raises(AssertionError, match=leaf.__name__):
            _verdict(leaf("x"))
    else:
        assert isinstance(_verdict(leaf("x")), Verdict)


def test_a_moved_file_settles_and_a_gone_one_is_forgotten() -> None:
    """Neither is a failure."""
    assert _verdict(errors.FileChanged("x")) == Resettle(NOW + 30)
    assert _verdict(errors.FileVanished("x")) == Forget()


def test_what_the_server_never_takes_is_given_up() -> None:
    """It is held with its reason, and tried no more."""
    assert _verdict(errors.Rejected("x")) == GiveUp(Hold.REJECTED)
    assert _verdict(errors.TooLarge("x")) == GiveUp(Hold.TOO_LARGE)


def test_trouble_with_the_world_uses_up_no_attempt() -> None:
    """It pauses the account, and says nothing about the file."""
    down = errors.Unreachable("x")

    assert _verdict(down) == PauseAccount(down)


def test_an_unreadable_file_waits_twice_as_long_each_time() -> None:
    """30 s, 60 s, 120 s … and never more than six hours."""
    waits = [_verdict(errors.FileUnreadable("x"), attempts) for attempts in (0, 1, 2, 50)]

    assert waits == [
        RetryAt(NOW + 30, 1),
        RetryAt(NOW + 60, 2),
        RetryAt(NOW + 120, 3),
        RetryAt(NOW + 21_600, 51),
    ]


def test_a_suspected_file_is_soon_left_alone() -> None:
    """5 s, then 10 minutes, 20 hours, and from then on once a day."""
    waits = [_verdict(errors.Suspected("x"), attempts) for attempts in (0, 1, 2, 3)]

    assert waits == [
        RetryAt(NOW + 5, 1),
        RetryAt(NOW + 600, 2),
        RetryAt(NOW + 72_000, 3),
        RetryAt(NOW + 86_400, 4),
    ]


def test_what_failed_together_is_not_tried_together() -> None:
    """Chance spreads the waits over half as long again as the shortest of them, or more."""
    for error in (errors.FileUnreadable("x"), errors.Suspected("x")):
        early, late = _verdict(error, 3, 0.0), _verdict(error, 3, 1.0)

        assert isinstance(early, RetryAt)
        assert isinstance(late, RetryAt)
        assert late.due_at - NOW >= 1.5 * (early.due_at - NOW)


@given(attempts=st.integers(0, 10_000), jitter=st.floats(0, 1, exclude_max=True))
def test_waits_are_spread_but_bounded(attempts: int, jitter: float) -> None:
    """However often it failed, the wait lies between now and a day and a quarter."""
    for error in (errors.FileUnreadable("x"), errors.Suspected("x")):
        verdict = _verdict(error, attempts, jitter)

        assert isinstance(verdict, RetryAt)
        assert NOW < verdict.due_at <= NOW + 86_400 * 1.25
        assert verdict.attempts == attempts + 1
