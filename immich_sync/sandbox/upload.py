"""Files come in: `POST /assets` and `POST /assets/bulk-upload-check`.

Its own module because this is the part that an uploader's promises rest on.
"""

import os
import re
from base64 import b64decode
from dataclasses import replace
from pathlib import Path

from starlette.requests import ClientDisconnect
from starlette.responses import Response

from immich_sync.sandbox.call import Call, Dto, Json, as_text, reply
from immich_sync.sandbox.errors import ApiError
from immich_sync.sandbox.forms import UploadForm, read_form
from immich_sync.sandbox.media_types import IMAGES, SIDECARS, VIDEOS, suffix
from immich_sync.sandbox.multipart import Multipart, ReceivedFile
from immich_sync.sandbox.records import Asset, MetadataItem
from immich_sync.sandbox.state import State, iso

PARAMETER_LIMIT = 65_535  # Postgres: what one query can carry
_HEX = re.compile(r"(?:[0-9a-f]{2})*", re.IGNORECASE)
_BASE64_LENGTH = 28


class CheckItem(Dto):
    """One question: are these bytes there?  `id` is only echoed."""

    id: str
    checksum: str


class BulkCheck(Dto):
    """Many such questions."""

    assets: tuple[CheckItem, ...]


def decode_checksum(text: str) -> str:
    """The SHA-1 in hex: 28 characters are base64, anything else is hex as far as it goes.

    Malformed hex decodes to a shorter text, which nothing matches (Immich 3.1: utils/request).
    """
    if len(text) == _BASE64_LENGTH:
        try:
            return b64decode(text.translate(str.maketrans("-_", "+/"))).hex()
        except ValueError:
            return ""
    match = _HEX.match(text)
    return match[0].lower() if match else ""


async def bulk_check(call: Call) -> Response:
    """Answers, in order, which of the checksums the caller already has, trashed or not."""
    asked = (await call.json(BulkCheck)).assets
    if len(asked) >= PARAMETER_LIMIT:
        raise ApiError(500, "Internal server error")
    return reply({"results": [_verdict(call, item) for item in asked]})


def _verdict(call: Call, item: CheckItem) -> Json:
    found = call.state.asset_of(call.auth.user.id, decode_checksum(item.checksum))
    if found is None:
        return {"id": item.id, "action": "accept"}
    return {
        "id": item.id,
        "action": "reject",
        "reason": "duplicate",
        "assetId": found.id,
        "isTrashed": found.trashed_at is not None,
    }


async def upload(call: Call) -> Response:
    """The asset is there, new (201) or as it was before (200); or nothing has changed.

    A known `x-immich-checksum` is answered before a byte of the body is read; the header is never
    compared with the body (Immich 3.1: asset-upload.interceptor, file-upload.interceptor).
    """
    state, link = call.state, call.auth.link
    if link is not None and not link.allow_upload:
        raise ApiError(401, "Unauthorized")
    announced = call.request.headers.get("x-immich-checksum")
    if announced is not None:
        known = state.asset_of(call.auth.user.id, decode_checksum(announced))
        if known is not None:
            return _duplicate(known)
    body = Multipart(
        call.request.headers.get("content-type", ""),
        lambda: state.incoming / state.new_id(),
        _admit,
    )
    try:
        async for block in call.request.stream():
            body.feed(block)
        if not body.complete:
            raise ApiError(400, "Multipart: Unexpected end of form")
        return _accept(call, body)
    except ClientDisconnect as error:
        raise ApiError(400, "Request aborted") from error
    finally:
        body.discard()


def _admit(part: str, file_name: str, fields: dict[str, str]) -> None:
    name = fields.get("filename") or file_name
    allowed = {"assetData": IMAGES | VIDEOS, "sidecarData": SIDECARS}.get(part)
    if allowed is None:
        raise ApiError(400, "Unexpected field")
    if suffix(name) not in allowed:
        raise ApiError(400, f"Unsupported file type {name}")


def _accept(call: Call, body: Multipart) -> Response:
    state, user = call.state, call.auth.user
    file, sidecar = body.files.get("assetData"), body.files.get("sidecarData")
    if file is not None and file.size == 0:
        raise ApiError(400, "File is empty")
    if sidecar is not None and sidecar.size == 0 and state.modern:
        raise ApiError(400, "File is empty")
    form = read_form(body.fields, modern=state.modern)
    if file is None:
        raise ApiError(400, "Asset file is required")
    if user.quota is not None and state.usage(user.id) + file.size > user.quota:
        raise ApiError(400, "Quota has been exceeded!")
    if form.live_photo_video_id is not None:
        hide_motion_part(call, form.live_photo_video_id)
    known = state.asset_of(user.id, file.checksum)
    if known is not None:
        return _duplicate(known)
    asset = _store(call, form, file, sidecar)
    if call.auth.link is not None and call.auth.link.album_id is not None:
        state.members.add(call.auth.link.album_id, asset.id)
    elif call.auth.link is not None:
        state.linked.add(call.auth.link.id, asset.id)
    return reply({"id": asset.id, "status": "created"}, 201)


def _duplicate(asset: Asset) -> Response:
    return reply({"id": asset.id, "status": "duplicate"})


def _store(call: Call, form: UploadForm, file: ReceivedFile, sidecar: ReceivedFile | None) -> Asset:
    state = call.state
    now, asset_id, name = state.stamp(), state.new_id(), form.filename or file.name
    folder = Path("upload", call.auth.user.id, asset_id[:2], asset_id[2:4])
    path = folder / f"{asset_id}{suffix(file.name) or suffix(name)}"
    (state.data / folder).mkdir(parents=True, exist_ok=True)
    modified = form.file_modified_at.timestamp()
    os.utime(file.path, (modified, modified))
    file.path.replace(state.data / path)
    if sidecar is not None:
        sidecar.path.replace(state.data / f"{path}.xmp")
    return state.add_asset(
        Asset(
            id=asset_id,
            owner_id=call.auth.user.id,
            checksum=file.checksum,
            size=file.size,
            kind="VIDEO" if suffix(name) in VIDEOS else "IMAGE",
            original_file_name=name,
            path=str(path),
            file_created_at=iso(form.file_created_at),
            file_modified_at=iso(form.file_modified_at),
            created_at=now,
            updated_at=now,
            sidecar=None if sidecar is None else f"{path}.xmp",
            is_favorite=form.is_favorite,
            visibility=form.visibility,
            live_photo_video_id=form.live_photo_video_id,
            duration=form.duration,
            device_asset_id=form.device_asset_id,
            device_id=form.device_id,
            metadata=tuple(MetadataItem(m.key, as_text(m.value), now) for m in form.metadata),
        )
    )


def hide_motion_part(call: Call, video_id: str) -> None:
    """The video is fit to be a live photo's motion part: hidden now, and in no album.

    Source: Immich 3.1, utils/asset.util.
    """
    state: State = call.state
    video = state.assets.get(video_id)
    if video is None:
        raise ApiError(400, "Live photo video not found")
    if video.kind != "VIDEO":
        raise ApiError(400, "Live photo video must be a video")
    if video.owner_id != call.auth.user.id:
        raise ApiError(400, "Live photo video does not belong to the user")
    for album_id in state.members.holding(video.id):
        state.members.remove(album_id, video.id)
    state.assets.put(replace(video, visibility="hidden", updated_at=state.stamp()))
