"""A sandbox over the same data folder goes on where the last one ended."""

from pathlib import Path

import pytest

from immich_sync.sandbox import Sandbox
from tests.sandbox.conftest import Connect, new_bytes

pytestmark = pytest.mark.anyio


async def test_everything_is_kept(connect: Connect, tmp_path: Path) -> None:
    """Keys, assets with their files, albums, tags, stacks, links and the trash are as before."""
    content = new_bytes()
    async with Sandbox(data=tmp_path) as sandbox:
        client = connect(sandbox)
        async with client.http as http:
            first = (await client.upload(content)).json()["id"]
            second = (await client.upload(new_bytes())).json()["id"]
            erased = (await client.upload(new_bytes())).json()["id"]
            album = {"albumName": "A", "assetIds": [first, second]}
            album_id = (await http.post("/albums", json=album)).json()["id"]
            await http.request("DELETE", f"/albums/{album_id}/assets", json={"ids": [second]})
            (tag,) = (await http.put("/tags", json={"tags": ["a/b"]})).json()
            await http.put("/tags/assets", json={"tagIds": [tag["id"]], "assetIds": [first]})
            await http.post("/stacks", json={"assetIds": [first, second]})
            await http.put(
                f"/assets/{first}/metadata", json={"items": [{"key": "k", "value": [1]}]}
            )
            link = {"type": "INDIVIDUAL", "assetIds": [first]}
            await http.post("/shared-links", json=link)
            await http.request("DELETE", "/assets", json={"ids": [second]})
            await http.request("DELETE", "/assets", json={"ids": [erased], "force": True})
            kept = (await http.get("/shared-links")).json()
        before = (sandbox.api_key, sandbox.assets(), sandbox.albums())

    async with Sandbox(data=tmp_path) as again, connect(again).http as http:
        after = (again.api_key, again.assets(), again.albums())
        links = (await http.get("/shared-links")).json()
        original = await http.get(f"/assets/{first}/original")

    assert after == before
    assert links == kept
    assert original.content == content


async def test_given_key_is_kept_beside_others(tmp_path: Path) -> None:
    """A key asked for at a later start works beside the one made first."""
    async with Sandbox(data=tmp_path) as sandbox:
        first = sandbox.api_key
    async with Sandbox(data=tmp_path, api_key="mine") as sandbox:
        assert sandbox.api_key == "mine"
    async with Sandbox(data=tmp_path) as sandbox:
        assert sandbox.api_key == first


async def test_torn_last_line(connect: Connect, tmp_path: Path) -> None:
    """What was cut off while it was being written is forgotten, and what follows is sound."""
    async with Sandbox(data=tmp_path) as sandbox:
        client = connect(sandbox)
        async with client.http:
            await client.upload(new_bytes())
    journal = tmp_path / "journal.jsonl"
    with journal.open("ab") as file:
        file.write(b'["asset", {"id": "tor')
    for expected in (2, 3):
        async with Sandbox(data=tmp_path) as sandbox:
            client = connect(sandbox)
            async with client.http:
                await client.upload(new_bytes())
            assert len(sandbox.assets()) == expected


async def test_half_uploads_are_swept_up(tmp_path: Path) -> None:
    """What a killed server left behind half received is gone at the next start."""
    left = tmp_path / "incoming" / "half"
    left.parent.mkdir()
    left.write_bytes(b"half")
    async with Sandbox(data=tmp_path):
        assert not left.exists()


async def test_journal_is_private(tmp_path: Path) -> None:
    """The journal holds keys: nobody else may read it."""
    async with Sandbox(data=tmp_path):
        mode = (tmp_path / "journal.jsonl").stat().st_mode

    assert mode & 0o777 == 0o600


async def test_other_version_over_the_same_data(connect: Connect, tmp_path: Path) -> None:
    """A server can be upgraded: the same data under a newer version."""
    async with Sandbox(data=tmp_path, version="2.7.5") as sandbox:
        client = connect(sandbox)
        async with client.http:
            asset_id = (await client.upload(new_bytes())).json()["id"]
    async with Sandbox(data=tmp_path, version="3.1.0") as again, connect(again).http as http:
        asset = (await http.get(f"/assets/{asset_id}")).json()

    assert "deviceAssetId" not in asset
