"""The library's upload: the seed's rows that were wrong there, deletions, state, trouble."""

import hashlib
import json
import os
import re
import sqlite3
import tempfile
from collections.abc import AsyncIterator
from contextlib import closing
from pathlib import Path

import anyio
import httpx
import pytest

from immich_sync import AssetsApi, Misconfigured, NotImmich, Refused, Unreachable, UploadResult
from immich_sync.core.folder import Limits
from immich_sync.sandbox import (
    Delay,
    Html,
    LostAnswer,
    Quota,
    Sandbox,
    SlowRead,
    Status,
    StoredAsset,
    TooLarge,
)
from tests.library import EARLIER, XMP, Spy, call, has_fired, listed, write, write_photo

pytestmark = pytest.mark.anyio


@pytest.fixture
async def sandbox() -> AsyncIterator[Sandbox]:
    """A server of this test's own, behind a relay."""
    async with Sandbox(relay=True) as server:
        yield server


@pytest.fixture
async def assets(sandbox: Sandbox) -> AsyncIterator[AssetsApi]:
    """The library, connected to it."""
    async with AssetsApi(base_url=f"{sandbox.url}/api", api_key=sandbox.api_key) as api:
        yield api


def names(result: UploadResult) -> tuple[list[str], list[str], list[str]]:
    """The names of the uploaded, rejected and failed files."""
    return (
        [entry.filepath.name for entry in result.uploaded],
        [entry.filepath.name for entry in result.rejected],
        [entry.filepath.name for entry in result.failed],
    )


def only(sandbox: Sandbox) -> StoredAsset:
    """The one asset that there is."""
    (asset,) = sandbox.assets()
    return asset


async def test_result(sandbox: Sandbox, assets: AssetsApi, tmp_path: Path) -> None:
    """Every file is in one list, with the seed's fields, and the numbers agree."""
    good = write_photo(tmp_path, "good.jpg")
    known = write_photo(tmp_path, "known.jpg")
    first = await assets.upload(known)
    empty = write(tmp_path, "empty.jpg", b"")
    write(tmp_path, "note.txt", b"no photo")

    result = await assets.upload(str(tmp_path))

    assert [(e.filepath, e.asset.status, e.verified) for e in result.uploaded] == [
        (good, "created", True)
    ]
    assert {str(e.asset.id) for e in (*first.uploaded, *result.uploaded)} == {
        asset.id for asset in sandbox.assets()
    }
    assert [(e.filepath, e.asset_id, e.reason, e.is_trashed) for e in result.rejected] == [
        (known, first.uploaded[0].asset.id, "duplicate", False)
    ]
    assert [(e.filepath, "no bytes" in e.error) for e in result.failed] == [(empty, True)]
    assert result.stats.model_dump() == {"total": 3, "uploaded": 1, "rejected": 1, "failed": 1}
    assert result.ignored == {".txt": 1}


async def test_links_below_a_folder(sandbox: Sandbox, assets: AssetsApi, tmp_path: Path) -> None:
    """Links that are met below a folder are not followed, and counted."""
    write_photo(tmp_path / "photos")
    elsewhere = write_photo(tmp_path / "elsewhere", "b.jpg")
    (tmp_path / "photos" / "b.jpg").symlink_to(elsewhere)
    (tmp_path / "photos" / "all").symlink_to(elsewhere.parent)

    result = await assets.upload(tmp_path / "photos")

    assert (result.stats.total, len(sandbox.assets())) == (1, 1)
    assert result.ignored == {"link": 2}


async def test_hidden_above_the_root(assets: AssetsApi, tmp_path: Path) -> None:
    """Row 1: a folder is hidden only below the given path, and what is named outright never is."""
    root = tmp_path / ".phone" / "photos"
    write_photo(root, "a.jpg")
    write_photo(root, ".b.jpg")
    write_photo(root / ".thumbs", "c.jpg")
    outright = write_photo(tmp_path, ".d.jpg")

    assert names(await assets.upload([root, outright]))[0] == [".d.jpg", "a.jpg"]
    assert names(await assets.upload(root, include_hidden=True))[0] == [".b.jpg", "c.jpg"]


