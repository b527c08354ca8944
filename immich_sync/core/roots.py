"""Whether a folder's root can be believed: empty is not deleted, and another disk is another disk.

Its own module because everything that treats a file as gone asks here first.
"""

from dataclasses import dataclass
from enum import Enum, auto

from immich_sync.core.ports import RootIdentity


class RootState(Enum):
    """What a root is to us now."""

    ONLINE = auto()
    OFFLINE = auto()  # not there, or not the file system that we know: nothing counts as gone
    DOUBTFUL = auto()  # another file system; known files must be looked up to tell
    UNAPPROVED = auto()  # another file system with other files: a person must say


@dataclass(frozen=True, slots=True)
class RootFacts:
    """What was seen at a root, and what is remembered of it."""

    seen: RootIdentity | None  # None: missing, or no directory
    remembered: str | None  # str() of the identity last accepted; None: a new folder
    empty: bool  # no entry at all lies in it
    known_files: int  # how many files the ledger knows here
    sampled: int = 0  # how many known files were looked up
    found: int = 0  # how many of them lie there with the size and time that we know


ENOUGH = 0.9
"""The share of known files that must be found for another file system to be the same folder."""


def judge(facts: RootFacts) -> tuple[RootState, str]:
    """The root's state and, for people, why. A folder never seen before is believed."""
    if facts.seen is None:
        return RootState.OFFLINE, "the folder is not there: is its disk mounted?"
    if facts.empty and facts.known_files:
        return RootState.OFFLINE, "the folder is empty, though it held files: is its disk mounted?"
    if facts.remembered is None or facts.remembered == str(facts.seen):
        return RootState.ONLINE, ""
    if not facts.known_files:
        return RootState.ONLINE, ""
    if not facts.sampled:
        return RootState.DOUBTFUL, "another file system lies here than before"
    if facts.found >= ENOUGH * facts.sampled:
        return RootState.ONLINE, ""
    why = (
        f"another file system lies here than before, and only {facts.found} of {facts.sampled}"
        " known files are on it: if that is right, run: immich-sync approve FOLDER"
    )
    return RootState.UNAPPROVED, why
