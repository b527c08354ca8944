"""What is counted and timed while the program runs, for whoever draws curves of it.

Its own module because those who count know nothing of Prometheus, and what they count outlives
an engine that is started anew.
"""

from bisect import bisect_left
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

MOMENTS = (0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0, 900.0, 3600.0, 21600.0, 86400.0)
"""Seconds: a photo that is whole goes up at once, a video is long, a server is down for a night."""


class Histogram:
    """How often a value was at most each of `bounds`, how often at all, and their sum."""

    def __init__(self, bounds: Sequence[float] = MOMENTS) -> None:
        self.bounds = tuple(bounds)
        self.sum = 0.0
        self._counts = [0] * (len(self.bounds) + 1)

    def observe(self, value: float) -> None:
        """One more value; what is below 0 (a clock was set) counts as 0."""
        value = max(0.0, value)
        self._counts[bisect_left(self.bounds, value)] += 1
        self.sum += value

    def cumulated(self) -> list[int]:
        """How many were at most each bound, and at last how many there were."""
        found, total = [], 0
        for count in self._counts:
            total += count
            found.append(total)
        return found


@dataclass(slots=True)
class Measures:
    """Since the process started; by account are names of the configuration."""

    outcomes: Counter[str] = field(default_factory=Counter)  # how attempts ended
    errors: Counter[str] = field(default_factory=Counter)  # by the class of `core.errors`
    uploads: Counter[str] = field(default_factory=Counter)  # answered uploads by account
    sent: Counter[str] = field(default_factory=Counter)  # bytes of uploads by account
    latency: Histogram = field(default_factory=Histogram)  # from closed to verified, seconds
    upload_time: Histogram = field(default_factory=Histogram)  # of one answered upload, seconds

    def uploaded(self, account: str, seconds: float) -> None:
        """One upload was answered after so long."""
        self.uploads[account] += 1
        self.upload_time.observe(seconds)

    def moved(self, account: str, count: int) -> None:
        """So many bytes of an upload went out."""
        self.sent[account] += count
