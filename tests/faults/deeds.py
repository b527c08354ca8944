"""What may happen in a scenario, as values: what people, disks, servers and power cuts do.

Its own module because both drivers play the same deeds; a deed that makes no sense at its moment
(to delete where there is nothing) does nothing, so that any list of them is a scenario.
"""

from dataclasses import dataclass

from immich_sync.sandbox import (
    Delay,
    Fault,
    Html,
    LostAnswer,
    Maintenance,
    Quota,
    Refuse,
    ResetRequest,
    ResetResponse,
    Status,
    TooLarge,
)
from immich_sync.sandbox.tiny_jpeg import TINY_JPEG

PATHS = (
    b"DCIM/a.raw", b"DCIM/b.jpg", b"DCIM/c.raw", b"trip/d.jpg", b"trip/e.raw", b"f.raw",
)  # fmt: skip
DIRECTORIES = (b"DCIM", b"trip", b"new", b"many")
CROWD = tuple(b"many/%02d.raw" % number for number in range(12))
"""More files than may go or change in passing: the breakers trip."""
CONTENTS = 4
"""How many different contents there are: few, so that paths share them."""
UPLOADS = "/api/assets"
FAULTS: tuple[Fault, ...] = (
    Refuse(), ResetRequest(0), ResetRequest(300), ResetResponse(0), ResetResponse(9), LostAnswer(),
    Status(500), Status(502, read_body=True), Status(503), Status(429, "7"),
    Status(400, None, "No"), Maintenance(), Quota(), TooLarge(), Html(), Delay(0.5), Delay(40.0),
)  # fmt: skip
WHERE = ("/", UPLOADS, "/api/assets/bulk-upload-check", "/api/albums")


@dataclass(frozen=True, slots=True)
class Wait:
    """Nothing happens for so many seconds."""

    seconds: float


@dataclass(frozen=True, slots=True)
class Write:
    """A file is written under a temporary name and renamed into place."""

    path: bytes
    content: int


@dataclass(frozen=True, slots=True)
class Begin:
    """The first half of a file is there, and somebody has it open."""

    path: bytes
    content: int


@dataclass(frozen=True, slots=True)
class Finish:
    """A file is written over in place, from the first byte to the last, and closed."""

    path: bytes
    content: int
    keep_mtime: bool = False
    unseen: bool = False  # through another name or mount: no event


@dataclass(frozen=True, slots=True)
class Swap:
    """Another file of the same size and time takes the name (`cp -p`, `mv`)."""

    path: bytes
    content: int


@dataclass(frozen=True, slots=True)
class Rename:
    """A file gets another name, over whatever was there."""

    path: bytes
    to: bytes


@dataclass(frozen=True, slots=True)
class Link:
    """A file gets a second name."""

    path: bytes
    to: bytes


@dataclass(frozen=True, slots=True)
class Delete:
    """A name is gone."""

    path: bytes


@dataclass(frozen=True, slots=True)
class MoveTree:
    """All files of a directory lie in another one."""

    directory: bytes
    to: bytes


@dataclass(frozen=True, slots=True)
class Many:
    """The whole crowd at once: comes, goes, or is tagged."""

    does: str  # come | go | change


@dataclass(frozen=True, slots=True)
class Sidecar:
    """An XMP beside a photo, whole or still in the writing."""

    path: bytes
    whole: bool


@dataclass(frozen=True, slots=True)
class ChangeDuring:
    """At the `after`-th read of the file from now its bytes become others, in place."""

    path: bytes
    content: int
    after: int


@dataclass(frozen=True, slots=True)
class Break:
    """A file or a directory cannot be read; or it can again."""

    path: bytes
    mended: bool = False


@dataclass(frozen=True, slots=True)
class Mount:
    """At the folder's path lies: its own disk, an empty mount point, nothing, or another disk."""

    what: str  # home | empty | missing | other


@dataclass(frozen=True, slots=True)
class Overflow:
    """Events are lost; the kernel says so, or not."""

    silent: bool = False


@dataclass(frozen=True, slots=True)
class Fail:
    """Requests below `where` meet a fault, so many times (None: until all is mended)."""

    fault: Fault
    where: str = "/"
    times: int | None = 1


@dataclass(frozen=True, slots=True)
class Mend:
    """The server and the way to it are well."""


@dataclass(frozen=True, slots=True)
class Key:
    """The key is revoked, or given back."""

    works: bool


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody acts in Immich: upload, trash, restore, purge, take_out, drop_album, wipe."""

    does: str
    which: int = 0


@dataclass(frozen=True, slots=True)
class Process:
    """The daemon: kill, stop, start; or a person lets its files wait: pause, resume."""

    what: str


@dataclass(frozen=True, slots=True)
class Undo:
    """A person wants back all that was cleaned away, and asks until it is there, or once."""

    insists: bool = True


@dataclass(frozen=True, slots=True)
class Configure:
    """The daemon is started with another wish for what is deleted, and for what went up."""

    on_delete: str  # ignore | trash
    after_upload: str  # keep | quarantine | delete; one of the two at most


@dataclass(frozen=True, slots=True)
class Approve:
    """A person who sees the folder's own disk lie there says that all is right."""

    removed: bool  # what is not on the server any more was removed on purpose


@dataclass(frozen=True, slots=True)
class Jump:
    """The wall clock is set; in seconds."""

    seconds: float


@dataclass(frozen=True, slots=True)
class FullDisk:
    """The next questions to the state meet a full disk."""

    times: int


@dataclass(frozen=True, slots=True)
class PowerCut:
    """The machine is off and on again: of what was not yet on the platter, this share is lost."""

    share: float


@dataclass(frozen=True, slots=True)
class Backup:
    """A copy is made of the daemon's state, or of the server."""

    whose: str  # state | server


@dataclass(frozen=True, slots=True)
class PutBack:
    """The last copy takes the place of what is there, if there is a copy."""

    whose: str


@dataclass(frozen=True, slots=True)
class Rotate:
    """A new key takes the place of the old one, and the daemon is started with it."""


@dataclass(frozen=True, slots=True)
class Rival:
    """A second daemon with a state of its own runs on the same folder; or not any more."""

    runs: bool


Deed = (
    Wait | Write | Begin | Finish | Swap | Rename | Link | Delete | MoveTree | Sidecar
    | ChangeDuring | Break | Mount | Overflow | Fail | Mend | Key | Person | Process | Jump
    | FullDisk | PowerCut | Backup | PutBack | Rotate | Rival | Undo | Many | Configure | Approve
)  # fmt: skip


def bytes_of(path: bytes, content: int) -> bytes:
    """The bytes of a content at a path: all of one type are of one size."""
    if path.endswith(b".jpg"):
        comment = b"\xff\xfe" + (130).to_bytes(2, "big") + b"%0128d" % content
        return TINY_JPEG[:2] + comment + TINY_JPEG[2:]
    return b"II*\0 content %03d " % content * 20


def half_of(path: bytes, content: int) -> bytes:
    """What is there of it while it is being written."""
    whole = bytes_of(path, content)
    return whole[: len(whole) // 2]
