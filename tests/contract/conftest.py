"""One contract, any server: the sandbox in both versions, or the one in `IMMICH_INSTANCE_URL`.

What a test makes on the server is unique to its run and is taken away again, so that the contract
can be run against a server that is in use.
"""

import hashlib
import os
import ssl
import uuid
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import NoReturn

import anyio
import httpx
import pytest
from anyio.abc import AnyByteStream

from immich_sync.sandbox import Sandbox
from immich_sync.sandbox.tiny_jpeg import TINY_JPEG

SANDBOXES = ("2.7.5", "3.1.0")
LIVE = "live"
DATE = "2024-05-06T07:08:09.123Z"


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """The given server, or else sandboxes of both versions."""
    if "target" in metafunc.fixturenames:
        live = os.environ.get("IMMICH_INSTANCE_URL")
        metafunc.parametrize("target", [LIVE] if live else SANDBOXES, scope="module")


@dataclass(frozen=True, slots=True)
class Photo:
    """A whole JPEG that no server has seen before."""

    content: bytes = field(repr=False)

    @property
    def sha1(self) -> str:
        """Its checksum in hex."""
        return hashlib.sha1(self.content, usedforsecurity=False).hexdigest()


def new_photo(size: int = 0) -> Photo:
    """A new one, at least `size` bytes long: a comment segment makes it unique."""
    comment = b"\xff\xfe\x00\x12" + uuid.uuid4().bytes
    return Photo(TINY_JPEG[:2] + comment + TINY_JPEG[2:] + os.urandom(size))


def new_name(word: str) -> str:
    """A name that nothing on the server has."""
    return f"{word} {uuid.uuid4().hex[:12]}"


@dataclass(slots=True)
class Immich:
    """A client of the server under test that remembers what it made."""

    http: httpx.AsyncClient
    url: str
    version: tuple[int, int, int] = (0, 0, 0)
    assets: list[str] = field(default_factory=list)
    made: list[str] = field(default_factory=list)

    @property
    def modern(self) -> bool:
        """Whether this is a 3.x server."""
        return self.version >= (3, 0, 0)

    def fields(self, **changes: str | None) -> dict[str, str]:
        """The text fields of a sound upload, with some changed, or left out (None)."""
        sound: dict[str, str | None] = {
            "deviceAssetId": uuid.uuid4().hex,
            "deviceId": "contract",
            "fileCreatedAt": DATE,
            "fileModifiedAt": DATE,
        }
        return {k: v for k, v in (sound | changes).items() if v is not None}

    async def upload(
        self,
        content: bytes,
        name: str = "a.jpg",
        *,
        sidecar: bytes | None = None,
        headers: dict[str, str] | None = None,
        extra: Mapping[str, str | None] = MappingProxyType({}),
        **changes: str | None,
    ) -> httpx.Response:
        """The answer to an upload; what it made will be taken away."""
        files = [("assetData", (name, content))]
        if sidecar is not None:
            files.append(("sidecarData", (f"{name}.xmp", sidecar)))
        response = await self.http.post(
            "/assets", data=self.fields(**changes, **extra), files=files, headers=headers
        )
        return self.remember(response)

    def remember(self, response: httpx.Response) -> httpx.Response:
        """The same answer; an asset it speaks of will be taken away."""
        if response.status_code in {200, 201}:
            self.assets.append(response.json()["id"])
        return response

    async def asset(self, photo: Photo | None = None, name: str = "a.jpg", **changes: str) -> str:
        """The id of a new asset."""
        photo = photo or new_photo()
        response = await self.upload(photo.content, name, extra=changes)
        assert response.status_code == 201, response.text
        return str(response.json()["id"])

    async def raw(self, request: bytes) -> bytes:
        """The first bytes of the answer to a request of which only this much is sent."""
        url = httpx.URL(self.url)
        port = url.port or (443 if url.scheme == "https" else 80)
        secure = ssl.create_default_context() if url.scheme == "https" else None
        stream: AnyByteStream = (
            await anyio.connect_tcp(url.host, port)
            if secure is None
            else await anyio.connect_tcp(url.host, port, ssl_context=secure)
        )
        async with stream:
            await stream.send(request)
            answer = b""
            with anyio.fail_after(10):
                while b"\r\n\r\n" not in answer or not answer.endswith(b"}"):
                    answer += await stream.receive()
            return answer

    async def check(self, *checksums: str) -> list[dict[str, object]]:
        """What bulk-upload-check answers, in order."""
        asked = [{"id": str(n), "checksum": text} for n, text in enumerate(checksums)]
        response = await self.http.post("/assets/bulk-upload-check", json={"assets": asked})
        assert response.status_code == 200, response.text
        results: list[dict[str, object]] = response.json()["results"]
        return results

    async def album(self, name: str | None = None) -> str:
        """The id of a new album."""
        response = await self.http.post("/albums", json={"albumName": name or new_name("Album")})
        assert response.status_code == 201, response.text
        album_id = str(response.json()["id"])
        self.made.append(f"/albums/{album_id}")
        return album_id

    async def members(self, album_id: str) -> set[str]:
        """The ids of the album's visible assets, asked for as this version wants it."""
        if not self.modern:
            response = await self.http.get(f"/albums/{album_id}")
            return {asset["id"] for asset in response.json()["assets"]}
        response = await self.http.post("/search/metadata", json={"albumIds": [album_id]})
        return {asset["id"] for asset in response.json()["assets"]["items"]}

    async def key(self, *permissions: str) -> str:
        """The secret of a new key of the same user."""
        body = {"name": new_name("contract"), "permissions": list(permissions)}
        response = await self.http.post("/api-keys", json=body)
        assert response.status_code == 201, response.text
        self.made.append(f"/api-keys/{response.json()['apiKey']['id']}")
        return str(response.json()["secret"])

    async def tidy(self) -> None:
        """What was made is gone."""
        for path in reversed(self.made):
            await self.http.delete(path)
        # One by one: a test may have deleted some already, and one unknown id spoils a call.
        for asset_id in set(self.assets):
            body = {"ids": [asset_id], "force": True}
            await self.http.request("DELETE", "/assets", json=body)


