"""What the way lets through, asked for without storing anything."""

import time
from collections.abc import AsyncIterator
from email.utils import formatdate
from pathlib import Path

import pytest

from immich_sync.core.errors import NotImmich
from immich_sync.immich.client import Immich
from immich_sync.immich.passage import WORD, clock_ahead, lets_through, takes_questions
from immich_sync.sandbox import EarlyAnswer, ResetRequest, Sandbox, Status, TooLarge
from tests.immich.scene import always, answer, connected, raw_server

pytestmark = pytest.mark.anyio

UPLOADS, QUESTIONS = "/api/assets", "/api/assets/bulk-upload-check"


@pytest.fixture
async def sandbox(request: pytest.FixtureRequest) -> AsyncIterator[Sandbox]:
    """A server behind a relay."""
    async with Sandbox(relay=True, version=getattr(request, "param", "3.1.0")) as made:
        yield made


@pytest.fixture
async def immich(sandbox: Sandbox) -> AsyncIterator[Immich]:
    """Its client."""
    async with connected(sandbox.url, key=sandbox.api_key) as client:
        yield client


async def test_clocks_are_compared(immich: Immich) -> None:
    """To half a second, and the way there and back."""
    ahead = await clock_ahead(immich, time.time)
    wrong = await clock_ahead(immich, lambda: time.time() + 3600)

    assert ahead == pytest.approx(0, abs=2)
    assert wrong == pytest.approx(3600, abs=2)


@pytest.mark.parametrize("date", ["Date: nonsense", f"Date: {formatdate(0, usegmt=True)}", ""])
async def test_any_date_header_will_do(date: str) -> None:
    """One that says nothing is no answer; one from another age is."""
    headers = [date] if date else []
    reply = answer(200, b'{"res":"pong"}', *headers)
    async with raw_server(always(reply)) as url, connected(url) as client:
        ahead = await clock_ahead(client, lambda: 1000.0)

    assert ahead == (pytest.approx(999.5) if "GMT" in date else None)


async def test_a_long_question_comes_through(sandbox: Sandbox, immich: Immich) -> None:
    """Two megabytes, mostly blanks; a proxy that stops at one says so."""
    free = await takes_questions(immich)
    rule = sandbox.faults.add(TooLarge(1 << 20), method="POST", path=QUESTIONS)
    bound = await takes_questions(immich)

    assert (free, bound, rule.fired, WORD > 1 << 20) == (True, False, 1, True)


async def test_a_question_that_is_sent_elsewhere_is_told(sandbox: Sandbox, immich: Immich) -> None:
    """A redirect of the POST is no answer."""
    sandbox.faults.add(Status(302), method="POST", path=QUESTIONS)

    with pytest.raises(NotImmich, match="redirects"):
        await takes_questions(immich)


@pytest.mark.parametrize("sandbox", ["3.1.0", "2.7.5"], indirect=True)
async def test_an_announced_upload_is_let_through_and_stored_by_nobody(
    sandbox: Sandbox, immich: Immich
) -> None:
    """Neither an asset nor a file is left behind."""
    assert await lets_through(immich, 5_000_000_000) is True

    assert sandbox.assets() == []
    assert sandbox.stray_files() == []


@pytest.mark.parametrize("fault", [EarlyAnswer(413), TooLarge(1000)])
async def test_a_proxys_limit_is_found(
    sandbox: Sandbox, immich: Immich, fault: EarlyAnswer | TooLarge
) -> None:
    """It answers as soon as it sees the announced length."""
    rule = sandbox.faults.add(fault, method="POST", path=UPLOADS, exact=True)

    assert await lets_through(immich, 1_000_000) is False
    assert rule.fired == 1


@pytest.mark.parametrize("fault", [EarlyAnswer(502), ResetRequest()])
async def test_what_cannot_be_told_is_not_told(
    sandbox: Sandbox, immich: Immich, fault: EarlyAnswer | ResetRequest
) -> None:
    """Another early answer, or a broken connection, says nothing of sizes."""
    rule = sandbox.faults.add(fault, method="POST", path=UPLOADS, exact=True)

    assert await lets_through(immich, 1_000_000) is None
    assert rule.fired == 1


async def test_no_server_tells_nothing(tmp_path: Path) -> None:
    """Nobody listens: neither yes nor no."""
    del tmp_path
    async with connected("http://127.0.0.1:9") as client:
        assert await lets_through(client, 1000) is None
