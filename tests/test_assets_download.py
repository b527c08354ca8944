"""The library's downloads: resumed, proved, named, and never over another file."""

import json
import zipfile
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import anyio
import httpx
import pytest
import structlog

from immich_sync import (
    AssetsApi,
    FileTrouble,
    Misconfigured,
    Overloaded,
    Refused,
    Unreachable,
)
from immich_sync.assets import DownloadResult, OnExists
from immich_sync.downloading import Corrupt, Unprovable
from immich_sync.filesystem.claiming import InTheWay
from immich_sync.immich.download import Unavailable
from immich_sync.sandbox import ResetResponse, Sandbox, Status
from tests.library import EARLIER, Spy, call, listed, write, write_photo

pytestmark = pytest.mark.anyio

WORD = "Sesam öffne dich"
"""A public link's password."""
LARGE = 3_000_000
"""Bytes: more than one block."""


@pytest.fixture
async def sandbox() -> AsyncIterator[Sandbox]:
    """A server of this test's own, behind a relay."""
    async with Sandbox(relay=True) as server:
        yield server


@pytest.fixture
async def assets(sandbox: Sandbox) -> AsyncIterator[AssetsApi]:
    """The library, connected to it."""
    async with AssetsApi(base_url=sandbox.url, api_key=sandbox.api_key) as api:
        yield api


@pytest.fixture
def out(tmp_path: Path) -> Path:
    """Where downloads go; it does not exist yet."""
    return tmp_path / "out" / "deep"


async def put(assets: AssetsApi, path: Path) -> UUID:
    """The id of a file that is now in Immich."""
    result = await assets.upload(path)
    found = result.uploaded[0].asset.id
    assert found is not None
    return found


async def link(sandbox: Sandbox, **fields: object) -> dict[str, str]:
    """A new shared link."""
    answer = await call(sandbox, "POST", "/shared-links", fields)
    made: dict[str, str] = answer.json()
    return made


async def test_original(assets: AssetsApi, tmp_path: Path, out: Path) -> None:
    """Row 20: an original comes back whole, with name and time, into a folder that is made."""
    path = write_photo(tmp_path, "Größe 1.jpg", LARGE)
    asset = await put(assets, path)

    found = await assets.download_asset_to_file(id=asset, out_dir=out)

    assert found == out / "Größe 1.jpg"
    assert found.read_bytes() == path.read_bytes()
    assert found.stat().st_mtime == EARLIER
    assert listed(out) == ["Größe 1.jpg"]


async def test_refusals(sandbox: Sandbox, assets: AssetsApi, tmp_path: Path, out: Path) -> None:
    """Row 15: a status of 400 or more raises, and nothing is written."""
    asset = await put(assets, write_photo(tmp_path))
    with pytest.raises(Unavailable, match="Not Found"):
        await assets.download_asset_to_file(uuid4(), out)
    with pytest.raises(Unavailable, match="not a video"):
        await assets.play_asset_video_to_file(asset, out)
    sandbox.faults.add(Status(500), path=f"/api/assets/{asset}/original")
    with pytest.raises(Exception, match="500"):
        await assets.download_asset_to_file(asset, out)

    assert listed(tmp_path) == ["a.jpg"]


async def test_break_that_is_mended(
    sandbox: Sandbox, assets: AssetsApi, tmp_path: Path, out: Path
) -> None:
    """Row 16: a broken download goes on where it broke, within the same call."""
    path = write_photo(tmp_path, size=LARGE)
    asset = await put(assets, path)
    where = f"/api/assets/{asset}/original"
    sandbox.faults.add(ResetResponse(1_000_000), path=where, times=2)

    found = await assets.download_asset_to_file(asset, out)

    assert found.read_bytes() == path.read_bytes()
    assert sandbox.count("GET", where, 206) >= 1
    assert listed(out) == ["a.jpg"]