Missing = Callable[[str], NoReturn]
Connect = Callable[[dict[str, str]], Immich]


@pytest.fixture(scope="session")
def missing() -> Missing:
    """Leaves a test out and says why; where nothing may be skipped, the run has failed then."""

    def leave_out(reason: str) -> NoReturn:
        pytest.skip(reason)

    return leave_out


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    """Production's event loop, the same one for all tests of a module."""
    return "asyncio"


@pytest.fixture(scope="session")
def tls() -> ssl.SSLContext:
    """Made once: it takes longer than most tests."""
    return ssl.create_default_context()


@pytest.fixture(scope="module")
async def server(target: str) -> AsyncIterator[tuple[str, str]]:
    """The address, without `/api`, and the key of the server under test."""
    if target == LIVE:
        url = os.environ["IMMICH_INSTANCE_URL"].rstrip("/").removesuffix("/api")
        yield url, os.environ["IMMICH_API_KEY"].strip()
        return
    async with Sandbox(version=target) as sandbox:
        yield sandbox.url, sandbox.api_key


@pytest.fixture
async def immich(server: tuple[str, str], tls: ssl.SSLContext) -> AsyncIterator[Immich]:
    """The server under test, as a user whose key may do everything the contract needs."""
    url, api_key = server
    headers = {"x-api-key": api_key}
    async with httpx.AsyncClient(
        base_url=f"{url}/api", headers=headers, timeout=30, verify=tls
    ) as http:
        found = (await http.get("/server/version")).json()
        version = (found["major"], found["minor"], found["patch"])
        client = Immich(http, url, version)
        yield client
        await client.tidy()


@pytest.fixture
async def connect(immich: Immich, tls: ssl.SSLContext) -> AsyncIterator[Connect]:
    """Further clients of the same server, with headers of their own and nothing else."""
    async with AsyncExitStack() as stack:
        clients: list[Immich] = []

        def open_client(headers: dict[str, str]) -> Immich:
            http = httpx.AsyncClient(
                base_url=f"{immich.url}/api", headers=headers, timeout=30, verify=tls
            )
            stack.push_async_callback(http.aclose)
            client = Immich(http, immich.url, immich.version)
            clients.append(client)
            return client

        yield open_client
        for client in clients:
            await client.tidy()


@pytest.fixture
async def stranger(immich: Immich, connect: Connect, missing: Missing) -> AsyncIterator[Immich]:
    """A second user of the same server, with a session; left out where none may be made."""
    credentials = {"email": f"{uuid.uuid4().hex}@example.com", "password": uuid.uuid4().hex}
    made = await immich.http.post("/admin/users", json={**credentials, "name": "Second"})
    if made.status_code == 403:
        missing("the key may not make a second user: adminUser.create and an administrator")
    assert made.status_code == 201, made.text
    login = await connect({}).http.post("/auth/login", json=credentials)
    assert login.status_code == 201, login.text
    client = connect({"authorization": f"Bearer {login.json()['accessToken']}"})
    yield client
    await client.tidy()
    await immich.http.request("DELETE", f"/admin/users/{made.json()['id']}", json={"force": True})
