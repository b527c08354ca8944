"""What the server may say to a public link's password, and what becomes of it."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx
import pytest

from immich_sync.core.errors import NotImmich, Overloaded, Refused, ServerTrouble
from immich_sync.core.folder import Account, Limits
from immich_sync.core.types import Secret
from immich_sync.immich.client import Immich, connect
from immich_sync.immich.public import Link, unlock
from tests.immich.scene import KEY, SteadyClock

pytestmark = pytest.mark.anyio

WORD = "canary-password"
LOCKED = Link(key="canary-key", headers={"Cookie": "proxy=1", "X-Way": "in"}, password=Secret(WORD))
TOKEN = "immich_shared_link_token=abc%2Bd%3D"  # noqa: S105 - made up here


@asynccontextmanager
async def answering(answer: httpx.Response, asked: list[httpx.Request]) -> AsyncIterator[Immich]:
    """A server that says this, whatever it is asked."""

    def handler(request: httpx.Request) -> httpx.Response:
        asked.append(request)
        return answer

    account, limits = Account("test", "http://nas", Secret(KEY)), Limits()
    transport = httpx.MockTransport(handler)
    async with connect(account, limits, SteadyClock(), transport, public=True) as immich:
        yield immich


async def test_the_cookie_goes_along() -> None:
    """The cookie is sent back as it came, behind the caller's own, and everything else stays."""
    said = [("set-cookie", "other=1"), ("set-cookie", f"{TOKEN}; Path=/; HttpOnly")]
    asked: list[httpx.Request] = []
    async with answering(httpx.Response(201, headers=said, json={}), asked) as immich:
        link = await unlock(immich, LOCKED)

    assert link.headers == {"cookie": f"proxy=1; {TOKEN}", "x-way": "in"}
    assert link.params == {"key": "canary-key"}
    assert WORD not in str(asked[0].url)


async def test_a_link_without_a_password_asks_nothing() -> None:
    """Nobody is asked where there is nothing to open, or nothing to open it with."""
    asked: list[httpx.Request] = []
    async with answering(httpx.Response(500), asked) as immich:
        plain = Link(slug="shown")

        assert await unlock(immich, plain) is plain
        assert await unlock(immich, Link()) == Link()

    assert asked == []


async def test_a_needless_password() -> None:
    """A link that needs no password is as good as it was."""
    answer = httpx.Response(400, json={"message": "Shared link is not password protected"})
    async with answering(answer, []) as immich:
        assert await unlock(immich, LOCKED) is LOCKED


@pytest.mark.parametrize(
    ("answer", "leaf", "words"),
    [
        (httpx.Response(401, json={"message": "Invalid password"}), Refused, "this password"),
        (httpx.Response(401, json={"message": f"Invalid {WORD}"}), Refused, "no such public link"),
        (httpx.Response(403, json={"message": WORD}), Refused, "no such public link"),
        (httpx.Response(400, json={"message": WORD}), NotImmich, "answered 400"),
        (httpx.Response(404, json={"message": WORD}), NotImmich, "answered 404"),
        (httpx.Response(302, headers={"location": "/login"}), NotImmich, "redirects"),
        (httpx.Response(503, json={"message": WORD}), Overloaded, "answered 503"),
        (httpx.Response(201, json={}), NotImmich, "no cookie"),
        (
            httpx.Response(201, headers=[(b"set-cookie", TOKEN.encode() + b"\xff")]),
            NotImmich,
            "no cookie",
        ),
        (httpx.Response(201, headers={"set-cookie": "immich_shared_link_token="}), NotImmich, "no"),
    ],
)
async def test_refusals(answer: httpx.Response, leaf: type[ServerTrouble], words: str) -> None:
    """Each refusal is told apart, and none of them repeats the password."""
    async with answering(answer, []) as immich:
        with pytest.raises(leaf, match=words) as refusal:
            await unlock(immich, LOCKED)

    assert "canary" not in f"{refusal.value!r} {LOCKED!r}"
