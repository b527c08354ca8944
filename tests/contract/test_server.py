"""The contract: what the server says about itself, and whom it lets in."""

import uuid

import pytest

from tests.contract.conftest import Connect, Immich, new_photo

pytestmark = pytest.mark.anyio


async def test_ping_needs_no_key(connect: Connect) -> None:
    """Anyone may ask whether the server is there."""
    response = await connect({}).http.get("/server/ping")

    assert response.status_code == 200
    assert response.json() == {"res": "pong"}


async def test_version_is_three_numbers(connect: Connect) -> None:
    """The version comes as major, minor and patch."""
    version = (await connect({}).http.get("/server/version")).json()

    assert all(isinstance(version[part], int) for part in ("major", "minor", "patch"))


async def test_media_types_are_suffixes(connect: Connect) -> None:
    """The extensions come with their dots, in three lists."""
    types = (await connect({}).http.get("/server/media-types")).json()

    assert {".jpg", ".heic", ".dng"} <= set(types["image"])
    assert {".mp4", ".mov"} <= set(types["video"])
    assert ".mp" not in {*types["image"], *types["video"]}
    assert types["sidecar"] == [".xmp"]


async def test_config_and_features_need_no_key(connect: Connect) -> None:
    """Trash days, maintenance mode and whether there is a trash are known before logging in."""
    nobody = connect({}).http
    config = (await nobody.get("/server/config")).json()
    features = (await nobody.get("/server/features")).json()

    assert isinstance(config["trashDays"], int)
    assert config["maintenanceMode"] is False
    assert isinstance(config["externalDomain"], str)
    assert isinstance(features["trash"], bool)


async def test_no_key(connect: Connect) -> None:
    """Without a key everything else is 401."""
    response = await connect({}).http.get("/users/me")

    assert response.status_code == 401
    assert response.json()["message"] == "Authentication required"


async def test_wrong_key(connect: Connect) -> None:
    """A key nobody has is 401, and the answer says that it is the key."""
    response = await connect({"x-api-key": uuid.uuid4().hex}).http.get("/users/me")

    assert response.status_code == 401
    assert response.json()["message"] == "Invalid API key"


async def test_key_in_query(immich: Immich, connect: Connect) -> None:
    """The key may stand in the query instead."""
    key = immich.http.headers["x-api-key"]
    response = await connect({}).http.get("/users/me", params={"apiKey": key})

    assert response.status_code == 200


async def test_stray_share_key_wins(immich: Immich) -> None:
    """A share key is looked at before the API key, and a wrong one is 401 all the same."""
    response = await immich.http.get(f"/assets/{uuid.uuid4()}", params={"key": "bm9uc2Vuc2U"})

    assert response.status_code == 401
    assert response.json()["message"] == "Invalid share key"


async def test_key_knows_itself(immich: Immich, connect: Connect) -> None:
    """Any key may ask for its own permissions, whatever they are."""
    limited = connect({"x-api-key": await immich.key("album.read", "asset.upload")})
    response = await limited.http.get("/api-keys/me")

    assert response.status_code == 200
    assert set(response.json()["permissions"]) == {"album.read", "asset.upload"}


async def test_missing_permission_is_named(immich: Immich, connect: Connect) -> None:
    """What a key may not do is 403, with the permission it lacks."""
    limited = connect({"x-api-key": await immich.key("asset.upload")})
    response = await limited.http.post("/albums", json={"albumName": "never made"})

    assert response.status_code == 403
    assert response.json()["message"] == "Missing required permission: album.create"


async def test_minimum_key(immich: Immich, connect: Connect) -> None:
    """`asset.upload` alone is enough to upload and to verify by bulk check."""
    limited = connect({"x-api-key": await immich.key("asset.upload")})
    photo = new_photo()
    response = await limited.upload(photo.content)
    immich.remember(response)

    assert response.status_code == 201
    (result,) = await limited.check(photo.sha1)
    assert result["assetId"] == response.json()["id"]


async def test_user_knows_themselves(immich: Immich) -> None:
    """`/users/me` tells id, e-mail and quota."""
    me = (await immich.http.get("/users/me")).json()

    assert me["id"] == str(uuid.UUID(me["id"]))
    assert "@" in me["email"]
    assert {"quotaSizeInBytes", "quotaUsageInBytes"} <= set(me)


async def test_invalid_id_is_400(immich: Immich) -> None:
    """An id that is no UUID is invalid, not unknown."""
    response = await immich.http.get("/assets/not-a-uuid")

    assert response.status_code == 400


async def test_unknown_path_is_404(immich: Immich) -> None:
    """A path that is no endpoint is 404, in JSON."""
    response = await immich.http.get("/no-such-endpoint")

    assert response.status_code == 404
    assert "message" in response.json()
