"""The same client on another event loop, a virtual clock, and without a socket or a thread."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import anyio
import httpx
import pytest
import trio.testing

from immich_sync.core.errors import OutcomeUnknown, Unreachable
from immich_sync.immich.check import Presence, bulk_check
from immich_sync.immich.client import Immich
from immich_sync.immich.upload import upload
from immich_sync.sandbox import (
    Delay,
    Faults,
    FaultyTransport,
    LostAnswer,
    Refuse,
    State,
    create_app,
    stored_assets,
    with_faults,
)
from tests.immich.scene import LANE, LIMITS, connected, inline, photo, sha1


@pytest.fixture
def anyio_backend() -> object:
    """Virtual time."""
    return ("trio", {"clock": trio.testing.MockClock(autojump_threshold=0)})


@dataclass(frozen=True)
class World:
    """A server without a socket, what may go wrong on the way to it, and its client."""

    state: State
    faults: Faults
    immich: Immich


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    """Such a world."""
    state, faults = State(tmp_path), Faults()
    app = httpx.ASGITransport(with_faults(create_app(state), faults, state))
    async with connected(
        "http://sim", key=state.api_key, transport=FaultyTransport(app, faults)
    ) as immich:
        yield World(state, faults, immich)


@pytest.mark.anyio
async def test_a_photo_goes_up(world: World) -> None:
    """Sent, stored, and proved by its checksum."""
    file = photo(3_000_000)
    uploaded = await upload(world.immich, file.announced(), file, None, inline, LANE)
    (asset,) = stored_assets(world.state)

    assert await bulk_check(world.immich, [sha1(file.content)]) == [Presence(uploaded.asset_id)]
    assert asset.path.read_bytes() == file.content


@pytest.mark.anyio
async def test_a_lost_answer(world: World) -> None:
    """An upload whose answer is lost is unknown; the check that follows finds it."""
    file = photo(1000)
    world.faults.add(LostAnswer(), path="/api/assets", times=1)
    with pytest.raises(OutcomeUnknown):
        await upload(world.immich, file.announced(), file, None, inline, LANE)
    (presence,) = await bulk_check(world.immich, [sha1(file.content)])

    assert presence.asset_id is not None


@pytest.mark.anyio
async def test_a_refused_connection(world: World) -> None:
    """Where no connection comes about, nothing is unknown."""
    file = photo(1000)
    world.faults.add(Refuse(), path="/api/assets")
    with pytest.raises(Unreachable):
        await upload(world.immich, file.announced(), file, None, inline, LANE)


@pytest.mark.anyio
async def test_time_limits_hold_on_a_virtual_clock(world: World) -> None:
    """The deadlines are the program's own: they hold where httpx's timeouts do nothing."""
    file = photo(1000)
    world.faults.add(Delay(3600.0))
    begun = anyio.current_time()
    with pytest.raises(Unreachable):
        await world.immich.version()
    asked = anyio.current_time()
    with pytest.raises(Unreachable, match="Nothing moved"):  # the server never took a byte of it
        await upload(world.immich, file.announced(), file, None, inline, LANE)

    assert asked - begun == pytest.approx(5.0)
    assert anyio.current_time() - asked == pytest.approx(
        LIMITS.connect_timeout + LIMITS.stall_timeout
    )