async def test_sidecar_names(sandbox: Sandbox, assets: AssetsApi, tmp_path: Path) -> None:
    """Row 2: `a.b.jpg` has `a.b.jpg.xmp`, then `a.b.xmp`, in any case; `a.xmp` is a stranger's."""
    write_photo(tmp_path, "a.b.jpg")
    write_photo(tmp_path, "c.d.jpg")
    for name in ("a.xmp", "a.b.xmp", "a.b.jpg.XMP", "c.d.Xmp"):
        write(tmp_path, name, XMP.format(name).encode())

    await assets.upload(tmp_path)
    sidecars = {
        asset.name: asset.sidecar.read_text() for asset in sandbox.assets() if asset.sidecar
    }

    assert sidecars == {"a.b.jpg": XMP.format("a.b.jpg.XMP"), "c.d.jpg": XMP.format("c.d.Xmp")}


async def test_deleted_sidecars(assets: AssetsApi, tmp_path: Path) -> None:
    """Row 3: with an upload goes the sidecar that was sent, no stranger's and no shared one."""
    for name in ("a.jpg", "b.jpg", "b.dng", "c.jpg"):
        write_photo(tmp_path, name)
    known = tmp_path / "c.jpg"
    await assets.upload(known)
    for name in ("a.jpg.xmp", "a.xmp", "b.xmp", "c.jpg.xmp"):
        write(tmp_path, name, XMP.format(name).encode())

    uploads = [tmp_path / "a.jpg", tmp_path / "b.dng", known]
    result = await assets.upload(uploads, delete_uploads=True, delete_duplicates=True)

    assert [path.name for path in result.deleted] == ["a.jpg", "a.jpg.xmp", "b.dng", "c.jpg"]
    assert listed(tmp_path) == ["a.xmp", "b.jpg", "b.xmp", "c.jpg.xmp"]


async def test_slow_but_moving(sandbox: Sandbox, tmp_path: Path) -> None:
    """Row 5: an upload may take longer than every limit, as long as it moves."""
    limits = Limits(stall_timeout=1.2, answer_timeout=4.0)
    sandbox.faults.add(SlowRead(2_500_000), method="POST", path="/api/assets", exact=True)
    path = write_photo(tmp_path, "a.jpg", 5_000_000)
    async with AssetsApi(sandbox.url, sandbox.api_key, limits=limits) as assets:
        began = anyio.current_time()
        result = await assets.upload(path)

    assert result.stats.uploaded == 1
    assert anyio.current_time() - began > limits.stall_timeout


async def test_duplicate_in_the_trash(sandbox: Sandbox, assets: AssetsApi, tmp_path: Path) -> None:
    """Row 6: a file whose asset lies in the trash is rejected, says so, and is never deleted."""
    path = write_photo(tmp_path)
    await assets.upload(path)
    await call(sandbox, "DELETE", "/assets", {"ids": [only(sandbox).id]})

    asked = await assets.upload(path, delete_duplicates=True, delete_uploads=True)
    raced = await assets.upload(path, delete_duplicates=True, skip_duplicates=True)

    assert [(e.reason, e.is_trashed) for e in asked.rejected] == [("duplicate", True)]
    assert [(e.reason, e.is_trashed) for e in raced.rejected] == [("duplicate", True)]
    assert path.exists()


async def test_dates(sandbox: Sandbox, assets: AssetsApi, tmp_path: Path) -> None:
    """Row 7: both dates are the time of the last change, not that of the copy."""
    write_photo(tmp_path)

    await assets.upload(tmp_path)
    asset = only(sandbox)

    assert asset.file_created_at == asset.file_modified_at == "2023-11-14T22:13:20.000Z"