async def test_break_that_stays(
    sandbox: Sandbox, assets: AssetsApi, tmp_path: Path, out: Path
) -> None:
    """Row 16: what has arrived is kept when nothing more does; the next call goes on with it."""
    path = write_photo(tmp_path, size=LARGE)
    asset = await put(assets, path)
    where = f"/api/assets/{asset}/original"
    sandbox.faults.add(ResetResponse(2_000_000), path=where, times=1)
    rule = sandbox.faults.add(ResetResponse(0), path=where)
    with pytest.raises(Unreachable):
        await assets.download_asset_to_file(asset, out)
    kept = (out / "a.jpg.temp").stat().st_size
    sandbox.faults.remove(rule)
    sandbox.requests.clear()
    found = await assets.download_asset_to_file(asset, out)

    assert 0 < kept < LARGE
    assert found.read_bytes() == path.read_bytes()
    assert sandbox.count("GET", where, 206) == 1
    assert listed(out) == ["a.jpg"]


@pytest.mark.parametrize("status", [429, 500, 502, 503, 504])
@pytest.mark.parametrize("asked", ["original", "info", "archive", "contents", "upload"])
async def test_trouble_that_passes(
    sandbox: Sandbox, assets: AssetsApi, tmp_path: Path, out: Path, asked: str, status: int
) -> None:
    """A server or proxy that is busy for a moment is asked again, whatever it was asked."""
    path = write_photo(tmp_path)
    asset = await put(assets, path)
    where = {
        "original": f"/api/assets/{asset}/original",
        "info": f"/api/assets/{asset}",
        "archive": "/api/download/archive",
        "contents": "/api/download/info",
        "upload": "/api/users/me",
    }[asked]
    rule = sandbox.faults.add(Status(status), path=where, exact=True, times=1)

    match asked:
        case "upload":
            async with AssetsApi(sandbox.url, sandbox.api_key) as fresh:
                found = (await fresh.upload(path)).rejected[0].asset_id == asset
        case "archive" | "contents":
            (zipped,) = await assets.download_archive_to_file([asset], out)
            found = zipfile.ZipFile(zipped).namelist() == ["a.jpg"]
        case _:
            name = await assets.download_asset_to_file(asset, out)
            found = name.read_bytes() == path.read_bytes()

    assert found
    assert rule.fired == 1


async def test_a_server_that_is_gone_is_not_waited_for_again_and_again(
    sandbox: Sandbox, assets: AssetsApi, out: Path
) -> None:
    """The tries are for the first of many assets; for the others it is asked once."""
    assets_there = [uuid4() for _ in range(50)]
    rule = sandbox.faults.add(Status(503))
    with pytest.raises(Overloaded):
        await assets.download_originals_to_folder(assets_there, out, concurrency=1)

    assert rule.fired == 50 + 2


async def test_leftovers_that_are_wrong(assets: AssetsApi, tmp_path: Path, out: Path) -> None:
    """Bytes that were spoiled on the disk are found out by the checksum, and fetched anew."""
    path = write_photo(tmp_path, size=LARGE)
    asset = await put(assets, path)
    etag = f'W/"{path.stat().st_size:x}-{EARLIER * 1000:x}"'
    origin = {"what": f"original {asset}", "validator": etag, "on_disk": 1000}
    write(out, "a.jpg.temp", b"?" * 1000)
    write(out, "a.jpg.temp.json", json.dumps(origin).encode())

    found = await assets.download_asset_to_file(asset, out)

    assert found.read_bytes() == path.read_bytes()


async def test_leftovers_of_another_asset(assets: AssetsApi, tmp_path: Path, out: Path) -> None:
    """What is left of another asset with the same name is not gone on with."""
    path = write_photo(tmp_path, size=LARGE)
    asset = await put(assets, path)
    origin = {"what": f"original {uuid4()}", "validator": 'W/"1"', "on_disk": 1000}
    write(out, "a.jpg.temp", b"?" * 1000)
    write(out, "a.jpg.temp.json", json.dumps(origin).encode())

    found = await assets.download_asset_to_file(asset, out)

    assert found.read_bytes() == path.read_bytes()


