"""What the tests of the disk may ask for."""

import os
import sys
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest


@pytest.fixture(autouse=True)
def _as_root(request: pytest.FixtureRequest) -> None:
    """Tests marked `root` are skipped elsewhere, unless everything is required to run."""
    if request.node.get_closest_marker("root") is None:
        return
    if sys.platform == "linux" and os.geteuid() == 0:
        return
    reason = "needs root on Linux"
    if os.environ.get("IMMICH_SYNC_REQUIRE_ALL") == "1":
        pytest.fail(reason)
    pytest.skip(reason)


@pytest.fixture
def seen_by_all() -> Iterator[Path]:
    """A directory that other users may reach, unlike `tmp_path`."""
    with TemporaryDirectory(prefix="immich-sync-test-") as made:
        place = Path(made)
        place.chmod(0o755)
        yield place
