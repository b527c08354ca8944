"""When a folder is scanned again.

Its own module because a scan wakes a NAS's sleeping disks: how seldom is enough is a decision.
"""

from dataclasses import dataclass
from datetime import datetime, time, timedelta

RELAXED = 20.0
"""A scan is never started sooner than this many times the last one's length after its start."""
DEGRADED = 300.0
"""Seconds between two scans while the watcher cannot be trusted."""
DAY = 24 * 3600.0
"""An audit is never older than this, in seconds, but for the time that nobody was running."""
AFTER_SCAN = 300.0
"""Seconds that the daily scan has before the audit."""


@dataclass(frozen=True, slots=True)
class LastScan:
    """When the last full scan began and how long it took; wall-clock time, in seconds."""

    began: float
    took: float


def next_asked(last: LastScan | None) -> float:
    """When a scan may begin that events ask for, in wall-clock seconds; people need not wait.

    `last` is the last one that they asked for. The first is at once, however long the last daily
    scan took: a file may lie there unseen. A storm of them leaves the disk its rest.
    """
    return 0.0 if last is None else last.began + RELAXED * last.took


def next_scan(
    last: LastScan, *, mode: str, at: time, every: float | None, poll_interval: float
) -> float:
    """When the next full scan is due, in wall-clock seconds.

    `mode` is a WatchHealth's: what is watched is scanned once a day at `at` (local time), or
    `every` so many seconds; what cannot be watched, every `poll_interval`.
    """
    match mode:
        case "poll" | "both":
            due = last.began + poll_interval
        case "degraded":
            due = last.began + DEGRADED
        case _:
            due = last.began + every if every is not None else _next_day(last.began, at)
    return max(due, last.began + RELAXED * last.took)


def next_audit(last: float | None, *, now: float, at: time) -> float:
    """When the server is next asked for everything that it should have, in wall-clock seconds.

    After the daily scan that starts `at` (local time); at once if the last audit began more than a
    day before `now`, or never, or after `now` (the clock jumped back).
    """
    if last is None or not 0 <= now - last < DAY:
        return now
    return min(_next_day(last, at) + AFTER_SCAN, last + DAY)


def _next_day(began: float, at: time) -> float:
    """The first local `at` after `began`."""
    start = datetime.fromtimestamp(began)  # noqa: DTZ006 - people configure local time
    due = datetime.combine(start.date(), at)
    if due <= start:
        due += timedelta(days=1)
    return due.timestamp()
