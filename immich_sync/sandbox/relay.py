"""A TCP relay in front of a server that breaks connections on demand.

Its own module because an application cannot reset its own connection, leave a body unread and
close, or refuse to listen; a stranger between client and server can.
"""

import asyncio
import socket
import struct
from asyncio import StreamReader, StreamWriter
from dataclasses import dataclass

from immich_sync.sandbox.faults import (
    WIRE_FAULTS,
    EarlyAnswer,
    Faults,
    LostAnswer,
    ResetRequest,
    ResetResponse,
    SlowRead,
    WireFault,
)
from immich_sync.sandbox.framing import BLOCK, HEAD_LIMIT, Head, read_body, read_head
from immich_sync.sandbox.listening import listen

RECEIVE_BUFFER = 128 * 1024  # small, so that a slow reader is felt by the writer soon
_LINGER_ZERO = struct.pack("ii", 1, 0)


@dataclass(slots=True)
class _Turn:
    """The request that a connection is busy with, and how much of its answer went by."""

    fault: WireFault | None = None
    answered: int = 0


class Relay:
    """Passes connections on to `upstream` and acts out the wire faults among `faults`.

    `port` 0 takes any free one and keeps it: `refuse` closes it and `accept` opens the same again.
    Needs asyncio.
    """

    def __init__(
        self,
        upstream: tuple[str, int],
        faults: Faults,
        *,
        host: str = "127.0.0.1",
        port: int = 0,
    ) -> None:
        self._upstream = upstream
        self._faults = faults
        self._host = host
        self.port = port
        self.connections = 0
        self._server: asyncio.Server | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    async def start(self) -> None:
        """Connections are accepted; OSError if the address is taken."""
        bound = listen(self._host, self.port)
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVE_BUFFER)
        self._server = await asyncio.start_server(self._connected, sock=bound, limit=HEAD_LIMIT)
        self.port = bound.getsockname()[1]

    async def stop(self) -> None:
        """Nobody listens, and every connection has been reset."""
        if self._server is not None:
            self._server.close()
            self._server = None
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def refuse(self) -> None:
        """The server is down: new connections are refused, those that stood are reset."""
        await self.stop()

    async def accept(self) -> None:
        """The server is up again, on the same port."""
        if self._server is None:
            await self.start()

    async def _connected(self, reader: StreamReader, writer: StreamWriter) -> None:
        task = asyncio.current_task()
        if task is not None:
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        self.connections += 1
        try:
            up_reader, up_writer = await asyncio.open_connection(*self._upstream)
        except (OSError, asyncio.CancelledError):
            _reset(writer)
            return
        turn = _Turn()
        pumps = (
            asyncio.create_task(self._requests(reader, writer, up_writer, turn)),
            asyncio.create_task(_answers(up_reader, writer, turn)),
        )
        try:
            await asyncio.wait(pumps, return_when=asyncio.FIRST_COMPLETED)
        except asyncio.CancelledError:
            _reset(writer)
        finally:
            # Closed first: a second cancellation may come while the pumps are awaited.
            up_writer.close()
            writer.close()
            for pump in pumps:
                pump.cancel()
            await asyncio.gather(*pumps, return_exceptions=True)

    async def _requests(
        self, reader: StreamReader, writer: StreamWriter, up_writer: StreamWriter, turn: _Turn
    ) -> None:
        while head := await read_head(reader):
            turn.fault = self._faults.take(WIRE_FAULTS, head.method, head.path, head.length or 0)
            turn.answered = 0
            match turn.fault:
                case EarlyAnswer(status=status):
                    page = b"<html><body>No.</body></html>"
                    start = f"HTTP/1.1 {status} No\r\nContent-Type: text/html\r\nConnection: close"
                    writer.write(f"{start}\r\nContent-Length: {len(page)}\r\n\r\n".encode() + page)
                    await writer.drain()
                    return
                case ResetRequest(after=after):
                    await _pass_on(reader, up_writer, head, limit=after)
                    _reset(writer)
                    return
                case SlowRead(bytes_per_second=rate):
                    await _pass_on(reader, up_writer, head, rate=rate)
                case _:
                    await _pass_on(reader, up_writer, head)


async def _pass_on(
    reader: StreamReader,
    up_writer: StreamWriter,
    head: Head,
    *,
    limit: int | None = None,
    rate: int | None = None,
) -> None:
    """The request has gone upstream: at most `limit` bytes of body, at `rate` bytes a second."""
    up_writer.write(head.raw)
    left = limit
    if left != 0:
        async for block in read_body(reader, head):
            if rate is not None:
                await asyncio.sleep(len(block) / rate)
            up_writer.write(block if left is None else block[:left])
            await up_writer.drain()
            if left is not None:
                left -= min(left, len(block))
                if left == 0:
                    break
    await up_writer.drain()


async def _answers(up_reader: StreamReader, writer: StreamWriter, turn: _Turn) -> None:
    while block := await up_reader.read(BLOCK):
        interim = block.startswith(b"HTTP/1.1 100")
        if isinstance(turn.fault, LostAnswer) and not interim:
            _reset(writer)
            return
        if isinstance(turn.fault, ResetResponse) and not interim:
            left = turn.fault.after - turn.answered
            turn.answered += len(block)
            if len(block) >= left:
                writer.write(block[:left])
                await writer.drain()
                _reset(writer)
                return
        writer.write(block)
        await writer.drain()


def _reset(writer: StreamWriter) -> None:
    """The peer gets an RST: what was on its way may be lost with it."""
    sock = writer.get_extra_info("socket")
    if sock is not None and sock.fileno() >= 0:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _LINGER_ZERO)
    writer.transport.abort()
