"""Whether a disk that lies within a folder can be believed: what is not listed is not gone.

Its own module because a folder may be healthy while a disk within it is away, and an emptied
directory looks the same as a bare mount point.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum, auto

from immich_sync.core.ports import RootIdentity
from immich_sync.core.roots import ENOUGH

FEW = 0.1
"""The share of known files below which the same device's number is taken for another disk's.

FAT and XFS have no identity but that number.
"""


class InnerState(Enum):
    """What an inner mount is to us now."""

    THERE = auto()  # what lies there, and what does not, is believed
    DOUBTFUL = auto()  # known files must be looked up to tell
    AWAY = auto()  # what was known there is unlisted: neither gone nor deleted


@dataclass(frozen=True, slots=True)
class InnerFacts:
    """What was seen at a place within a folder, and what is remembered of it."""

    seen: RootIdentity | None  # None: nothing lies there, or no directory
    remembered: str  # str() of the identity that the known files were on; "": nobody knows
    known: bool  # whether any file is known at or below it
    doubted: bool  # known files are to be looked up, unless the identity is one of its own
    sampled: int | None = None  # how many known files were looked up; None: not yet
    found: int = 0  # how many of them lie there with the size and time that we know


def judge(facts: InnerFacts) -> tuple[InnerState, str]:
    """The state of the mount and, for people, why."""
    if not facts.known:
        return InnerState.THERE, ""
    if facts.seen is None:
        return InnerState.AWAY, "its disk is not mounted"
    same = facts.remembered == str(facts.seen)
    if facts.sampled is None:
        sure = same and not (facts.doubted and facts.seen.by_device)
        return (InnerState.THERE if sure else InnerState.DOUBTFUL), ""
    if same:
        there = facts.found >= FEW * facts.sampled
    else:
        there = facts.sampled > 0 and facts.found >= ENOUGH * facts.sampled
    if there:
        return InnerState.THERE, ""
    if not facts.found:
        return InnerState.AWAY, "its disk is not mounted, or another one is"
    why = f"another disk is mounted: only {facts.found} of {facts.sampled} known files are on it"
    return InnerState.AWAY, why


def hides(places: Iterable[bytes], directory: bytes) -> bool:
    """Whether a directory lies at or below one of the places."""
    return any(directory == one or directory.startswith(one + b"/") for one in places)


def touches(places: Iterable[bytes], directory: bytes) -> bool:
    """Whether a directory lies at, below or above one of the places."""
    return any(hides((one,), directory) or one.startswith(directory + b"/") for one in places)
