"""What the dry run calls the files that it finds."""

from pathlib import Path

import pytest

from immich_sync.cli.screens.rehearsal import lines
from immich_sync.rehearsal import rehearse
from tests.scene import household, photo


@pytest.mark.anyio
async def test_an_empty_file_is_no_ignored_one(tmp_path: Path) -> None:
    """It is one of the photos, and a problem, as `status` and `verify` say."""
    async with household(tmp_path) as home:
        home.put("a.jpg", photo(1))
        home.put("empty.jpg", b"")

        found = await rehearse(home.setup)

    [folder] = found.folders
    assert (folder.files, folder.to_upload, folder.empty, folder.ignored) == (2, 1, 1, {})
    assert any(line.startswith("  1 empty: a problem") for line in lines(found))
