"""The contract: reading, changing, trashing, restoring and copying assets."""

import uuid

import anyio
import pytest

from tests.contract.conftest import DATE, Immich, new_name, new_photo

pytestmark = pytest.mark.anyio


async def trash(immich: Immich, asset_id: str, *, force: bool = False) -> None:
    """The asset is in the trash, or on its way out for good."""
    body = {"ids": [asset_id], "force": force}
    response = await immich.http.request("DELETE", "/assets", json=body)
    assert response.status_code in {200, 204}, response.text


async def test_asset_tells_what_was_uploaded(immich: Immich) -> None:
    """Name, kind, dates and owner are as uploaded."""
    asset_id = await immich.asset(name="clip.mp4")
    asset = (await immich.http.get(f"/assets/{asset_id}")).json()
    me = (await immich.http.get("/users/me")).json()

    assert asset["originalFileName"] == "clip.mp4"
    assert asset["type"] == "VIDEO"
    assert asset["ownerId"] == me["id"]
    assert asset["fileModifiedAt"] in {DATE, DATE.replace("Z", "+00:00")}
    assert asset["isTrashed"] is False


async def test_version_shows_in_the_shape(immich: Immich) -> None:
    """Only 2.x tells the device fields."""
    asset = (await immich.http.get(f"/assets/{await immich.asset()}")).json()

    assert ("deviceAssetId" in asset) is not immich.modern


async def test_unknown_asset(immich: Immich) -> None:
    """An asset that nobody has is 404; what 2.7 says instead is left open."""
    response = await immich.http.get(f"/assets/{uuid.uuid4()}")

    assert response.status_code in ({404} if immich.modern else {400, 404})


async def test_update(immich: Immich) -> None:
    """Description, favourite, rating and place can be set later; the rest stays."""
    asset_id = await immich.asset(visibility="archive")
    change = {
        "description": "At the lake",
        "isFavorite": True,
        "rating": 4,
        "latitude": 47.5,
        "longitude": 13.6,
    }
    response = await immich.http.put(f"/assets/{asset_id}", json=change)

    assert response.status_code == 200
    assert response.json()["isFavorite"] is True
    assert response.json()["visibility"] == "archive"


async def test_rating_zero(immich: Immich) -> None:
    """A rating of 0 is invalid on 3.x."""
    response = await immich.http.put(f"/assets/{await immich.asset()}", json={"rating": 0})

    if immich.modern:
        assert response.status_code == 400


async def test_link_a_live_photo_later(immich: Immich) -> None:
    """A video can be made a still's motion part afterwards: it is hidden and leaves its albums."""
    still, video = await immich.asset(name="a.heic"), await immich.asset(name="a.mov")
    album = await immich.album()
    await immich.http.put(f"/albums/{album}/assets", json={"ids": [still, video]})
    response = await immich.http.put(f"/assets/{still}", json={"livePhotoVideoId": video})
    motion = (await immich.http.get(f"/assets/{video}")).json()

    assert response.status_code == 200
    assert motion["visibility"] == "hidden"
    assert await immich.members(album) == {still}


async def test_trash(immich: Immich) -> None:
    """A trashed asset is still there for the bulk check, which says so."""
    photo = new_photo()
    asset_id = await immich.asset(photo)
    await trash(immich, asset_id)
    (result,) = await immich.check(photo.sha1)

    assert result["action"] == "reject"
    assert result["assetId"] == asset_id
    assert result["isTrashed"] is True


async def test_upload_of_what_is_in_the_trash(immich: Immich) -> None:
    """Uploading trashed bytes again is a duplicate, and they stay in the trash."""
    photo = new_photo()
    asset_id = await immich.asset(photo)
    await trash(immich, asset_id)
    response = await immich.upload(photo.content)
    (result,) = await immich.check(photo.sha1)

    assert response.status_code == 200
    assert response.json() == {"id": asset_id, "status": "duplicate"}
    assert result["isTrashed"] is True


