"""What lies in external libraries, by its name."""

import pytest

from immich_sync.core.errors import Refused
from immich_sync.immich.libraries import path_in_library
from immich_sync.immich.upload import upload
from immich_sync.sandbox import Sandbox
from tests.immich.scene import LANE, connected, inline, photo


@pytest.mark.anyio
@pytest.mark.parametrize("version", ["3.1.0", "2.7.5"])
async def test_only_the_very_name_in_a_library_counts(version: str) -> None:
    """Neither an upload of that name nor a longer name, and an underscore stands for itself."""
    async with Sandbox(version=version) as sandbox:
        file = photo(1000)
        async with connected(sandbox.url, key=sandbox.api_key) as immich:
            await upload(immich, file.announced(), file, None, inline, LANE)
            for path in ("/nas/IMG_1.jpg", "/nas/sub/IMG_2.jpg.webp", "/nas/IMGX3.jpg"):
                sandbox.state.add_library_asset(path)
            names = ("IMG_1.jpg", "IMG_2.jpg", "IMG_3.jpg", file.announced().name)
            found = [await path_in_library(immich, name) for name in names]

    assert found == ["/nas/IMG_1.jpg", None, None, None]


@pytest.mark.anyio
async def test_a_key_without_asset_read_is_refused() -> None:
    """The permission is named."""
    async with Sandbox() as sandbox:
        key = sandbox.add_key("asset.upload")
        async with connected(sandbox.url, key=key) as immich:
            with pytest.raises(Refused, match=r"asset\.read"):
                await path_in_library(immich, "a.jpg")
