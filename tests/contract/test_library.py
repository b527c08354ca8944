"""The contract as our own library uses it: up, again, into an album, and down in every way."""

import zipfile
from pathlib import Path
from uuid import UUID

import pytest

from immich_sync import AssetsApi, Refused
from tests.contract.conftest import Immich, new_name, new_photo

pytestmark = pytest.mark.anyio


async def test_up_and_down(immich: Immich, server: tuple[str, str], tmp_path: Path) -> None:
    """A photo goes up, is found again, joins its album, and comes down alone and in a zip."""
    url, key = server
    photo, album = new_photo(300_000), new_name("Library")
    (tmp_path / "Größe 1.jpg").write_bytes(photo.content)
    async with AssetsApi(f"{url}/api", key) as assets:
        first = await assets.upload(tmp_path, album_name=album)
        asset = first.uploaded[0].asset.id
        assert asset is not None
        immich.assets.append(str(asset))
        again = await assets.upload(tmp_path, album_name=album, skip_duplicates=True)
        found = await immich.http.get("/albums")
        (album_id,) = [one["id"] for one in found.json() if one["albumName"] == album]
        immich.made.append(f"/albums/{album_id}")
        original = await assets.download_asset_to_file(asset, tmp_path / "out")
        (archive,) = await assets.download_archive_to_file(UUID(album_id), tmp_path / "out")
        folder = await assets.download_originals_to_folder(UUID(album_id), tmp_path / "out")

    assert [entry.asset_id for entry in again.rejected] == [asset]
    assert (original.name, original.read_bytes()) == ("Größe 1.jpg", photo.content)
    assert [entry.filepath for entry in folder.downloaded] == [original]
    with zipfile.ZipFile(archive) as opened:
        assert [opened.read(name) for name in opened.namelist()] == [photo.content]
    assert await immich.members(album_id) == {str(asset)}


async def test_down_by_a_link_with_a_password(
    immich: Immich, server: tuple[str, str], tmp_path: Path
) -> None:
    """A public link's password opens it for somebody who has no key; another one does not."""
    photo = new_photo()
    asset = await immich.asset(photo)
    word = "Sesam öffne dich"
    body = {"type": "INDIVIDUAL", "assetIds": [asset], "password": word}
    made = (await immich.http.post("/shared-links", json=body)).json()
    immich.made.append(f"/shared-links/{made['id']}")
    async with AssetsApi(server[0], "no-key-of-this-server") as assets:
        found = await assets.download_asset_to_file(asset, tmp_path, key=made["key"], password=word)
        with pytest.raises(Refused, match="password"):
            await assets.download_asset_to_file(asset, tmp_path, key=made["key"], password="wrong")  # noqa: S106 (made up here)

    assert found.read_bytes() == photo.content
