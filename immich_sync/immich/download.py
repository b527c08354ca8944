"""Files come down: originals, thumbnails, videos and archives, whole or from an offset on.

Its own module because these answers are no JSON and have no limit: they are read piece by piece,
and what their heads say decides whether a piece may be put behind what is there already.
"""

import binascii
import math
import re
from base64 import b64decode
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from email.utils import parsedate_to_datetime
from typing import cast
from urllib.parse import parse_qsl, urlsplit

import anyio
import httpx

from immich_sync.core.errors import FileTrouble, NotImmich, Refused, Unreachable
from immich_sync.core.types import AlbumId, AssetId, Checksum
from immich_sync.immich import wire
from immich_sync.immich.client import Call, Immich
from immich_sync.immich.public import Link
from immich_sync.immich.trouble import BREAKS, Answer

_LIST_CAP = 64 * 1024 * 1024
_ERROR_CAP = 64 * 1024
_ALL_IN_ONE = 1 << 50  # bytes: an archive that nothing is too large for
_OK, _PARTIAL, _FOUND = 200, 206, 302
_BAD_REQUEST, _UNAUTHORIZED, _FORBIDDEN, _NOT_FOUND = 400, 401, 403, 404
_RANGE_NOT_SATISFIABLE = 416
_NO_FILES = ("text/html", "application/json")
_NUMBER = re.compile(r"[0-9]{1,18}")  # no file has more bytes
_RANGE = re.compile(r"bytes ([0-9]{1,18})-[0-9]{1,18}/([0-9]{1,18})")
_ORIGINAL = re.compile(r"/assets/[0-9a-fA-F-]{36}/original")


class Unavailable(FileTrouble):
    """The server has nothing to send for this, or not for us."""


@dataclass(frozen=True, slots=True)
class Info:
    """What the server says of an asset; `checksum` is None where it is not that of its bytes."""

    asset_id: AssetId
    checksum: Checksum | None
    modified: float  # wall-clock seconds


@dataclass(frozen=True, slots=True)
class Archive:
    """The assets of one archive, and the bytes of their files together."""

    size: int
    assets: tuple[AssetId, ...]


@dataclass(frozen=True, slots=True)
class Part:
    """The head of an answer, and its body still to be read: everything from `start` on."""

    start: int
    total: int | None  # bytes of the whole file, if the server says so
    validator: str | None  # what `If-Range` is to hold to go on later
    disposition: str | None
    content_type: str | None
    modified: float | None  # wall-clock seconds
    pieces: AsyncIterator[bytes]
    delimited: bool = True  # whether a body that is cut off can be told from a whole one


def original(asset: AssetId, link: Link, *, edited: bool = False) -> Call:
    """An asset's file as it was uploaded, or as it was edited in Immich."""
    params = link.params | ({"edited": "true"} if edited else {})
    return _get(f"/assets/{asset}/original", f"downloading {asset}", link, params)


def thumbnail(asset: AssetId, link: Link, size: str | None) -> Call:
    """A picture of the asset: thumbnail, preview or fullsize."""
    params = link.params | ({} if size is None else {"size": size})
    return _get(f"/assets/{asset}/thumbnail", f"downloading a view of {asset}", link, params)


def playback(asset: AssetId, link: Link) -> Call:
    """A video as browsers play it."""
    what = f"downloading the video {asset}"
    return _get(f"/assets/{asset}/video/playback", what, link, link.params)


def archive(assets: Sequence[AssetId], link: Link) -> Call:
    """The originals of several assets in one zip, made while it is sent."""
    return Call(
        "POST", "/download/archive", "downloading an archive",
        json={"assetIds": list(assets)}, params=link.params, headers=link.headers,
    )  # fmt: skip


def _get(path: str, what: str, link: Link, params: Mapping[str, str]) -> Call:
    return Call("GET", path, what, params=params, headers=link.headers)


async def info(immich: Immich, asset: AssetId, link: Link) -> Info:
    """What the server says of the asset. Raises Unavailable or ServerTrouble."""
    what = f"asking about {asset}"
    call = _get(f"/assets/{asset}", what, link, link.params)
    answer = await immich.send(call)
    _demand(immich, answer, what, link)
    found = immich.read(answer, wire.ASSET_INFO, what)
    # A link opens the edited file, and the path is what is hashed in an external library
    # (Immich 3.1: asset-media.service, library.service): the checksum is then another file's.
    other = found.libraryId is not None or (found.isEdited and bool(link.params))
    checksum = None if other else _checksum(found.checksum)
    return Info(asset, checksum, found.fileModifiedAt.timestamp())


async def contents(
    immich: Immich,
    link: Link,
    *,
    album: AlbumId | None = None,
    assets: Sequence[AssetId] = (),
    archive_size: int | None = _ALL_IN_ONE,
) -> list[Archive]:
    """The assets of an album, or those given, motion parts included, divided into archives.

    `archive_size` in bytes; None: as the server likes them (4 GiB). Raises Unavailable or
    ServerTrouble.
    """
    what = "asking what there is to download"
    wanted: dict[str, object] = {"albumId": album} if album else {"assetIds": list(assets)}
    if archive_size is not None:
        wanted["archiveSize"] = archive_size
    call = Call(
        "POST", "/download/info", what, json=wanted, params=link.params, cap=_LIST_CAP,
        headers=link.headers,
    )  # fmt: skip
    answer = await immich.send(call)
    _demand(immich, answer, what, link)
    found = immich.read(answer, wire.DOWNLOAD_INFO, what)
    return [Archive(one.size, tuple(map(AssetId, one.assetIds))) for one in found.archives]


