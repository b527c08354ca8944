"""The values that travel between modules: places, stamps, files, assets, jobs.

Its own module because every other one speaks in these words and none of them owns them.
"""

from dataclasses import dataclass
from enum import Enum, auto
from typing import NamedTuple, NewType

AccountId = NewType("AccountId", int)
"""Row of an account in the state: one user on one server."""
FolderId = NewType("FolderId", int)
"""Row of a folder in the state."""
Checksum = NewType("Checksum", bytes)
"""SHA-1 of a file's bytes, 20 raw bytes: what Immich identifies an asset by."""
AssetId = NewType("AssetId", str)
"""Immich's UUID of an asset."""
AlbumId = NewType("AlbumId", str)
"""Immich's UUID of an album."""


LARGE = 32 * 1024 * 1024
"""Bytes from which on a file must not hold up the others."""


@dataclass(frozen=True, slots=True, repr=False)
class Secret:
    """A text that shows itself nowhere but through `reveal`."""

    _text: str

    def reveal(self) -> str:
        """The text itself, for the one place that sends it."""
        return self._text

    def __repr__(self) -> str:
        return "Secret(…)"


def below(directory: bytes, name: bytes) -> bytes:
    """The path of a name in a directory; both below the same root, b"" being the root itself."""
    return directory + b"/" + name if directory else name


@dataclass(frozen=True, slots=True)
class Place:
    """Where a file lies: a folder, a directory below its root (b"" is the root) and a name."""

    folder: FolderId
    directory: bytes
    name: bytes

    @property
    def relative(self) -> bytes:
        """The path below the folder's root."""
        return below(self.directory, self.name)


class Stamp(NamedTuple):
    """What the disk says of a file without reading it; sizes in bytes, times in nanoseconds.

    `inode` is 0 where the file system does not keep it stable. A NamedTuple rather than a frozen
    dataclass: a restart makes and compares two for every file there is.
    """

    size: int
    mtime_ns: int
    inode: int
    ctime_ns: int

    def same_bytes(self, other: "Stamp") -> bool:
        """Whether the bytes are taken to be the same; a moved `ctime_ns` alone asks for a look."""
        return self[:3] == other[:3]


NO_STAMP = Stamp(0, 0, 0, 0)
"""Of a file that is there and cannot be looked at: whoever reads it says why."""


class Completeness(Enum):
    """What a file's own container says about whether all of it is there."""

    WHOLE = auto()
    CUT = auto()
    UNKNOWN = auto()


class Evidence(Enum):
    """What was seen of a file being written."""

    NONE = auto()  # found lying there
    BEGUN = auto()  # made under our eyes, not closed yet
    FINISHED = auto()  # closed after writing, or renamed into place


class Hold(Enum):
    """Why a file is not being worked on although it is not in Immich. Stored by value."""

    REJECTED = "rejected"  # the server will never take it
    EMPTY = "empty"  # no bytes to keep
    TOO_LARGE = "too_large"  # this route refuses its size
    REMOVED = "removed"  # it was in Immich, and a person removed it there
    MISSING = "missing"  # it was in Immich and is gone, and nobody saw it in the trash
    CHANGED = "changed"  # so many known files changed at once that a person has to speak first
    DEPARTED = "departed"  # of tombstones only: trashed by us, since its file was deleted here


@dataclass(frozen=True, slots=True)
class File:
    """The ledger's word on which bytes lie at a place."""

    place: Place
    stamp: Stamp
    checksum: Checksum | None  # None only where `hold` came before hashing
    incomplete: bool = False  # its container is cut off; kept all the same
    motion: bool = False  # the moving part of a live photo
    hold: Hold | None = None
    note: str = ""  # the sentence behind `hold`


class Origin(Enum):
    """How an asset came to be in Immich. Stored by value."""

    UPLOADED = "uploaded"  # by us
    FOUND = "found"  # was there already


@dataclass(frozen=True, slots=True)
class Asset:
    """The ledger's word on where some bytes are in an account; times are wall-clock seconds."""

    account: AccountId
    checksum: Checksum
    asset_id: AssetId
    origin: Origin
    verified_at: float | None = None  # when the server last named this very checksum
    trashed_at: float | None = None  # when it was first seen in Immich's trash
    removed_at: float | None = None  # when the server first no longer knew it


class Priority(Enum):
    """Which jobs go first. Stored by value."""

    NEW = 0  # just arrived
    BACKLOG = 1  # found by a scan
    RECHECK = 2  # known, but something about it moved (its times, the folder's album)


@dataclass(frozen=True, slots=True)
class Arrival:
    """Intake's word that a path is due, and the stamp it was seen with, if it was.

    The job remembers the stamp: what waits to be read is known, and is not found anew by the next
    listing of its directory.
    """

    place: Place
    priority: Priority
    stamp: Stamp | None = None


@dataclass(frozen=True, slots=True)
class Job:
    """This path is due. `round` grows when it becomes due again while being worked on.

    Bytes with another `stamp` than this have not been seen to hold still.
    """

    place: Place
    priority: Priority
    due_at: float  # wall-clock seconds
    attempts: int = 0
    error: str = ""  # the last failure, for people
    round: int = 0
    stamp: Stamp | None = None  # None: whatever lies there is meant


@dataclass(frozen=True, slots=True)
class Due:
    """A job with what the ledger knows about its path, read in the same query."""

    job: Job
    file: File | None
    asset: Asset | None

    @property
    def is_large(self) -> bool:
        """Whether its bytes, as far as their number is known, keep a worker busy for long."""
        stamp = self.job.stamp or (self.file.stamp if self.file else None)
        return stamp is not None and stamp.size >= LARGE


@dataclass(frozen=True, slots=True)
class Member:
    """This asset has been put into this album once; it is not put there again."""

    album: AlbumId
    asset: AssetId


@dataclass(frozen=True, slots=True)
class KnownAlbum:
    """The album that a name stands for in an account."""

    account: AccountId
    name: str
    album: AlbumId


@dataclass(frozen=True, slots=True)
class SidecarSent:
    """This sidecar's bytes went up together with the asset of this checksum."""

    account: AccountId
    checksum: Checksum  # of the asset
    name: bytes
    sidecar: Checksum


@dataclass(frozen=True, slots=True)
class Done:
    """The job is over (unless its path became due again meanwhile)."""

    job: Job


@dataclass(frozen=True, slots=True)
class Again:
    """The job waits until `due_at` (wall-clock seconds) with the attempts it has used up."""

    job: Job
    due_at: float
    attempts: int
    error: str


@dataclass(frozen=True, slots=True)
class Held:
    """The file known at this place is not worked on until it changes or a person asks."""

    place: Place
    hold: Hold
    note: str


@dataclass(frozen=True, slots=True)
class Forgotten:
    """Nothing lies at this place any more: its ledger row goes; its asset stays.

    A worker names its job's `round`, and its job goes too, unless the path became due again
    meanwhile. Intake ends no job: the file may have come back since the directory was listed, and
    if not, the worker will find out.
    """

    place: Place
    round: int | None = None  # None: intake's word


@dataclass(frozen=True, slots=True)
class Activity:
    """Something worth showing under recent events."""

    at: float
    event: str
    place: Place | None
    detail: str = ""


Record = (
    File | Asset | Member | KnownAlbum | SidecarSent | Done | Again | Held | Forgotten | Activity
)
"""What the ledger can be told. Several records are applied in one transaction, in order."""
