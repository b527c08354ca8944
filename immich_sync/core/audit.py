"""The ledger's word against the server's: what went, what came back, and what is not believable.

Its own module because it decides what counts as a person's wish and what as a server's accident;
it asks nobody and writes nothing.
"""

from dataclasses import dataclass, field
from enum import Enum, auto

from immich_sync.core.types import Asset, AssetId, Checksum, Hold

FEW = 20
SHARE = 0.2
"""More than FEW and more than SHARE of all known assets, gone at once without having been seen in
the trash, is no person's tidying: it is another server, an emptied one, or an old backup."""


class Finding(Enum):
    """What the server's word changes about one asset."""

    FINE = auto()  # nothing: there as known, or gone as known
    TRASHED = auto()  # it lies in the trash, and that is new
    ALIVE = auto()  # it is there, though it was trashed, gone, or another asset
    REMOVED = auto()  # it was seen in the trash, and is gone: a person's decision
    LOST = auto()  # it is gone, and nobody saw it in the trash


def find(
    known: Asset, asset_id: AssetId | None, *, trashed: bool, since: float | None, now: float
) -> Finding:
    """What is to be said of an asset that the server names like this (None: it has none).

    `since` is when the last audit that was believed began, `now` when this one did, wall-clock
    seconds: what was missed between them belongs to the same event and is judged with it.
    """
    if asset_id is None:
        if known.trashed_at is not None:
            return Finding.REMOVED if known.removed_at is None else Finding.FINE
        missed_at = known.removed_at
        recent = missed_at is None or since is None or since < missed_at <= now
        return Finding.LOST if recent else Finding.FINE
    was_there = known.removed_at is None and known.asset_id == asset_id
    if trashed:
        return Finding.FINE if was_there and known.trashed_at is not None else Finding.TRASHED
    return Finding.FINE if was_there and known.trashed_at is None else Finding.ALIVE


@dataclass(slots=True)
class Findings:
    """What an audit found; filled in while it goes on."""

    began: float  # wall-clock seconds
    expected: int = 0  # assets that should be there, outside the trash
    trashed: list[tuple[Checksum, AssetId]] = field(default_factory=list)
    alive: list[tuple[Checksum, AssetId]] = field(default_factory=list)
    removed: list[Checksum] = field(default_factory=list)
    lost: list[Checksum] = field(default_factory=list)
    returned: list[Checksum] = field(default_factory=list)  # of which only a tombstone was known
    purged: list[Checksum] = field(default_factory=list)  # that we had put into the trash

    def take(
        self,
        known: Asset,
        asset_id: AssetId | None,
        *,
        trashed: bool,
        since: float | None,
        departed: bool = False,
    ) -> Finding:
        """Take one asset into account; see `find`.

        What `departed` was put into the trash by us, since its file was deleted here, or is the
        moving part of such a photo: that it goes is neither a person's wish nor an accident.
        """
        finding = find(known, asset_id, trashed=trashed, since=since, now=self.began)
        if departed and asset_id is None:
            self.purged.append(known.checksum)
            return Finding.FINE
        gone_before = finding is Finding.FINE and asset_id is None
        self.expected += known.trashed_at is None and not gone_before and not departed
        if finding is Finding.REMOVED:
            self.removed.append(known.checksum)
        elif finding is Finding.LOST:
            self.lost.append(known.checksum)
        elif asset_id is not None and finding is Finding.TRASHED:
            self.trashed.append((known.checksum, asset_id))
        elif asset_id is not None and finding is Finding.ALIVE:
            self.alive.append((known.checksum, asset_id))
        return finding

    def doubt(self) -> str:
        """Why these findings are not believed without a person's word; "" if they are."""
        lost = len(self.lost)
        if lost <= max(FEW, SHARE * self.expected):
            return ""
        return (
            f"{lost:,} of {self.expected:,} photos that were in Immich are gone at once, and none"
            " of these was seen in the trash: the server was emptied, restored from an older"
            " backup, or is another one."
        )


def hold_for(asset: Asset | None, tombstone: Hold | None) -> Hold:
    """How a file is held whose bytes the server had and has no more."""
    seen_in_trash = asset is not None and asset.trashed_at is not None
    return Hold.REMOVED if seen_in_trash or tombstone is Hold.REMOVED else Hold.MISSING


def note(hold: Hold) -> str:
    """The sentence behind a hold that an absence led to, for people."""
    if hold is Hold.REMOVED:
        return "It was in Immich's trash and was removed from there."
    return "It was in Immich, is not there any more, and was never seen in the trash."
