"""What the tests of the disk may ask for."""

from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest


@pytest.fixture
def seen_by_all() -> Iterator[Path]:
    """A directory that other users may reach, unlike `tmp_path`."""
    with TemporaryDirectory(prefix="immich-sync-test-") as made:
        place = Path(made)
        place.chmod(0o755)
        yield place
