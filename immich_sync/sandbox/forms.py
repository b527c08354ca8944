"""The text fields of an upload, read as strictly as the server's version reads them.

Its own module because this is where 2.7 and 3.x differ most, and it is pure.
"""

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TypeVar, get_args

from pydantic import TypeAdapter, ValidationError

from immich_sync.sandbox.call import checked_id
from immich_sync.sandbox.errors import ApiError, Issue
from immich_sync.sandbox.moments import parse_moment
from immich_sync.sandbox.records import Visibility

ValueT = TypeVar("ValueT")

_INTEGER = re.compile(r"\s*[+-]?\d+(\.0*)?\s*", re.ASCII)


@dataclass(frozen=True, slots=True)
class MetadataEntry:
    """A key and a value as they came; the value is any JSON."""

    key: str
    value: object


@dataclass(frozen=True, slots=True)
class UploadForm:
    """What an upload says about its file."""

    file_created_at: datetime
    file_modified_at: datetime
    filename: str | None
    is_favorite: bool
    visibility: Visibility
    live_photo_video_id: str | None
    duration: str | None
    device_asset_id: str
    device_id: str
    metadata: tuple[MetadataEntry, ...]


_METADATA = TypeAdapter(tuple[MetadataEntry, ...])
_VISIBILITY: TypeAdapter[Visibility] = TypeAdapter(Visibility)


def _favorite(text: str) -> bool:
    if text not in {"true", "false"}:
        raise ValueError("Invalid option: expected one of true|false")
    return text == "true"


def _visibility(text: str) -> Visibility:
    try:
        return _VISIBILITY.validate_python(text)
    except ValidationError as error:
        options = "|".join(get_args(Visibility))
        raise ValueError(f"Invalid option: expected one of {options}") from error


def _metadata(text: str) -> tuple[MetadataEntry, ...]:
    try:
        return _METADATA.validate_python(json.loads(text))
    except (ValidationError, json.JSONDecodeError) as error:
        raise ValueError("Invalid input: expected a list of keys and values") from error


def _milliseconds(text: str) -> str:
    if not _INTEGER.fullmatch(text):
        raise ValueError("Invalid input: expected number, received NaN")
    return str(int(float(text)))


def _present(text: str) -> str:
    if not text:
        raise ValueError("should not be empty")
    return text


def read_form(fields: Mapping[str, str], *, modern: bool) -> UploadForm:
    """The fields as values; 400 with every issue if one of them does not pass.

    Source: Immich 3.1, asset-media.dto and validation; the generated client of 2.7.5.
    """
    issues: list[Issue] = []

    def read(name: str, reader: Callable[[str], ValueT], default: ValueT) -> ValueT:
        if name not in fields:
            return default
        return attempt(name, reader, default)

    def attempt(name: str, reader: Callable[[str], ValueT], default: ValueT) -> ValueT:
        try:
            return reader(fields[name])
        except KeyError:
            issues.append(Issue((name,), "Required"))
        except ValueError as error:
            issues.append(Issue((name,), str(error)))
        return default

    def moment(text: str) -> datetime:
        return parse_moment(text, strict=modern)

    epoch = datetime.fromtimestamp(0, UTC)
    form = UploadForm(
        file_created_at=attempt("fileCreatedAt", moment, epoch),
        file_modified_at=attempt("fileModifiedAt", moment, epoch),
        filename=fields.get("filename"),
        is_favorite=read("isFavorite", _favorite, default=False),
        visibility=read("visibility", _visibility, "timeline"),
        live_photo_video_id=read("livePhotoVideoId", checked_id, None),
        duration=read("duration", _milliseconds if modern else str, None),
        device_asset_id="" if modern else attempt("deviceAssetId", _present, ""),
        device_id="" if modern else attempt("deviceId", _present, ""),
        metadata=read("metadata", _metadata, ()),
    )
    if issues:
        raise ApiError(400, "Validation failed", tuple(issues))
    return form
