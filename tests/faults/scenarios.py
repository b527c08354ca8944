"""Small scenarios that together do everything once: each of their steps may be the last one.

Its own module because the crash sweep and the planted defects both play them.
"""

from collections.abc import Mapping, Sequence

from immich_sync.sandbox import (
    Delay,
    LostAnswer,
    Quota,
    Refuse,
    ResetRequest,
    ResetResponse,
    Status,
)
from tests.faults.deeds import (
    UPLOADS,
    Begin,
    Break,
    ChangeDuring,
    Deed,
    Delete,
    Fail,
    Finish,
    FullDisk,
    Key,
    Link,
    Mend,
    Mount,
    MoveTree,
    Overflow,
    Person,
    Process,
    Rename,
    Sidecar,
    Swap,
    Undo,
    Write,
)

Steps = Sequence[tuple[Deed, float]]

A, B, C, D = b"DCIM/a.raw", b"DCIM/b.jpg", b"trip/c.raw", b"trip/d.jpg"
CHECK = "/api/assets/bulk-upload-check"

SCENARIOS: Mapping[str, Steps] = {
    "one photo": [(Write(A, 1), 3.0)],
    "two at once": [(Write(A, 1), 0.0), (Write(D, 2), 3.0)],
    "the same bytes twice": [(Write(A, 1), 0.0), (Write(C, 1), 3.0)],
    "a photo grows": [(Begin(B, 1), 0.5), (Finish(B, 1), 3.0)],
    "a photo changes at its reading": [
        (ChangeDuring(A, 2, after=2), 0.0),
        (Write(A, 1), 5.0),
    ],
    "a photo changes at its sending": [
        (ChangeDuring(A, 2, after=4), 0.0),
        (Write(A, 1), 5.0),
    ],
    "another file of the same size and time": [(Write(A, 1), 3.0), (Swap(A, 2), 3.0)],
    "rewritten behind our back": [
        (Write(A, 1), 3.0),
        (Finish(A, 2, keep_mtime=True), 3.0),
    ],
    "renamed in the middle": [(Write(A, 1), 1.1), (Rename(A, C), 3.0)],
    "a tree moves": [(Write(A, 1), 0.0), (Write(B, 2), 2.0), (MoveTree(b"DCIM", b"new"), 3.0)],
    "a second name": [(Write(A, 1), 2.0), (Link(A, C), 3.0)],
    "deleted": [(Write(A, 1), 0.0), (Write(C, 2), 2.0), (Delete(A), 3.0)],
    "a sidecar comes late": [
        (Sidecar(A, whole=False), 0.0),
        (Write(A, 1), 2.0),
        (Sidecar(A, whole=True), 3.0),
    ],
    "no connection": [(Write(A, 1), 2.0), (Fail(Refuse()), 0.0), (Write(B, 2), 3.0), (Mend(), 0.0)],
    "an upload breaks": [(Fail(ResetRequest(300), UPLOADS), 0.0), (Write(A, 1), 9.0)],
    "an upload's answer is lost": [(Fail(LostAnswer(), UPLOADS), 0.0), (Write(A, 1), 9.0)],
    "a check's answer is cut": [(Fail(ResetResponse(9), CHECK), 0.0), (Write(A, 1), 3.0)],
    "an album's answer is lost": [(Fail(LostAnswer(), "/api/albums"), 0.0), (Write(A, 1), 3.0)],
    "500 for a file": [(Fail(Status(500), UPLOADS), 0.0), (Write(A, 1), 9.0)],
    "quota": [(Write(C, 3), 3.0), (Fail(Quota(), UPLOADS), 0.0), (Write(A, 1), 3.0)],
    "the key is revoked": [
        (Write(A, 1), 2.0),
        (Key(works=False), 0.0),
        (Write(B, 2), 3.0),
        (Key(works=True), 0.0),
    ],
    "the disk goes and comes": [
        (Write(A, 1), 2.0),
        (Mount("empty"), 35.0),
        (Mount("home"), 35.0),
    ],
    "the disk goes while a file waits": [
        (Write(C, 3), 3.0),
        (Fail(Status(503), times=None), 0.0),
        (Write(A, 1), 2.0),
        (Mount("empty"), 0.0),
        (Mend(), 65.0),
        (Mount("home"), 35.0),
    ],
    "another disk": [(Write(A, 1), 2.0), (Mount("other"), 35.0), (Mount("home"), 35.0)],
    "a bad sector": [(Break(A), 0.0), (Write(A, 1), 5.0), (Break(A, mended=True), 3.0)],
    "a full disk of ours": [(FullDisk(3), 0.0), (Write(A, 1), 20.0)],
    "events are lost": [(Write(A, 1), 0.01), (Overflow(), 3.0)],
    "trashed": [
        (Write(A, 1), 3.0),
        (Person("trash"), 0.0),
        (Write(C, 1), 3.0),
    ],
    "removed for good": [
        (Write(A, 1), 3.0),
        (Person("purge"), 0.0),
        (Write(C, 1), 3.0),
    ],
    "sent from the phone before": [
        (Person("upload", 1), 0.0),
        (Write(A, 1), 3.0),
    ],
    "trashed before it came": [
        (Person("upload", 1), 0.0),
        (Person("trash"), 0.0),
        (Fail(Delay(0.5), CHECK, times=None), 0.0),
        (Write(A, 1), 5.0),
    ],
    "an album is deleted": [
        (Write(A, 1), 3.0),
        (Person("drop_album"), 0.0),
        (Write(B, 2), 3.0),
    ],
    "taken out of its album": [
        (Write(A, 1), 3.0),
        (Person("take_out"), 0.0),
        (Finish(A, 1, keep_mtime=True), 3.0),
    ],
    "stopped and started": [
        (Write(A, 1), 1.0),
        (Process("stop"), 0.5),
        (Write(B, 2), 0.5),
        (Process("start"), 3.0),
    ],
    "trashed there when deleted here": [(Write(A, 1), 3.0), (Delete(A), 100.0)],
    "trashed there but for the same bytes": [
        (Write(A, 1), 0.0),
        (Write(C, 1), 3.0),
        (Delete(A), 100.0),
    ],
    "nothing is trashed while the disk is away": [
        (Write(A, 1), 0.0),
        (Write(C, 2), 3.0),
        (Delete(A), 0.0),
        (Mount("empty"), 100.0),
        (Mount("home"), 100.0),
    ],
    "nothing is trashed that another has sent": [
        (Person("upload", 1), 0.0),
        (Write(A, 1), 3.0),
        (Delete(A), 100.0),
    ],
    "cleaned but for what was trashed just before": [
        (Write(A, 1), 0.0),
        (Write(D, 2), 58.0),
        (Person("trash"), 30.0),
    ],
    "put aside, and over but for what was trashed": [
        (Write(A, 1), 0.0),
        (Write(D, 2), 100.0),
        (Person("trash"), 60.0),
    ],
    "put aside, and brought back": [(Write(A, 1), 80.0), (Undo(), 80.0)],
}

MIRRORED = frozenset(
    {
        "trashed there when deleted here",
        "trashed there but for the same bytes",
        "nothing is trashed while the disk is away",
        "nothing is trashed that another has sent",
    }
)
"""Those whose folder passes deletions on (`on_delete = "trash"`)."""

CLEANED: Mapping[str, str] = {
    "cleaned but for what was trashed just before": "delete",
    "put aside, and over but for what was trashed": "quarantine",
    "put aside, and brought back": "quarantine",
}
"""Those whose folder is cleaned a minute after the upload (`after_upload`), by how."""
