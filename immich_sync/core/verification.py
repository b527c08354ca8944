"""What `verify` says, as values: the same for the screen and `--json`.

Its own module because people script against these names: they do not change.
"""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Gap:
    """Something that keeps the answer from being yes; `what` is a Standing's value."""

    what: str
    folder: str
    path: str
    note: str


@dataclass(frozen=True, slots=True)
class FolderVerification:
    """One folder in numbers; the files of all standings together are `files`."""

    name: str
    path: str
    files: int
    bytes: int
    safe: int
    trashed: int
    removed: int
    dismissed: int
    missing: int
    different: int
    unverified: int
    unsupported: int  # those among `files`; formats that Immich never takes are in `others`
    cleaned: (
        int  # taken away by our own cleanup, and in Immich by the server's word; not in `files`
    )
    hashed: int  # files whose bytes were read
    gone: int  # known to the ledger, and not met: deleted, moved, or passed over now
    ignored: Mapping[str, int]  # by rule
    others: Mapping[str, int]  # not media, by extension


@dataclass(frozen=True, slots=True)
class Verification:
    """The answer: `complete` means that every photo and video is in Immich, or settled."""

    complete: bool
    folders: tuple[FolderVerification, ...]
    gaps: tuple[Gap, ...]
