"""An engine with nothing to do, on a simulated machine: it leaves processor and disk alone."""

from dataclasses import replace
from pathlib import Path

import anyio
import pytest

from immich_sync.sandbox import stored_assets
from tests.faults.mortality import Effects
from tests.faults.stage import Stage, simulate, until
from tests.nights import SCAN_AT

HOUR = 3600.0


@pytest.mark.parametrize(("on_delete", "most"), [("ignore", 80), ("trash", 140)])
def test_the_state_is_asked_seldom_while_nothing_waits(
    tmp_path: Path, on_delete: str, most: int
) -> None:
    """About once a minute for each that looks at the clock, and nothing is written."""

    async def scenario() -> tuple[int, int]:
        effects = Effects(names=[])
        stage = Stage(1, tmp_path, effects=effects)
        setup = stage.setup(on_delete=on_delete)
        folder = replace(setup.folders[0], root_check=HOUR, delete_after=600.0)
        async with stage.daemon(replace(setup, folders=(folder,))):
            stage.disk.write(b"d/a.raw", b"photo", stage.clock.now())
            await until(lambda: len(stored_assets(stage.server)) == 1, within=60)
            await anyio.sleep(600)
            assert effects.names is not None
            effects.names.clear()
            await anyio.sleep(HOUR)
            return effects.names.count("store"), effects.names.count("committed")

    asked, written = simulate(scenario, seed=1)
    assert asked <= most
    assert written <= 1  # the time, once an hour


def test_a_clock_that_jumps_is_noticed_by_what_waits(tmp_path: Path) -> None:
    """A file that is to be tried again in hours is, within two minutes."""

    async def scenario() -> int:
        stage = Stage(2, tmp_path)
        folder = replace(stage.setup().folders[0], scan_at=SCAN_AT)
        async with stage.daemon(replace(stage.setup(), folders=(folder,))) as engine:
            stage.disk.write(b"d/a.raw", b"photo", stage.clock.now())
            await until(lambda: len(stored_assets(stage.server)) == 1, within=60)
            stage.disk.broken.add(b"d/b.raw")
            stage.disk.write(b"d/b.raw", b"another", stage.clock.now())
            await anyio.sleep(4 * HOUR)
            assert engine.crew.failures > 1
            stage.disk.broken.clear()
            stage.clock.ahead += 3 * HOUR
            await anyio.sleep(120)
            return len(stored_assets(stage.server))

    assert simulate(scenario, seed=2) == 2
