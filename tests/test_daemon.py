"""The process around the engine, as other programs may run it."""

import os
import threading
from dataclasses import replace
from pathlib import Path

import anyio
import anyio.to_thread
import pytest

from immich_sync import control, daemon, status
from immich_sync.core.errors import StateDamaged
from immich_sync.core.folder import Account, Folder, Limits, Setup
from immich_sync.core.types import Secret
from immich_sync.engine import Engine
from immich_sync.sandbox import Sandbox
from tests.scene import household, photo


@pytest.mark.anyio
async def test_a_run_that_ended_leaves_nothing_that_could_end_the_process(tmp_path: Path) -> None:
    """The last resort against a hanging disk is called off once all has ended by itself."""
    photos = tmp_path / "photos"
    photos.mkdir()
    async with Sandbox() as sandbox:
        account = Account("default", sandbox.url, Secret(sandbox.api_key))
        folder = Folder("photos", os.fsencode(photos), "default")
        setup = Setup((account,), (folder,), Limits(), str(tmp_path / "state"))

        assert await daemon.run(setup, once=True, within=30) == 0

    assert not [one for one in threading.enumerate() if isinstance(one, threading.Timer)]


@pytest.mark.anyio
async def test_what_an_order_holds_is_held_over_a_reload(tmp_path: Path) -> None:
    """An undo may outlive its engine: nobody else takes files away, or writes to the state."""
    async with household(tmp_path) as home:
        engines, other = list[Engine](), replace(home.setup, limits=Limits(uploads=3))
        socket = home.home / "state" / control.SOCKET

        async def started(count: int) -> Engine:
            while len(engines) < count:  # noqa: ASYNC110 - no bell rings
                await anyio.sleep(0.01)
            return engines[-1]

        async def live() -> None:
            await daemon.run(home.setup, started=engines.append, reread=lambda: other)

        with anyio.fail_after(20):
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(live)
                first = await started(1)
                async with first.one_at_a_time:
                    request = control.Request("reload")
                    await anyio.to_thread.run_sync(control.ask, socket, request)
                    second = await started(2)
                    assert second is not first
                    assert second.one_at_a_time.locked()
                    assert second.world.blocking is first.world.blocking
                assert not second.one_at_a_time.locked()
                second.stop()


@pytest.mark.anyio
async def test_a_state_found_damaged_ends_the_daemon_and_the_next_one_repairs_it(
    tmp_path: Path,
) -> None:
    """With one sentence; the next start moves it aside, and uploads nothing twice."""
    async with household(tmp_path) as home:
        home.put("a.jpg", photo(1))
        assert await home.sync() == 0
        state, engines = home.home / "state" / "state.db", list[Engine]()

        async def damage() -> None:
            while not (engines and engines[0].audited()):  # noqa: ASYNC110 - no bell rings
                await anyio.sleep(0.01)
            with state.open("r+b") as file:
                size = file.seek(0, os.SEEK_END)
                file.seek(4096)
                file.write(b"\xee" * (size - 4096))
            await status.of(engines[0], since=0.0)

        with anyio.fail_after(20):
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(damage)
                with pytest.raises(StateDamaged, match=r"is damaged .*: restart immich-sync"):
                    await daemon.run(home.setup, started=engines.append)
                tasks.cancel_scope.cancel()

        assert await home.sync() == 0
        assert len(list(state.parent.glob("state.db.corrupt-*"))) >= 1
        assert home.sandbox.count("POST", "/api/assets", 201) == 1