async def test_restore(immich: Immich) -> None:
    """A restored asset is back, and counted."""
    photo = new_photo()
    asset_id = await immich.asset(photo)
    await trash(immich, asset_id)
    response = await immich.http.post("/trash/restore/assets", json={"ids": [asset_id]})
    (result,) = await immich.check(photo.sha1)

    assert response.status_code == 200
    assert response.json() == {"count": 1}
    assert result["isTrashed"] is False


async def test_permanent_delete(immich: Immich) -> None:
    """After a delete by force the server remembers nothing: the bytes are accepted again."""
    photo = new_photo()
    await trash(immich, await immich.asset(photo), force=True)
    with anyio.fail_after(60):
        while True:
            (result,) = await immich.check(photo.sha1)
            if result["action"] == "accept":
                break
            await anyio.sleep(0.2)
    response = await immich.upload(photo.content)

    assert response.status_code == 201


async def test_delete_of_the_unknown(immich: Immich) -> None:
    """Deleting what is not one's own is refused."""
    body = {"ids": [str(uuid.uuid4())], "force": False}
    response = await immich.http.request("DELETE", "/assets", json=body)

    assert response.status_code in {400, 403, 404}


async def test_empty_trash(immich: Immich, stranger: Immich) -> None:
    """Emptying the trash takes the user's trashed assets only, and tells how many."""
    kept, gone = await stranger.asset(), await stranger.asset()
    mine = new_photo()
    await trash(immich, await immich.asset(mine))
    await trash(stranger, gone)
    response = await stranger.http.post("/trash/empty")

    assert response.status_code == 200
    assert response.json() == {"count": 1}
    assert (await stranger.http.get(f"/assets/{kept}")).status_code == 200
    assert (await immich.check(mine.sha1))[0]["isTrashed"] is True


async def test_statistics(immich: Immich, stranger: Immich) -> None:
    """Photos and videos of the user are counted, trashed ones apart."""
    await stranger.asset()
    await stranger.asset(name="a.mp4")
    await trash(stranger, await stranger.asset())
    await immich.asset()
    shown = (await stranger.http.get("/assets/statistics")).json()
    trashed = (await stranger.http.get("/assets/statistics", params={"isTrashed": "true"})).json()

    assert shown == {"images": 1, "videos": 1, "total": 2}
    assert trashed == {"images": 1, "videos": 0, "total": 1}


async def test_copy(immich: Immich) -> None:
    """A copy takes albums and favourite over to the new asset."""
    source, target = await immich.asset(isFavorite="true"), await immich.asset()
    album = await immich.album()
    await immich.http.put(f"/albums/{album}/assets", json={"ids": [source]})
    order = {"sourceId": source, "targetId": target, "sidecar": False}
    response = await immich.http.put("/assets/copy", json=order)
    copied = (await immich.http.get(f"/assets/{target}")).json()

    assert response.status_code == 204
    assert copied["isFavorite"] is True
    assert await immich.members(album) == {source, target}


async def test_copy_leaves_out_what_is_not_asked_for(immich: Immich) -> None:
    """What is switched off is not taken over."""
    source, target = await immich.asset(isFavorite="true"), await immich.asset()
    order = {"sourceId": source, "targetId": target, "favorite": False, "albums": False}
    await immich.http.put("/assets/copy", json=order)

    assert (await immich.http.get(f"/assets/{target}")).json()["isFavorite"] is False


async def test_metadata(immich: Immich) -> None:
    """Any key takes any JSON, and can be read, replaced and removed alone."""
    asset_id = await immich.asset()
    path = f"/assets/{asset_id}/metadata"
    first = {"key": "immich_sync", "value": {"host": "nas", "sha1": "abc"}}
    await immich.http.put(path, json={"items": [first, {"key": "other", "value": {"n": 1}}]})
    await immich.http.put(path, json={"items": [{"key": "other", "value": {"n": 2}}]})
    found = (await immich.http.get(f"{path}/other")).json()
    removed = await immich.http.delete(f"{path}/other")
    left = {item["key"]: item["value"] for item in (await immich.http.get(path)).json()}

    assert found["value"] == {"n": 2}
    assert removed.status_code == 204
    assert left["immich_sync"] == first["value"]
    assert "other" not in left


