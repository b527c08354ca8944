"""The sandbox as @immich/cli sees it: the client that the makers of Immich ship.

The command line client speaks the 3.x API, so that it runs against 3.x only.  It needs Node, and
once the network, to be installed; without them these tests are left out.
"""

import json
import os
import subprocess
from collections.abc import AsyncIterator
from pathlib import Path

import anyio
import pytest

from immich_sync.sandbox import Sandbox
from tests.contract.conftest import Missing, new_name, new_photo

pytestmark = pytest.mark.anyio

SCRIPT = Path(__file__).with_name("immich-cli")
UNAVAILABLE = 69


@pytest.fixture(scope="module")
async def sandbox() -> AsyncIterator[Sandbox]:
    """A 3.1.0 server."""
    async with Sandbox(version="3.1.0") as server:
        yield server


async def run(
    sandbox: Sandbox, missing: Missing, settings: Path, *arguments: str | Path
) -> subprocess.CompletedProcess[bytes]:
    """The finished client; the test is left out if there is none to be had."""
    environment = os.environ | {
        "IMMICH_INSTANCE_URL": f"{sandbox.url}/api",
        "IMMICH_API_KEY": sandbox.api_key,
        "IMMICH_CONFIG_DIR": str(settings),
    }
    with anyio.fail_after(120):
        done = await anyio.run_process(
            [str(SCRIPT), *map(str, arguments)], env=environment, check=False
        )
    if done.returncode == UNAVAILABLE:
        missing(done.stderr.decode().strip())
    return done


def write_photo(folder: Path, name: str) -> Path:
    """A new photo on disk."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / name
    path.write_bytes(new_photo(100_000).content)
    return path


async def test_server_info(sandbox: Sandbox, missing: Missing, tmp_path: Path) -> None:
    """The client finds the server and understands what it says about itself."""
    done = await run(sandbox, missing, tmp_path, "server-info")

    assert done.returncode == 0, done.stdout + done.stderr
    assert b"3.1.0" in done.stdout


async def test_upload_into_an_album(sandbox: Sandbox, missing: Missing, tmp_path: Path) -> None:
    """A folder arrives, with its sidecar, in an album that is made for it."""
    photos, album = tmp_path / "photos", new_name("cli")
    paths = [write_photo(photos, name) for name in ("a.jpg", "b.jpg")]
    (photos / "b.jpg.xmp").write_text("<x:xmpmeta xmlns:x='adobe:ns:meta/'/>")
    arguments = ("upload", "--recursive", "--no-progress", "--album-name", album, photos)
    done = await run(sandbox, missing, tmp_path, *arguments)
    stored = {asset.name: asset for asset in sandbox.assets() if album in asset.albums}

    assert done.returncode == 0, done.stdout + done.stderr
    assert {name: asset.path.read_bytes() for name, asset in stored.items()} == {
        path.name: path.read_bytes() for path in paths
    }
    assert stored["a.jpg"].sidecar is None
    assert stored["b.jpg"].sidecar is not None


async def test_upload_again(sandbox: Sandbox, missing: Missing, tmp_path: Path) -> None:
    """What is there already is found by its checksum and not sent again."""
    photo = write_photo(tmp_path / "photos", "a.jpg")
    arguments = ("upload", "--no-progress", "--json-output", photo)
    await run(sandbox, missing, tmp_path, *arguments)
    sent = sandbox.count("POST", "/api/assets", 201)
    again = await run(sandbox, missing, tmp_path, *arguments)
    report = json.loads(again.stdout[again.stdout.index(b"{") :])

    assert [entry["filepath"] for entry in report["duplicates"]] == [str(photo)]
    assert report["newAssets"] == []
    assert sandbox.count("POST", "/api/assets", 201) == sent