async def test_a_file_that_only_looks_like_leftovers(
    assets: AssetsApi, tmp_path: Path, out: Path
) -> None:
    """A caller's own file that happens to be called `a.jpg.temp` is not written to."""
    asset = await put(assets, write_photo(tmp_path))
    theirs = write(out, "a.jpg.temp", b"theirs")
    with pytest.raises(InTheWay, match="move it away"):
        await assets.download_asset_to_file(asset, out, on_exists="overwrite")

    assert theirs.read_bytes() == b"theirs"
    assert listed(out) == ["a.jpg.temp"]


async def test_bytes_that_are_wrong(sandbox: Sandbox, tmp_path: Path, out: Path) -> None:
    """An original whose checksum is not the asset's is not kept."""
    path = write_photo(tmp_path)

    def answer(request: httpx.Request, said: object) -> httpx.Response | None:
        del said
        wrong = request.url.path.endswith("/original")
        return httpx.Response(200, content=b"torn") if wrong else None

    async with AssetsApi(sandbox.url, sandbox.api_key, transport=Spy(answer)) as assets:
        asset = await put(assets, path)
        with pytest.raises(Corrupt, match="not what Immich has"):
            await assets.download_asset_to_file(asset, out)

    assert listed(out) == []


async def test_there_already(assets: AssetsApi, tmp_path: Path, out: Path) -> None:
    """A complete file is not fetched again, whatever its time; it is known by its checksum."""
    path = write_photo(tmp_path, size=LARGE)
    asset = await put(assets, path)
    write(out, "a.jpg", path.read_bytes())
    before = (out / "a.jpg").stat().st_ino

    found = await assets.download_asset_to_file(asset, out, on_exists="overwrite")

    assert found == out / "a.jpg"
    assert found.stat().st_ino == before


async def test_in_the_way(assets: AssetsApi, tmp_path: Path, out: Path) -> None:
    """Row 17: another file of the name is an error, or dealt with as was asked; never success."""
    path = write_photo(tmp_path)
    asset = await put(assets, path)
    theirs = b"?" * path.stat().st_size
    write(out, "a.jpg", theirs)

    with pytest.raises(InTheWay, match="another file"):
        await assets.download_asset_to_file(asset, out)
    skipped = await assets.download_asset_to_file(asset, out, on_exists="skip")
    after_skipping = skipped.read_bytes()
    renamed = await assets.download_asset_to_file(asset, out, on_exists="rename")
    again = await assets.download_asset_to_file(asset, out, on_exists="rename")
    after_renaming = (out / "a.jpg").read_bytes()
    overwritten = await assets.download_asset_to_file(asset, out, on_exists="overwrite")

    assert (skipped, after_skipping, after_renaming) == (out / "a.jpg", theirs, theirs)
    assert renamed == again == out / "a (2).jpg"
    assert overwritten == out / "a.jpg"
    assert overwritten.read_bytes() == renamed.read_bytes() == path.read_bytes()
    wrong: Any = "perhaps"
    with pytest.raises(ValueError, match="on_exists"):
        await assets.download_asset_to_file(asset, out, on_exists=wrong)


async def test_headers_of_the_caller(sandbox: Sandbox, tmp_path: Path, out: Path) -> None:
    """Row 18: `_headers` go along with every request of a download."""
    spy = Spy()
    async with AssetsApi(sandbox.url, sandbox.api_key, transport=spy) as assets:
        asset = await put(assets, write_photo(tmp_path))
        spy.heard.clear()
        await assets.download_asset_to_file(asset, out, _headers={"X-Gate": "open"})

    assert [request.headers["x-gate"] for request, _ in spy.heard] == ["open", "open"]


async def test_names(sandbox: Sandbox, assets: AssetsApi, tmp_path: Path, out: Path) -> None:
    """Row 19: the caller's name with its extension; else the server's; else one from the id."""
    asset = await put(assets, write_photo(tmp_path))
    video = await put(assets, write(tmp_path, "v.mp4", b"\0" * 100))
    await _made(sandbox, asset)

    paths = [
        await assets.download_asset_to_file(asset, out, filename="mine.JPEG"),
        await assets.download_asset_to_file(asset, out, filename="mine"),
        await assets.view_asset_to_file(asset, out),
        await assets.play_asset_video_to_file(video, out),
    ]

    assert [path.name for path in paths] == [
        "mine.JPEG",
        "mine.jpg",
        f"thumb-{asset}.jpg",
        f"video-{video}.mp4",
    ]
    for wrong in ("../a.jpg", "a/b.jpg", "..", "con.jpg"):
        with pytest.raises(ValueError, match="no name for a file"):
            await assets.download_asset_to_file(asset, out, filename=wrong)


