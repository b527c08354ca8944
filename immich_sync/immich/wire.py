"""What Immich's JSON looks like, as far as we read it; unknown fields are passed over.

Its own module because these shapes are the server's, change with its versions, and stay private
to this package. Source: the OpenAPI descriptions of Immich 2.7.5 and 3.1.0.
"""

from datetime import datetime
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, StringConstraints, TypeAdapter

UUID_PATTERN = r"^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$"
Uuid = Annotated[str, StringConstraints(pattern=UUID_PATTERN)]
"""Checked before it is ever put into a URL."""


class _Read(BaseModel):
    model_config = ConfigDict(extra="ignore", frozen=True)


class Pong(_Read):
    """`GET /server/ping`."""

    res: Literal["pong"]


class ServerVersion(_Read):
    """`GET /server/version`."""

    major: int
    minor: int
    patch: int


class ApiKey(_Read):
    """`GET /api-keys/me`: needs no permission."""

    id: Uuid
    permissions: tuple[str, ...]


class User(_Read):
    """`GET /users/me`."""

    id: Uuid


class MediaTypes(_Read):
    """`GET /server/media-types`: extensions with their dots."""

    image: tuple[str, ...]
    video: tuple[str, ...]
    sidecar: tuple[str, ...]


class CheckResult(_Read):
    """One answer of `POST /assets/bulk-upload-check`; `id` is what we sent along."""

    id: str
    action: Literal["accept", "reject"]
    reason: str | None = None
    assetId: Uuid | None = None  # noqa: N815 - the server's spelling
    isTrashed: bool = False  # noqa: N815 - the server's spelling


class CheckResults(_Read):
    """`POST /assets/bulk-upload-check`."""

    results: tuple[CheckResult, ...]


class UploadAnswer(_Read):
    """`POST /assets`."""

    id: Uuid
    status: Literal["created", "duplicate"]


class Album(_Read):
    """One of `GET /albums`, or a new one; `ownerId` is gone in 3.x."""

    id: Uuid
    albumName: str  # noqa: N815 - the server's spelling
    createdAt: datetime  # noqa: N815 - the server's spelling
    ownerId: Uuid | None = None  # noqa: N815 - the server's spelling


class AddResult(_Read):
    """One of `PUT /albums/{id}/assets`."""

    id: Uuid
    success: bool
    error: str | None = None


class AssetInfo(_Read):
    """`GET /assets/{id}`, as far as a download needs it; `checksum` is base64."""

    id: Uuid
    checksum: str
    fileModifiedAt: datetime  # noqa: N815 - the server's spelling
    isEdited: bool = False  # noqa: N815 - the server's spelling
    libraryId: str | None = None  # noqa: N815 - the server's spelling


class Archive(_Read):
    """One archive of `POST /download/info`; the size is the sum of its files'."""

    size: int
    assetIds: tuple[Uuid, ...]  # noqa: N815 - the server's spelling


class DownloadInfo(_Read):
    """`POST /download/info`."""

    totalSize: int  # noqa: N815 - the server's spelling
    archives: tuple[Archive, ...]


class Restored(_Read):
    """`POST /trash/restore/assets`."""

    count: int


class Storage(_Read):
    """`GET /server/storage`: bytes."""

    diskAvailableRaw: int  # noqa: N815 - the server's spelling


class Features(_Read):
    """`GET /server/features`."""

    trash: bool


class Shown(_Read):
    """`GET /assets/{id}`: where Immich shows it; the motion part of a live photo is hidden."""

    visibility: str


class Found(_Read):
    """One asset of `POST /search/metadata`."""

    originalFileName: str  # noqa: N815 - the server's spelling
    originalPath: str  # noqa: N815 - the server's spelling
    libraryId: str | None = None  # noqa: N815 - the server's spelling


class FoundAssets(_Read):
    """The assets of one page."""

    items: tuple[Found, ...]


class SearchAnswer(_Read):
    """`POST /search/metadata`."""

    assets: FoundAssets


class ErrorBody(_Read):
    """What went wrong: 3.x says it in one text, 2.x sometimes in several."""

    message: str | tuple[str, ...]


PONG = TypeAdapter(Pong)
SERVER_VERSION = TypeAdapter(ServerVersion)
API_KEY = TypeAdapter(ApiKey)
USER = TypeAdapter(User)
MEDIA_TYPES = TypeAdapter(MediaTypes)
CHECK_RESULTS = TypeAdapter(CheckResults)
UPLOAD_ANSWER = TypeAdapter(UploadAnswer)
ALBUM = TypeAdapter(Album)
ALBUMS = TypeAdapter(tuple[Album, ...])
ADD_RESULTS = TypeAdapter(tuple[AddResult, ...])
ASSET_INFO = TypeAdapter(AssetInfo)
DOWNLOAD_INFO = TypeAdapter(DownloadInfo)
RESTORED = TypeAdapter(Restored)
STORAGE = TypeAdapter(Storage)
FEATURES = TypeAdapter(Features)
SHOWN = TypeAdapter(Shown)
SEARCH_ANSWER = TypeAdapter(SearchAnswer)
ERROR_BODY = TypeAdapter(ErrorBody)
