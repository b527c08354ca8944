"""What `explain` says of one path, as values: the same for the screen and `--json`.

Its own module because people script against these names: they do not change.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Sight:
    """What lies at a path now, and whether a scan would take it."""

    lies: str  # file | directory | link | special | nothing | unknown
    taken: bool
    rule: str  # by which it is passed over; "" if it is not
    reason: str  # for people
    by: str  # the part of the path, below the folder, that the rule is about


@dataclass(frozen=True, slots=True)
class Marks:
    """A stamp: sizes in bytes, times in nanoseconds; inode 0 where it is not kept."""

    size: int
    mtime_ns: int
    inode: int
    ctime_ns: int


@dataclass(frozen=True, slots=True)
class Fact:
    """Something known of the file, since when (wall-clock seconds) if that is known."""

    what: str
    at: float | None
    detail: str


@dataclass(frozen=True, slots=True)
class InImmich:
    """The asset of these bytes, as the ledger knows it."""

    id: str
    link: str
    origin: str  # uploaded | found | cleaned: its file was cleaned away here
    albums: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Live:
    """What only a running daemon knows of a path; times are wall-clock seconds."""

    folder_state: str  # as in `status`
    why: str  # why the folder is offline or unapproved
    server_trouble: str  # "" while the server answers
    server_since: float | None
    in_hand: bool  # it is being worked on just now
    looked_at: float | None  # it was seen moving, and is looked at again then
    next_scan: float | None
    waits_for: str = ""  # stillness | rest | bytes: what a file that was seen moving lacks
    settles_at: float | None = None  # then it goes on, if it does not move any more


@dataclass(frozen=True, slots=True)
class Explanation:
    """Everything known about one path."""

    path: str
    folder: str | None  # None: it lies in none
    sight: Sight
    disk: Marks | None
    ledger: Marks | None  # of the bytes whose checksum is known
    checksum: str | None  # SHA-1 in hex, by the ledger
    same: bool | None  # whether disk and ledger agree; None where one of them says nothing
    live_photo: str  # which part of one it is, and of which; "" if none
    sidecar: str  # its XMP file and whether it went up; "" if it has none
    facts: tuple[Fact, ...]  # in the order of their times
    errors: tuple[Fact, ...]  # the latest first
    events: tuple[Fact, ...]  # the latest first
    copies: tuple[str, ...]  # other paths with the same bytes
    asset: InImmich | None
    next: str  # what happens next, for people
    next_at: float | None  # and when, in wall-clock seconds
    daemon: Live | None  # None: none runs
