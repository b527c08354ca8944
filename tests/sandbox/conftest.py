"""How the sandbox's own tests reach it."""

import ssl
import uuid
from collections.abc import Callable
from dataclasses import dataclass

import httpx
import pytest

from immich_sync.sandbox import Sandbox

DATE = "2024-05-06T07:08:09.123Z"


@dataclass(frozen=True, slots=True)
class Client:
    """An uploader in a few lines."""

    http: httpx.AsyncClient

    async def upload(self, content: bytes, name: str = "a.jpg") -> httpx.Response:
        """The answer to a sound upload."""
        fields = {
            "deviceAssetId": "x",
            "deviceId": "tests",
            "fileCreatedAt": DATE,
            "fileModifiedAt": DATE,
        }
        files = {"assetData": (name, content)}
        return await self.http.post("/assets", data=fields, files=files)


def new_bytes(size: int = 100) -> bytes:
    """Bytes that no other test has."""
    return uuid.uuid4().bytes * (size // 16 + 1)


Connect = Callable[[Sandbox], Client]


@pytest.fixture(scope="session")
def tls() -> ssl.SSLContext:
    """Made once: it takes longer than most tests."""
    return ssl.create_default_context()


@pytest.fixture
def connect(tls: ssl.SSLContext) -> Connect:
    """A client of a sandbox; close it with `async with client.http`."""

    def open_client(sandbox: Sandbox) -> Client:
        return Client(
            httpx.AsyncClient(
                base_url=f"{sandbox.url}/api",
                headers={"x-api-key": sandbox.api_key},
                timeout=10,
                verify=tls,
            )
        )

    return open_client
