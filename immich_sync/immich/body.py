"""The multipart body of an upload: streamed, hashed on the way, never finished wrongly.

Its own module because this is where "no asset holds torn bytes" is decided: the closing boundary
goes out only behind the announced bytes. A body that ends without it is stored by no server
(seen on Immich 3.1.0).
"""

import hashlib
import math
import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import httpx

from immich_sync.core.errors import FileChanged
from immich_sync.core.folder import Limits
from immich_sync.core.ports import Blocking, Lane, Source
from immich_sync.core.types import Checksum, Stamp

BLOCK = 1024 * 1024
"""Bytes read in one hop to a thread."""
PIECE = 256 * 1024
"""Bytes handed to the network at once: what has to move for the watchdog to see progress."""
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_LAST_SECOND = int((datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC) - _EPOCH).total_seconds())
_UNQUOTABLE = re.compile(r"[\x00-\x1f\x7f/\\]")


@dataclass(frozen=True, slots=True)
class Announced:
    """What an upload promises to bring: the file's name in Immich, its bytes and its stamp."""

    name: str
    checksum: Checksum
    stamp: Stamp


def changed_under(announced: Announced) -> str:
    """The sentence for FileChanged."""
    return (
        f"{announced.name} changed while it was being uploaded; it is looked at again once it"
        " holds still."
    )


class Body(httpx.AsyncByteStream):
    """The bytes of one upload, in order, each once; its source is owned by the caller.

    `expect_within` is told again and again how many seconds the network has for its next step.
    """

    def __init__(
        self,
        announced: Announced,
        source: Source,
        sidecar: bytes | None,
        blocking: Blocking,
        lane: Lane,
        limits: Limits,
        expect_within: Callable[[float], None],
    ) -> None:
        boundary = _boundary(announced, sidecar)
        self._announced = announced
        self._source = source
        self._blocking = blocking
        self._lane = lane
        self._limits = limits
        self._expect_within = expect_within
        self._head = _head(announced, boundary)
        self._tail = _tail(announced, sidecar, boundary)
        self._hash = hashlib.sha1(usedforsecurity=False)
        self._at = 0
        self._ready = b""
        self._over = False
        self.content_type = f"multipart/form-data; boundary={boundary}"
        self.length = len(self._head) + announced.stamp.size + len(self._tail)
        self.moved: Callable[[int], None] = lambda _: None
        """Told how many bytes were handed to the network, each time."""
        self.begun = False
        """Whether any of it was asked for: before that, the server can not have seen it."""
        self.changed = False
        """Whether the file turned out not to be the announced one; then the body is void."""

    def __aiter__(self) -> "Body":
        return self

    async def __anext__(self) -> bytes:
        """The next piece. Raises FileChanged where the rest is too long to be filled up."""
        if not self._ready:
            if self._over:
                self._expect_within(self._limits.answer_timeout)
                raise StopAsyncIteration
            self._expect_within(math.inf)  # a busy disk is no broken connection
            await self._read_on()
        self._expect_within(self._limits.stall_timeout)
        piece, self._ready = self._ready[:PIECE], self._ready[PIECE:]
        self.moved(len(piece))
        return piece

    async def _read_on(self) -> None:
        size = self._announced.stamp.size
        wanted = min(BLOCK, size - self._at)
        head = b"" if self.begun else self._head
        self.begun = True
        block, stamp = await self._blocking(
            self._lane, _read_block, self._source, self._at, wanted, self._hash
        )
        rest = size - self._at - wanted
        self._at += wanted
        self._over = rest == 0
        intact = stamp == self._announced.stamp and len(block) == wanted
        if intact and self._over:
            intact = self._hash.digest() == self._announced.checksum
        if not intact:
            self.changed = True
            if rest > BLOCK:
                raise FileChanged(changed_under(self._announced))
            # A filler of the announced length gets a definite 400, and the connection is kept.
            self._over = True
            self._ready = head + bytes(wanted + rest + len(self._tail))
            return
        self._ready = b"".join((head, block, self._tail if self._over else b""))


def _read_block(
    source: Source, offset: int, length: int, checksum: "hashlib._Hash"
) -> tuple[bytes, Stamp]:
    """The block and the stamp after reading it; `checksum` knows the block."""
    block = source.read_at(offset, length) if length else b""
    checksum.update(block)
    return block, source.stamp()


def _boundary(announced: Announced, sidecar: bytes | None) -> str:
    """A line that can not occur in the parts: it depends on all that is in them."""
    parts = hashlib.sha256(announced.checksum)
    parts.update(announced.name.encode())
    parts.update(b"\0" + (sidecar or b""))
    return "immich-sync-" + parts.hexdigest()[:40]


def _head(announced: Announced, boundary: str) -> bytes:
    """Everything before the file's bytes.

    2.7 wants the device fields and 3.x passes them over; both want dates with a zone. `filename`
    must not come before a file part (Immich 3.1: file-upload.interceptor).
    """
    moment = _moment(announced.stamp.mtime_ns)
    fields = {
        "deviceAssetId": announced.checksum.hex(),
        "deviceId": "immich-sync",
        "fileCreatedAt": moment,
        "fileModifiedAt": moment,
    }
    text = "".join(_field(boundary, name, value) for name, value in fields.items())
    quoted = _UNQUOTABLE.sub("_", announced.name).replace('"', '\\"')
    return (text + _file(boundary, "assetData", quoted)).encode()


def _tail(announced: Announced, sidecar: bytes | None, boundary: str) -> bytes:
    """Everything after the file's bytes, the closing boundary last."""
    companion = b""
    if sidecar:  # 3.x refuses the whole upload for an empty one
        companion = _file(boundary, "sidecarData", "sidecar.xmp").encode() + sidecar + b"\r\n"
    name = _field(boundary, "filename", announced.name)
    return b"\r\n" + companion + f"{name}--{boundary}--\r\n".encode()


def _field(boundary: str, name: str, value: str) -> str:
    return f'--{boundary}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'


def _file(boundary: str, name: str, file_name: str) -> str:
    return (
        f'--{boundary}\r\nContent-Disposition: form-data; name="{name}"; filename="{file_name}"'
        "\r\nContent-Type: application/octet-stream\r\n\r\n"
    )


def _moment(mtime_ns: int) -> str:
    """ISO 8601 with milliseconds and Z; years outside 1970 … 9999 become the nearest end."""
    milliseconds = min(max(mtime_ns // 1_000_000, 0), _LAST_SECOND * 1000)
    moment = _EPOCH + timedelta(milliseconds=milliseconds)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")
