"""Albums are found among one's own or made, and each asset's outcome is read."""

from contextlib import AsyncExitStack

import httpx
import pytest

from immich_sync.core.errors import NotImmich, Refused
from immich_sync.core.types import AlbumId, AssetId
from immich_sync.immich.albums import AddOutcome, AlbumGone, add, find_or_make
from immich_sync.immich.client import Immich
from immich_sync.immich.upload import upload
from immich_sync.sandbox import EarlyAnswer, Sandbox
from tests.immich.scene import ASSET, LANE, connected, inline, photo

OTHER = "11111111-2222-4333-8444-555555555555"
VERSIONS = pytest.mark.parametrize("version", ["3.1.0", "2.7.5"])


async def uploaded(immich: Immich) -> AssetId:
    """A new photo on the server."""
    file = photo(1000)
    return (await upload(immich, file.announced(), file, None, inline, LANE)).asset_id


@pytest.mark.anyio
@VERSIONS
async def test_made_once_then_found(version: str) -> None:
    """The first asking makes the album, the next ones find it; names are exact."""
    async with (
        Sandbox(version=version) as sandbox,
        connected(sandbox.url, key=sandbox.api_key) as immich,
    ):
        first = await find_or_make(immich, "Ferien & Mehr?")
        again = await find_or_make(immich, "Ferien & Mehr?")
        other = await find_or_make(immich, "ferien & mehr?")
        names = sorted(album.name for album in sandbox.albums())

    assert first == again
    assert first != other
    assert names == ["Ferien & Mehr?", "ferien & mehr?"]


@pytest.mark.anyio
@VERSIONS
async def test_another_users_album_is_not_ours(version: str) -> None:
    """An album of the same name that somebody else shares with us is not taken."""
    async with Sandbox(version=version) as sandbox, AsyncExitStack() as stack:
        _, key = sandbox.add_user("anna@example.com")
        ours = await stack.enter_async_context(connected(sandbox.url, key=sandbox.api_key))
        theirs = await stack.enter_async_context(connected(sandbox.url, key=key))
        me = (await ours.whoami()).user
        shared = await find_or_make(theirs, "Family")
        async with httpx.AsyncClient(headers={"x-api-key": key}) as client:
            url = f"{sandbox.url}/api/albums/{shared}/users"
            answer = await client.put(url, json={"albumUsers": [{"userId": me, "role": "editor"}]})
            assert answer.is_success
        found = await find_or_make(ours, "Family")

    assert found != shared


@pytest.mark.anyio
@pytest.mark.parametrize("major", [2, 3])
async def test_the_oldest_of_equal_names(major: int) -> None:
    """Of several owned albums with the name, the oldest is taken, whatever their order."""

    def album(id_: str, day: int, owner: str = ASSET, name: str = "A") -> dict[str, str]:
        created = f"2024-01-{day:02}T00:00:00.000Z"
        return {"id": id_, "albumName": name, "createdAt": created, "ownerId": owner}

    oldest = "22222222-2222-4333-8444-555555555555"
    listed = [album(ASSET, 3), album(oldest, 2), album(OTHER, 1, name="a")]
    if major == 2:
        listed.append(album(OTHER, 1, owner=OTHER))

    def handler(request: httpx.Request) -> httpx.Response:
        match request.url.path:
            case "/api/server/version":
                return httpx.Response(200, json={"major": major, "minor": 0, "patch": 0})
            case "/api/api-keys/me":
                return httpx.Response(200, json={"id": OTHER, "permissions": ["all"]})
            case "/api/users/me":
                return httpx.Response(200, json={"id": ASSET})
            case "/api/albums" if request.method == "GET":
                expected = {"isOwned": "true", "name": "A"} if major == 3 else {}
                assert dict(request.url.params) == expected
                return httpx.Response(200, json=listed)
        raise AssertionError(request.url)

    async with connected("http://nas", transport=httpx.MockTransport(handler)) as immich:
        assert await find_or_make(immich, "A") == oldest


