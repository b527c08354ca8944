"""The contract: getting files back, whole, in part, in archives and through shared links."""

import io
import uuid
import zipfile

import anyio
import httpx
import pytest

from tests.contract.conftest import Connect, Immich, Photo, new_photo

pytestmark = pytest.mark.anyio


async def link(immich: Immich, **fields: object) -> dict[str, str]:
    """A new shared link, as the server describes it."""
    response = await immich.http.post("/shared-links", json=fields)
    assert response.status_code == 201, response.text
    made: dict[str, str] = response.json()
    immich.made.append(f"/shared-links/{made['id']}")
    return made


async def original(immich: Immich, asset_id: str, **headers: str) -> httpx.Response:
    """The answer to a request for the original."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return await immich.http.get(f"/assets/{asset_id}/original", headers=named)


async def test_original(immich: Immich) -> None:
    """The original comes back byte for byte, under its name."""
    photo = new_photo(300_000)
    response = await original(immich, await immich.asset(photo, "Größe 1.jpg"))

    assert response.status_code == 200
    assert response.content == photo.content
    assert response.headers["accept-ranges"] == "bytes"
    assert response.headers["content-length"] == str(len(photo.content))
    assert (
        response.headers["content-disposition"]
        == "inline; filename*=UTF-8''Gr%C3%B6%C3%9Fe%201.jpg"
    )
    assert response.headers["etag"].startswith('W/"')
    assert "last-modified" in response.headers


@pytest.mark.parametrize(
    ("asked", "start", "stop"),
    [
        ("bytes=100-", 100, 1000),
        ("bytes=0-9", 0, 10),
        ("bytes=-10", 990, 1000),
        ("bytes=900-2000", 900, 1000),
    ],
)
async def test_range(immich: Immich, asked: str, start: int, stop: int) -> None:
    """A range is answered with 206 and just those bytes."""
    photo = Photo(new_photo(1000).content[:1000])
    response = await original(immich, await immich.asset(photo), range=asked)

    assert response.status_code == 206
    assert response.content == photo.content[start:stop]
    assert response.headers["content-range"] == f"bytes {start}-{stop - 1}/1000"


@pytest.mark.parametrize("beyond", [0, 1])
async def test_range_past_the_end(immich: Immich, beyond: int) -> None:
    """A range that starts at or past the end is 404, with the file's size."""
    photo = new_photo()
    size = len(photo.content)
    response = await original(immich, await immich.asset(photo), range=f"bytes={size + beyond}-")

    assert response.headers["content-range"] == f"bytes */{size}"
    assert response.status_code in ({404} if immich.modern else {404, 416})


@pytest.mark.parametrize("validator", ["etag", "last-modified"])
async def test_if_range_that_holds(immich: Immich, validator: str) -> None:
    """A range under the file's own validator is 206."""
    photo = new_photo()
    asset_id = await immich.asset(photo)
    known = (await original(immich, asset_id)).headers[validator]
    response = await original(immich, asset_id, range="bytes=10-", if_range=known)

    assert response.status_code == 206
    assert response.content == photo.content[10:]


@pytest.mark.parametrize("stale", ['W/"1-1"', "Mon, 01 Jan 1990 00:00:00 GMT"])
async def test_if_range_that_does_not_hold(immich: Immich, stale: str) -> None:
    """A range under a stale validator is the whole body, with 200."""
    photo = new_photo()
    response = await original(immich, await immich.asset(photo), range="bytes=10-", if_range=stale)

    assert response.status_code == 200
    assert response.content == photo.content


async def test_thumbnail(immich: Immich) -> None:
    """A thumbnail is 404 until the server has made it, then it is an image."""
    asset_id = await immich.asset()
    with anyio.fail_after(60):
        while True:
            response = await immich.http.get(f"/assets/{asset_id}/thumbnail")
            if response.status_code == 200:
                break
            assert response.status_code == 404
            assert "Asset media not found" in response.text
            await anyio.sleep(0.1)

    assert response.headers["content-type"].startswith("image/")
    assert len(response.content) > 0