async def test_dry_run(sandbox: Sandbox, tmp_path: Path) -> None:
    """Row 8: a dry run hashes and asks, and changes nothing: no asset, no album, no state."""
    state, photos = tmp_path / "state", tmp_path / "photos"
    known = write_photo(photos, "known.jpg")
    new = write_photo(photos, "new.jpg")
    write(photos, "twin.jpg", new.read_bytes())
    async with AssetsApi(sandbox.url, sandbox.api_key) as assets:
        await assets.upload(known)
    sandbox.requests.clear()
    async with AssetsApi(sandbox.url, sandbox.api_key, state=state) as assets:
        result = await assets.upload(
            photos, dry_run=True, album_name="New", delete_uploads=True, delete_duplicates=True
        )

    uploaded, rejected, _ = names(result)
    assert sorted(uploaded + rejected) == ["known.jpg", "new.jpg", "twin.jpg"]
    assert "known.jpg" in rejected
    assert len(uploaded) == 1
    assert (result.uploaded[0].asset.id, result.uploaded[0].verified) == (None, False)
    assert sandbox.count("POST", "/api/assets") == sandbox.count(
        "POST", "/api/assets/bulk-upload-check"
    )
    assert sandbox.albums() == []
    assert listed(photos) == ["known.jpg", "new.jpg", "twin.jpg"]
    assert not state.exists()


async def test_album_of_equal_names(sandbox: Sandbox, assets: AssetsApi, tmp_path: Path) -> None:
    """Row 9: of albums with one name, the oldest owned one is meant, never a shared one."""
    stranger, key = sandbox.add_user("stranger@example.com")
    body = {"albumName": "Holidays"}
    theirs = (await call(sandbox, "POST", "/albums", body, key)).json()["id"]
    users = {"albumUsers": [{"userId": sandbox.state.admin.id, "role": "editor"}]}
    await call(sandbox, "PUT", f"/albums/{theirs}/users", users, key)
    mine = [(await call(sandbox, "POST", "/albums", body)).json()["id"] for _ in range(2)]
    write_photo(tmp_path)

    await assets.upload(tmp_path, album_name="Holidays")

    filled = [album.id for album in sandbox.albums() if album.asset_ids]
    assert filled == mine[:1]
    assert stranger.id != sandbox.state.admin.id


async def test_album_that_does_not_take_one(
    sandbox: Sandbox, assets: AssetsApi, tmp_path: Path
) -> None:
    """Row 10: an asset that its album does not take fails, with the server's word for it."""
    locked, other = write_photo(tmp_path, "locked.jpg"), write_photo(tmp_path, "other.jpg")
    await assets.upload(locked)
    body = {"visibility": "locked"}
    await call(sandbox, "PUT", f"/assets/{only(sandbox).id}", body)

    result = await assets.upload(tmp_path, album_name="Holidays", retries=1)

    assert names(result) == ([other.name], [], [locked.name])
    assert "no_permission" in result.failed[0].error


async def test_rejections_of_both_kinds(
    sandbox: Sandbox, assets: AssetsApi, tmp_path: Path
) -> None:
    """Row 11: what was found by asking and what the upload found are both rejected."""
    known, raced = write_photo(tmp_path, "known.jpg"), write_photo(tmp_path, "raced.jpg")
    await assets.upload(known)
    rule = sandbox.faults.add(Delay(0.5), method="POST", path="/api/assets", exact=True, times=1)
    results: list[UploadResult] = []

    async def run() -> None:
        results.append(await assets.upload(tmp_path))

    async with anyio.create_task_group() as tasks, AssetsApi(sandbox.url, sandbox.api_key) as other:
        tasks.start_soon(run)
        await has_fired(rule)
        winner = await other.upload(raced)

    assert winner.stats.uploaded == 1
    assert names(results[0]) == ([], ["known.jpg", "raced.jpg"], [])
    assert len(sandbox.assets()) == 2


@pytest.mark.parametrize("spelling", ["unsupported-format", "unsupported_format"])
async def test_unsupported_format(sandbox: Sandbox, tmp_path: Path, spelling: str) -> None:
    """Row 12: both spellings of the server's second reason are understood."""

    def answer(request: httpx.Request, said: object) -> httpx.Response | None:
        if not request.url.path.endswith("/bulk-upload-check") or not isinstance(said, dict):
            return None
        results = [
            {"id": one["id"], "action": "reject", "reason": spelling} for one in said["assets"]
        ]
        return httpx.Response(200, json={"results": results})

    write_photo(tmp_path)
    async with AssetsApi(sandbox.url, sandbox.api_key, transport=Spy(answer)) as assets:
        result = await assets.upload(tmp_path)

    assert [(e.reason, e.asset_id) for e in result.rejected] == [("unsupported_format", None)]
    assert sandbox.assets() == []


