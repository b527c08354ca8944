"""Where one HTTP/1.1 request on a connection ends and the next begins.

Its own module because the relay passes bytes on unchanged, and needs no more of HTTP than this.
"""

from asyncio import IncompleteReadError, StreamReader
from collections.abc import AsyncIterator
from dataclasses import dataclass

HEAD_LIMIT = 64 * 1024
BLOCK = 16 * 1024


@dataclass(frozen=True, slots=True)
class Head:
    """A request's head as it came; `length` is its body's in bytes, None if it is chunked."""

    raw: bytes
    method: str
    path: str
    length: int | None


async def read_head(reader: StreamReader) -> Head | None:
    """The next request's head, or None when the client has no more."""
    try:
        raw = await reader.readuntil(b"\r\n\r\n")
    except IncompleteReadError:
        return None
    lines = raw.decode("latin-1").split("\r\n")
    method, target, _ = lines[0].split(" ", 2)
    headers = {
        name.strip().lower(): value.strip()
        for name, _, value in (line.partition(":") for line in lines[1:])
    }
    chunked = "chunked" in headers.get("transfer-encoding", "").lower()
    length = None if chunked else int(headers.get("content-length", 0))
    return Head(raw, method, target.partition("?")[0], length)


async def read_body(reader: StreamReader, head: Head) -> AsyncIterator[bytes]:
    """The body as it came, block by block, chunk framing included; ends early with the client."""
    if head.length is not None:
        async for block in _exactly(reader, head.length):
            yield block
        return
    while line := await reader.readline():
        yield line
        size = int(line.partition(b";")[0], 16)
        if size == 0:
            break
        async for block in _exactly(reader, size + 2):
            yield block
    while line := await reader.readline():
        yield line
        if line == b"\r\n":
            break


async def _exactly(reader: StreamReader, length: int) -> AsyncIterator[bytes]:
    while length > 0 and (block := await reader.read(min(BLOCK, length))):
        length -= len(block)
        yield block
