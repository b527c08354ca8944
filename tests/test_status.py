"""What the status says of a folder on which nothing is going on."""

from pathlib import Path

import anyio

from immich_sync import status
from immich_sync.core.errors import Unreachable
from immich_sync.sandbox import stored_assets
from tests.faults.stage import Stage, simulate, until


def test_nobody_says_how_long_it_takes_while_nothing_goes_up(tmp_path: Path) -> None:
    """A folder that is paused, or whose server is away, has no estimate; before that it has one."""

    async def scenario() -> list[bool]:
        stage, known = Stage(1, tmp_path), []
        async with stage.daemon(stage.setup()) as engine:
            for number in range(3):
                stage.disk.write(b"%d.raw" % number, b"photo %d" % number, stage.clock.now())
            await until(lambda: len(stored_assets(stage.server)) == 3, within=900)
            await until(lambda: not engine.crew.busy, within=60)
            await anyio.sleep(1)

            async def look() -> None:
                said = await status.of(engine, since=0.0)
                known.append(said.folders[0].eta_seconds is not None)

            await look()
            folder = next(iter(engine.intakes))
            engine.crew.pause(folder)
            await look()
            engine.crew.resume(folder)
            await look()
            for link in engine.links.values():
                link.immich.gate.close(Unreachable("It is away."))
            await look()
        return known

    assert simulate(scenario, seed=1) == [True, False, True, False]
