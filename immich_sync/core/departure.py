"""What becomes of an asset whose file was deleted here: a decision from facts, and nothing else.

Its own module because it is the only road from a deletion here to one in Immich, and every reason
not to take it should stand on one page.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum, auto

from immich_sync.core.cleanup import Jump, waited
from immich_sync.core.types import Asset, Checksum, Hold, Origin, Place


class State(Enum):
    """How far a departed file has come. Stored by value."""

    WAITING = "waiting"  # nothing was asked of the server
    MEANT = "meant"  # its asset is being put into the trash: asked for, perhaps, and not proved
    TRASHED = "trashed"  # its asset was put into the trash by us, and seen there
    WITH_STILL = "with_still"  # it belongs to a live photo that is in the trash by us
    KEPT = "kept"  # its asset stays in Immich, for a reason


class Half(Enum):
    """Where the other half of a live photo is, if the file is one half."""

    NONE = auto()
    HERE = auto()  # it lies here still
    LEAVING = auto()  # it is gone too, and waits as well
    TRASHED = auto()  # it was put into the trash by us
    KEPT = auto()  # it is gone too, and stays in Immich


class Verdict(Enum):
    """What is to be done with the asset now."""

    WAIT = auto()
    KEEP = auto()  # leave it where it is, for good
    WITH_STILL = auto()  # leave it to Immich, which keeps and deletes it with its still
    TRASH = auto()


@dataclass(frozen=True, slots=True)
class Departed:
    """A file that lay here; `at` is when it was found gone, wall-clock seconds."""

    place: Place
    checksum: Checksum
    size: int
    motion: bool  # the moving part of a live photo
    at: float
    approved: bool = False  # a person was asked about it


@dataclass(frozen=True, slots=True)
class Facts:
    """What is known of a departed file when it is decided upon."""

    departed: Departed
    asset: Asset | None
    stone: Hold | None = None  # its tombstone
    cleaned: bool = False  # our own cleanup took a file with these bytes out of some folder
    reading: bool = False  # a file not read yet may hold the same bytes
    half: Half = Half.NONE
    hidden: bool | None = None  # whether Immich shows it only within its still; None: not asked


@dataclass(frozen=True, slots=True)
class Conditions:
    """How things stand with the folder and the server."""

    online: bool  # the folder's root is believed
    believed: bool  # the server answers, is the one we know, and is no newer than we know
    tripped: bool  # so much is gone that a person has to speak first
    wait: float  # seconds that a file stays gone before that counts
    now: float  # wall-clock seconds
    jumps: Sequence[Jump] = ()  # of the wall clock: what it skipped is no waiting


def decide(facts: Facts, given: Conditions) -> tuple[Verdict, str]:
    """The verdict, and why, for people.

    That the file is still gone, and that no other known path holds its bytes, is for the caller
    to make sure of, here and once more when the intent is written.
    """
    departed, asset = facts.departed, facts.asset
    if not waited(departed.at, given.now, given.jumps) >= given.wait:
        return Verdict.WAIT, "It may come back, here or under another name."
    if not given.online or facts.reading:
        return Verdict.WAIT, "The folder is being looked through: it may turn up elsewhere."
    if asset is None or asset.verified_at is None:
        return Verdict.KEEP, "It was never proved to be in Immich."
    if asset.origin is not Origin.UPLOADED:
        return Verdict.KEEP, "It was in Immich before, and not uploaded from here."
    if facts.cleaned:
        return Verdict.KEEP, "It was tidied away after its upload: Immich is where it is kept."
    if facts.stone in {Hold.REMOVED, Hold.MISSING} or asset.removed_at is not None:
        return Verdict.KEEP, "It is gone from Immich already, and not by us."
    if asset.trashed_at is not None and facts.stone is not Hold.DEPARTED:
        return Verdict.KEEP, "A person put it into Immich's trash before."
    if given.tripped and not departed.approved:
        return Verdict.WAIT, "So many files are gone that a person has to say that it is right."
    if not given.believed:
        return Verdict.WAIT, "The server must answer, and be the one that we know."
    return _with_its_half(facts)


def _with_its_half(facts: Facts) -> tuple[Verdict, str]:
    if facts.half is Half.HERE:
        other = "photo" if facts.departed.motion else "moving part"
        return Verdict.WAIT, f"The {other} that belongs to it still lies here."
    if not facts.departed.motion:
        return Verdict.TRASH, ""
    if facts.half is Half.LEAVING:
        return Verdict.WAIT, "It goes with its photo."
    if facts.hidden is None:
        return Verdict.TRASH, "Once the server was asked whether it is shown within its photo."
    if not facts.hidden:
        return Verdict.TRASH, ""
    if facts.half is Half.TRASHED:
        return Verdict.WITH_STILL, "Immich keeps and deletes it with its photo."
    return Verdict.KEEP, "Its photo stays in Immich, and shows it."