async def test_opaque_ids(sandbox: Sandbox, tmp_path: Path) -> None:
    """Row 14: no path is told to the server when it is asked for duplicates."""
    spy = Spy()
    write_photo(tmp_path, "secret name.jpg")
    async with AssetsApi(sandbox.url, sandbox.api_key, transport=spy) as assets:
        await assets.upload(tmp_path)
    asked = [said for request, said in spy.heard if request.url.path.endswith("/bulk-upload-check")]

    assert len(asked) == 2
    assert not any("secret" in str(said) or str(tmp_path) in str(said) for said in asked)


async def test_many_files(sandbox: Sandbox, tmp_path: Path) -> None:
    """Row 21: of files beyond counting a few go up at once, and many are asked for in one call."""
    for number in range(200):
        write_photo(tmp_path / str(number % 40), f"{number}.jpg")
    spy = Spy()
    async with AssetsApi(sandbox.url, sandbox.api_key, transport=spy) as assets:
        result = await assets.upload(tmp_path, concurrency=3)

    assert result.stats.uploaded == 200
    assert spy.most == 3
    assert sandbox.count("POST", "/api/assets/bulk-upload-check") < 200


async def test_file_that_vanishes(sandbox: Sandbox, assets: AssetsApi, tmp_path: Path) -> None:
    """Row 22: a file that disappears while the run goes on fails alone."""
    paths = [write_photo(tmp_path, f"{number}.jpg") for number in range(3)]
    rule = sandbox.faults.add(Delay(0.3), method="GET", path="/api/server/media-types")
    results: list[UploadResult] = []

    async def run() -> None:
        results.append(await assets.upload([*paths, tmp_path / "never.jpg"]))

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(run)
        await has_fired(rule)
        paths[1].unlink()

    assert names(results[0]) == (["0.jpg", "2.jpg"], [], ["1.jpg", "never.jpg"])


async def test_deletions(sandbox: Sandbox, assets: AssetsApi, tmp_path: Path) -> None:
    """Uploads and duplicates are deleted when that is asked for, each only then."""
    known = write_photo(tmp_path, "known.jpg")
    await assets.upload(known)
    new = write_photo(tmp_path, "new.jpg")

    first = await assets.upload(tmp_path, delete_uploads=True)
    second = await assets.upload(tmp_path, delete_duplicates=True)

    assert (first.deleted, first.kept) == ([new], [])
    assert (second.deleted, second.kept) == ([known], [])
    assert len(sandbox.assets()) == 2
    assert listed(tmp_path) == []


async def test_deletion_behind_a_link(assets: AssetsApi, tmp_path: Path) -> None:
    """What a link was given for goes up and stays, link and file; the result says why."""
    path = write_photo(tmp_path / "elsewhere")
    link = tmp_path / "link.jpg"
    link.symlink_to(path)

    first = await assets.upload(link, delete_uploads=True)
    second = await assets.upload(link, delete_duplicates=True)

    assert [entry.filepath for entry in first.uploaded] == [path]
    for result in (first, second):
        assert result.deleted == []
        assert [(e.filepath, "symbolic link" in e.error) for e in result.kept] == [(path, True)]
    assert path.exists()


async def test_deletion_of_what_was_trashed_meanwhile(sandbox: Sandbox, tmp_path: Path) -> None:
    """A file is kept if its asset came into the trash between the upload and the deletion."""
    path = write_photo(tmp_path)

    def answer(request: httpx.Request, said: object) -> httpx.Response | None:
        if (
            len(asked := [r for r, _ in spy.heard if "bulk" in r.url.path]) < 3
            or request not in asked
        ):
            return None
        assert isinstance(said, dict)
        results = [
            {
                "id": one["id"], "action": "reject", "reason": "duplicate",
                "assetId": only(sandbox).id, "isTrashed": True,
            }
            for one in said["assets"]
        ]  # fmt: skip
        return httpx.Response(200, json={"results": results})

    spy = Spy(answer)
    async with AssetsApi(sandbox.url, sandbox.api_key, transport=spy) as api:
        result = await api.upload(path, delete_uploads=True)

    assert result.stats.uploaded == 1
    assert result.deleted == []
    assert [(e.filepath, "trash" in e.error) for e in result.kept] == [(path, True)]
    assert path.exists()


