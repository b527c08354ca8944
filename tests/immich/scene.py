"""What the tests of this folder share: a canary key, files in memory, raw servers.

Its own module because fixtures cannot be typed by those who use them.
"""

import asyncio
import hashlib
import os
import socket
import ssl
import struct
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import ParamSpec, TypeVar

import anyio.lowlevel

from immich_sync.core.folder import Account, Limits
from immich_sync.core.ports import Lane
from immich_sync.core.types import Checksum, Secret, Stamp
from immich_sync.immich.client import Immich, connect
from immich_sync.immich.transport import AnyTransport
from immich_sync.immich.upload import Announced

T = TypeVar("T")
P = ParamSpec("P")

KEY = "canary-KEY-0123456789abcdefghij"
ASSET = "99fa71fc-e605-4744-bfe3-60069d6b4995"
LANE = Lane("send", 2)
LIMITS = Limits(connect_timeout=2.0, stall_timeout=2.0, answer_timeout=2.0)

Handler = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


class SteadyClock:
    """The wall, with a jitter that does not vary."""

    def now(self) -> float:
        """Seconds since the epoch."""
        return time.time()

    def jitter(self) -> float:
        """No spread at all."""
        return 0.0


@dataclass
class Memory:
    """A file in memory; `before_read` is called with each offset and may change it."""

    content: bytes
    mtime_ns: int = 1_700_000_000_123_456_789
    ctime_ns: int = 1
    before_read: Callable[[int], None] = field(default=lambda _: None)

    def stamp(self) -> Stamp:
        """Its stamp now."""
        return Stamp(len(self.content), self.mtime_ns, 7, self.ctime_ns)

    def read_at(self, offset: int, length: int) -> bytes:
        """A part of it."""
        self.before_read(offset)
        return self.content[offset : offset + length]

    def close(self) -> None:
        """Nothing to give back."""

    def announced(self, name: str = "photo.jpg") -> Announced:
        """What it is now."""
        return Announced(name, sha1(self.content), self.stamp())


def sha1(content: bytes) -> Checksum:
    """The checksum Immich knows these bytes by."""
    return Checksum(hashlib.sha1(content, usedforsecurity=False).digest())


def photo(size: int) -> Memory:
    """A new file that begins like a JPEG."""
    return Memory(b"\xff\xd8\xff\xe0" + os.urandom(size - 4))


async def inline(_lane: Lane, function: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> T:
    """Blocking calls without threads."""
    await anyio.lowlevel.checkpoint()
    return function(*args, **kwargs)


@asynccontextmanager
async def connected(
    url: str,
    *,
    key: str = KEY,
    limits: Limits = LIMITS,
    transport: AnyTransport | None = None,
    deadline: float = 5.0,
) -> AsyncIterator[Immich]:
    """The Immich at `url`."""
    account = Account("test", url, Secret(key))
    async with connect(account, limits, SteadyClock(), transport, deadline=deadline) as immich:
        yield immich


@asynccontextmanager
async def raw_server(handler: Handler, tls: ssl.SSLContext | None = None) -> AsyncIterator[str]:
    """Its address; `handler` has each connection, which is closed after it."""
    tasks: set[asyncio.Task[None]] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        tasks.add(task)
        try:
            await handler(reader, writer)
        except (OSError, EOFError, asyncio.CancelledError):
            pass
        finally:
            tasks.discard(task)
            writer.transport.abort() if tls else writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=tls, limit=1 << 20)
    try:
        yield f"{'https' if tls else 'http'}://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    finally:
        server.close()
        for task in tuple(tasks):
            task.cancel()
        await asyncio.sleep(0.01)


async def head_of(reader: asyncio.StreamReader) -> bytes:
    """A request's first line and headers."""
    return await reader.readuntil(b"\r\n\r\n")


async def request_of(reader: asyncio.StreamReader) -> tuple[bytes, bytes]:
    """A whole request: head and body."""
    head = await head_of(reader)
    for line in head.lower().split(b"\r\n"):
        if line.startswith(b"content-length:"):
            return head, await reader.readexactly(int(line.partition(b":")[2]))
    return head, b""


def answer(status: int, body: bytes = b"", *headers: str, kind: str = "application/json") -> bytes:
    """An answer with its length."""
    lines = [f"HTTP/1.1 {status} X", f"Content-Length: {len(body)}", f"Content-Type: {kind}"]
    return "\r\n".join([*lines, *headers, "", ""]).encode() + body


def always(reply: bytes) -> Handler:
    """A handler that takes whole requests and answers each with the same bytes."""

    async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            await request_of(reader)
            writer.write(reply)
            await writer.drain()

    return handler


def reset(writer: asyncio.StreamWriter) -> None:
    """End the connection with a RST instead of a FIN."""
    sock: socket.socket = writer.get_extra_info("socket")
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()