async def test_tags(immich: Immich) -> None:
    """A tag's whole hierarchy is made at once, twice is once, and the leaf can be given."""
    value = f"{new_name('trips')}/italy/rome"
    (leaf,) = (await immich.http.put("/tags", json={"tags": [value]})).json()
    (again,) = (await immich.http.put("/tags", json={"tags": [value]})).json()
    levels = [t for t in (await immich.http.get("/tags")).json() if value.startswith(t["value"])]
    root = next(t for t in levels if "/" not in t["value"])
    immich.made.append(f"/tags/{root['id']}")
    asset_id = await immich.asset()
    order = {"tagIds": [leaf["id"]], "assetIds": [asset_id]}
    tagged = await immich.http.put("/tags/assets", json=order)
    asset = (await immich.http.get(f"/assets/{asset_id}")).json()

    assert leaf["value"] == value
    assert leaf["name"] == "rome"
    assert again["id"] == leaf["id"]
    assert len(levels) == 3
    assert tagged.json() == {"count": 1}
    assert leaf["id"] in [tag["id"] for tag in asset["tags"]]


async def test_stack(immich: Immich) -> None:
    """The first asset is the primary one, and repeating the call with it lets the stack grow."""
    first, second, third = [await immich.asset() for _ in range(3)]
    made = await immich.http.post("/stacks", json={"assetIds": [first, second]})
    grown = await immich.http.post("/stacks", json={"assetIds": [first, third]})
    immich.made.append(f"/stacks/{grown.json()['id']}")
    asset = (await immich.http.get(f"/assets/{first}")).json()

    assert made.status_code == 201
    assert grown.json()["primaryAssetId"] == first
    assert {a["id"] for a in grown.json()["assets"]} == {first, second, third}
    assert asset["stack"]["assetCount"] == 3


async def test_stack_needs_two(immich: Immich) -> None:
    """One asset is no stack."""
    response = await immich.http.post("/stacks", json={"assetIds": [await immich.asset()]})

    assert response.status_code == 400


async def test_search_by_checksum(immich: Immich) -> None:
    """Searching for a checksum finds the one asset that has it."""
    photo = new_photo()
    asset_id = await immich.asset(photo)
    response = await immich.http.post("/search/metadata", json={"checksum": photo.sha1})

    assert [a["id"] for a in response.json()["assets"]["items"]] == [asset_id]


async def test_search_in_pages(immich: Immich) -> None:
    """An album's assets come page by page, the last one without a next."""
    album = await immich.album()
    ids = {await immich.asset() for _ in range(3)}
    await immich.http.put(f"/albums/{album}/assets", json={"ids": sorted(ids)})
    found: set[str] = set()
    page: str | None = "1"
    while page is not None:
        body = {"albumIds": [album], "size": 2, "page": int(page)}
        assets = (await immich.http.post("/search/metadata", json=body)).json()["assets"]
        found |= {a["id"] for a in assets["items"]}
        page = assets["nextPage"]

    assert found == ids


async def test_other_peoples_assets(immich: Immich, stranger: Immich) -> None:
    """Another user's asset is neither read nor deleted, and its bytes are accepted."""
    photo = new_photo()
    asset_id = await immich.asset(photo)
    read = await stranger.http.get(f"/assets/{asset_id}")
    body = {"ids": [asset_id], "force": True}
    deleted = await stranger.http.request("DELETE", "/assets", json=body)
    (result,) = await stranger.check(photo.sha1)

    assert read.status_code in {400, 403, 404}
    assert deleted.status_code in {400, 403, 404}
    assert result["action"] == "accept"
