"""Many originals at once, as zip archives.

Its own module because the archive is made while it is sent: no length, no temporary file.
"""

import zipfile
from collections.abc import AsyncIterator
from datetime import datetime
from pathlib import PurePosixPath

from pydantic import Field
from starlette.responses import Response, StreamingResponse

from immich_sync.sandbox.albums import seat_of
from immich_sync.sandbox.auth import readable
from immich_sync.sandbox.call import Call, Dto, Id, Json, reply
from immich_sync.sandbox.errors import ApiError
from immich_sync.sandbox.media import read_blocks
from immich_sync.sandbox.ranges import Span
from immich_sync.sandbox.records import Asset
from immich_sync.sandbox.wire import visible_members

DEFAULT_SIZE = 4 * 1024**3


class Info(Dto):
    """What somebody wants to download, and how large an archive may be, in bytes."""

    asset_ids: tuple[Id, ...] | None = None
    album_id: Id | None = None
    user_id: Id | None = None
    archive_size: int = Field(DEFAULT_SIZE, ge=1)


class Archive(Dto):
    """The assets for one archive."""

    asset_ids: tuple[Id, ...]


async def info(call: Call) -> Response:
    """How the assets, motion parts included, divide into archives."""
    order = await call.json(Info)
    archives: list[tuple[int, list[str]]] = []
    for asset in _with_motion_parts(call, _wanted(call, order)):
        if not archives or archives[-1][0] >= order.archive_size:
            archives.append((0, []))
        size, ids = archives[-1]
        archives[-1] = (size + asset.size, [*ids, asset.id])
    body: list[Json] = [{"size": size, "assetIds": ids} for size, ids in archives]
    return reply({"totalSize": sum(size for size, _ in archives), "archives": body}, 201)


def _wanted(call: Call, order: Info) -> list[Asset]:
    if order.asset_ids is not None:
        return _readable(call, order.asset_ids)
    if order.album_id is not None:
        call.auth.demand("album.download")
        seat = seat_of(call.state, call.auth, order.album_id)
        if seat is None:
            raise ApiError(400, "Not found or no album.download access")
        return visible_members(call.state, seat.album)
    if order.user_id is not None:
        call.auth.demand("timeline.download")
        if order.user_id != call.auth.user.id or call.auth.link is not None:
            raise ApiError(400, "Not found or no timeline.download access")
        mine = [a for a in call.state.assets if a.owner_id == order.user_id]
        return [a for a in mine if a.trashed_at is None and a.visibility != "hidden"]
    raise ApiError(400, "assetIds, albumId, or userId is required")


def _readable(call: Call, asset_ids: tuple[str, ...]) -> list[Asset]:
    if call.auth.link is not None and not call.auth.link.allow_download:
        raise ApiError(403, "Forbidden")
    found = [a for i in asset_ids if (a := readable(call.state, call.auth, i))]
    if len(found) != len(asset_ids):
        raise ApiError(400, "Not found or no asset.download access")
    return found


def _with_motion_parts(call: Call, assets: list[Asset]) -> list[Asset]:
    found = {asset.id: asset for asset in assets}
    for asset in assets:
        motion = call.state.assets.get(asset.live_photo_video_id)
        if motion is not None:
            found[motion.id] = motion
    return list(found.values())


async def archive(call: Call) -> Response:
    """A zip of the originals; equal names become `name+1.ext` (Immich 3.1: download.service)."""
    order = await call.json(Archive)
    assets = _readable(call, order.asset_ids)
    return StreamingResponse(_zip(call, assets), media_type="application/octet-stream")


async def _zip(call: Call, assets: list[Asset]) -> AsyncIterator[bytes]:
    sink = _Sink()
    used: dict[str, int] = {}
    with zipfile.ZipFile(sink, "w", zipfile.ZIP_STORED) as file:
        for asset in assets:
            name = _unique(asset.original_file_name, used)
            modified = datetime.fromisoformat(asset.file_modified_at)
            date = max(modified.timetuple()[:6], (1980, 1, 1, 0, 0, 0))
            entry = zipfile.ZipInfo(name, date)
            entry.file_size = asset.size
            with file.open(entry, "w") as target:
                span = Span(0, asset.size, asset.size, partial=False)
                async for block in read_blocks(call.state.data / asset.path, span):
                    target.write(block)
                    yield sink.take()
            yield sink.take()
    yield sink.take()


def _unique(name: str, used: dict[str, int]) -> str:
    count = used.get(name, 0)
    used[name] = count + 1
    path = PurePosixPath(name)
    return name if count == 0 else f"{path.stem}+{count}{path.suffix}"


class _Sink:
    """Where the zip is written: a file that cannot seek, emptied after every block."""

    def __init__(self) -> None:
        self._bytes = bytearray()

    def write(self, data: bytes, /) -> int:
        self._bytes += data
        return len(data)

    def flush(self) -> None:
        """There is nothing to flush."""

    def close(self) -> None:
        """There is nothing to close."""

    def take(self) -> bytes:
        taken = bytes(self._bytes)
        self._bytes.clear()
        return taken
