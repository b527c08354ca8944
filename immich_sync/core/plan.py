"""From facts to the next step: the ladder that a file climbs into Immich.

Its own module because this is the whole decision: it reads nothing and does nothing, so it can be
checked by eye and by table.
"""

from dataclasses import dataclass
from enum import Enum, auto

from immich_sync.core.types import Asset, File, Stamp

FRESH = 600.0
"""Seconds for which the server's word on a checksum is believed. A job is only there because
something about its path moved; then an older word is asked for again, since a person may have
trashed or deleted the asset meanwhile. The question is cheap: thousands fit in one call."""


class Step(Enum):
    """What to do next for one file."""

    HASH = auto()  # read the bytes: these are not the ones we know
    REST = auto()  # held: nothing to do until the file or a person moves
    CHECK = auto()  # ask the server whether it has these bytes
    UPLOAD = auto()  # it has not: send them
    VERIFY = auto()  # we sent them: ask for the checksum of what it stored
    LEAVE = auto()  # they are in Immich's trash: a person's decision, not ours
    RESTORE = auto()  # they are in the trash, and the folder wants them out of it
    MISS = auto()  # they were there, and are gone
    JOIN = auto()  # put the asset into the folder's album
    DONE = auto()  # in Immich, whole, in the right album, and proved


@dataclass(frozen=True, slots=True)
class Facts:
    """What is known of one path while it is being worked on."""

    stamp: Stamp | None  # the disk, now; None: not looked at yet
    file: File | None  # the ledger, of this path
    asset: Asset | None  # the ledger, of these bytes in the folder's account
    absent: bool = False  # the server said in this attempt that it lacks them
    tombstoned: bool = False  # a person took these bytes out of Immich once
    departed: bool = False  # we put them into the trash ourselves, when no file here held them
    sent: bool = False  # an upload was answered in this attempt
    joined: bool = False  # the album was seen to in this attempt


def next_step(facts: Facts, *, wants_album: bool, now: float, restores: bool = False) -> Step:
    """The next step; `now` in wall-clock seconds. DONE, REST, LEAVE and MISS end the attempt.

    `restores`: whether the folder takes its photos out of Immich's trash.
    """
    file, asset = facts.file, facts.asset
    if file is None or file.stamp != facts.stamp:
        return Step.HASH  # new, rewritten, or only its ctime moved: one look tells which
    if file.hold is not None:
        return Step.REST
    if facts.sent and (asset is None or asset.verified_at is None):
        return Step.VERIFY
    if facts.absent:  # lost what it once proved to have: never put back behind a person's back
        known = asset is not None and asset.verified_at is not None and not facts.departed
        return Step.MISS if known or facts.tombstoned else Step.UPLOAD
    if asset is None or asset.verified_at is None or not now - FRESH <= asset.verified_at <= now:
        return Step.CHECK  # a word of tomorrow is an old one: the clock was set back
    if asset.removed_at is not None:
        return Step.MISS
    if asset.trashed_at is not None:
        return Step.RESTORE if restores else Step.LEAVE
    if wants_album and not file.motion and not facts.joined:
        return Step.JOIN
    return Step.DONE
