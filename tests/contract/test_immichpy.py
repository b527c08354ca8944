"""The sandbox as immichpy sees it: a client no one here wrote, strict about every answer.

immichpy speaks the 3.x API, which sends no device fields, so that it runs against 3.x only.
"""

import os
import zipfile
from collections.abc import AsyncIterator
from pathlib import Path
from uuid import UUID

import pytest
from immichpy import AsyncClient
from immichpy.client.generated.models.bulk_ids_dto import BulkIdsDto
from immichpy.client.generated.models.create_album_dto import CreateAlbumDto
from immichpy.client.generated.models.download_info_dto import DownloadInfoDto
from immichpy.client.generated.models.shared_link_create_dto import SharedLinkCreateDto
from immichpy.client.generated.models.shared_link_type import SharedLinkType
from immichpy.client.generated.models.tag_bulk_assets_dto import TagBulkAssetsDto
from immichpy.client.generated.models.tag_upsert_dto import TagUpsertDto

from immich_sync.sandbox import Sandbox
from tests.contract.conftest import new_name, new_photo

pytestmark = [
    pytest.mark.anyio,
    # immichpy's own use of tenacity; not ours to mend.
    pytest.mark.filterwarnings("ignore:The 'initial' parameter is deprecated:DeprecationWarning"),
    # Newer servers have other endpoints for these; 3.1 has only these.
    pytest.mark.filterwarnings("ignore:GET /server/.* is deprecated:DeprecationWarning"),
]


@pytest.fixture(scope="module")
async def sandbox() -> AsyncIterator[Sandbox]:
    """A 3.1.0 server."""
    async with Sandbox(version="3.1.0") as server:
        yield server


@pytest.fixture
async def client(sandbox: Sandbox) -> AsyncIterator[AsyncClient]:
    """immichpy, connected to it."""
    opened = AsyncClient(base_url=sandbox.url, api_key=sandbox.api_key)
    yield opened
    await opened.close()


def write_photo(folder: Path, name: str, size: int = 0) -> Path:
    """A new photo on disk."""
    path = folder / name
    path.write_bytes(new_photo(size).content)
    return path


async def test_upload_into_an_album(client: AsyncClient, sandbox: Sandbox, tmp_path: Path) -> None:
    """Files with a sidecar among them arrive, in an album that is made for them."""
    album = new_name("immichpy")
    paths = [write_photo(tmp_path, name, 100_000) for name in ("a.jpg", "b.jpg")]
    (tmp_path / "b.jpg.xmp").write_text("<x:xmpmeta xmlns:x='adobe:ns:meta/'/>")
    result = await client.assets.upload(tmp_path, album_name=album)
    stored = {asset.name: asset for asset in sandbox.assets() if album in asset.albums}

    assert result.stats.uploaded == 2
    assert result.failed == []
    assert {name: asset.path.read_bytes() for name, asset in stored.items()} == {
        path.name: path.read_bytes() for path in paths
    }
    assert stored["a.jpg"].sidecar is None
    assert stored["b.jpg"].sidecar is not None


async def test_upload_again(client: AsyncClient, sandbox: Sandbox, tmp_path: Path) -> None:
    """What is there already is found by its checksum, and joins the album all the same."""
    album = new_name("immichpy")
    write_photo(tmp_path, "a.jpg")
    first = await client.assets.upload(tmp_path)
    again = await client.assets.upload(tmp_path, album_name=album)
    raced = await client.assets.upload(tmp_path, skip_duplicates=True)
    asset_id = first.uploaded[0].asset.id
    members = next(a.asset_ids for a in sandbox.albums() if a.name == album)

    assert [(r.asset_id, r.reason) for r in again.rejected] == [(asset_id, "duplicate")]
    assert [(r.asset_id, r.reason) for r in raced.rejected] == [(asset_id, "duplicate")]
    assert members == (str(asset_id),)


async def test_album_is_found_by_name(
    client: AsyncClient, sandbox: Sandbox, tmp_path: Path
) -> None:
    """A second upload into the same name makes no second album."""
    album = new_name("immichpy")
    for name in ("a.jpg", "b.jpg"):
        await client.assets.upload(write_photo(tmp_path, name), album_name=album)

    assert [len(a.asset_ids) for a in sandbox.albums() if a.name == album] == [2]


