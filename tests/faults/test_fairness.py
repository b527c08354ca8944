"""One trouble must not become everybody's."""

from pathlib import Path

import anyio

from immich_sync.core.folder import Limits
from immich_sync.sandbox import Status, stored_assets
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