async def test_evil_names(sandbox: Sandbox, tmp_path: Path, out: Path) -> None:
    """Row 20: a name in a header cannot lead out of the folder."""
    path = write_photo(tmp_path)
    evil = "inline; filename*=UTF-8''..%2F..%2F..%00evil.jpg"

    def answer(request: httpx.Request, said: object) -> httpx.Response | None:
        del said
        if not request.url.path.endswith("/original"):
            return None
        headers = {"content-disposition": evil, "content-type": "image/jpeg"}
        return httpx.Response(200, headers=headers, content=path.read_bytes())

    async with AssetsApi(sandbox.url, sandbox.api_key, transport=Spy(answer)) as assets:
        asset = await put(assets, path)
        found = await assets.download_asset_to_file(asset, out)

    assert found == out / f"orig-{asset}.jpg"


async def _made(sandbox: Sandbox, asset: UUID) -> None:
    """Returns once the server has made the thumbnail."""
    with anyio.fail_after(10):
        async with httpx.AsyncClient(verify=False) as client:  # noqa: S501 - no TLS here
            url = f"{sandbox.url}/api/assets/{asset}/thumbnail"
            headers = {"x-api-key": sandbox.api_key}
            while (await client.get(url, headers=headers)).status_code != 200:  # noqa: ASYNC110 - nobody tells
                await anyio.sleep(0.02)


async def test_sizes(sandbox: Sandbox, assets: AssetsApi, tmp_path: Path, out: Path) -> None:
    """Views come in three sizes, the largest of which may be the original itself."""
    path = write_photo(tmp_path)
    asset = await put(assets, path)
    with pytest.raises(Unavailable, match="media not found"):
        await assets.view_asset_to_file(asset, out)
    await _made(sandbox, asset)

    small = await assets.view_asset_to_file(asset, out, size="preview")
    full = await assets.view_asset_to_file(asset, out, size="fullsize")

    await assets.view_asset_to_file(asset, out)
    await assets.view_asset_to_file(asset, out, size="thumbnail", on_exists="overwrite")

    assert listed(out) == ["a.jpg", f"preview-{asset}.jpg", f"thumb-{asset}.jpg"]
    assert small.read_bytes().startswith(b"\xff\xd8")
    assert full.read_bytes() == path.read_bytes()
    with pytest.raises(ValueError, match="thumbnail, preview, fullsize"):
        await assets.view_asset_to_file(asset, out, size="original")


async def test_public_links(sandbox: Sandbox, tmp_path: Path, out: Path) -> None:
    """By key or slug no API key is needed, and none is sent even if there is one."""
    spy = Spy()
    async with AssetsApi(sandbox.url, sandbox.api_key, transport=spy) as assets:
        path = write_photo(tmp_path)
        asset = await put(assets, path)
        made = await link(sandbox, type="INDIVIDUAL", assetIds=[str(asset)], slug="holidays")
        spy.heard.clear()
        by_key = await assets.download_asset_to_file(asset, out, key=made["key"])
        by_slug = await assets.view_asset_to_file(
            asset, out, size="fullsize", slug="holidays", filename="b"
        )
        with pytest.raises(Refused, match="public link"):
            await assets.download_asset_to_file(asset, out, key="wrong")
        with pytest.raises(ValueError, match="not by both"):
            await assets.download_asset_to_file(asset, out, key="a", slug="b")

    assert by_key.read_bytes() == by_slug.read_bytes() == path.read_bytes()
    assert all("x-api-key" not in request.headers for request, _ in spy.heard)


