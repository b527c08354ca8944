"""The simulated network: no socket, no thread, no real time, and the same run every time."""

import random
import threading
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pytest
import trio
from trio.testing import MockClock

from immich_sync.sandbox import (
    Delay,
    Exchange,
    Faults,
    FaultyTransport,
    LostAnswer,
    Refuse,
    ResetRequest,
    ResetResponse,
    State,
    create_app,
    stored_assets,
    stray_files,
    with_faults,
)
from tests.sandbox.conftest import Client

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> tuple[str, dict[str, MockClock]]:
    """Trio, on a clock that jumps as soon as nothing is left to do."""
    return "trio", {"clock": MockClock(autojump_threshold=0)}


def virtual_now() -> datetime:
    """The time of the simulation."""
    return datetime(2030, 1, 1, tzinfo=UTC) + timedelta(seconds=trio.current_time())


class World:
    """A server, its network, and a client, all in one process."""

    def __init__(self, data: Path, seed: int = 1) -> None:
        data.mkdir()
        self.state = State(data, now=virtual_now, rng=random.Random(seed))  # noqa: S311 (a simulation's)
        self.faults = Faults()
        app = with_faults(create_app(self.state), self.faults, self.state)
        transport = FaultyTransport(httpx.ASGITransport(app), self.faults)
        headers = {"x-api-key": self.state.api_key}
        self.client = Client(
            httpx.AsyncClient(transport=transport, base_url="http://sim/api", headers=headers)
        )


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    """A world that begins at the same moment every time."""
    made = World(tmp_path / "data")
    async with made.client.http:
        yield made


async def test_no_thread(world: World) -> None:
    """Uploading and downloading start no thread."""
    before = threading.active_count()
    asset_id = (await world.client.upload(b"abc" * 100_000)).json()["id"]
    original = await world.client.http.get(f"/assets/{asset_id}/original")

    assert original.content == b"abc" * 100_000
    assert threading.active_count() == before


async def test_virtual_time(world: World) -> None:
    """A delay of an hour takes an hour of the simulation, and the asset's date follows it."""
    world.faults.add(Delay(3600), path="/api/assets", times=1)
    began = trio.current_time()
    asset_id = (await world.client.upload(b"abc")).json()["id"]
    asset = (await world.client.http.get(f"/assets/{asset_id}")).json()

    assert 3600 <= trio.current_time() - began < 3601
    assert datetime.fromisoformat(asset["createdAt"]) >= virtual_now() - timedelta(seconds=1)


async def test_refuse(world: World) -> None:
    """A refused connection is a ConnectError, and the server sees nothing."""
    world.faults.add(Refuse(), times=1)
    with pytest.raises(httpx.ConnectError):
        await world.client.upload(b"abc")

    assert world.state.requests == []


@pytest.mark.parametrize("after", [0, 1, 200, 100_000, 10_000_000])
async def test_reset_within_the_request(world: World, after: int) -> None:
    """A body cut anywhere is a WriteError, and the server keeps nothing of it."""
    world.faults.add(ResetRequest(after=after), times=1)
    with pytest.raises(httpx.WriteError):
        await world.client.upload(b"abc" * 100_000)

    assert stored_assets(world.state) == []
    assert stray_files(world.state) == []


async def test_lost_answer(world: World) -> None:
    """The answer is lost after the upload was committed: a ReadError, and one asset."""
    world.faults.add(LostAnswer(), times=1)
    with pytest.raises(httpx.ReadError):
        await world.client.upload(b"abc")
    again = await world.client.upload(b"abc")

    assert again.json()["status"] == "duplicate"
    assert len(stored_assets(world.state)) == 1


async def test_reset_within_the_answer(world: World) -> None:
    """The answer's head arrives, and its body breaks off."""
    asset_id = (await world.client.upload(b"abc" * 100)).json()["id"]
    rule = world.faults.add(ResetResponse(after=10), path="/api/assets/")
    received = b""
    with pytest.raises(httpx.ReadError):  # noqa: PT012 (the error comes while reading)
        async with world.client.http.stream("GET", f"/assets/{asset_id}/original") as response:
            assert response.status_code == 200
            async for block in response.aiter_bytes():
                received += block

    assert received == (b"abc" * 4)[:10]
    assert rule.fired == 1


async def test_same_seed_same_run(tmp_path: Path) -> None:
    """Two runs from one seed make the same ids, keys and requests; another seed does not."""

    async def run(name: str, seed: int) -> tuple[str, list[str], list[Exchange]]:
        world = World(tmp_path / name, seed)
        async with world.client.http:
            for n in range(3):
                await world.client.upload(b"%d" % n)
        return world.state.api_key, [a.id for a in stored_assets(world.state)], world.state.requests

    first, second, other = await run("a", 1), await run("b", 1), await run("c", 2)

    assert first == second
    assert first[1] != other[1]
