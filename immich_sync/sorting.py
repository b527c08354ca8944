"""Each file of an upload into one of three lists, and what is to be deleted onto a fourth.

Its own module because this is where the pipeline's words become those of the public result.
"""

from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass, field
from pathlib import Path
from uuid import UUID

from immich_sync.core.naming import shown
from immich_sync.core.types import Asset, Checksum, File, Origin, Place, Record, SidecarSent
from immich_sync.pipeline import Outcome, Result
from immich_sync.removing import Doomed, Sent
from immich_sync.results import (
    FailedEntry,
    RejectedEntry,
    UploadedAsset,
    UploadedEntry,
    UploadResult,
    UploadStats,
)


@dataclass(slots=True)
class Learnt:
    """What the journal was told in this run, which no older entry of the state could prove."""

    files: dict[Place, File] = field(default_factory=dict)  # of those being worked on
    uploaded: set[Checksum] = field(default_factory=set)
    sidecars: dict[Checksum, Sent] = field(default_factory=dict)
    buried: Collection[Checksum] = ()  # what had a tombstone at the beginning
    removed: Collection[Checksum] = ()  # of these, what people took out of Immich
    risen: set[Checksum] = field(default_factory=set)  # of these, what Immich was seen to have

    def hear(self, record: Record) -> None:
        """Take note of it."""
        match record:
            case File(place=place):
                self.files[place] = record
            case Asset(checksum=checksum):
                if record.origin is Origin.UPLOADED:
                    self.uploaded.add(checksum)
                there = record.verified_at is not None and record.trashed_at is None
                if there and checksum in self.buried:
                    self.risen.add(checksum)
            case SidecarSent(checksum=checksum, name=name, sidecar=sidecar):
                self.sidecars[checksum] = Sent(name, sidecar)


@dataclass(frozen=True, slots=True)
class Ended:
    """A file whose attempt came to an end."""

    path: Path
    root: bytes
    place: Place
    file: File | None  # as it was read, or was known
    retried: bool  # earlier tries of this run failed, perhaps after their upload
    linked: bool = False  # it was a link to it that was named


class Sorter:
    """Collects what became of each file."""

    def __init__(
        self, learnt: Learnt, *, delete_uploads: bool, delete_duplicates: bool, dry_run: bool
    ) -> None:
        self.doomed: list[Doomed] = []
        self.deleted: list[Path] = []
        self.kept: list[FailedEntry] = []
        self.ignored: Counter[str] = Counter()
        self._learnt = learnt
        self._delete_uploads = delete_uploads
        self._delete_duplicates = delete_duplicates
        self._dry_run = dry_run
        self._uploaded: list[UploadedEntry] = []
        self._rejected: list[RejectedEntry] = []
        self._failed: list[FailedEntry] = []
        self._claimed: set[Checksum] = set()  # uploads that a file is listed for already

    def failed(self, path: Path, why: str) -> None:
        """The file failed."""
        self._failed.append(FailedEntry(filepath=path, error=why))

    def unsupported(self, path: Path) -> None:
        """The server takes no such file."""
        self._rejected.append(RejectedEntry(filepath=path, reason="unsupported_format"))

    def ended(self, one: Ended, result: Result) -> None:
        """The file's attempt ended by itself."""
        if result.outcome is Outcome.HELD:
            why = one.file.note if one.file else ""
            self.failed(one.path, f"{shown(one.place.name)} is not uploaded: {why}")
        elif result.outcome is Outcome.UPLOADED or self._was_ours(one, result):
            self._upload(one, result.asset)
        else:
            self._reject(one, result)

    def result(self) -> UploadResult:
        """All of it, each list in the order of its paths."""
        uploaded, rejected = len(self._uploaded), len(self._rejected)
        failed = len(self._failed)
        return UploadResult(
            uploaded=sorted(self._uploaded, key=_by_path),
            rejected=sorted(self._rejected, key=_by_path),
            failed=sorted(self._failed, key=_by_path),
            stats=UploadStats(
                total=uploaded + rejected + failed,
                uploaded=uploaded,
                rejected=rejected,
                failed=failed,
            ),
            deleted=sorted(self.deleted),
            kept=sorted(self.kept, key=_by_path),
            ignored=dict(sorted(self.ignored.items())),
        )

    def _was_ours(self, one: Ended, result: Result) -> bool:
        """Whether an earlier try of this very file had uploaded it, and broke after that."""
        checksum = result.asset.checksum if result.asset else None
        return (
            one.retried
            and result.outcome is Outcome.ALREADY_THERE
            and checksum in self._learnt.uploaded
            and checksum not in self._claimed
        )

    def _upload(self, one: Ended, asset: Asset | None) -> None:
        asset_id = UUID(asset.asset_id) if asset else None
        self._uploaded.append(
            UploadedEntry(
                asset=UploadedAsset(id=asset_id, status="created"),
                filepath=one.path,
                verified=asset is not None and asset.verified_at is not None,
                was_removed=one.file is not None and one.file.checksum in self._learnt.removed,
            )
        )
        if asset is not None:
            self._claimed.add(asset.checksum)
            if self._delete_uploads:
                self._doom(one, asset, self._learnt.sidecars.get(asset.checksum))

    def _reject(self, one: Ended, result: Result) -> None:
        asset, trashed = result.asset, result.outcome is Outcome.TRASHED
        self._rejected.append(
            RejectedEntry(
                filepath=one.path,
                asset_id=UUID(asset.asset_id) if asset else None,
                reason="duplicate",
                is_trashed=trashed,
            )
        )
        if self._delete_duplicates and asset is not None and not trashed:
            self._doom(one, asset, None)

    def _doom(self, one: Ended, asset: Asset, sidecar: Sent | None) -> None:
        if self._dry_run or one.file is None or asset.verified_at is None:
            return
        why = ""
        if one.linked:
            why = "It was named by a symbolic link, and what a link points to is kept."
        elif one.file.incomplete:
            why = "It is cut off: perhaps it is still being written, and it is kept."
        if why:
            self.kept.append(FailedEntry(filepath=one.path, error=why))
            return
        self.doomed.append(
            Doomed(one.root, one.place, one.file.stamp, asset.checksum, asset.asset_id, sidecar)
        )


def _by_path(entry: UploadedEntry | RejectedEntry | FailedEntry) -> Path:
    return entry.filepath