async def test_public_links_with_a_password(sandbox: Sandbox, tmp_path: Path, out: Path) -> None:
    """A link opens with its password and not without; a needless one does no harm."""
    spy = Spy()
    async with AssetsApi(sandbox.url, sandbox.api_key, transport=spy) as assets:
        path = write_photo(tmp_path)
        result = await assets.upload(path, album_name="Shown")
        asset = result.uploaded[0].asset.id
        assert asset is not None
        (album,) = sandbox.albums()
        locked = await link(sandbox, type="ALBUM", albumId=album.id, password=WORD, slug="shown")
        plain = await link(sandbox, type="INDIVIDUAL", assetIds=[str(asset)])
        spy.heard.clear()
        with pytest.raises(Refused, match="want a password"):
            await assets.download_asset_to_file(asset, out, key=locked["key"])
        with pytest.raises(Refused, match="not open with this password") as wrong:
            await assets.download_asset_to_file(asset, out, key=locked["key"], password=WORD + "?")
        with pytest.raises(Refused, match="no such public link"):
            await assets.download_asset_to_file(asset, out, slug="hidden", password=WORD)
        one = await assets.download_asset_to_file(
            asset, out, key=locked["key"], password=WORD, _headers={"Cookie": "proxy=1"}
        )
        (archive,) = await assets.download_archive_to_file(
            UUID(album.id), out, slug="shown", password=WORD
        )
        needless = await assets.download_asset_to_file(
            asset, out, filename="b", key=plain["key"], password=WORD
        )
        with pytest.raises(ValueError, match="with a public link"):
            await assets.download_asset_to_file(asset, out, password=WORD)
        with pytest.raises(ValueError, match="empty password"):
            await assets.download_asset_to_file(asset, out, slug="shown", password="")

    assert one.read_bytes() == needless.read_bytes() == path.read_bytes()
    assert zipfile.is_zipfile(archive)
    assert WORD not in str(wrong.value)
    sent = [request for request, _ in spy.heard]
    assert all("x-api-key" not in request.headers for request in sent)
    assert all(WORD not in str(request.url) for request in sent)
    assert any(request.headers.get("cookie", "").startswith("proxy=1; ") for request in sent)


async def test_an_album_is_no_asset(sandbox: Sandbox, tmp_path: Path, out: Path) -> None:
    """Whoever gives an album's id for an asset's is told that, or asked if nobody may look."""
    narrow = sandbox.add_key("asset.download", "asset.view")
    async with AssetsApi(sandbox.url, sandbox.api_key) as assets:
        await assets.upload(write_photo(tmp_path), album_name="Best")
        album = sandbox.albums()[0].id
        with pytest.raises(Unavailable, match=f"{album} is an album.*--album"):
            await assets.download_archive_to_file([album], out)
        with pytest.raises(Unavailable, match="is an album"):
            await assets.view_asset_to_file(album, out)
        with pytest.raises(Unavailable, match="may not be there") as nothing:
            await assets.download_archive_to_file([uuid4()], out)
        several = await assets.download_files([album, uuid4()], out)
    async with AssetsApi(sandbox.url, narrow) as assets:
        with pytest.raises(Unavailable, match=r"If it is an album: .*--album"):
            await assets.download_archive_to_file([album], out)

    assert "album" not in str(nothing.value)
    assert ["is an album" in one.error for one in several.failed] == [True, False]


