"""Photos with something odd about them go up all the same."""

from pathlib import Path

from immich_sync.core.folder import Folder
from immich_sync.core.types import Stamp
from immich_sync.pipeline import album_for
from immich_sync.sandbox import stored_assets
from tests.faults.stage import Stage, simulate, until


def test_a_date_outside_the_calendar_has_an_album_too() -> None:
    """A camera that lost its clock makes dates that no calendar has."""
    folder = Folder("photos", b"/photos", "default", album="{date:%Y}")

    for mtime_ns in (-(10**19), 10**22):
        assert album_for(folder, b"", Stamp(1, mtime_ns, 1, 0)) in {"1970", "9999"}


def test_a_sidecar_that_cannot_be_read_keeps_no_photo_out(tmp_path: Path) -> None:
    """It is left out, and said so; the photo is in Immich."""

    async def scenario() -> list[str]:
        stage = Stage(7, tmp_path)
        stage.disk.broken.add(b"a.raw.xmp")
        async with stage.daemon():
            stage.disk.write(b"a.raw.xmp", b"<x:xmpmeta/>", stage.clock.now())
            stage.disk.write(b"a.raw", b"photo", stage.clock.now())
            await until(lambda: bool(stored_assets(stage.server)), within=120)
        return [one.name for one in stored_assets(stage.server)]

    assert simulate(scenario, seed=7) == ["a.raw"]
