"""What the tests of the library share: photos on disk, an admin's own requests, a spy on the wire.

Its own module because fixtures cannot be typed by those who use them.
"""

import json
import os
import uuid
from collections.abc import Callable
from pathlib import Path

import anyio
import httpx

from immich_sync.sandbox import Rule, Sandbox
from immich_sync.sandbox.tiny_jpeg import TINY_JPEG

XMP = "<x:xmpmeta xmlns:x='adobe:ns:meta/'>{}</x:xmpmeta>"
EARLIER = 1_700_000_000
"""Seconds since the epoch at which the files of these tests were last written."""


def write_photo(folder: Path, name: str = "a.jpg", size: int = 0) -> Path:
    """A whole JPEG that no server has seen, at least `size` bytes long."""
    comment = b"\xff\xfe\x00\x12" + uuid.uuid4().bytes
    return write(folder, name, TINY_JPEG[:2] + comment + TINY_JPEG[2:] + os.urandom(size))


def write(folder: Path, name: str, content: bytes) -> Path:
    """A file that was last written long ago."""
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    os.utime(path, (EARLIER, EARLIER))
    return path


def listed(folder: Path) -> list[str]:
    """The names in a folder, sorted."""
    return sorted(path.name for path in folder.iterdir())


async def has_fired(rule: Rule, times: int = 1) -> None:
    """Returns once a fault has met its request."""
    with anyio.fail_after(10):
        while rule.fired < times:  # noqa: ASYNC110 - a rule has no event to wait for
            await anyio.sleep(0.005)


async def call(
    sandbox: Sandbox, method: str, path: str, body: object = None, key: str | None = None
) -> httpx.Response:
    """The answer to a request that a person makes in their browser."""
    headers = {"x-api-key": key or sandbox.api_key}
    async with httpx.AsyncClient(headers=headers, verify=False) as client:  # noqa: S501 - no TLS here
        response = await client.request(method, f"{sandbox.url}/api{path}", json=body)
    assert response.is_success, response.text
    return response


class Spy(httpx.AsyncBaseTransport):
    """The way to a server, with an ear for what is said and a mouth for what it may answer."""

    def __init__(
        self, answer: Callable[[httpx.Request, object], httpx.Response | None] = lambda *_: None
    ) -> None:
        self.heard: list[tuple[httpx.Request, object]] = []
        self.most = 0
        """How many uploads were under way at once, at most."""
        self._now = 0
        self._answer = answer
        self._inner = httpx.AsyncHTTPTransport(verify=False)

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """The answer of the server, or one that was made up."""
        said: object = None
        if request.headers.get("content-type") == "application/json":
            said = json.loads(await request.aread())
        self.heard.append((request, said))
        upload = request.method == "POST" and request.url.path == "/api/assets"
        self._now += upload
        self.most = max(self.most, self._now)
        try:
            return self._answer(request, said) or await self._inner.handle_async_request(request)
        finally:
            self._now -= upload

    async def aclose(self) -> None:
        """No connection is open any more."""
        await self._inner.aclose()
