"""Out of the trash again: asked for once, believed only when checked."""

from dataclasses import replace

import pytest

from immich_sync.core.errors import Overloaded, Refused
from immich_sync.core.types import AssetId
from immich_sync.immich.check import Presence, bulk_check
from immich_sync.immich.trash import is_hidden, is_kept, put, restore
from immich_sync.immich.upload import upload
from immich_sync.sandbox import Sandbox, Status
from tests.immich.scene import ASSET, LANE, connected, inline, photo, sha1


async def _uploaded(sandbox: Sandbox) -> tuple[AssetId, bytes]:
    file = photo(1000)
    async with connected(sandbox.url, key=sandbox.api_key) as immich:
        sent = await upload(immich, file.announced(), file, None, inline, LANE)
    asset = sandbox.state.assets.get(sent.asset_id)
    assert asset is not None
    sandbox.state.assets.put(replace(asset, trashed_at=sandbox.state.stamp()))
    return sent.asset_id, file.content


@pytest.mark.anyio
@pytest.mark.parametrize("version", ["3.1.0", "2.7.5"])
async def test_a_trashed_asset_is_taken_out(version: str) -> None:
    """It is there as before, under its old id; to ask twice does no harm."""
    async with Sandbox(version=version) as sandbox:
        asset, content = await _uploaded(sandbox)
        async with connected(sandbox.url, key=sandbox.api_key) as immich:
            before = await bulk_check(immich, [sha1(content)])
            await restore(immich, asset)
            await restore(immich, asset)
            after = await bulk_check(immich, [sha1(content)])

    assert before == [Presence(asset, trashed=True)]
    assert after == [Presence(asset)]


@pytest.mark.anyio
async def test_what_is_gone_is_no_trouble_of_the_server() -> None:
    """The trash was emptied in between: nothing is raised, the check that follows will tell."""
    async with (
        Sandbox() as sandbox,
        connected(sandbox.url, key=sandbox.api_key) as immich,
    ):
        await restore(immich, AssetId(ASSET))
        answers = [one.status for one in sandbox.requests if one.path.endswith("/restore/assets")]

    assert answers == [400]


@pytest.mark.anyio
async def test_trouble_is_raised() -> None:
    """A key that may not, and a server that is busy."""
    async with Sandbox() as sandbox:
        asset, _ = await _uploaded(sandbox)
        async with connected(sandbox.url, key=sandbox.add_key("asset.upload")) as immich:
            with pytest.raises(Refused, match=r"asset\.delete"):
                await restore(immich, asset)
        sandbox.faults.add(Status(503), path="/api/trash")
        async with connected(sandbox.url, key=sandbox.api_key) as immich:
            with pytest.raises(Overloaded):
                await restore(immich, asset)


@pytest.mark.anyio
@pytest.mark.parametrize("version", ["3.1.0", "2.7.5"])
async def test_an_asset_is_put_into_the_trash_and_never_further(version: str) -> None:
    """Asked for twice it still lies there, and can be taken out."""
    async with Sandbox(version=version) as sandbox:
        asset, content = await _uploaded(sandbox)
        async with connected(sandbox.url, key=sandbox.api_key) as immich:
            await restore(immich, asset)
            asked = [await put(immich, [asset]), await put(immich, [asset])]
            after = await bulk_check(immich, [sha1(content)])

    assert asked == [True, True]
    assert after == [Presence(asset, trashed=True)]


@pytest.mark.anyio
async def test_one_stranger_among_them_and_none_is_trashed() -> None:
    """The server refuses all; nothing is raised, and the check that follows will tell."""
    async with Sandbox() as sandbox:
        asset, content = await _uploaded(sandbox)
        async with connected(sandbox.url, key=sandbox.api_key) as immich:
            await restore(immich, asset)
            done = await put(immich, [asset, AssetId(ASSET)])
            after = await bulk_check(immich, [sha1(content)])

    assert not done
    assert after == [Presence(asset)]


@pytest.mark.anyio
async def test_a_server_tells_whether_it_keeps_a_trash() -> None:
    """Without one, what it is told to delete is gone for good."""
    async with (
        Sandbox() as sandbox,
        connected(sandbox.url, key=sandbox.api_key) as immich,
    ):
        kept = await is_kept(immich)
        sandbox.state.trash = False
        without = await is_kept(immich)

    assert (kept, without) == (True, False)


@pytest.mark.anyio
async def test_a_moving_part_is_hidden() -> None:
    """Once Immich shows it within its still; of one that is gone it says nothing."""
    async with Sandbox() as sandbox:
        asset, _ = await _uploaded(sandbox)
        async with connected(sandbox.url, key=sandbox.api_key) as immich:
            before = await is_hidden(immich, asset)
            stored = sandbox.state.assets.get(asset)
            assert stored is not None
            sandbox.state.assets.put(replace(stored, visibility="hidden"))
            after = await is_hidden(immich, asset)
            sandbox.state.erase(stored)
            gone = await is_hidden(immich, asset)

    assert (before, after, gone) == (False, True, None)
