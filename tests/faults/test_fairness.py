"""One trouble must not become everybody's."""

from pathlib import Path

import anyio

from immich_sync.core.folder import Limits
from immich_sync.core.types import LARGE
from immich_sync.sandbox import Delay, Status, stored_assets
from tests.faults.stage import Stage, simulate, until

FILES = 60


def test_a_server_that_refuses_every_upload_is_not_sent_every_file(tmp_path: Path) -> None:
    """After a few files the server is the suspect: it is left alone, and all go up in the end."""

    async def scenario() -> tuple[int, int]:
        stage = Stage(5, tmp_path)
        broken = stage.faults.add(Status(500), method="POST", path="/api/assets", exact=True)
        async with stage.daemon(stage.setup(limits=Limits(in_flight=8))) as engine:
            for number in range(FILES):
                stage.disk.write(b"%d.raw" % number, b"photo %d" % number, stage.clock.now())
            await anyio.sleep(3600)
            sent = broken.fired
            stage.faults.remove(broken)
            await until(lambda: len(stored_assets(stage.server)) == FILES, within=4 * 86_400)
            await until(lambda: not engine.crew.busy, within=60)
        return sent, len(stored_assets(stage.server))

    sent, stored = simulate(scenario, seed=5)

    assert sent < FILES
    assert stored == FILES


def test_large_videos_leave_room_for_a_photo(tmp_path: Path) -> None:
    """Although they came first, fill what they may, and take for ever to go up."""

    async def scenario() -> tuple[int, list[str]]:
        stage = Stage(6, tmp_path)
        limits = Limits(in_flight=4, uploads=2)
        stuck = stage.faults.add(
            Delay(250.0), method="POST", path="/api/assets", exact=True, times=1
        )
        async with stage.daemon(stage.setup(limits=limits)) as engine:
            for number in range(5):
                stage.disk.write(b"%d.raw" % number, bytes([number]) * LARGE, stage.clock.now())
            await until(lambda: stuck.fired == 1 and len(engine.crew.busy) == 3, within=900)
            stage.disk.write(b"new.raw", b"a photo", stage.clock.now())
            await until(lambda: bool(stored_assets(stage.server)), within=50)
            return len(engine.crew.busy), [one.name for one in stored_assets(stage.server)]

    busy, stored = simulate(scenario, seed=6)

    assert (busy, stored) == (3, ["new.raw"])


def test_a_storm_of_overflows_leaves_the_disk_its_rest(tmp_path: Path) -> None:
    """The first is answered by a scan at once; then the disk scans a twentieth of the time."""

    async def scenario() -> tuple[float, int, float]:
        stage, scans, took = Stage(7, tmp_path, hurried=False), 0, 0.0
        async with stage.daemon(stage.setup()) as engine:
            for number in range(30):
                path = b"%d/a.raw" % number
                stage.disk.write(path, b"photo %d" % number, stage.clock.now())
            await until(lambda: len(stored_assets(stage.server)) == 30, within=900)
            [intake] = engine.intakes.values()
            await until(intake.is_quiet, within=900)
            began, first, seen = anyio.current_time(), 0.0, intake.last_scan
            while anyio.current_time() < began + 600:
                stage.disk.overflow()
                await anyio.sleep(0.2)
                if intake.last_scan is not None and intake.last_scan != seen:
                    scans, seen = scans + 1, intake.last_scan
                    took += seen.took
                    first = first or anyio.current_time() - began
            return first, scans, took

    first, scans, took = simulate(scenario, seed=7)

    assert first < 30
    assert scans > 1
    assert took < 600 / 10
