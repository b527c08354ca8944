"""Files go out: originals, thumbnails and videos.

Its own module because these three are what share keys open, and what Range applies to.
"""

from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from pathlib import Path, PurePosixPath
from urllib.parse import quote, urlencode

from starlette.responses import RedirectResponse, Response, StreamingResponse

from immich_sync.sandbox.auth import readable
from immich_sync.sandbox.call import Call
from immich_sync.sandbox.errors import ApiError, invalid
from immich_sync.sandbox.media_types import mime_type
from immich_sync.sandbox.ranges import Span, select, validators
from immich_sync.sandbox.records import Asset
from immich_sync.sandbox.tiny_jpeg import TINY_JPEG

BLOCK = 256 * 1024
_CACHE = "private, max-age=86400, no-transform"
_SIZES = ("original", "fullsize", "preview", "thumbnail")


async def original(call: Call) -> Response:
    """The bytes as they were uploaded, under the asset's name."""
    asset = _asset(call, missing="Not Found")
    if call.auth.link is not None and not call.auth.link.allow_download:
        raise ApiError(403, "Forbidden")
    name = PurePosixPath(asset.original_file_name).stem + PurePosixPath(asset.path).suffix
    return _send(call, asset, {"content-disposition": f"inline; filename*=UTF-8''{quote(name)}"})


async def playback(call: Call) -> Response:
    """A video's bytes; 404 for what is none."""
    asset = _asset(call, missing="Not Found")
    if asset.kind != "VIDEO":
        raise ApiError(404, "Asset not found or asset is not a video")
    return _send(call, asset, {})


async def thumbnail(call: Call) -> Response:
    """A small JPEG, 404 until the server has made it; the largest sizes lead to the original."""
    asset = _asset(call, missing="Asset media not found")
    query = dict(call.request.query_params)
    size = query.pop("size", "thumbnail")
    if size not in _SIZES:
        raise invalid("size", f"Invalid option: expected one of {'|'.join(_SIZES)}")
    if size in {"original", "fullsize"}:
        rest = f"?{urlencode(query)}" if query else ""
        return RedirectResponse(f"/api/assets/{asset.id}/original{rest}", 302)
    due = datetime.fromisoformat(asset.created_at) + call.state.thumbnail_delay
    if call.state.now() < due - timedelta(microseconds=1):
        raise ApiError(404, "Asset media not found")
    return Response(TINY_JPEG, media_type="image/jpeg", headers={"cache-control": _CACHE})


def _asset(call: Call, *, missing: str) -> Asset:
    asset = readable(call.state, call.auth, call.id())
    if asset is None:
        raise ApiError(404, missing)
    return asset


def _send(call: Call, asset: Asset, more: dict[str, str]) -> Response:
    known = validators(asset.size, datetime.fromisoformat(asset.file_modified_at))
    headers = more | {
        "accept-ranges": "bytes",
        "cache-control": _CACHE,
        "etag": known.etag,
        "last-modified": known.last_modified,
        "content-type": mime_type(asset.original_file_name),
    }
    if call.request.headers.get("if-none-match") == known.etag:
        return Response(status_code=304, headers=headers)
    span = select(call.request.headers, asset.size, known)
    if span is None:
        # The server's error filter turns the 416 that express raises into a 404 (seen on 3.1.0).
        refusal = {"content-range": f"bytes */{asset.size}"}
        return Response('{"message":"Not Found"}', 404, refusal, "application/json")
    headers["content-length"] = str(span.stop - span.start)
    if span.partial:
        headers["content-range"] = f"bytes {span.start}-{span.stop - 1}/{span.size}"
    blocks = read_blocks(call.state.data / asset.path, span)
    return StreamingResponse(blocks, 206 if span.partial else 200, headers)


async def read_blocks(path: Path, span: Span) -> AsyncIterator[bytes]:
    """The span of the file, block by block.

    It is read on the loop: a thread would make a simulation's clock jump.
    """
    with path.open("rb") as file:
        file.seek(span.start)
        left = span.stop - span.start
        while left and (block := file.read(min(BLOCK, left))):
            left -= len(block)
            yield block
