"""The application misbehaves as told, and is truthful again afterwards."""

import asyncio

import pytest

from immich_sync.sandbox import Delay, Html, Maintenance, Quota, Sandbox, Status, TooLarge
from tests.sandbox.conftest import Connect, new_bytes

pytestmark = pytest.mark.anyio


async def test_status_with_retry_after(connect: Connect) -> None:
    """A status comes with its Retry-After, the given number of times."""
    async with Sandbox() as sandbox:
        client = connect(sandbox)
        rule = sandbox.faults.add(
            Status(429, retry_after="7"), method="POST", path="/api/assets", times=2
        )
        async with client.http:
            content = new_bytes()
            answers = [await client.upload(content) for _ in range(3)]

        assert [a.status_code for a in answers] == [429, 429, 201]
        assert answers[0].headers["retry-after"] == "7"
        assert rule.fired == 2
        assert sandbox.count("POST", "/api/assets", 429) == 2


async def test_some_are_spared(connect: Connect) -> None:
    """The first few requests can be let through."""
    async with Sandbox() as sandbox, connect(sandbox).http as http:
        sandbox.faults.add(Status(500), path="/api/albums", skip=1, times=1)
        statuses = [(await http.get("/albums")).status_code for _ in range(3)]

        assert statuses == [200, 500, 200]


async def test_delay(connect: Connect) -> None:
    """A delayed request is answered as ever, later."""
    async with Sandbox() as sandbox, connect(sandbox).http as http:
        sandbox.faults.add(Delay(0.2), path="/api/server")
        loop = asyncio.get_running_loop()
        began = loop.time()
        response = await http.get("/server/ping")

        assert response.json() == {"res": "pong"}
        assert loop.time() - began >= 0.2


async def test_maintenance(connect: Connect) -> None:
    """In maintenance only ping and config answer, and config says so; then all is well again."""
    async with Sandbox() as sandbox, connect(sandbox).http as http:
        rule = sandbox.faults.add(Maintenance())
        refused = await http.get("/users/me")
        config = (await http.get("/server/config")).json()
        sandbox.faults.remove(rule)
        after = (await http.get("/server/config")).json()

        assert refused.status_code == 503
        assert config["maintenanceMode"] is True
        assert after["maintenanceMode"] is False


async def test_quota_fault(connect: Connect) -> None:
    """The quota's refusal comes after the body, and nothing is stored."""
    async with Sandbox() as sandbox:
        client = connect(sandbox)
        sandbox.faults.add(Quota(), method="POST", path="/api/assets")
        async with client.http:
            response = await client.upload(new_bytes(1_000_000))

        assert response.status_code == 400
        assert response.json()["message"] == "Quota has been exceeded!"
        assert sandbox.assets() == []


async def test_quota_of_a_user(connect: Connect) -> None:
    """A user with a quota can fill it and no more."""
    async with Sandbox() as sandbox:
        _, key = sandbox.add_user("second@example.com", quota=1000)
        client = connect(sandbox)
        client.http.headers["x-api-key"] = key
        async with client.http:
            fits = await client.upload(new_bytes(800))
            exceeds = await client.upload(new_bytes(800))

        assert fits.status_code == 201
        assert exceeds.json()["message"] == "Quota has been exceeded!"
        assert sandbox.stray_files() == []


async def test_too_large(connect: Connect) -> None:
    """Above the limit a proxy's 413 comes, in HTML; below it nothing happens, or is counted."""
    async with Sandbox() as sandbox:
        client = connect(sandbox)
        rule = sandbox.faults.add(TooLarge(limit=10_000), method="POST")
        async with client.http:
            small = await client.upload(new_bytes(100))
            large = await client.upload(new_bytes(20_000))

        assert small.status_code == 201
        assert large.status_code == 413
        assert large.headers["content-type"].startswith("text/html")
        assert rule.fired == 1


async def test_captive_portal(connect: Connect) -> None:
    """A captive portal answers 200 with a page."""
    async with Sandbox() as sandbox, connect(sandbox).http as http:
        sandbox.faults.add(Html())
        response = await http.get("/server/ping")

        assert response.status_code == 200
        assert response.headers["content-type"].startswith("text/html")
