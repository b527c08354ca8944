"""When a folder is scanned again."""

from datetime import datetime, time

import pytest

from immich_sync.core.schedule import (
    AFTER_SCAN,
    DAY,
    DEGRADED,
    LastScan,
    next_asked,
    next_audit,
    next_scan,
)

HALF_PAST_THREE = time(3, 30)


def _next(last: LastScan, mode: str = "inotify", every: float | None = None) -> float:
    return next_scan(last, mode=mode, at=HALF_PAST_THREE, every=every, poll_interval=60.0)


def _local(day: int, hour: int, minute: int = 0) -> float:
    return datetime(2026, 6, day, hour, minute).timestamp()  # noqa: DTZ001 - people write local time


def test_what_is_watched_is_scanned_once_a_day_at_its_hour() -> None:
    """In the evening the next one is tomorrow's; in the small hours, today's."""
    assert _next(LastScan(_local(1, 20), 5.0)) == _local(2, 3, 30)
    assert _next(LastScan(_local(2, 1), 5.0)) == _local(2, 3, 30)


def test_an_interval_replaces_the_hour() -> None:
    """Whoever sets `scan_every` means it."""
    assert _next(LastScan(1_000.0, 1.0), every=600.0) == 1_600.0


@pytest.mark.parametrize(("mode", "seconds"), [("poll", 60), ("both", 60), ("degraded", DEGRADED)])
def test_what_cannot_be_trusted_is_scanned_often(mode: str, seconds: float) -> None:
    """Network shares every poll interval, a broken watcher's folder every five minutes."""
    assert _next(LastScan(1_000.0, 1.0), mode) == 1_000.0 + seconds


def test_a_long_scan_is_never_followed_at_once() -> None:
    """A disk that needs ten minutes for a scan gets three hours of rest, whatever is configured."""
    assert _next(LastScan(1_000.0, 600.0), "poll") == 1_000.0 + 12_000.0


def test_an_audit_follows_the_daily_scan() -> None:
    """In the evening the next one is tomorrow's, some minutes after the scan began."""
    last = _local(1, 20)

    assert next_audit(last, now=last + 60, at=HALF_PAST_THREE) == _local(2, 3, 30) + AFTER_SCAN
    assert next_audit(_local(2, 3, 36), now=_local(2, 4), at=HALF_PAST_THREE) == (
        _local(3, 3, 30) + AFTER_SCAN
    )


@pytest.mark.parametrize("last", [None, 1_000.0, 2_000_000.0])
def test_an_audit_that_is_older_than_a_day_is_due(last: float | None) -> None:
    """At once: there was none, nobody was running, or the clock jumped back."""
    now = 1_000.0 + DAY

    assert next_audit(last, now=now, at=HALF_PAST_THREE) == now


def test_what_events_ask_for_is_first_done_at_once_and_then_rests() -> None:
    """However long a scan takes, a storm of overflows takes a twentieth of the time."""
    assert next_asked(None) == 0.0
    assert next_asked(LastScan(1000.0, 30.0)) == 1000.0 + 600.0
