"""The head of a download: what is a file, from where on, and what every refusal means."""

import base64
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import anyio
import httpx
import pytest

from immich_sync.core.errors import NotImmich, Overloaded, Refused, SyncTrouble, Unreachable
from immich_sync.core.folder import Account, Limits
from immich_sync.core.types import AssetId, Secret
from immich_sync.immich.client import Immich, connect
from immich_sync.immich.download import (
    Part,
    Unavailable,
    contents,
    info,
    opened,
    original,
    thumbnail,
)
from immich_sync.immich.public import Link
from tests.immich.scene import ASSET, KEY, SteadyClock

pytestmark = pytest.mark.anyio

Handler = Callable[[httpx.Request], httpx.Response]
ID = AssetId(ASSET)
CALL = original(ID, Link())
PUBLIC = Link(key="canary-share-key")


@asynccontextmanager
async def answering(handler: Handler, *, public: bool = False) -> AsyncIterator[Immich]:
    """A server that answers every request with what `handler` says."""
    account, limits = Account("test", "http://nas", Secret(KEY)), Limits(stall_timeout=0.1)
    transport = httpx.MockTransport(handler)
    async with connect(account, limits, SteadyClock(), transport, public=public) as immich:
        yield immich


async def fetched(
    immich: Immich, start: int = 0, validator: str | None = None
) -> tuple[Part, bytes]:
    """The head and the body of the original."""
    async with opened(immich, CALL, start=start, validator=validator) as part:
        return part, b"".join([piece async for piece in part.pieces])


async def test_whole_file() -> None:
    """A head says how much comes, what it is of, how it is called and from when."""
    headers = {
        "etag": 'W/"4-1"',
        "content-disposition": "inline; filename*=UTF-8''a.jpg",
        "content-type": "image/jpeg",
        "last-modified": "Tue, 14 Nov 2023 22:13:20 GMT",
    }
    asked: list[httpx.Request] = []

    def handler(request: httpx.Request) -> httpx.Response:
        asked.append(request)
        return httpx.Response(200, headers=headers, content=b"1234")

    async with answering(handler) as immich:
        part, body = await fetched(immich)

    assert body == b"1234"
    assert (part.start, part.total, part.validator) == (0, 4, 'W/"4-1"')
    assert part.disposition == headers["content-disposition"]
    assert (part.content_type, part.modified) == ("image/jpeg", 1_700_000_000.0)
    assert "range" not in asked[0].headers
    assert asked[0].headers["x-api-key"] == KEY


async def test_rest_of_a_file() -> None:
    """The rest is asked for under the validator of what is there, and comes with its start."""

    def handler(request: httpx.Request) -> httpx.Response:
        assert (request.headers["range"], request.headers["if-range"]) == ("bytes=2-", 'W/"1"')
        return httpx.Response(206, headers={"content-range": "bytes 2-3/4"}, content=b"34")

    async with answering(handler) as immich:
        part, body = await fetched(immich, 2, 'W/"1"')

    assert (part.start, part.total, body) == (2, 4, b"34")


async def test_another_file_by_now() -> None:
    """Where the validator does not hold any more, all of the file comes, from its start."""
    async with answering(lambda _: httpx.Response(200, content=b"5678")) as immich:
        part, body = await fetched(immich, 2, 'W/"1"')

    assert (part.start, part.total, body) == (0, 4, b"5678")


@pytest.mark.parametrize(
    "response",
    [
        httpx.Response(200, headers={"content-type": "text/html"}, content=b"<html>"),
        httpx.Response(200, headers={"content-type": "application/json"}, content=b"{}"),
        httpx.Response(200, headers={"content-encoding": "gzip"}),
        httpx.Response(206, headers={"content-range": "bytes 0-3/4"}, content=b"1234"),
        httpx.Response(206, content=b"1234"),
        httpx.Response(204),
        httpx.Response(302, headers={"location": "http://elsewhere/login"}),
        httpx.Response(404, headers={"content-type": "text/html"}, content=b"<html>"),
    ],
)
async def test_what_is_no_file(response: httpx.Response) -> None:
    """A login page, packed bytes, another part than the one asked for: none of it is a file."""
    async with answering(lambda _: response) as immich:
        with pytest.raises(NotImmich):
            await fetched(immich, 2, 'W/"1"')


@pytest.mark.parametrize(
    ("status", "message", "link", "trouble"),
    [
        (404, "Not Found", Link(), Unavailable),
        (404, "Asset media not found", Link(), Unavailable),
        (400, "Not found or no asset.download access", Link(), Unavailable),
        (401, "Invalid API key", Link(), Refused),
        (403, "Missing required permission: asset.download", Link(), Refused),
        (401, "Invalid share key", PUBLIC, Refused),
        (403, "Forbidden", PUBLIC, Refused),
        (503, "", Link(), Overloaded),
        (500, "Internal server error", Link(), Overloaded),
    ],
)
async def test_refusals(status: int, message: str, link: Link, trouble: type[SyncTrouble]) -> None:
    """Row 15: a status of 400 or more raises, and says what the server said."""
    response = httpx.Response(status, json={"message": message})
    async with answering(lambda _: response) as immich:
        with pytest.raises(trouble) as raised:
            async with opened(immich, original(ID, link)):
                pass

    assert message in str(raised.value)
    assert "canary" not in str(raised.value)


