"""What counts as alive: state and feeder have turned; and what is said of a daemon's doings."""

import threading
from collections.abc import AsyncIterator
from contextlib import closing

import anyio
import pytest

from immich_sync import pulse
from immich_sync.core.errors import StateTrouble
from immich_sync.core.folder import Limits, Setup
from immich_sync.core.types import Due
from immich_sync.engine import Engine
from immich_sync.machine import this_machine
from immich_sync.store.database import Database, open_database

pytestmark = pytest.mark.anyio

WITHIN = 0.2
"""Seconds between two signs of life."""


@pytest.fixture
async def engine(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Engine]:
    """One with a real state, which nobody runs."""
    state = tmp_path_factory.mktemp("state")
    with closing(open_database(state / "state.db")) as database:
        setup = Setup((), (), Limits(), str(state))
        yield Engine(setup, this_machine(setup.limits), database)


async def is_alive(engine: Engine, *, fed: bool = True, held: bool = False) -> bool:
    """Whether it counts as alive, with or without a feeder, and with its state held up or not."""
    let_go, holds = threading.Event(), threading.Event()

    def hold_up(_: Database) -> None:
        holds.set()
        let_go.wait(10)

    send, receive = anyio.create_memory_object_stream[Due](0)
    async with anyio.create_task_group() as tasks:
        with receive:
            if held:
                tasks.start_soon(engine.world.store, hold_up)
                await anyio.to_thread.run_sync(holds.wait, 10)
            if fed:
                tasks.start_soon(engine.crew.feed, send)
            with send:
                alive = await pulse.gets_on(engine, WITHIN)
            let_go.set()
            tasks.cancel_scope.cancel()
    return alive


async def test_state_and_feeder_have_to_turn(engine: Engine) -> None:
    """Both do: alive. One of them does not: not alive."""
    assert await is_alive(engine)
    assert not await is_alive(engine, fed=False)
    assert not await is_alive(engine, held=True)


async def test_a_full_disk_is_waited_for(engine: Engine) -> None:
    """The feeder stands at the store's door, which tries again: a restart would mend nothing."""
    engine.world.store.trouble = StateTrouble("the disk is full")

    assert await is_alive(engine, fed=False)
    assert pulse.doing(engine) == "watching; waiting for the state's disk: the disk is full"


async def test_who_stops_takes_nothing_on(engine: Engine) -> None:
    """The feeder has ended before the workers: they are given their time."""
    engine.stop()

    assert await is_alive(engine, fed=False)
    assert pulse.doing(engine) == "stopping"
