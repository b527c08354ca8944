"""The contract: albums, from finding one to sharing it."""

import uuid

import pytest

from tests.contract.conftest import Immich, new_name

pytestmark = pytest.mark.anyio


async def names(immich: Immich, **query: str) -> list[str]:
    """The names of the albums that this query lists."""
    response = await immich.http.get("/albums", params=query)
    assert response.status_code == 200, response.text
    return [album["albumName"] for album in response.json()]


async def share(immich: Immich, album: str, guest: Immich, role: str) -> None:
    """The album is shared with the guest."""
    user_id = (await guest.http.get("/users/me")).json()["id"]
    body = {"albumUsers": [{"userId": user_id, "role": role}]}
    response = await immich.http.put(f"/albums/{album}/users", json=body)
    assert response.status_code == 200, response.text


async def test_create(immich: Immich) -> None:
    """A new album is empty, private, and belongs to its maker."""
    name = new_name("Summer")
    album_id = await immich.album(name)
    album = (await immich.http.get(f"/albums/{album_id}")).json()
    me = (await immich.http.get("/users/me")).json()["id"]

    assert album["albumName"] == name
    assert album["assetCount"] == 0
    assert album["shared"] is False
    if immich.modern:
        assert [(u["user"]["id"], u["role"]) for u in album["albumUsers"]] == [(me, "owner")]
    else:
        assert album["ownerId"] == me


async def test_create_with_assets(immich: Immich) -> None:
    """An album can be made with its first assets in it."""
    asset_id = await immich.asset()
    body = {"albumName": new_name("Album"), "description": "d", "assetIds": [asset_id]}
    response = await immich.http.post("/albums", json=body)
    immich.made.append(f"/albums/{response.json()['id']}")

    assert response.status_code == 201
    assert response.json()["description"] == "d"
    assert await immich.members(response.json()["id"]) == {asset_id}


async def test_find_by_name(immich: Immich) -> None:
    """3.x finds exactly the name asked for; 2.7 lists all and leaves the choice to the client."""
    name = new_name("Find me")
    await immich.album(name)
    await immich.album(f"{name} not")

    if immich.modern:
        assert await names(immich, isOwned="true", name=name) == [name]
    else:
        assert {name, f"{name} not"} <= set(await names(immich))


async def test_equal_names(immich: Immich) -> None:
    """Two albums may have the same name."""
    name = new_name("Twice")
    first, second = await immich.album(name), await immich.album(name)

    assert first != second
    assert (await names(immich)).count(name) == 2


async def test_add(immich: Immich) -> None:
    """Each asset has its own line: added, or already there."""
    album, asset_id = await immich.album(), await immich.asset()
    await immich.http.put(f"/albums/{album}/assets", json={"ids": [asset_id]})
    other = await immich.asset()
    response = await immich.http.put(f"/albums/{album}/assets", json={"ids": [asset_id, other]})
    lines = {line["id"]: line for line in response.json()}

    assert response.status_code == 200
    assert lines[asset_id]["success"] is False
    assert lines[asset_id]["error"] == "duplicate"
    assert lines[other]["success"] is True
    assert await immich.members(album) == {asset_id, other}


async def test_add_the_unknown(immich: Immich) -> None:
    """An asset that is not there fails in its own line, with status 200."""
    album = await immich.album()
    response = await immich.http.put(f"/albums/{album}/assets", json={"ids": [str(uuid.uuid4())]})
    (line,) = response.json()

    assert response.status_code == 200
    assert line["success"] is False
    assert line["error"] in {"no_permission", "not_found"}


async def test_add_a_trashed_asset(immich: Immich) -> None:
    """A trashed asset is taken with success, and not shown."""
    album, asset_id = await immich.album(), await immich.asset()
    await immich.http.request("DELETE", "/assets", json={"ids": [asset_id]})
    response = await immich.http.put(f"/albums/{album}/assets", json={"ids": [asset_id]})

    assert response.json()[0]["success"] is True
    assert await immich.members(album) == set()