async def test_deletion_of_what_changed(
    sandbox: Sandbox, assets: AssetsApi, tmp_path: Path
) -> None:
    """A file that is written to after its upload is kept, even with its old time and size."""
    path = write_photo(tmp_path)
    rule = sandbox.faults.add(Delay(0.4), path="/api/assets/bulk-upload-check", skip=1, times=1)
    results: list[UploadResult] = []

    async def run() -> None:
        results.append(await assets.upload(path, delete_uploads=True))

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(run)
        await has_fired(rule)  # uploaded, and its verification under way
        content = path.read_bytes()
        path.write_bytes(content[:-1] + b"?")
        os.utime(path, (EARLIER, EARLIER))

    assert results[0].stats.uploaded == 1
    assert (results[0].deleted, [e.filepath for e in results[0].kept]) == ([], [path])
    assert path.exists()


async def test_removed_on_the_server(sandbox: Sandbox, assets: AssetsApi, tmp_path: Path) -> None:
    """What a person removed for good goes up again when a person asks for it by name."""
    path = write_photo(tmp_path)
    await assets.upload(path)
    await call(sandbox, "DELETE", "/assets", {"ids": [only(sandbox).id], "force": True})

    result = await assets.upload(path)

    assert result.stats.uploaded == 1
    assert len(sandbox.assets()) == 1


async def test_a_file_without_bytes(assets: AssetsApi, tmp_path: Path) -> None:
    """It fails with one sentence, and with one full stop."""
    result = await assets.upload(write(tmp_path, "a.jpg", b""))

    assert [e.error for e in result.failed] == ["a.jpg is not uploaded: The file has no bytes."]


async def test_state_remembers(sandbox: Sandbox, tmp_path: Path) -> None:
    """With a state, a second run takes from it which bytes a file has, and reads none."""
    photos, state, spy = tmp_path / "photos", tmp_path / "state", Spy()
    write_photo(photos)
    async with AssetsApi(sandbox.url, sandbox.api_key, state=state) as assets:
        await assets.upload(photos)
    with closing(sqlite3.connect(state / "state.db", isolation_level=None)) as database:
        database.execute("UPDATE file SET sha1 = zeroblob(20)")
    async with AssetsApi(sandbox.url, sandbox.api_key, state=state, transport=spy) as assets:
        await assets.upload(photos, retries=1)
    asked = [said for request, said in spy.heard if request.url.path.endswith("upload-check")]

    assert asked[0] == {"assets": [{"id": "0", "checksum": "00" * 20}]}


async def test_dry_run_remembers(sandbox: Sandbox, tmp_path: Path) -> None:
    """A dry run takes from the state which bytes a file has, and leaves the state as it is."""
    photos, state, spy = tmp_path / "photos", tmp_path / "state", Spy()
    write_photo(photos)
    async with AssetsApi(sandbox.url, sandbox.api_key, state=state) as assets:
        await assets.upload(photos)
    with closing(sqlite3.connect(state / "state.db", isolation_level=None)) as database:
        database.execute("UPDATE file SET sha1 = zeroblob(20)")
    write_photo(photos, "new.jpg")
    async with AssetsApi(sandbox.url, sandbox.api_key, state=state, transport=spy) as assets:
        await assets.upload(photos, dry_run=True)
    asked = [
        one["checksum"]
        for r, said in spy.heard
        if isinstance(said, dict) and r.url.path.endswith("upload-check")
        for one in said["assets"]
    ]
    with closing(sqlite3.connect(state / "state.db")) as database:
        (files,) = database.execute("SELECT count(*) FROM file").fetchone()

    assert "00" * 20 in asked
    assert len(asked) == 2
    assert files == 1


