"""The door over real sockets: who is let in, and who is sent away."""

import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import anyio
import anyio.to_thread
import httpx
import pytest

from immich_sync.core.errors import Misconfigured
from immich_sync.core.folder import Health
from immich_sync.health.door import (
    CLIENTS,
    LONGEST_HEAD,
    Asked,
    Page,
    Patience,
    bind,
    is_addressed_to_us,
    serve,
)

pytestmark = pytest.mark.anyio

HERE = Health("127.0.0.1", 0)
BIG = b"x" * 30_000_000


async def answer(asked: Asked) -> Page:
    """What was asked for, or much, or trouble."""
    if asked.path == "/big":
        return Page(200, BIG)
    if asked.path == "/broken":
        raise ZeroDivisionError
    return Page(200, f"{asked.path} {asked.accept}".encode())


@asynccontextmanager
async def door(health: Health = HERE, patience: Patience | None = None) -> AsyncIterator[int]:
    """An open door; its port."""
    bound = bind(health)
    port = bound.getsockname()[1]
    async with anyio.create_task_group() as tasks:
        await tasks.start(serve, bound, health, answer, patience or Patience())
        yield port
        tasks.cancel_scope.cancel()


async def ask(
    port: int, path: str = "/a?b=c", method: str = "GET", **headers: str
) -> httpx.Response:
    """One request."""
    async with httpx.AsyncClient(trust_env=False, timeout=20) as client:
        return await client.request(method, f"http://127.0.0.1:{port}{path}", headers=headers)


async def test_a_page_is_got() -> None:
    """Without its query; nothing may be kept, guessed at, or read by another site's page."""
    async with door() as port:
        found = await ask(port, accept="text/x")

    assert (found.status_code, found.text) == (200, "/a text/x")
    assert found.headers["cache-control"] == "no-store"
    assert found.headers["x-content-type-options"] == "nosniff"
    assert found.headers["connection"] == "close"
    assert not [name for name in found.headers if name.startswith("access-control")]


async def test_only_get_and_head() -> None:
    """HEAD gets the head of the same answer; all else is told what there is."""
    async with door() as port:
        head = await ask(port, method="HEAD")
        others = [await ask(port, method=one) for one in ("POST", "PUT", "OPTIONS", "DELETE")]

    assert (head.status_code, head.content, head.headers["content-length"]) == (200, b"", "6")
    assert {(one.status_code, one.headers["allow"]) for one in others} == {(405, "GET, HEAD")}


@pytest.mark.parametrize(
    ("listens", "host", "known"),
    [
        ("127.0.0.1", "127.0.0.1:9283", True),
        ("127.0.0.1", "localhost", True),
        ("127.0.0.1", "LOCALHOST.:1", True),
        ("127.0.0.1", "[::1]:9283", True),
        ("127.0.0.1", "nas:9283", True),
        ("127.0.0.1", "evil.example", False),
        ("127.0.0.1", "localhost.evil.example", False),
        ("127.0.0.1", "192.168.1.5", False),
        ("127.0.0.1", "", False),
        ("192.168.1.5", "192.168.1.5:9283", True),
        ("0.0.0.0", "192.168.1.5:9283", True),  # noqa: S104 - said explicitly
        ("0.0.0.0", "[fe80::1]:9283", True),  # noqa: S104
        ("0.0.0.0", "evil.example", False),  # noqa: S104
        ("0.0.0.0", "", False),  # noqa: S104
    ],
)
def test_to_whom_a_request_is_addressed(listens: str, host: str, known: bool) -> None:  # noqa: FBT001 - a case
    """To us by our own names, and by any address where strangers may come; by no other name."""
    assert is_addressed_to_us(host, Health(listens, 9283, ("nas",))) is known


async def test_a_foreign_name_is_sent_away() -> None:
    """As a browser asks whose page has led a name of its own here."""
    async with door() as port:
        found = await ask(port, host="evil.example")

    assert found.status_code == 403
    assert "/a" not in found.text


@pytest.mark.parametrize(
    "said",
    [b"GARBAGE\r\n\r\n", b"GET / HTTP/1.1\r\n\r\n", b"GET /" + b"a" * 2 * LONGEST_HEAD, b"\0" * 50],
)
async def test_what_is_no_request(said: bytes) -> None:
    """Nonsense, a request to nobody, an endless one: told so, and the next one is heard."""
    async with door() as port:
        async with await anyio.connect_tcp("127.0.0.1", port) as client:
            await client.send(said)
            with anyio.fail_after(10):
                assert (await client.receive()).startswith(b"HTTP/1.1 4")
        assert (await ask(port)).status_code == 200


async def test_who_dawdles_is_sent_away() -> None:
    """Neither words that drip in nor an answer that nobody takes keep a place for long."""
    async with door(patience=Patience(0.3, 0.3)) as port, anyio.create_task_group() as tasks:

        async def drip() -> None:
            async with await anyio.connect_tcp("127.0.0.1", port) as client:
                await client.send(b"GET / HTTP/1.1\r\n")
                with anyio.fail_after(10), pytest.raises(anyio.EndOfStream):
                    await client.receive()

        async def never_read() -> None:
            async with await anyio.connect_tcp("127.0.0.1", port) as client:
                await client.send(b"GET /big HTTP/1.1\r\nHost: localhost\r\n\r\n")
                await anyio.sleep(1)

        for _ in range(CLIENTS):
            tasks.start_soon(drip)
            tasks.start_soon(never_read)
        await anyio.sleep(0.1)
        with anyio.fail_after(10):
            assert (await ask(port)).status_code == 200


async def test_what_breaks_behind_it_stays_there() -> None:
    """A bug is a 500 without a word of what it was; the door stays open."""
    async with door() as port:
        found = await ask(port, "/broken")
        again = await ask(port)

    assert (found.status_code, "Zero" in found.text, again.status_code) == (500, False, 200)


async def test_a_large_answer_arrives_whole() -> None:
    """To whoever takes it."""
    async with door() as port:
        assert (await ask(port, "/big")).content == BIG


async def test_a_port_that_is_taken_is_told() -> None:
    """In one sentence that names the key."""
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        with pytest.raises(Misconfigured, match=r"\[health\], listen: .* is taken by another"):
            bind(Health("127.0.0.1", port))
    with pytest.raises(Misconfigured, match="cannot be listened at"):
        bind(Health("192.0.2.1", 1))