async def test_add_to_an_unknown_album(immich: Immich) -> None:
    """An album that was deleted meanwhile is an error of the whole call."""
    body = {"ids": [await immich.asset()]}
    response = await immich.http.put(f"/albums/{uuid.uuid4()}/assets", json=body)

    assert response.status_code in {400, 404}
    if immich.modern:
        assert response.json()["message"] == "Album not found"


async def test_add_many_to_many(immich: Immich) -> None:
    """Several assets go into several albums at once, with one answer."""
    albums = [await immich.album() for _ in range(2)]
    assets = [await immich.asset() for _ in range(2)]
    body = {"albumIds": albums, "assetIds": assets}
    response = await immich.http.put("/albums/assets", json=body)

    assert response.status_code == 200
    assert response.json()["success"] is True
    assert [await immich.members(album) for album in albums] == [set(assets)] * 2


async def test_remove(immich: Immich) -> None:
    """An asset taken out of an album is still there itself."""
    album, asset_id = await immich.album(), await immich.asset()
    body = {"ids": [asset_id]}
    await immich.http.put(f"/albums/{album}/assets", json=body)
    response = await immich.http.request("DELETE", f"/albums/{album}/assets", json=body)

    assert response.json()[0]["success"] is True
    assert await immich.members(album) == set()
    assert (await immich.http.get(f"/assets/{asset_id}")).status_code == 200


async def test_delete(immich: Immich) -> None:
    """A deleted album is gone, its assets are not."""
    album, asset_id = await immich.album(), await immich.asset()
    await immich.http.put(f"/albums/{album}/assets", json={"ids": [asset_id]})
    response = await immich.http.delete(f"/albums/{album}")

    assert response.status_code in {200, 204}
    assert (await immich.http.get(f"/albums/{album}")).status_code in {400, 404}
    assert (await immich.http.get(f"/assets/{asset_id}")).status_code == 200


async def test_shared_albums_are_listed_apart(immich: Immich, stranger: Immich) -> None:
    """3.x lists owned and shared albums unless told otherwise, 2.7 owned ones only."""
    mine, theirs = new_name("Mine"), new_name("Theirs")
    await immich.album(mine)
    await share(stranger, await stranger.album(theirs), immich, "viewer")
    listed = set(await names(immich)) & {mine, theirs}

    if immich.modern:
        assert listed == {mine, theirs}
        assert set(await names(immich, isOwned="true")) & {mine, theirs} == {mine}
        assert set(await names(immich, isOwned="false")) & {mine, theirs} == {theirs}
        assert set(await names(immich, isShared="true")) & {mine, theirs} == {theirs}
        assert set(await names(immich, isShared="false")) & {mine, theirs} == {mine}
    else:
        assert listed == {mine}
        assert set(await names(immich, shared="true")) & {mine, theirs} == {theirs}


async def test_editor_adds(immich: Immich, stranger: Immich) -> None:
    """An editor adds assets of their own to someone else's album."""
    album = await stranger.album()
    await share(stranger, album, immich, "editor")
    asset_id = await immich.asset()
    response = await immich.http.put(f"/albums/{album}/assets", json={"ids": [asset_id]})

    assert response.json()[0]["success"] is True
    assert (await stranger.http.get(f"/assets/{asset_id}")).status_code == 200


async def test_viewer_does_not_add(immich: Immich, stranger: Immich) -> None:
    """A viewer's asset does not get in; whether by line or by status is left open."""
    album = await stranger.album()
    await share(stranger, album, immich, "viewer")
    body = {"ids": [await immich.asset()]}
    response = await immich.http.put(f"/albums/{album}/assets", json=body)

    assert response.status_code >= 400 or response.json()[0]["success"] is False
    assert await stranger.members(album) == set()


async def test_foreign_asset_into_own_album(immich: Immich, stranger: Immich) -> None:
    """Somebody else's asset is `no_permission` in its line."""
    album = await immich.album()
    body = {"ids": [await stranger.asset()]}
    response = await immich.http.put(f"/albums/{album}/assets", json=body)

    assert response.status_code == 200
    assert response.json()[0]["success"] is False
    assert response.json()[0]["error"] == "no_permission"