@pytest.mark.anyio
@VERSIONS
async def test_each_outcome_is_read(version: str) -> None:
    """New members, old ones and ones that may not join are told apart, in the order asked."""
    async with (
        Sandbox(version=version) as sandbox,
        connected(sandbox.url, key=sandbox.api_key) as immich,
    ):
        album = await find_or_make(immich, "A")
        old, new = await uploaded(immich), await uploaded(immich)
        await add(immich, album, [old])
        outcomes = await add(immich, album, [new, old, AssetId(OTHER), new])
        members = sorted(asset.id for asset in sandbox.assets() if asset.albums == ("A",))

    assert [outcome.is_member for outcome in outcomes] == [True, True, False, True]
    assert outcomes[:2] == [AddOutcome.ADDED, AddOutcome.DUPLICATE]
    assert members == sorted([old, new])


@pytest.mark.anyio
@VERSIONS
async def test_a_deleted_album_is_gone(version: str) -> None:
    """Adding to an album that is no longer there says so, apart from all other trouble."""
    async with (
        Sandbox(version=version) as sandbox,
        connected(sandbox.url, key=sandbox.api_key) as immich,
    ):
        asset = await uploaded(immich)
        with pytest.raises(AlbumGone):
            await add(immich, AlbumId(OTHER), [asset])


@pytest.mark.anyio
async def test_a_missing_permission_is_named() -> None:
    """A key that may not make albums: the permission is named."""
    async with Sandbox() as sandbox:
        key = sandbox.add_key("asset.upload", "album.read")
        async with connected(sandbox.url, key=key) as immich:
            with pytest.raises(Refused) as caught:
                await find_or_make(immich, "A")

    assert caught.value.permission == "album.create"


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("status", "body", "leaf"),
    [
        (404, {"message": "Not Found"}, AlbumGone),
        (400, {"message": "Album not found"}, AlbumGone),
        (400, {"message": "Not found or no albumAsset.create access"}, AlbumGone),
        (400, {"message": "Validation failed"}, NotImmich),
        (404, None, NotImmich),
        (200, [], NotImmich),
    ],
)
async def test_ways_to_fail(status: int, body: object, leaf: type[Exception]) -> None:
    """A 404 without Immich's own words, or an answer that leaves an asset out, is NotImmich."""
    reply = httpx.Response(status, json=body) if body is not None else httpx.Response(status)
    mock = httpx.MockTransport(lambda _: reply)
    async with connected("http://nas", transport=mock) as immich:
        with pytest.raises(leaf):
            await add(immich, AlbumId(OTHER), [AssetId(ASSET)])


@pytest.mark.anyio
async def test_unknown_reasons() -> None:
    """A reason that is not known yet counts as no member."""
    rows = [{"id": ASSET, "success": False, "error": "moon_phase"}]
    mock = httpx.MockTransport(lambda _: httpx.Response(200, json=rows))
    async with connected("http://nas", transport=mock) as immich:
        assert await add(immich, AlbumId(OTHER), [AssetId(ASSET)]) == [AddOutcome.UNKNOWN]


@pytest.mark.anyio
async def test_a_proxy_that_takes_only_small_requests() -> None:
    """What is refused for its size goes in halves; nothing of it is any photo's fault."""
    async with (
        Sandbox(relay=True) as sandbox,
        connected(sandbox.url, key=sandbox.api_key) as immich,
    ):
        album = await find_or_make(immich, "Trip")
        assets = [await uploaded(immich) for _ in range(4)]
        sandbox.faults.add(EarlyAnswer(413), method="PUT", times=2)
        outcomes = await add(immich, album, assets)
        members = [one.asset_ids for one in sandbox.albums()]

    assert outcomes == [AddOutcome.ADDED] * 4
    assert [set(one) for one in members] == [set(assets)]


@pytest.mark.anyio
async def test_a_proxy_that_takes_no_request() -> None:
    """It is trouble with the way there, which counts against no photo."""
    async with (
        Sandbox(relay=True) as sandbox,
        connected(sandbox.url, key=sandbox.api_key) as immich,
    ):
        album = await find_or_make(immich, "Trip")
        asset = await uploaded(immich)
        sandbox.faults.add(EarlyAnswer(413), method="PUT")
        with pytest.raises(NotImmich, match="Even the smallest request is refused"):
            await add(immich, album, [asset])