@asynccontextmanager
async def opened(
    immich: Immich, call: Call, *, start: int = 0, validator: str | None = None
) -> AsyncIterator[Part]:
    """The file from `start` on if it still is the one that `validator` is of, else all of it.

    Its pieces raise Unreachable when nothing comes for `stall_timeout` or the connection breaks.
    Raises Unavailable, Refused and other ServerTrouble.
    """
    headers = {}
    if start and validator:
        headers = {"range": f"bytes={start}-", "if-range": validator}
    async with immich.answering(call, headers) as response:
        if response.status_code == _FOUND and (elsewhere := _redirected(response, call)):
            await response.aclose()
            async with opened(immich, elsewhere, start=start, validator=validator) as part:
                yield part
            return
        if response.status_code not in {_OK, _PARTIAL}:
            raise await _refusal(immich, response, call)
        yield _part(immich, response, call, start if headers else 0)


def _part(immich: Immich, response: httpx.Response, call: Call, asked: int) -> Part:
    headers = response.headers
    kind = headers.get("content-type", "")
    encoding = headers.get("content-encoding") or "identity"
    if kind.startswith(_NO_FILES) or encoding != "identity":
        raise NotImmich(
            f"Something else than a file came back while {call.what}"
            f" ({immich.quote(kind)}). Is a login page in between?"
        )
    length = headers.get("content-length", "")
    start, total = 0, int(length) if _NUMBER.fullmatch(length) else None
    if response.status_code == _PARTIAL:
        found = _RANGE.fullmatch(headers.get("content-range", ""))
        if found is None or int(found[1]) != asked:
            raise NotImmich(f"Another part than the one asked for came back while {call.what}.")
        start, total = asked, int(found[2])
    return Part(
        start=start,
        total=total,
        validator=headers.get("etag") or headers.get("last-modified"),
        disposition=headers.get("content-disposition"),
        content_type=kind,
        modified=_moment(headers.get("last-modified")),
        pieces=_pieces(immich, response, call),
        delimited=total is not None or _is_chunked(response),
    )


def _is_chunked(response: httpx.Response) -> bool:
    """Whether the body says itself where it ends, and not only the connection (RFC 9112, 6.3)."""
    codings: str = response.headers.get("transfer-encoding", "").lower()
    return codings.rpartition(",")[2].strip() == "chunked"


async def _pieces(immich: Immich, response: httpx.Response, call: Call) -> AsyncIterator[bytes]:
    stream = cast("httpx.AsyncByteStream", response.stream).__aiter__()
    while True:
        piece = b""
        try:
            with anyio.fail_after(immich.limits.stall_timeout):
                piece = await anext(stream)
        except StopAsyncIteration:
            return
        except BREAKS as error:
            raise immich.broken(error, call.what) from None
        yield piece


async def _refusal(immich: Immich, response: httpx.Response, call: Call) -> Exception:
    """What a status that brings no file stands for."""
    body = bytearray()
    try:
        async for piece in _pieces(immich, response, call):
            body += piece
            if len(body) > _ERROR_CAP:
                break
    except Unreachable as error:
        return error
    answer = Answer(response.status_code, response.headers, bytes(body))
    params = call.params or {}
    link = Link(params.get("key"), params.get("slug"))
    try:
        _demand(immich, answer, call.what, link)
    except (Unavailable, Refused) as trouble:
        return trouble
    return immich.refuse(answer, call.what)


def _demand(immich: Immich, answer: Answer, what: str, link: Link) -> None:
    """Raises what is special about files: one that is not there, or that a link does not open."""
    status, message = answer.status, immich.quote(answer.message)
    if link.params and status in {_UNAUTHORIZED, _FORBIDDEN}:
        raise Refused(
            f"The public link does not allow {what}: {message or status}. It may be mistyped, have"
            " expired, or want a password (password, --password-file)."
        )
    if message and status in {_BAD_REQUEST, _NOT_FOUND, _RANGE_NOT_SATISFIABLE}:
        raise Unavailable(
            f"Immich has nothing to send while {what}: {message}. It may not be there, not be"
            " yours, or not be made yet."
        )


def _redirected(response: httpx.Response, call: Call) -> Call | None:
    """The call that a thumbnail's redirect leads to: only to an original of the same server.

    For `fullsize` Immich may send one there (Immich 3.1: asset-media.service).
    """
    target = urlsplit(response.headers.get("location", ""))
    found = _ORIGINAL.search(target.path)
    if found is None or target.path[found.end() :] or not call.path.endswith("/thumbnail"):
        return None
    if found[0].split("/")[2].lower() != call.path.split("/")[2].lower():
        return None
    own = call.params or {}
    more = {name: value for name, value in parse_qsl(target.query) if name == "edited"}
    kept = {name: own[name] for name in ("key", "slug") if name in own}
    return replace(call, path=found[0], params=kept | more)


def _checksum(text: str) -> Checksum | None:
    try:
        checksum = b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return None
    return Checksum(checksum) if len(checksum) == 20 else None  # noqa: PLR2004 - SHA-1's length


def _moment(text: str | None) -> float | None:
    try:
        moment = parsedate_to_datetime(text or "").timestamp()
    except (ValueError, TypeError, OverflowError, IndexError):
        return None
    return moment if math.isfinite(moment) else None
