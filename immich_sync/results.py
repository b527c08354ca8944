"""What an upload hands back: every file in exactly one of three lists, and the numbers.

Its own module because these shapes are public, and the seed's (immichpy 9.2): who changes one
import must find every field where it was.
"""

from pathlib import Path
from typing import Annotated, Literal
from uuid import UUID

from pydantic import BaseModel, Field, PlainSerializer


def _written(path: Path) -> str:
    """A path for JSON, which has no place for bytes that are no UTF-8."""
    return str(path).encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")


LocalPath = Annotated[Path, PlainSerializer(_written, when_used="json")]
RejectionReason = Literal["duplicate", "unsupported_format"]


class UploadedAsset(BaseModel):
    """The server's answer to an upload; `id` is None in a dry run, which makes no asset."""

    id: UUID | None
    status: Literal["created", "duplicate"]


class UploadedEntry(BaseModel):
    """A file that was uploaded, or would be in a dry run."""

    asset: UploadedAsset
    filepath: LocalPath
    verified: bool = False
    """Whether the server named this file's very checksum after the upload."""
    was_removed: bool = False
    """Whether a person had taken it out of Immich before, as far as the state remembers."""


class RejectedEntry(BaseModel):
    """A file that was not uploaded because the server has it, or takes no such file."""

    filepath: LocalPath
    asset_id: UUID | None = None
    reason: RejectionReason | None = None
    is_trashed: bool = False
    """Whether what the server has lies in its trash: the local copy may then be the only one."""


class FailedEntry(BaseModel):
    """A file of which something went wrong; `error` is one sentence for people."""

    filepath: LocalPath
    error: str


class DownloadedEntry(BaseModel):
    """A file that lies in its folder."""

    asset_id: UUID
    filepath: LocalPath
    verified: bool = False
    """Whether its bytes were proved by the checksum that Immich has of the asset: originals only,
    and only if the key may read it (`asset.read`)."""


class SkippedEntry(BaseModel):
    """An asset that was not downloaded because another file has its name, and was to stay."""

    asset_id: UUID
    filepath: LocalPath
    """The other file."""


class NotDownloadedEntry(BaseModel):
    """An asset of which something went wrong; `error` is one sentence for people."""

    asset_id: UUID
    error: str


class DownloadResult(BaseModel):
    """What became of every asset that was to be downloaded."""

    downloaded: list[DownloadedEntry]
    failed: list[NotDownloadedEntry]
    skipped: list[SkippedEntry] = Field(default_factory=list)


class UploadStats(BaseModel):
    """How many files there were, and what became of them."""

    total: int
    uploaded: int
    rejected: int
    failed: int


class UploadResult(BaseModel):
    """What became of every file."""

    uploaded: list[UploadedEntry]
    rejected: list[RejectedEntry]
    failed: list[FailedEntry]
    stats: UploadStats
    deleted: list[LocalPath] = Field(default_factory=list)
    """Local files, sidecars among them, that are gone because that was asked for."""
    kept: list[FailedEntry] = Field(default_factory=list)
    """Local files that were to be deleted and were not, each with its reason."""
    ignored: dict[str, int] = Field(default_factory=dict)
    """How many names were passed over, by rule, or by extension where Immich takes no such file."""
