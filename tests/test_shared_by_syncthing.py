"""A folder that Syncthing comes to share: nothing goes that would go from the phone as well."""

from pathlib import Path

import anyio
import pytest

from immich_sync import AssetsApi, status
from immich_sync.engine import Engine
from immich_sync.sandbox import Sandbox
from tests.library import write_photo
from tests.scene import Household, household, photo, running

pytestmark = pytest.mark.anyio


async def _problems(engine: Engine) -> dict[str, str]:
    told = await status.of(engine, since=0.0)
    return {one.what: one.advice for one in told.problems}


async def _synced(home: Household) -> Path:
    """A photo that is in Immich, in a folder that is cleaned from the next start on."""
    path = home.put("d/1.jpg", photo(1))
    await home.sync()
    home.configure(after_upload="delete", cleanup_after=0.01)
    return path


@pytest.mark.parametrize("where", ["photos", "."])
async def test_a_marker_that_came_later_stops_the_cleanup(tmp_path: Path, where: str) -> None:
    """In the root or above it: `status` says what the configuration would have said."""
    async with household(tmp_path) as home:
        kept = await _synced(home)
        (tmp_path / where / ".stfolder").mkdir()

        async with running(home) as engine:
            with anyio.fail_after(20):
                while "shared" not in (told := await _problems(engine)):  # noqa: ASYNC110 - no bell
                    await anyio.sleep(0.01)
            assert "would be deleted on the phone too; if that is wanted, write" in told["shared"]
            assert str(tmp_path / where) in told["shared"]
        assert kept.exists()


async def test_what_is_wanted_is_done(tmp_path: Path) -> None:
    """With deletes_reach_phone the marker means nothing."""
    async with household(tmp_path) as home:
        gone = await _synced(home)
        home.configure(deletes_reach_phone=True)
        (tmp_path / ".stfolder").mkdir()
        await home.sync()

        assert not gone.exists()


async def test_an_upload_that_deletes_looks_as_well(tmp_path: Path) -> None:
    """What Syncthing shares is uploaded, kept, and the reason is told."""
    path = write_photo(tmp_path / "a" / "b")
    (tmp_path / ".stfolder").mkdir()
    async with (
        Sandbox() as sandbox,
        AssetsApi(base_url=f"{sandbox.url}/api", api_key=sandbox.api_key) as assets,
    ):
        result = await assets.upload(path, delete_uploads=True)

    assert path.exists()
    assert (len(result.uploaded), result.deleted) == (1, [])
    assert [one.filepath for one in result.kept] == [path]
    assert "Syncthing shares" in result.kept[0].error
