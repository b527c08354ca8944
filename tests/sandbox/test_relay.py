"""The relay breaks connections just where it was told to, and only there."""

import asyncio
from collections.abc import AsyncIterator

import httpx
import pytest

from immich_sync.sandbox import (
    EarlyAnswer,
    LostAnswer,
    ResetRequest,
    ResetResponse,
    Sandbox,
    SlowRead,
    Status,
)
from tests.sandbox.conftest import Connect, new_bytes

pytestmark = pytest.mark.anyio

LARGE = 3_000_000
RESET = (httpx.ReadError, httpx.WriteError, httpx.RemoteProtocolError)


async def test_passes_everything_on(connect: Connect) -> None:
    """Without a fault, requests and answers go through unchanged on one connection."""
    async with Sandbox(relay=True) as sandbox, connect(sandbox).http as http:
        content = new_bytes(LARGE)
        client = connect(sandbox)
        async with client.http:
            asset_id = (await client.upload(content)).json()["id"]
            again = await client.upload(content)
            original = await client.http.get(f"/assets/{asset_id}/original")
        ping = await http.get("/server/ping")

        assert again.status_code == 200
        assert original.content == content
        assert ping.status_code == 200
        assert sandbox.relay.connections == 2


async def test_passes_a_chunked_body_on(connect: Connect) -> None:
    """A request without a length is followed to its end, and the next one is seen."""
    async with Sandbox(relay=True) as sandbox, connect(sandbox).http as http:
        rule = sandbox.faults.add(EarlyAnswer(503), path="/api/albums")

        async def body() -> AsyncIterator[bytes]:
            yield b'{"assets":'
            yield b"[]}"

        headers = {"content-type": "application/json"}
        first = await http.post("/assets/bulk-upload-check", content=body(), headers=headers)
        second = await http.get("/albums")

        assert first.json() == {"results": []}
        assert second.status_code == 503
        assert rule.fired == 1


async def test_refuses_and_accepts_again(connect: Connect) -> None:
    """While it refuses, nobody listens; afterwards the same address answers."""
    async with Sandbox(relay=True) as sandbox, connect(sandbox).http as http:
        await http.get("/server/ping")
        await sandbox.relay.refuse()
        with pytest.raises((httpx.ConnectError, *RESET)):
            await http.get("/server/ping")
        with pytest.raises(httpx.ConnectError):
            await http.get("/server/ping")
        await sandbox.relay.accept()

        assert (await http.get("/server/ping")).status_code == 200


@pytest.mark.parametrize("after", [0, 1, 1_000_000])
async def test_reset_within_the_request(connect: Connect, after: int) -> None:
    """The connection is reset within the body; nothing is stored, and the next upload works."""
    async with Sandbox(relay=True) as sandbox:
        client = connect(sandbox)
        rule = sandbox.faults.add(ResetRequest(after=after), method="POST", times=1)
        async with client.http:
            content = new_bytes(LARGE)
            with pytest.raises(RESET):
                await client.upload(content)
            second = await client.upload(content)

        assert rule.fired == 1
        assert second.status_code == 201
        assert len(sandbox.assets()) == 1
        assert sandbox.stray_files() == []


@pytest.mark.parametrize("after", [0, 20])
async def test_reset_within_the_answer(connect: Connect, after: int) -> None:
    """The server has stored the asset, but its answer is cut off."""
    async with Sandbox(relay=True) as sandbox:
        client = connect(sandbox)
        sandbox.faults.add(ResetResponse(after=after), method="POST", times=1)
        async with client.http:
            content = new_bytes()
            with pytest.raises(RESET):
                await client.upload(content)
            second = await client.upload(content)

        assert second.status_code == 200
        assert second.json()["status"] == "duplicate"


async def test_reset_within_a_download(connect: Connect) -> None:
    """A download can be cut off in the middle of the file."""
    async with Sandbox(relay=True) as sandbox:
        client = connect(sandbox)
        async with client.http:
            asset_id = (await client.upload(new_bytes(LARGE))).json()["id"]
            sandbox.faults.add(ResetResponse(after=1_000_000), path="/api/assets/")
            with pytest.raises(RESET):
                await client.http.get(f"/assets/{asset_id}/original")


async def test_lost_answer(connect: Connect) -> None:
    """The upload is committed, and the client does not get to know it."""
    async with Sandbox(relay=True) as sandbox:
        client = connect(sandbox)
        rule = sandbox.faults.add(LostAnswer(), method="POST", path="/api/assets", times=1)
        async with client.http:
            with pytest.raises(RESET):
                await client.upload(new_bytes())

        assert rule.fired == 1
        assert len(sandbox.assets()) == 1


async def test_early_answer(connect: Connect) -> None:
    """A large body is answered unread and the connection closed: the server sees nothing."""
    async with Sandbox(relay=True) as sandbox:
        client = connect(sandbox)
        sandbox.faults.add(EarlyAnswer(413), method="POST")
        async with client.http:
            try:
                status = (await client.upload(new_bytes(LARGE))).status_code
            except RESET:
                status = 413  # the answer was lost with the reset: that is the fault's point
        assert status == 413
        assert sandbox.requests == []


async def test_slow_read(connect: Connect) -> None:
    """The body is taken at the given rate."""
    async with Sandbox(relay=True) as sandbox:
        client = connect(sandbox)
        sandbox.faults.add(SlowRead(bytes_per_second=400_000), method="POST")
        loop = asyncio.get_running_loop()
        async with client.http:
            began = loop.time()
            response = await client.upload(new_bytes(100_000))

        assert response.status_code == 201
        assert loop.time() - began >= 0.25


async def test_rules_of_the_application_apply_behind_it(connect: Connect) -> None:
    """One list holds both kinds of fault, and each fires once."""
    async with Sandbox(relay=True) as sandbox, connect(sandbox).http as http:
        rule = sandbox.faults.add(Status(503), path="/api/albums", times=1)
        statuses = [(await http.get("/albums")).status_code for _ in range(2)]

        assert statuses == [503, 200]
        assert rule.fired == 1


async def test_wire_faults_need_the_relay() -> None:
    """A fault that nothing can act out is refused at once."""
    async with Sandbox() as sandbox:
        with pytest.raises(ValueError, match="relay"):
            sandbox.faults.add(LostAnswer())
        with pytest.raises(ValueError, match="relay"):
            _ = sandbox.relay
