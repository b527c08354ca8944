"""A web server in small that somebody else wrote: it takes messages, refuses them, or hangs.

Its own module because several tests talk to it.
"""

import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import anyio
from anyio.abc import SocketAttribute, SocketStream


@dataclass(slots=True)
class Listener:
    """`answer` is what the next clients get: bytes, or None for silence."""

    port: int = 0
    answer: bytes | None = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"
    heads: list[str] = field(default_factory=list)
    bodies: list[Mapping[str, object]] = field(default_factory=list)

    @property
    def url(self) -> str:
        """Where it listens, with something in it that is nobody's business."""
        return f"http://127.0.0.1:{self.port}/hook/s3cr3t-path"

    def says(self, status: int, *headers: str) -> None:
        """The answer of the next clients."""
        lines = (f"HTTP/1.1 {status} X", "Content-Length: 0", *headers, "", "")
        self.answer = "\r\n".join(lines).encode()

    async def serve(self, client: SocketStream) -> None:
        """One client."""
        async with client:
            said = b""
            while b"\r\n\r\n" not in said:
                said += await client.receive()
            head, _, body = said.partition(b"\r\n\r\n")
            fields = dict(line.lower().split(": ", 1) for line in head.decode().split("\r\n")[1:])
            while len(body) < int(fields["content-length"]):
                body += await client.receive()
            self.heads.append(head.decode())
            self.bodies.append(json.loads(body))
            if self.answer is not None:
                await client.send(self.answer)
            else:
                await anyio.sleep_forever()


@asynccontextmanager
async def listening() -> AsyncIterator[Listener]:
    """One that runs."""
    listener = Listener()
    async with (
        await anyio.create_tcp_listener(local_host="127.0.0.1") as socket,
        anyio.create_task_group() as tasks,
    ):
        listener.port = socket.extra(SocketAttribute.local_port)  # noqa: S610 - no Django here
        tasks.start_soon(socket.serve, listener.serve)
        yield listener
        tasks.cancel_scope.cancel()