async def test_thumbnail_of_no_size(immich: Immich) -> None:
    """A size that does not exist is invalid."""
    asset_id = await immich.asset()
    response = await immich.http.get(f"/assets/{asset_id}/thumbnail", params={"size": "huge"})

    assert response.status_code == 400


async def test_thumbnail_in_full(immich: Immich) -> None:
    """The original as a thumbnail is a redirection to it, or refused: that is left open."""
    asset_id = await immich.asset()
    response = await immich.http.get(f"/assets/{asset_id}/thumbnail", params={"size": "original"})

    assert response.status_code in {302, 400}
    if response.status_code == 302:
        assert response.headers["location"].endswith(f"/assets/{asset_id}/original")


async def test_playback(immich: Immich) -> None:
    """A video plays, in ranges too, and has no file name."""
    photo = new_photo(1000)
    asset_id = await immich.asset(photo, "a.mp4")
    path = f"/assets/{asset_id}/video/playback"
    response = await immich.http.get(path, headers={"range": "bytes=0-99"})

    assert response.status_code == 206
    assert response.content == photo.content[:100]
    assert "content-disposition" not in response.headers


async def test_playback_of_a_photo(immich: Immich) -> None:
    """A photo does not play."""
    response = await immich.http.get(f"/assets/{await immich.asset()}/video/playback")

    assert response.status_code == 404


async def test_download_needs_its_permission(immich: Immich, connect: Connect) -> None:
    """Originals need `asset.download`, thumbnails `asset.view`."""
    asset_id = await immich.asset()
    limited = connect({"x-api-key": await immich.key("asset.view")})
    refused = await original(limited, asset_id)
    viewed = await limited.http.get(f"/assets/{asset_id}/thumbnail")

    assert refused.status_code == 403
    assert refused.json()["message"] == "Missing required permission: asset.download"
    assert viewed.status_code in {200, 404}


async def test_download_info(immich: Immich) -> None:
    """The assets are divided into archives by size, motion parts included."""
    photos = [new_photo(1000) for _ in range(3)]
    video = await immich.asset(name="a.mov", visibility="hidden")
    still = await immich.asset(photos[0], "a.heic", livePhotoVideoId=video)
    ids = [still, *[await immich.asset(photo) for photo in photos[1:]]]
    body = {"assetIds": ids, "archiveSize": 1500}
    response = await immich.http.post("/download/info", json=body)
    info = response.json()

    assert response.status_code in {200, 201}
    assert sorted(i for a in info["archives"] for i in a["assetIds"]) == sorted([*ids, video])
    assert len(info["archives"]) > 1
    assert info["totalSize"] == sum(a["size"] for a in info["archives"])


async def test_download_info_of_an_album(immich: Immich) -> None:
    """An album's assets can be asked for by the album."""
    album, asset_id = await immich.album(), await immich.asset()
    await immich.http.put(f"/albums/{album}/assets", json={"ids": [asset_id]})
    info = (await immich.http.post("/download/info", json={"albumId": album})).json()

    assert [a["assetIds"] for a in info["archives"]] == [[asset_id]]


async def test_download_archive(immich: Immich) -> None:
    """An archive is a zip of the originals; equal names do not hide each other."""
    photos = [new_photo(500_000) for _ in range(2)]
    ids = [await immich.asset(photo, "same.jpg") for photo in photos]
    response = await immich.http.post("/download/archive", json={"assetIds": ids})
    with zipfile.ZipFile(io.BytesIO(response.content)) as archive:
        contents = {name: archive.read(name) for name in archive.namelist()}

    assert response.status_code == 200
    assert set(contents) == {"same.jpg", "same+1.jpg"}
    assert sorted(contents.values()) == sorted(photo.content for photo in photos)


