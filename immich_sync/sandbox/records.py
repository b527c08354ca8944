"""What the sandbox remembers, as values.

Its own module because every other module of the sandbox speaks in these types, and the journal
writes and reads them back.
"""

from dataclasses import dataclass, field
from typing import Literal

Kind = Literal["IMAGE", "VIDEO"]
Visibility = Literal["archive", "timeline", "hidden", "locked"]
Role = Literal["editor", "owner", "viewer"]
LinkType = Literal["ALBUM", "INDIVIDUAL"]


@dataclass(frozen=True, slots=True)
class User:
    """A person with an account; `quota` is in bytes, None is no limit."""

    id: str
    email: str
    name: str
    password: str = field(repr=False)
    is_admin: bool
    quota: int | None
    created_at: str


@dataclass(frozen=True, slots=True)
class ApiKey:
    """A key and what it may do; `all` grants everything."""

    id: str
    user_id: str
    name: str
    secret: str = field(repr=False)
    permissions: tuple[str, ...]
    created_at: str


@dataclass(frozen=True, slots=True)
class Session:
    """What a log-in answers with: a token that may do everything its user may."""

    id: str
    user_id: str
    token: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class MetadataItem:
    """One key of an asset's free metadata; `value` is JSON text."""

    key: str
    value: str
    updated_at: str


@dataclass(frozen=True, slots=True)
class Asset:
    """A photo or video: `checksum` is SHA-1 in hex, paths are relative to the data folder.

    Times are UTC in ISO 8601 with milliseconds and a `Z`.
    """

    id: str
    owner_id: str
    checksum: str
    size: int
    kind: Kind
    original_file_name: str
    path: str
    file_created_at: str
    file_modified_at: str
    created_at: str
    updated_at: str
    sidecar: str | None = None
    is_favorite: bool = False
    visibility: Visibility = "timeline"
    live_photo_video_id: str | None = None
    stack_id: str | None = None
    trashed_at: str | None = None
    description: str = ""
    rating: int | None = None
    date_time_original: str | None = None
    latitude: float | None = None
    longitude: float | None = None
    duration: str | None = None
    device_asset_id: str = ""
    device_id: str = ""
    metadata: tuple[MetadataItem, ...] = ()
    library_id: str | None = None  # of an external library: then `path` is the file's own


@dataclass(frozen=True, slots=True)
class AlbumUser:
    """Someone an album is shared with; the owner is not among them."""

    user_id: str
    role: Role


@dataclass(frozen=True, slots=True)
class Album:
    """An album; which assets are in it stands in `State.members`."""

    id: str
    owner_id: str
    name: str
    description: str
    users: tuple[AlbumUser, ...]
    created_at: str
    updated_at: str


@dataclass(frozen=True, slots=True)
class Tag:
    """One level of a tag: `value` is the whole path, such as `trips/italy`."""

    id: str
    user_id: str
    value: str
    parent_id: str | None
    created_at: str


@dataclass(frozen=True, slots=True)
class Stack:
    """Assets shown as one; which they are stands in each asset's `stack_id`."""

    id: str
    owner_id: str
    primary_id: str


@dataclass(frozen=True, slots=True)
class SharedLink:
    """A link that opens an album or single assets to anyone who has its key or slug."""

    id: str
    user_id: str
    type: LinkType
    key: str = field(repr=False)
    slug: str | None
    password: str | None = field(repr=False)
    album_id: str | None
    description: str | None
    expires_at: str | None
    allow_download: bool
    allow_upload: bool
    show_metadata: bool
    created_at: str