@pytest.mark.parametrize("why", ["removed", "departed"])
@pytest.mark.parametrize("dry_run", [True, False])
async def test_what_a_person_removed(
    sandbox: Sandbox,
    tmp_path: Path,
    dry_run: bool,  # noqa: FBT001 - a case
    why: str,
) -> None:
    """What was removed goes up when it is asked for, is told as such, and stands no more then.

    What we put into the trash ourselves was not removed by a person, and is not told of.
    """
    photos, state = tmp_path / "photos", tmp_path / "state"
    path = write_photo(photos)
    write_photo(photos, "b.jpg")
    sha1 = hashlib.sha1(path.read_bytes(), usedforsecurity=False).hexdigest()
    async with AssetsApi(sandbox.url, sandbox.api_key, state=state) as assets:
        await assets.upload(photos / "b.jpg")
    with closing(sqlite3.connect(state / "state.db")) as database:
        (user,) = database.execute("SELECT user FROM account").fetchone()
    said = {"at": "2026-01-01T00:00:00+00:00", "server": sandbox.url, "user": user, "sha1": sha1}
    line = json.dumps(said | {"why": why}) + "\n"
    (state / "tombstones.jsonl").write_text(line)
    async with AssetsApi(sandbox.url, sandbox.api_key, state=state) as assets:
        result = await assets.upload(photos, dry_run=dry_run)

    lines = (state / "tombstones.jsonl").read_text().splitlines()
    whys = [(said["sha1"], said["why"]) for said in map(json.loads, lines)]
    assert [(e.filepath, e.was_removed) for e in result.uploaded] == [(path, why == "removed")]
    assert whys == [(sha1, why)] + [(sha1, "back")] * (not dry_run)


