"""What the status says of a folder on which nothing is going on."""

from pathlib import Path

import anyio

from immich_sync import status
from immich_sync.core.errors import Unreachable
from immich_sync.intake import Intake
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


def test_what_settles_counts_among_the_files(tmp_path: Path) -> None:
    """From the first moment on, and each file once: a known one that changes is no new one."""

    async def scenario() -> list[tuple[str, int, int, int]]:
        stage, told = Stage(1, tmp_path), []
        async with stage.daemon(stage.setup()) as engine:
            await until(lambda: bool(engine.intakes), within=60)
            await until(lambda: not any(map(Intake.is_looking, engine.intakes.values())), within=60)

            async def look() -> None:
                said = await status.of(engine, since=0.0)
                [folder] = said.folders
                assert said.daemon is not None
                told.append((said.daemon.state, folder.files, folder.verified, folder.settling))

            for number in range(3):
                stage.disk.write(b"%d.raw" % number, b"photo %d" % number, stage.clock.now())
            await anyio.sleep(0.5)
            await look()
            await until(lambda: len(stored_assets(stage.server)) == 3, within=900)
            await until(lambda: not engine.crew.busy, within=60)
            await anyio.sleep(1)
            await look()
            stage.disk.write(b"0.raw", b"another photo", stage.clock.now())
            stage.disk.write(b"3.raw", b"photo 3", stage.clock.now())
            await anyio.sleep(0.5)
            await look()
        return told

    assert simulate(scenario, seed=1) == [
        ("waiting", 3, 0, 3),
        ("idle", 3, 3, 0),
        ("waiting", 4, 3, 2),
    ]
