"""How `run --once` ends, and what it says of the files that it leaves."""

from pathlib import Path

import pytest
from structlog.testing import capture_logs

from tests.scene import household, photo

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize(
    ("content", "why"),
    [(photo(2)[:-20], "It is not whole"), (b"", "It has no bytes")],
    ids=["not whole", "empty"],
)
async def test_a_file_that_may_still_grow_is_left_and_named(
    tmp_path: Path, content: bytes, why: str
) -> None:
    """It is not waited for, but not all is in."""
    async with household(tmp_path) as home:
        home.put("a.jpg", photo(1))
        left = home.put("cut.jpg", content)

        with capture_logs() as logs:
            assert await home.sync() == 1

        assert [asset.name for asset in home.sandbox.assets()] == ["a.jpg"]
        [named] = [one for one in logs if one["event"] == "left_waiting"]
        assert named["file"] == str(left)
        assert named["why"].startswith(why)
        [finished] = [one for one in logs if one["event"] == "finished"]
        assert finished["left_waiting"] == 1


async def test_where_nothing_is_left_nothing_is_said_of_it(tmp_path: Path) -> None:
    """All is in."""
    async with household(tmp_path) as home:
        home.put("a.jpg", photo(1))

        with capture_logs() as logs:
            assert await home.sync() == 0

        assert not [one for one in logs if "left_waiting" in (one["event"], *one)]
