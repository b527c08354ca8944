"""What the wall clock did, on a simulated machine."""

from pathlib import Path

import anyio

from immich_sync.elapsed import Elapsed
from tests.faults.stage import Stage, simulate

HOUR = 3600.0


def test_two_who_look_at_once_note_a_jump_once(tmp_path: Path) -> None:
    """Each folder's cleanup and each account's deletions look when they like."""

    async def scenario() -> list[float]:
        stage = Stage(1, tmp_path)
        async with stage.daemon() as engine:
            await engine.elapsed.look()
            stage.clock.ahead += HOUR
            async with anyio.create_task_group() as tasks:
                for _ in range(2):
                    tasks.start_soon(engine.elapsed.look)
            return [round(one.by) for one in engine.elapsed.jumps]

    assert simulate(scenario, seed=1) == [HOUR]


def test_a_jump_at_a_reload_is_none_of_a_restart(tmp_path: Path) -> None:
    """Within a process the monotonic clock tells; over a restart an hour may have passed."""

    async def scenario() -> tuple[int, int]:
        stage = Stage(1, tmp_path)
        async with stage.daemon() as engine:
            await engine.elapsed.look()
            stage.clock.ahead += HOUR
            reloaded = Elapsed(engine.world, engine.elapsed)
            restarted = Elapsed(engine.world)
            await restarted.look()
            await reloaded.look()
            return len(reloaded.jumps), len(restarted.jumps)

    assert simulate(scenario, seed=1) == (1, 0)