async def test_silence() -> None:
    """A body that stops coming is a broken connection, after as long as a stall may last."""

    class Silence(httpx.AsyncByteStream):
        async def __aiter__(self) -> AsyncIterator[bytes]:
            yield b"12"
            await anyio.sleep_forever()

    response = httpx.Response(200, headers={"content-length": "4"}, stream=Silence())
    async with answering(lambda _: response) as immich:
        with anyio.fail_after(5), pytest.raises(Unreachable):
            await fetched(immich)


async def test_redirect_to_the_original() -> None:
    """A view may lead to the original of the same asset, by the same server and link."""
    asked: list[httpx.URL] = []

    def handler(request: httpx.Request) -> httpx.Response:
        asked.append(request.url)
        if request.url.path.endswith("/thumbnail"):
            target = f"http://elsewhere/api/assets/{ASSET}/original?edited=true&key=theirs"
            return httpx.Response(302, headers={"location": target})
        return httpx.Response(200, content=b"1234")

    async with (
        answering(handler) as immich,
        opened(immich, thumbnail(ID, PUBLIC, "fullsize")) as part,
    ):
        body = b"".join([piece async for piece in part.pieces])

    assert body == b"1234"
    assert asked[1].host == "nas"
    assert dict(asked[1].params) == {"key": "canary-share-key", "edited": "true"}


@pytest.mark.parametrize(
    "target",
    [
        "/api/assets/00000000-0000-4000-8000-000000000000/original",
        "/login",
        f"/api/assets/{ASSET}/original/x",
    ],
)
async def test_redirect_elsewhere(target: str) -> None:
    """No other redirect is followed."""
    response = httpx.Response(302, headers={"location": target})
    async with answering(lambda _: response) as immich:
        with pytest.raises(NotImmich, match="redirects"):
            async with opened(immich, thumbnail(ID, Link(), "fullsize")):
                pass


async def test_public_links_send_no_key() -> None:
    """What a public link opens is asked for without the account's key."""
    asked: list[httpx.Request] = []

    def handler(request: httpx.Request) -> httpx.Response:
        asked.append(request)
        return httpx.Response(200, content=b"1234")

    async with answering(handler, public=True) as immich, opened(immich, original(ID, PUBLIC)):
        pass

    assert "x-api-key" not in asked[0].headers
    assert KEY not in str(asked[0].url)
    assert asked[0].url.params["key"] == "canary-share-key"


async def test_headers_of_the_caller() -> None:
    """Row 18: a caller's own headers go along, and do not displace the program's."""
    asked: list[httpx.Request] = []

    def handler(request: httpx.Request) -> httpx.Response:
        asked.append(request)
        return httpx.Response(200, content=b"1234")

    call = original(ID, Link(headers={"CF-Access-Client-Id": "me", "Range": "bytes=9-"}))
    async with answering(handler) as immich, opened(immich, call, start=2, validator="x"):
        pass

    assert asked[0].headers["cf-access-client-id"] == "me"
    assert asked[0].headers["range"] == "bytes=2-"
    assert asked[0].headers["x-api-key"] == KEY


@pytest.mark.parametrize(
    ("changes", "link", "proves"),
    [
        ({}, Link(), True),
        ({"isEdited": True}, Link(), True),
        ({"isEdited": True}, PUBLIC, False),  # a link opens the edited file
        ({"libraryId": ASSET}, Link(), False),  # its checksum is that of the path
        ({"checksum": "AAAA"}, Link(), False),
        ({"checksum": "no base64"}, Link(), False),
    ],
)
async def test_what_proves_an_original(
    changes: dict[str, object],
    link: Link,
    proves: bool,  # noqa: FBT001 - a case's expectation
) -> None:
    """The checksum proves the bytes, but where it is that of other bytes."""
    sha1 = bytes(range(20))
    body = {
        "id": ASSET,
        "checksum": base64.b64encode(sha1).decode(),
        "fileModifiedAt": "2023-11-14T22:13:20.000Z",
    }
    async with answering(lambda _: httpx.Response(200, json=body | changes)) as immich:
        found = await info(immich, ID, link)

    assert found.modified == 1_700_000_000.0
    assert found.checksum == (sha1 if proves else None)


async def test_contents() -> None:
    """An album's assets come divided into archives of the size that was asked for."""
    body = {"totalSize": 3, "archives": [{"size": 3, "assetIds": [ASSET]}]}
    asked: list[bytes] = []

    def handler(request: httpx.Request) -> httpx.Response:
        asked.append(request.content)
        return httpx.Response(201, json=body)

    async with answering(handler) as immich:
        archives = await contents(immich, Link(), assets=[ID], archive_size=5)

    assert [(one.size, one.assets) for one in archives] == [(3, (ID,))]
    assert b'"archiveSize": 5' in asked[0]