async def test_public_links_without_a_key(
    sandbox: Sandbox, tmp_path: Path, out: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without any key public links open all the same, and nothing else does."""
    monkeypatch.delenv("IMMICH_API_KEY", raising=False)
    async with AssetsApi(sandbox.url, sandbox.api_key) as assets:
        asset = await put(assets, write_photo(tmp_path))
    made = await link(sandbox, type="INDIVIDUAL", assetIds=[str(asset)])
    async with AssetsApi(sandbox.url) as assets:
        await assets.download_asset_to_file(asset, out, key=made["key"])
        with pytest.raises(Misconfigured, match="IMMICH_API_KEY"):
            await assets.download_asset_to_file(asset, out)

    assert listed(out) == ["a.jpg"]


async def test_archives(sandbox: Sandbox, assets: AssetsApi, tmp_path: Path, out: Path) -> None:
    """An album, or a list of assets, comes in zip files of about the size that was asked for."""
    paths = [write_photo(tmp_path, f"{number}.jpg", 1000) for number in range(3)]
    result = await assets.upload(paths, album_name="Best")
    ids = [entry.asset.id for entry in result.uploaded if entry.asset.id]
    album = UUID(sandbox.albums()[0].id)

    (one,) = await assets.download_archive_to_file(album, out)
    several = await assets.download_archive_to_file(ids, out, filename="x.zip", archive_size=1)

    assert one.name == f"album-{album}.zip"
    assert [path.name for path in several] == ["x-1.zip", "x-2.zip", "x-3.zip"]
    with zipfile.ZipFile(one) as archive:
        contents = {name: archive.read(name) for name in archive.namelist()}
    assert contents == {path.name: path.read_bytes() for path in paths}
    with pytest.raises(InTheWay):
        await assets.download_archive_to_file(album, out)


async def test_archive_that_breaks(
    sandbox: Sandbox, assets: AssetsApi, tmp_path: Path, out: Path
) -> None:
    """A zip that breaks begins anew; one that never ends leaves nothing behind."""
    asset = await put(assets, write_photo(tmp_path, size=LARGE))
    rule = sandbox.faults.add(ResetResponse(1_000_000), path="/api/download/archive", times=1)
    (path,) = await assets.download_archive_to_file([asset], out)
    assert zipfile.is_zipfile(path)
    assert rule.fired == 1
    path.unlink()
    sandbox.faults.add(ResetResponse(1_000_000), path="/api/download/archive")
    with pytest.raises(Unreachable):
        await assets.download_archive_to_file([asset], out)

    assert listed(out) == []


async def test_an_albums_originals(
    sandbox: Sandbox, assets: AssetsApi, tmp_path: Path, out: Path
) -> None:
    """An album comes into a folder, equal names apart, and a second call sends nothing again."""
    paths = [write_photo(tmp_path / str(number), "a.jpg", 1000) for number in range(3)]
    await assets.upload(paths, album_name="Best")
    album = sandbox.albums()[0].id

    first = await assets.download_originals_to_folder(album, out)
    files = {entry.filepath: entry.filepath.stat().st_ino for entry in first.downloaded}
    second = await assets.download_originals_to_folder(album, out)

    assert sorted(entry.filepath.name for entry in first.downloaded) == listed(out)
    assert listed(out) == ["a (2).jpg", "a (3).jpg", "a.jpg"]
    assert {path.read_bytes() for path in files} == {path.read_bytes() for path in paths}
    assert {(e.asset_id, e.filepath) for e in second.downloaded} == {
        (e.asset_id, e.filepath) for e in first.downloaded
    }
    assert {path: path.stat().st_ino for path in files} == files


def contents(folder: Path) -> set[bytes]:
    """What the files of a folder hold."""
    return {path.read_bytes() for path in folder.iterdir()}


def inodes(folder: Path) -> dict[Path, int]:
    """Which files bear the names of a folder."""
    return {path: path.stat().st_ino for path in folder.iterdir()}


@pytest.mark.parametrize("order", [(0, 1, 2), (2, 1, 0), (1, 2, 0), (2, 0, 1)])
@pytest.mark.parametrize("on_exists", ["error", "skip", "overwrite", "rename"])
async def test_equal_names(
    sandbox: Sandbox, tmp_path: Path, out: Path, on_exists: OnExists, order: tuple[int, ...]
) -> None:
    """Two files of one name and one that is called as the second would be: all come, and stay."""
    paths = [
        write_photo(tmp_path / "1", "q.jpg"),
        write_photo(tmp_path / "2", "q.jpg"),
        write_photo(tmp_path / "3", "q (2).jpg"),
    ]
    spy = Spy()
    async with AssetsApi(sandbox.url, sandbox.api_key, transport=spy) as assets:
        ids = [await put(assets, path) for path in paths]
        wanted = [ids[number] for number in order]

        async def fetch() -> DownloadResult:
            return await assets.download_originals_to_folder(wanted, out, on_exists=on_exists)

        first = await fetch()
        before = inodes(out)
        again = await fetch()
        unmoved = inodes(out) == before
        one = next(path for path in before if path.read_bytes() == paths[1].read_bytes())
        one.unlink()
        mended = await fetch()

    for result in (first, again, mended):
        assert (result.failed, result.skipped) == ([], [])
        assert all(entry.verified for entry in result.downloaded)
        assert len({entry.filepath for entry in result.downloaded}) == 3
    assert unmoved
    assert len(before) == len(listed(out)) == 3
    assert contents(out) == {path.read_bytes() for path in paths}


async def test_many_equal_names_at_once(assets: AssetsApi, tmp_path: Path, out: Path) -> None:
    """However many files of few names come at once, none is in another's way."""
    names = ["q.jpg", "q (2).jpg", "q.jpg", "q (3).jpg", "q (2).jpg"] * 4
    paths = [write_photo(tmp_path / str(n), name) for n, name in enumerate(names)]
    ids = [await put(assets, path) for path in paths]

    result = await assets.download_originals_to_folder(ids, out, concurrency=16)

    assert result.failed == []
    assert contents(out) == {path.read_bytes() for path in paths}


@pytest.mark.parametrize("on_exists", ["error", "skip", "overwrite"])
async def test_a_foreign_file_among_many(
    assets: AssetsApi, tmp_path: Path, out: Path, on_exists: OnExists
) -> None:
    """A file of nobody's in the run is an error, stays and is told of, or is written over."""
    path = write_photo(tmp_path)
    asset = await put(assets, path)
    theirs = write(out, "a.jpg", b"theirs")

    result = await assets.download_originals_to_folder([asset], out, on_exists=on_exists)

    listed_ = (
        [entry.filepath for entry in result.downloaded],
        [entry.asset_id for entry in result.failed],
        [(entry.asset_id, entry.filepath) for entry in result.skipped],
    )
    assert (
        listed_
        == {
            "error": ([], [asset], []),
            "skip": ([], [], [(asset, theirs)]),
            "overwrite": ([theirs], [], []),
        }[on_exists]
    )
    assert (theirs.read_bytes() == b"theirs") == (on_exists != "overwrite")


async def test_without_the_permission_to_read(
    sandbox: Sandbox, assets: AssetsApi, tmp_path: Path, out: Path
) -> None:
    """A key that may download but not read brings the file, and the result says it is unproved."""
    path = write_photo(tmp_path)
    asset = await put(assets, path)
    async with AssetsApi(sandbox.url, sandbox.add_key("asset.download")) as poor:
        result = await poor.download_files([asset], out)
        found = await poor.download_asset_to_file(asset, out)
    proved = await assets.download_files([asset], out)

    assert [(e.filepath, e.verified) for e in result.downloaded] == [(found, False)]
    assert [(e.filepath, e.verified) for e in proved.downloaded] == [(found, True)]
    assert found.read_bytes() == path.read_bytes()


async def test_what_is_not_verified_is_logged(
    sandbox: Sandbox,
    assets: AssetsApi,
    tmp_path: Path,
    out: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """A method that returns a path alone says by the log what it could not prove, on stderr."""
    asset = await put(assets, write_photo(tmp_path))
    structlog.reset_defaults()
    capsys.readouterr()
    async with AssetsApi(sandbox.url, sandbox.add_key("asset.download")) as poor:
        await poor.download_asset_to_file(asset, out)
    told = capsys.readouterr()
    async with AssetsApi(sandbox.url, sandbox.api_key) as rich:
        await rich.download_asset_to_file(asset, out)
    structlog.reset_defaults()

    assert told.out == ""
    assert "not_verified" in told.err
    assert str(asset) in told.err
    assert "asset.read" in told.err
    assert capsys.readouterr().err == ""


async def test_one_asset_is_not_looked_for_under_other_names(
    assets: AssetsApi, tmp_path: Path, out: Path
) -> None:
    """What is to be overwritten is, though the asset lies there under its second name as well."""
    path = write_photo(tmp_path)
    asset = await put(assets, path)
    write(out, "a.jpg", b"theirs")
    beside = await assets.download_files([asset], out, on_exists="rename")
    over = await assets.download_files([asset], out, on_exists="overwrite")

    assert [e.filepath for e in beside.downloaded] == [out / "a (2).jpg"]
    assert [e.filepath for e in over.downloaded] == [out / "a.jpg"]
    assert [(out / name).read_bytes() for name in listed(out)] == [path.read_bytes()] * 2


class Endless(httpx.AsyncByteStream):
    """A body that ends when the connection does, early or not."""

    def __init__(self, content: bytes) -> None:
        self._content = content

    async def __aiter__(self) -> AsyncIterator[bytes]:
        yield self._content


async def test_a_body_without_an_end(sandbox: Sandbox, tmp_path: Path, out: Path) -> None:
    """What only a closed connection ends is taken where a checksum proves it, and nowhere else."""
    path = write_photo(tmp_path)

    def answer(request: httpx.Request, said: object) -> httpx.Response | None:
        del said
        if not request.url.path.endswith(("/original", "/thumbnail")):
            return None
        headers = {"content-type": "image/jpeg"}
        return httpx.Response(200, headers=headers, stream=Endless(path.read_bytes()))

    async with AssetsApi(sandbox.url, sandbox.api_key, transport=Spy(answer)) as assets:
        asset = await put(assets, path)
        found = await assets.download_asset_to_file(asset, out)
        with pytest.raises(Unprovable, match="where it ends"):
            await assets.view_asset_to_file(asset, out)

    assert found.read_bytes() == path.read_bytes()
    assert listed(out) == [found.name]


async def test_progress_is_counted(
    assets: AssetsApi, tmp_path: Path, out: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Files count as expected before they are done; what failed is not counted as done."""
    paths = [write_photo(tmp_path, f"{number}.jpg", 1000) for number in range(3)]
    ids = [await put(assets, path) for path in paths]
    await assets.download_originals_to_folder([ids[0], uuid4()], out, show_progress=True)
    await assets.download_originals_to_folder(ids, out, show_progress=True)
    await assets.download_asset_to_file(ids[0], out, show_progress=True)
    await assets.download_archive_to_file(ids, out, show_progress=True)
    size = (out / "archive.zip").stat().st_size

    lines = capsys.readouterr().err.splitlines()
    assert [line.rpartition(", ")[0] for line in lines] == [
        "Downloading: 1 of 2 files, 1.2 kB of 1.2 kB",
        "Downloading: 3 of 3 files, 2.4 kB of 2.4 kB",
        "Downloading: 1 of 1 files, 0 B of 0 B",
        f"Downloading: 1 of 1 files, {size / 1000:.1f} kB",
    ]


async def test_one_of_many_fails(assets: AssetsApi, tmp_path: Path, out: Path) -> None:
    """An asset that is not there is listed, and the others come; a refused key ends it all."""
    asset, missing = await put(assets, write_photo(tmp_path)), uuid4()

    result = await assets.download_originals_to_folder([missing, asset], out)

    assert [entry.filepath for entry in result.downloaded] == [out / "a.jpg"]
    assert [(entry.asset_id, "Not Found" in entry.error) for entry in result.failed] == [
        (missing, True)
    ]


async def test_refused_for_all(sandbox: Sandbox, tmp_path: Path, out: Path) -> None:
    """Where the key may not download, one clear error comes instead of a list of them."""
    async with AssetsApi(sandbox.url, sandbox.api_key) as assets:
        asset = await put(assets, write_photo(tmp_path))
    async with AssetsApi(sandbox.url, sandbox.add_key("asset.read")) as assets:
        with pytest.raises(Refused, match=r"asset\.download"):
            await assets.download_originals_to_folder([asset], out)


async def test_a_folder_that_cannot_be(assets: AssetsApi, tmp_path: Path) -> None:
    """What stands where the folder should is named."""
    asset = await put(assets, write_photo(tmp_path))
    with pytest.raises(FileTrouble, match="cannot be made"):
        await assets.download_asset_to_file(asset, tmp_path / "a.jpg")
    with pytest.raises(ValueError, match="not the id"):
        await assets.download_asset_to_file("../x", tmp_path)