async def test_link_by_key(immich: Immich, connect: Connect) -> None:
    """Who has the key of a link to an asset gets that asset, and no other."""
    photo = new_photo()
    asset_id, other = await immich.asset(photo), await immich.asset()
    key = (await link(immich, type="INDIVIDUAL", assetIds=[asset_id]))["key"]
    nobody = connect({}).http
    found = await nobody.get(f"/assets/{asset_id}/original", params={"key": key})
    refused = await nobody.get(f"/assets/{other}/original", params={"key": key})

    assert found.status_code == 200
    assert found.content == photo.content
    assert refused.status_code in {400, 403, 404}


async def test_link_by_slug(immich: Immich, connect: Connect) -> None:
    """A link's slug opens it as well, and an album link opens the album's assets."""
    album, video = await immich.album(), await immich.asset(name="a.mp4")
    await immich.http.put(f"/albums/{album}/assets", json={"ids": [video]})
    slug = uuid.uuid4().hex
    await link(immich, type="ALBUM", albumId=album, slug=slug)
    nobody = connect({}).http
    played = await nobody.get(f"/assets/{video}/video/playback", params={"slug": slug})
    viewed = await nobody.get(f"/assets/{video}/thumbnail", params={"slug": slug})

    assert played.status_code == 200
    assert viewed.status_code in {200, 404}


async def test_link_opens_nothing_else(immich: Immich, connect: Connect) -> None:
    """A link is no log-in: other endpoints are 403 with it."""
    key = (await link(immich, type="INDIVIDUAL", assetIds=[await immich.asset()]))["key"]
    response = await connect({}).http.get("/albums", params={"key": key})

    assert response.status_code == 403


async def test_link_without_download(immich: Immich, connect: Connect) -> None:
    """A link may show and not give away."""
    asset_id = await immich.asset()
    made = await link(immich, type="INDIVIDUAL", assetIds=[asset_id], allowDownload=False)
    response = await connect({}).http.get(
        f"/assets/{asset_id}/original", params={"key": made["key"]}
    )

    assert response.status_code in {400, 401, 403, 404}


async def test_link_with_password(immich: Immich, connect: Connect) -> None:
    """A link with a password opens after logging in to it, by a cookie.

    Only the link itself is asked before: not every version guards the assets behind it as well
    (2.7.5 does not).
    """
    photo = new_photo()
    asset_id = await immich.asset(photo)
    made = await link(immich, type="INDIVIDUAL", assetIds=[asset_id], password="sesame")  # noqa: S106 (made up here)
    nobody = connect({}).http
    query = {"key": made["key"]}
    before = await nobody.get("/shared-links/me", params=query)
    wrong = await nobody.post("/shared-links/login", params=query, json={"password": "wrong"})
    login = await nobody.post("/shared-links/login", params=query, json={"password": "sesame"})
    after = await nobody.get("/shared-links/me", params=query)
    original = await nobody.get(f"/assets/{asset_id}/original", params=query)

    assert (before.status_code, before.json()["message"]) == (401, "Password required")
    assert (wrong.status_code, wrong.json()["message"]) == (401, "Invalid password")
    assert (login.status_code, "immich_shared_link_token" in login.cookies) == (201, True)
    assert (after.status_code, original.content) == (200, photo.content)


async def test_login_to_a_link_without_password(immich: Immich, connect: Connect) -> None:
    """A link that has no password takes none, and says so."""
    made = await link(immich, type="INDIVIDUAL", assetIds=[await immich.asset()])
    answer = await connect({}).http.post(
        "/shared-links/login", params={"key": made["key"]}, json={"password": "sesame"}
    )

    assert answer.status_code == 400
    assert "not password protected" in str(answer.json()["message"])


async def test_deleted_link(immich: Immich, connect: Connect) -> None:
    """A deleted link opens nothing any more."""
    asset_id = await immich.asset()
    made = await link(immich, type="INDIVIDUAL", assetIds=[asset_id])
    await immich.http.delete(f"/shared-links/{made['id']}")
    response = await connect({}).http.get(f"/assets/{asset_id}", params={"key": made["key"]})

    assert response.status_code == 401