async def test_refusal_is_reported(client: AsyncClient, tmp_path: Path) -> None:
    """What the server refuses comes back with the server's own words."""
    (tmp_path / "empty.jpg").touch()
    result = await client.assets.upload(tmp_path)

    assert [entry.error for entry in result.failed] == ["File is empty"]


async def test_download(client: AsyncClient, tmp_path: Path) -> None:
    """The original comes back whole, under its name, also when it was begun before."""
    path = write_photo(tmp_path, "a.jpg", 300_000)
    result = await client.assets.upload(path)
    asset_id = result.uploaded[0].asset.id
    out = tmp_path / "out"
    out.mkdir()
    (out / "a.jpg.temp").write_bytes(path.read_bytes()[:1000])
    saved = await client.assets.download_asset_to_file(id=asset_id, out_dir=out)

    assert saved == out / "a.jpg"
    assert saved.read_bytes() == path.read_bytes()


async def test_download_through_a_link(
    client: AsyncClient, sandbox: Sandbox, tmp_path: Path
) -> None:
    """A share key or a slug is enough for the three downloads."""
    path = write_photo(tmp_path, "a.mp4", 1000)
    asset_id = (await client.assets.upload(path)).uploaded[0].asset.id
    link = await client.shared_links.create_shared_link(
        SharedLinkCreateDto(
            type=SharedLinkType.INDIVIDUAL, assetIds=[asset_id], slug=os.urandom(8).hex()
        )
    )
    stranger = AsyncClient(base_url=sandbox.url)
    try:
        original = await stranger.assets.download_asset_to_file(
            id=asset_id, out_dir=tmp_path / "key", key=link.key
        )
        video = await stranger.assets.play_asset_video_to_file(
            id=asset_id, out_dir=tmp_path / "slug", slug=link.slug
        )
    finally:
        await stranger.close()

    assert original.read_bytes() == path.read_bytes()
    assert video.read_bytes() == path.read_bytes()


async def test_download_archive(client: AsyncClient, tmp_path: Path) -> None:
    """Several originals come in one zip."""
    paths = [write_photo(tmp_path, name, 1000) for name in ("a.jpg", "b.jpg")]
    result = await client.assets.upload(paths)
    info = DownloadInfoDto(assetIds=[entry.asset.id for entry in result.uploaded])
    (saved,) = await client.download.download_archive_to_file(info, out_dir=tmp_path / "zip")
    with zipfile.ZipFile(saved) as archive:
        contents = {name: archive.read(name) for name in archive.namelist()}

    assert contents == {path.name: path.read_bytes() for path in paths}


async def test_answers_pass_its_models(client: AsyncClient, tmp_path: Path) -> None:
    """What the endpoints beside uploading answer is what the generated client insists on."""
    path = write_photo(tmp_path, "a.jpg")
    asset_id: UUID = (await client.assets.upload(path)).uploaded[0].asset.id
    album = await client.albums.create_album(CreateAlbumDto(albumName=new_name("immichpy")))
    added = await client.albums.add_assets_to_album(
        id=album.id, bulk_ids_dto=BulkIdsDto(ids=[asset_id])
    )
    (tag,) = await client.tags.upsert_tags(TagUpsertDto(tags=[new_name("tag")]))
    tagged = await client.tags.bulk_tag_assets(
        TagBulkAssetsDto(tagIds=[tag.id], assetIds=[asset_id])
    )
    asset = await client.assets.get_asset_info(id=asset_id)
    counted = await client.assets.get_asset_statistics()
    found = await client.albums.get_album_info(id=album.id)
    features = await client.server.get_server_features()
    config = await client.server.get_server_config()
    version = await client.server.get_server_version()

    assert [line.success for line in added] == [True]
    assert tagged.count == 1
    assert asset.tags is not None
    assert [t.id for t in asset.tags] == [tag.id]
    assert counted.total >= 1
    assert found.asset_count == 1
    assert features.trash is True
    assert config.maintenance_mode is False
    assert (version.major, version.minor, version.patch) == (3, 1, 0)