async def test_no_hidden_state(
    sandbox: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without a state, nothing is left on the disk once the library is closed."""
    for name in ("HOME", "TMPDIR", "XDG_STATE_HOME"):
        (tmp_path / name).mkdir()
        monkeypatch.setenv(name, str(tmp_path / name))
    monkeypatch.setattr(tempfile, "tempdir", None)
    write_photo(tmp_path / "photos")
    async with AssetsApi(sandbox.url, sandbox.api_key) as assets:
        await assets.upload(tmp_path / "photos")
        during = listed(tmp_path / "TMPDIR")

    assert len(during) == 1
    assert [listed(tmp_path / name) for name in ("HOME", "TMPDIR", "XDG_STATE_HOME")] == [
        [],
        [],
        [],
    ]


async def test_names_that_are_no_text(sandbox: Sandbox, assets: AssetsApi, tmp_path: Path) -> None:
    """A name that is no UTF-8 goes up readable, and the result can be written as JSON."""
    raw = bytes(tmp_path) + b"/caf\xe9.jpg"
    write_photo(tmp_path).rename(os.fsdecode(raw))

    result = await assets.upload(tmp_path)

    assert only(sandbox).name == "café.jpg"
    assert os.fsencode(result.uploaded[0].filepath) == raw
    assert r"caf\\xe9.jpg" in result.model_dump_json()


async def test_albums_by_folder(sandbox: Sandbox, assets: AssetsApi, tmp_path: Path) -> None:
    """With `album`, each file joins the album that is called as its folder is."""
    root = tmp_path / "Camera"
    write_photo(root, "a.jpg")
    write_photo(root / "Alps", "b.jpg")
    single = write_photo(tmp_path / "Lake", "c.jpg")

    await assets.upload([root, single], album=True)

    assert {album.name: album.asset_names for album in sandbox.albums()} == {
        "Camera": ("a.jpg",),
        "Alps": ("b.jpg",),
        "Lake": ("c.jpg",),
    }


async def test_album_with_braces(sandbox: Sandbox, assets: AssetsApi, tmp_path: Path) -> None:
    """An album's name is taken as it is written, and duplicates join it as well."""
    write_photo(tmp_path)
    await assets.upload(tmp_path)

    await assets.upload(tmp_path, album_name="{date} {x}")

    assert [(album.name, album.asset_names) for album in sandbox.albums()] == [
        ("{date} {x}", ("a.jpg",))
    ]


async def test_back_into_the_album(sandbox: Sandbox, assets: AssetsApi, tmp_path: Path) -> None:
    """What a person took out of an album is put back when a person asks for that."""
    write_photo(tmp_path)
    await assets.upload(tmp_path, album_name="Best")
    album = sandbox.albums()[0]
    await call(sandbox, "DELETE", f"/albums/{album.id}/assets", {"ids": list(album.asset_ids)})

    await assets.upload(tmp_path, album_name="Best")

    assert [found.asset_names for found in sandbox.albums()] == [("a.jpg",)]


@pytest.mark.parametrize(
    ("pattern", "left"),
    [
        ("b.jpg", ["a.jpg", "c.jpg"]),
        ("/raw/*", ["a.jpg", "b.jpg"]),
        ("*/photos/*", ["a.jpg", "b.jpg", "c.jpg"]),  # a folder above decides nothing
        (".JPG", ["a.jpg", "b.jpg", "c.jpg"]),
    ],
)
async def test_ignore_pattern(
    assets: AssetsApi, tmp_path: Path, pattern: str, left: list[str]
) -> None:
    """The seed's pattern is held against the path below the given one."""
    root = tmp_path / "photos"
    for name in ("a.jpg", "b.jpg", "raw/c.jpg"):
        write_photo(root, name)

    assert names(await assets.upload(root, ignore_pattern=pattern))[0] == left


async def test_gitignore(assets: AssetsApi, tmp_path: Path) -> None:
    """Gitignore patterns have a parameter of their own."""
    for name in ("a.jpg", "b.png", "raw/c.jpg"):
        write_photo(tmp_path, name)

    result = await assets.upload(tmp_path, ignore=["raw/", "*.png"])

    assert names(result)[0] == ["a.jpg"]
    assert result.ignored == {"raw/": 1, "*.png": 1}


async def test_overlapping_paths(assets: AssetsApi, tmp_path: Path) -> None:
    """A file that several paths lead to is looked at once."""
    path = write_photo(tmp_path / "a" / "b")
    (tmp_path / "link").symlink_to(tmp_path / "a")

    result = await assets.upload(
        [tmp_path / "a", path, str(path), tmp_path / "a" / "b", tmp_path / "link"]
    )

    assert result.stats.total == 1


async def test_immichs_own_storage(assets: AssetsApi, tmp_path: Path) -> None:
    """What lies in Immich's own storage is never uploaded, still less deleted."""
    path = write_photo(tmp_path / "library" / "admin")
    write(tmp_path / "library", ".immich", b"")

    result = await assets.upload(path, delete_uploads=True)

    assert result.stats.failed == 1
    assert "own storage" in result.failed[0].error
    assert path.exists()


async def test_trouble_that_passes(sandbox: Sandbox, assets: AssetsApi, tmp_path: Path) -> None:
    """A lost answer is settled by asking; a server that is busy for a moment is asked again."""
    write_photo(tmp_path)
    sandbox.faults.add(LostAnswer(), method="POST", path="/api/assets", exact=True, times=1)
    sandbox.faults.add(Status(503, "0"), path="/api/assets/bulk-upload-check", times=1)

    result = await assets.upload(tmp_path, delete_uploads=True)

    assert names(result) == (["a.jpg"], [], [])
    assert len(sandbox.assets()) == 1
    assert listed(tmp_path) == []


async def test_trouble_after_the_upload(
    sandbox: Sandbox, assets: AssetsApi, tmp_path: Path
) -> None:
    """A file whose verification had to be asked for again was uploaded all the same."""
    write_photo(tmp_path)
    sandbox.faults.add(Status(503, "0"), path="/api/assets/bulk-upload-check", skip=1, times=1)

    result = await assets.upload(tmp_path)

    assert names(result) == (["a.jpg"], [], [])
    assert result.uploaded[0].verified


async def test_trouble_that_stays(sandbox: Sandbox, assets: AssetsApi, tmp_path: Path) -> None:
    """One file's trouble fails that file; a full account ends the run, each file saying so."""
    write_photo(tmp_path, "large.jpg", 100_000)
    write_photo(tmp_path, "small.jpg")
    rule = sandbox.faults.add(TooLarge(50_000), method="POST", path="/api/assets", exact=True)

    large = await assets.upload(tmp_path)
    sandbox.faults.remove(rule)
    sandbox.faults.add(Quota(), method="POST", path="/api/assets", exact=True)
    full = await assets.upload(tmp_path)

    assert names(large) == (["small.jpg"], [], ["large.jpg"])
    assert "413" in large.failed[0].error
    assert names(full) == ([], ["small.jpg"], ["large.jpg"])
    assert "quota" in full.failed[0].error.lower()


async def test_server_that_goes_away(sandbox: Sandbox, assets: AssetsApi, tmp_path: Path) -> None:
    """When the server is gone in the midst, what is left fails soon, and nothing is raised."""
    for number in range(100):
        write_photo(tmp_path, f"{number}.jpg")
    rule = sandbox.faults.add(Delay(0.0), method="POST", path="/api/assets", exact=True)
    results: list[UploadResult] = []

    async def run() -> None:
        results.append(await assets.upload(tmp_path, retries=2))

    with anyio.fail_after(20):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(run)
            await has_fired(rule)
            await sandbox.relay.refuse()

    assert results[0].stats.total == 100
    assert results[0].stats.failed > 0
    why = re.compile(r"could not be reached|connection (broke|ended|was closed)|does not answer")
    assert [e.error for e in results[0].failed if not why.search(e.error)] == []


async def test_trouble_at_the_start(sandbox: Sandbox, tmp_path: Path) -> None:
    """A refused key, something that is not Immich, and nobody at all are told apart at once."""
    write_photo(tmp_path)
    async with AssetsApi(sandbox.url, "wrong-key-0123456789") as assets:
        with pytest.raises(Refused):
            await assets.upload(tmp_path)
    key = sandbox.add_key("asset.upload", "user.read")
    async with AssetsApi(sandbox.url, key) as assets:
        with pytest.raises(Refused, match=r"album\.read"):
            await assets.upload(tmp_path, album_name="Best")
    sandbox.faults.add(Html())
    async with AssetsApi(sandbox.url, sandbox.api_key) as assets:
        with pytest.raises(NotImmich):
            await assets.upload(tmp_path)
    await sandbox.relay.refuse()
    async with AssetsApi(sandbox.url, sandbox.api_key) as assets:
        with pytest.raises(Unreachable):
            await assets.upload(tmp_path)


async def test_wrong_arguments(assets: AssetsApi, tmp_path: Path) -> None:
    """What cannot be meant is a ValueError before anything is done."""
    with pytest.raises(ValueError, match="concurrency must be 1 or more"):
        await assets.upload(tmp_path, concurrency=0)
    with pytest.raises(ValueError, match="retries must be 1 or more"):
        await assets.upload(tmp_path, retries=0)
    with pytest.raises(ValueError, match="not both"):
        await assets.upload(tmp_path, album=True, album_name="x")
    with pytest.raises(ValueError, match="blank"):
        await assets.upload(tmp_path, album_name=" ")
    with pytest.raises(ValueError, match="empty path"):
        await assets.upload("")
    with pytest.raises(RuntimeError, match="async with"):
        await AssetsApi("http://nas", "key-0123456789").upload(tmp_path)


async def test_environment(
    sandbox: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Address and key come from the environment where they are not given."""
    write_photo(tmp_path)
    with pytest.raises(Misconfigured, match="IMMICH_INSTANCE_URL"):
        AssetsApi()
    monkeypatch.setenv("IMMICH_INSTANCE_URL", f"{sandbox.url}/api")
    async with AssetsApi() as assets:
        with pytest.raises(Misconfigured, match="IMMICH_API_KEY"):
            await assets.upload(tmp_path)
    monkeypatch.setenv("IMMICH_API_KEY", sandbox.api_key)
    async with AssetsApi() as assets:
        result = await assets.upload(tmp_path)

    assert result.stats.uploaded == 1
