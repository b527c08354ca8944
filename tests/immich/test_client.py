"""Small calls: bounded in time and size, gated, repeated at most once, never leaking the key."""

import asyncio
import gzip
import json
import ssl
import traceback
from pathlib import Path

import anyio
import httpx
import pytest

from immich_sync.core.errors import (
    Maintenance,
    Misconfigured,
    NotImmich,
    Overloaded,
    Refused,
    ServerTrouble,
    Unreachable,
    Untrusted,
)
from immich_sync.immich import wire
from immich_sync.immich.about import Version
from immich_sync.immich.client import Call
from immich_sync.sandbox import Html, Sandbox, Status
from immich_sync.sandbox import Maintenance as InMaintenance
from tests.immich.scene import (
    KEY,
    Handler,
    always,
    answer,
    connected,
    head_of,
    raw_server,
    reset,
)

CERTIFICATE = Path(__file__).with_name("localhost.pem")
VERSION = b'{"major":3,"minor":1,"patch":0}'


async def endless_headers(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """A head that never ends, fast enough for any timeout of a single read."""
    await head_of(reader)
    writer.write(b"HTTP/1.1 200 OK\r\n")
    while True:
        writer.write(b"X-More: y\r\n")
        await writer.drain()
        await asyncio.sleep(0.01)


async def dripping(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """A body that comes byte by byte, for ever."""
    await head_of(reader)
    writer.write(
        b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 100000\r\n\r\n"
    )
    while True:
        writer.write(b" ")
        await writer.drain()
        await asyncio.sleep(0.01)


async def silent(reader: asyncio.StreamReader, _writer: asyncio.StreamWriter) -> None:
    """Takes the request and says nothing."""
    await head_of(reader)
    await asyncio.sleep(60)


async def resetting(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Hangs up hard."""
    await head_of(reader)
    reset(writer)


async def hanging_up(reader: asyncio.StreamReader, _writer: asyncio.StreamWriter) -> None:
    """Hangs up politely, without an answer."""
    await head_of(reader)


async def cutting(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Announces more than it sends."""
    await head_of(reader)
    writer.write(answer(200, VERSION + b" ")[:-1])


async def babbling(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Speaks no HTTP, and repeats what it heard."""
    writer.write(await head_of(reader))


BOMB = gzip.compress(b"0" * 50_000_000, 1)
FAULTS: list[tuple[Handler, type[ServerTrouble]]] = [
    (endless_headers, Unreachable),
    (dripping, Unreachable),
    (silent, Unreachable),
    (resetting, Unreachable),
    (hanging_up, Unreachable),
    (cutting, Unreachable),
    (babbling, Unreachable),
    (always(answer(200, b'{"major":3,', kind="application/json")), NotImmich),
    (always(answer(200, b"<html>log in</html>", kind="text/html")), NotImmich),
    (always(answer(200, BOMB, "Content-Encoding: gzip")), NotImmich),
    (always(answer(200, b" " * 9_000_000)), NotImmich),
    (always(answer(302, b"", f"Location: http://127.0.0.1:9/?{KEY}")), NotImmich),
    (always(answer(401, json.dumps({"message": f"Invalid API key {KEY}"}).encode())), Refused),
    (always(answer(502, b"<html>Bad Gateway</html>", kind="text/html")), Overloaded),
    (always(answer(503, b'{"message":"maintenance mode"}')), Maintenance),
]


@pytest.mark.anyio
@pytest.mark.parametrize(("handler", "leaf"), FAULTS)
async def test_faults(handler: Handler, leaf: type[ServerTrouble]) -> None:
    """Whatever a server does, a small call ends soon, as the right trouble, without the key."""
    async with raw_server(handler) as url, connected(url, deadline=0.4) as immich:
        with anyio.fail_after(3), pytest.raises(leaf) as caught:
            await immich.version()

    shown = "".join(traceback.format_exception(caught.value))
    assert type(caught.value) is leaf
    assert KEY not in shown + repr(caught.value) + repr(immich)


@pytest.mark.anyio
async def test_nobody_there() -> None:
    """A refused connection is Unreachable, with the system's own reason."""
    async with raw_server(silent) as url:
        pass
    async with connected(url) as immich:
        with pytest.raises(Unreachable, match=r"refused|failed"):
            await immich.version()


@pytest.mark.anyio
async def test_a_redirect_is_not_followed() -> None:
    """The key does not travel to where a redirect points; the sentence names the target."""
    heads: list[bytes] = []

    async def other(reader: asyncio.StreamReader, _writer: asyncio.StreamWriter) -> None:
        heads.append(await head_of(reader))

    async with raw_server(other) as target:
        here = always(answer(302, b"", f"Location: {target}/x"))
        async with raw_server(here) as url, connected(url) as immich:
            with pytest.raises(NotImmich, match=f"redirects to {target}/x"):
                await immich.version()

    assert heads == []


@pytest.mark.anyio
async def test_the_environments_proxy_is_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    """HTTP_PROXY does not get to see the key."""
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    monkeypatch.setenv("ALL_PROXY", "http://127.0.0.1:9")
    async with raw_server(always(answer(200, VERSION))) as url, connected(url) as immich:
        assert await immich.version() == Version(3, 1, 0)


@pytest.mark.anyio
async def test_what_is_sent() -> None:
    """The key goes as one header and never into the URL; no cookie, no compression."""
    heads: list[bytes] = []

    async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            heads.append(await head_of(reader))
            writer.write(answer(200, VERSION, "Set-Cookie: immich_access_token=other"))
            await writer.drain()

    async with raw_server(handler) as url, connected(url + "/photos") as immich:
        await immich.version()
        await immich.ask(Call("GET", "/x", "asking", params={"a": "b c"}), wire.SERVER_VERSION)

    first, second = (head.decode().split("\r\n") for head in heads)
    assert first[0] == "GET /photos/api/server/version HTTP/1.1"
    assert second[0] == "GET /photos/api/x?a=b+c HTTP/1.1"
    assert {line.lower() for line in first[1:] if line} == {
        f"host: {url.removeprefix('http://')}",
        f"x-api-key: {KEY}".lower(),
        "accept: application/json",
        "accept-encoding: identity",
        "user-agent: immich-sync",
    }
    assert second[1:] == first[1:]


@pytest.mark.anyio
@pytest.mark.parametrize(("idempotent", "requests"), [(True, 2), (False, 1)])
async def test_a_stale_connection(idempotent: bool, requests: int) -> None:  # noqa: FBT001 - a column of the table
    """A connection that dies unheard costs one more try, and none for what is not idempotent."""
    seen: list[bytes] = []

    async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        seen.append(await head_of(reader))
        if len(seen) > 1:
            writer.write(answer(200, VERSION))
            await writer.drain()

    call = Call("POST", "/x", "asking", json={}, idempotent=idempotent)
    async with raw_server(handler) as url, connected(url) as immich:
        if idempotent:
            await immich.ask(call, wire.SERVER_VERSION)
        else:
            with pytest.raises(Unreachable):
                await immich.ask(call, wire.SERVER_VERSION)

    assert len(seen) == requests


@pytest.mark.anyio
async def test_a_dead_server_is_tried_twice_at_most() -> None:
    """One repetition, not a loop."""
    seen: list[bytes] = []

    async def handler(reader: asyncio.StreamReader, _writer: asyncio.StreamWriter) -> None:
        seen.append(await head_of(reader))

    async with raw_server(handler) as url, connected(url) as immich:
        with pytest.raises(Unreachable):
            await immich.version()

    assert len(seen) == 2


@pytest.mark.anyio
async def test_a_closed_gate_spares_the_server() -> None:
    """While the gate is closed only the probe goes out; a probe that passes is not remembered."""
    async with Sandbox() as sandbox, connected(sandbox.url, key=sandbox.api_key) as immich:
        immich.gate.close(Unreachable("down"))
        with pytest.raises(Unreachable, match="down"):
            await immich.version()
        before = len(sandbox.requests)
        await immich.ping()
        after = len(sandbox.requests)

    assert (before, after) == (0, 2)


@pytest.mark.anyio
async def test_ping_sees_a_revoked_key() -> None:
    """A server that answers but no longer takes the key is not back."""
    async with Sandbox() as sandbox, connected(sandbox.url, key="x" * 30) as immich:
        with pytest.raises(Refused, match="not accepted"):
            await immich.ping()


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("fault", "leaf"),
    [(Html(), NotImmich), (InMaintenance(), Maintenance), (Status(429, "60"), Overloaded)],
)
async def test_ping_through_faults(fault: Html, leaf: type[ServerTrouble]) -> None:
    """A login page, maintenance and a busy server are told apart by the probe."""
    async with Sandbox() as sandbox, connected(sandbox.url, key=sandbox.api_key) as immich:
        sandbox.faults.add(fault)
        with pytest.raises(leaf) as caught:
            await immich.ping()

    assert getattr(caught.value, "retry_after", None) == (60.0 if leaf is Overloaded else None)


@pytest.mark.anyio
@pytest.mark.parametrize("version", ["3.1.0", "2.7.5"])
async def test_what_a_server_says_of_itself(version: str) -> None:
    """Version, owner of the key and accepted extensions are values."""
    async with (
        Sandbox(version=version) as sandbox,
        connected(sandbox.url, key=sandbox.api_key) as immich,
    ):
        me, types = await immich.whoami(), await immich.media_types()
        assert str(await immich.version()) == version
        assert await immich.whoami() is me

    assert me.user is not None
    assert me.identity == me.user
    assert me.missing(["asset.upload", "album.create"]) == []
    assert ".jpg" in types.image
    assert ".mp4" in types.video
    assert types.sidecar == {".xmp"}


@pytest.mark.anyio
async def test_a_key_with_few_permissions() -> None:
    """A key that may not ask for its user is known by its own id; what it lacks is named."""
    async with Sandbox() as sandbox:
        key = sandbox.add_key("asset.upload")
        async with connected(sandbox.url, key=key) as immich:
            me = await immich.whoami()
            missing = me.missing(["asset.upload", "album.read"])

    assert (me.user, me.identity) == (None, f"key:{me.key}")
    assert missing == ["album.read"]


@pytest.mark.anyio
@pytest.mark.parametrize("key", ["", "with space", f"{KEY}\n", "kéy"])
async def test_an_impossible_key(key: str) -> None:
    """A key that no header could carry is refused before anything is sent, and not repeated."""
    with pytest.raises(Misconfigured) as caught:
        async with connected("http://127.0.0.1:9", key=key):
            pass

    assert key == "" or key not in str(caught.value)


@pytest.mark.anyio
async def test_an_unknown_certificate() -> None:
    """A certificate that nobody vouches for is Untrusted, and the key is not sent."""
    heard: list[bytes] = []

    async def handler(reader: asyncio.StreamReader, _writer: asyncio.StreamWriter) -> None:
        heard.append(await reader.read(100))

    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(CERTIFICATE)
    async with raw_server(handler, tls) as url, connected(url) as immich:
        with pytest.raises(Untrusted, match="self-signed"):
            await immich.version()

    assert heard == []


@pytest.mark.anyio
async def test_plain_http_on_a_tls_address() -> None:
    """https:// to a server that speaks plain HTTP: the address to configure is named."""

    async def plain(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(100)
        writer.write(answer(400))
        await writer.drain()

    async with (
        raw_server(plain) as url,
        connected(url.replace("http:", "https:")) as immich,
    ):
        with pytest.raises(NotImmich, match=r"speaks http, not https\. Configure http:"):
            await immich.version()


@pytest.mark.anyio
async def test_a_silent_tls_server() -> None:
    """A server that says nothing to a TLS greeting is Unreachable, not Untrusted."""
    async with (
        raw_server(silent) as url,
        connected(url.replace("http:", "https:"), deadline=0.3) as immich,
    ):
        with pytest.raises(Unreachable):
            await immich.version()


@pytest.mark.anyio
async def test_httpx_transports_fit() -> None:
    """Any transport of httpx can stand for the network."""

    def handler(request: httpx.Request) -> httpx.Response:
        assert request.headers["x-api-key"] == KEY
        return httpx.Response(200, json={"major": 2, "minor": 7, "patch": 5, "prerelease": None})

    mock = httpx.MockTransport(handler)
    async with connected("http://nas:2283", transport=mock) as immich:
        assert await immich.version() == Version(2, 7, 5)
