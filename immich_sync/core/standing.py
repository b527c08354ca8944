"""How one file stands between the disk, the ledger and the server: safe, settled, or a gap.

Its own module because this is the whole judgement of `verify`: it reads nothing and asks nobody,
so what counts as a gap can be checked by eye.
"""

from dataclasses import dataclass
from datetime import UTC, datetime
from enum import Enum

from immich_sync.core.types import Checksum, Hold, Stamp

PICTURES_TOO = frozenset(
    b"mp heics heifs hif2 avifs avcs jxr wdp hdp jpx j2k jls pict pct pcx tga dds exr hdr ktx"
    b" r3d braw cine dcs dc2 kc2 mdc ptx pxn rdc rwz bay cs1 drf eip fpx"
    b" ogv ogm rm rmvb asf qt f4v dv mod tod dat amv divx wtv trp m2v m1v mpv lrv".split()
)
"""Extensions of photos and videos that Immich 3.1 takes no files of (mime-types.ts): they are
passed over by a scan like any text file, but whoever asks for every photo wants to hear of them."""


class Standing(Enum):
    """What `verify` calls a file. Stored nowhere, but scripts read the values."""

    SAFE = "safe"  # these very bytes are in Immich, by the server's word just now
    TRASHED = "trashed"  # in Immich's trash
    REMOVED = "removed"  # it was there, and a person removed it
    DISMISSED = "dismissed"  # a person said that it need not be there
    MISSING = "missing"  # the server does not have these bytes
    DIFFERENT = "different"  # other bytes than those that are known by this very stamp
    UNVERIFIED = "unverified"  # it could not be told
    UNSUPPORTED = "unsupported"  # this server takes no such files


SETTLED = frozenset({Standing.TRASHED, Standing.REMOVED, Standing.DISMISSED})
"""What a person decided: no gaps."""
GAPS = frozenset(Standing) - SETTLED - {Standing.SAFE}
"""What keeps the answer from being yes."""


@dataclass(frozen=True, slots=True)
class Holding:
    """What the ledger knows of a path and of the bytes there; times are wall-clock seconds."""

    stamp: Stamp | None = None  # None: only a job is known
    checksum: Checksum | None = None
    hold: Hold | None = None
    note: str = ""  # the sentence behind `hold`
    dismissed: bool = False
    verified_at: float | None = None
    trashed_at: float | None = None
    of_another: bool = False  # `verified_at` is about the account that the folder was synced to
    error: str = ""  # the last failure of its job

    @property
    def taken_away(self) -> bool:
        """Whether a person took it out of Immich: it was seen in the trash, or is held for that.

        That it is gone is not enough: a server restored from an old backup looks the same.
        """
        return self.hold is Hold.REMOVED or (self.hold is None and self.trashed_at is not None)


@dataclass(frozen=True, slots=True)
class Seen:
    """What disk and server say of one file."""

    stamp: Stamp
    checksum: Checksum  # of the bytes there now, as far as they were read; else the ledger's
    there: bool  # whether the server has them, its trash included
    trashed: bool
    taken: bool  # whether the server takes files of this extension
    removed: bool = False  # a tombstone says that a person took these bytes out of Immich


NOTHING = Holding()
"""What is known of a path that nobody has seen."""


def stand(seen: Seen, known: Holding = NOTHING) -> tuple[Standing, str]:
    """How the file stands and, for a gap, why; a sentence for people."""
    if seen.trashed:
        return Standing.TRASHED, ""
    if seen.there:
        return Standing.SAFE, ""
    same = known.stamp is not None and known.stamp.same_bytes(seen.stamp)
    if same and known.checksum not in {None, seen.checksum}:
        return Standing.DIFFERENT, (
            "Its bytes are others than they were, though its size and times are not: a failing"
            " disk, or a program that sets the time back. Immich has what was uploaded before."
        )
    if seen.removed or (same and known.taken_away):
        return Standing.REMOVED, ""
    if same and known.dismissed:
        return Standing.DISMISSED, ""
    if not seen.taken:
        return Standing.UNSUPPORTED, "The server takes no files of this format."
    return Standing.MISSING, _why_missing(seen, known, same=same)


def _why_missing(seen: Seen, known: Holding, *, same: bool) -> str:
    if seen.stamp.size == 0:
        return "The file has no bytes: copy it again, or leave it: immich-sync dismiss PATH"
    if same and known.hold is not None:
        return known.note
    if same and known.of_another and known.verified_at is not None:
        return (
            "It was in Immich as another user's, or on another server. If this one is right:"
            " immich-sync reload, which has the daemon know, then immich-sync approve FOLDER"
        )
    if same and known.verified_at is not None:
        return (
            f"It was verified on {datetime.fromtimestamp(known.verified_at, UTC):%Y-%m-%d}, and the"
            " server does not have it any more. To have the daemon ask for all that it should have:"
            " immich-sync scan. To upload this again: immich-sync retry --force PATH"
        )
    if known.error:
        return f"Its last try failed: {known.error}"
    return "It has not been uploaded yet."
