"""A file far larger than the memory it may take goes up and comes down.

Its own file because only a process of its own tells what memory was taken.
"""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

MOST = 100
"""MiB that the whole process may take, the interpreter and all libraries included."""
TRUE = os.environ.get("TRUE_TIMES") == "1"
SIZE = (3 * 1024 if TRUE else 160) * 1024**2
"""Bytes of the file: more than MOST; the full 3 GiB takes minutes and 9 GiB of disk."""

SCRIPT = """
import sys
from pathlib import Path
from immich_sync.sync import AssetsApi

url, key, path, out = sys.argv[1:]
with AssetsApi(url, key) as assets:
    result = assets.upload(path)
    assert result.stats.uploaded == 1, result
    assets.download_asset_to_file(result.uploaded[0].asset.id, out)
# Not ru_maxrss, which a new program inherits from the process that started it.
status = Path("/proc/self/status").read_text()
print(int(status.split("VmHWM:")[1].split()[0]) // 1024)
"""


@pytest.fixture
def server(tmp_path: Path) -> Iterator[tuple[str, str]]:
    """The address and key of a sandbox in a process of its own."""
    command = [sys.executable, "-m", "immich_sync", "sandbox", "--port", "0"]
    with subprocess.Popen(  # noqa: S603 - our own command
        [*command, "--data", str(tmp_path / "server")], stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        said = json.loads(process.stdout.readline())
        yield said["url"], said["api_key"]
        process.terminate()


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells the peak of one program")
def test_flat_memory(server: tuple[str, str], tmp_path: Path) -> None:
    """Row 4: a file goes up and comes down in far less memory than it has bytes."""
    path = tmp_path / "large.mp4"
    with path.open("wb") as file:
        file.truncate(SIZE)
    done = subprocess.run(  # noqa: S603 - our own script
        [sys.executable, "-c", SCRIPT, *server, str(path), str(tmp_path / "out")],
        capture_output=True, text=True, check=False,
    )  # fmt: skip

    assert done.returncode == 0, done.stderr
    assert (tmp_path / "out" / "large.mp4").stat().st_size == SIZE
    assert int(done.stdout) < MOST
