"""When so much of a folder goes, or changes, that a person has to speak before it counts.

Its own module because these are numbers to argue about; a disk that fails, a tool that runs wild
and a finger that slips look like any other change, only larger.
"""

from dataclasses import dataclass
from enum import Enum

WINDOW = 3600.0
"""Seconds in which changes belong together: an `rm -rf` arrives as many listings."""


class Breaker(Enum):
    """What a folder waits for a person's word about. Stored by value."""

    DELETIONS = "deletions"  # more of its files are gone than one deletes in passing
    CHANGES = "changes"  # more of its files have other bytes than one edits in passing
    LIBRARY = "library"  # its photos are in Immich already, through an external library


@dataclass(frozen=True, slots=True)
class Limit:
    """So many files, or this share of all that are known, whichever is less.

    Never under `least`, so that a small folder does not ask a person about every handful.
    """

    share: float
    most: int
    least: int = 10

    def of(self, known: int) -> int:
        """The number of files that still counts as done in passing, of so many that are known."""
        return max(self.least, min(self.most, int(self.share * known)))


LOST = Limit(share=0.1, most=100)
CHANGED = Limit(share=0.1, most=500)


def trips(limit: Limit, count: int, known: int) -> bool:
    """Whether `count` files within the window, of `known` (these included), are too many."""
    return count > limit.of(known)


def holds(limit: Limit, *, tripped: bool, count: int, known: int, left: int) -> bool:
    """Whether a breaker is tripped from now on.

    `count` of `known` files fell within the window, `left` wait for it. It trips by the count, and
    never resets because time went by: only once nothing is left that waits, since all came back.
    """
    return trips(limit, count, known) or (tripped and left > 0)
