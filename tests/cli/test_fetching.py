"""`download`, `view`, `play`, `archive`: paths or JSON on stdout, codes, public links."""

import json
import zipfile
from collections.abc import Callable
from pathlib import Path
from uuid import UUID

import httpx
import pytest

from tests.cli.conftest import Server
from tests.cli.inside import Ended, Inside
from tests.library import listed, write, write_photo

Run = Callable[..., Ended]


@pytest.fixture
def run(inside: Inside, server: Server) -> Run:
    """Runs a command with a server that the environment names."""

    def run(*words: str | Path) -> Ended:
        known = {"IMMICH_INSTANCE_URL": server.url, "IMMICH_API_KEY": server.api_key}
        return inside.run(*words, **known)

    return run


def uploaded(run: Run, *paths: Path) -> list[str]:
    """The ids of files that are now in Immich, in the order of their paths."""
    done = run("upload", "--json", "-A", "Album", *paths)
    assert done.code == 0, done.err
    return [one["asset"]["id"] for one in json.loads(done.out)["uploaded"]]


def post(server: Server, path: str, body: object) -> dict[str, str]:
    """The answer to a request that a person makes in their browser."""
    headers = {"x-api-key": server.api_key}
    answer = httpx.post(f"{server.url}/api{path}", json=body, headers=headers, verify=False)  # noqa: S501 - no TLS here
    assert answer.is_success, answer.text
    made: dict[str, str] = answer.json()
    return made


def test_download(run: Run, tmp_path: Path) -> None:
    """One original by its name, several side by side; the second time nothing is in the way."""
    out = tmp_path / "out"
    first, second = uploaded(run, write_photo(tmp_path, "a.jpg"), write_photo(tmp_path, "b.jpg"))

    one = run("download", first, "--out", out, "--filename", "x")
    many = run("download", "--json", "--out", out, first, second)
    again = run("download", "--json", "--out", out, first, second)
    shown = run("download", "-o", out, "--no-progress", first)

    assert (one.code, one.out) == (0, f"{out / 'x.jpg'}\n"), one.err
    assert "Downloading: 1 of 1 files" in one.err
    assert many.code == 0, many.err
    assert {entry["filepath"] for entry in json.loads(many.out)["downloaded"]} == {
        str(out / "a.jpg"),
        str(out / "b.jpg"),
    }
    assert json.loads(many.out) == json.loads(again.out)
    assert (shown.code, shown.out, shown.err) == (0, f"{out / 'a.jpg'}\n", "")
    assert listed(out) == ["a.jpg", "b.jpg", "x.jpg"]


def test_another_file_in_the_way(run: Run, tmp_path: Path) -> None:
    """Another file is an error and 1, unless told what to do."""
    (asset,) = uploaded(run, write_photo(tmp_path, "a.jpg"))
    write(tmp_path / "out", "a.jpg", b"theirs")

    failed = run("download", asset, "--out", tmp_path / "out")
    renamed = run("download", asset, "--out", tmp_path / "out", "--on-exists", "rename")

    assert (failed.code, failed.out) == (1, "")
    assert "another file" in failed.err
    assert (renamed.code, renamed.out) == (0, f"{tmp_path / 'out' / 'a (2).jpg'}\n")


def test_addresses_of_the_browser(run: Run, server: Server, tmp_path: Path) -> None:
    """What the browser shows of an asset or album is as good as its id."""
    out = tmp_path / "out"
    (asset,) = uploaded(run, write_photo(tmp_path, "a.jpg"))
    made = post(server, "/albums", {"albumName": "Pasted", "assetIds": [asset]})["id"]
    album = f"{server.url}/albums/{made}"

    photo = run("download", f"{server.url}/photos/{asset}", "-o", out)
    in_album = run("download", f"{album}/photos/{asset}?at=1", "-o", out / "in")
    whole = run("download", "--album", f"{album}/", "-o", out / "album")
    mixed_up = run("download", album, "-o", out)

    assert (photo.code, photo.out) == (0, f"{out / 'a.jpg'}\n"), photo.err
    assert in_album.code == 0, in_album.err
    assert (whole.code, whole.out) == (0, f"{out / 'album' / 'a.jpg'}\n"), whole.err
    assert (mixed_up.code, "--album" in mixed_up.err) == (2, True)


def test_an_unknown_asset_has_not_come(run: Run, tmp_path: Path) -> None:
    """What was not downloaded is not counted as such."""
    done = run("download", str(UUID(int=7)), "-o", tmp_path / "out")

    assert done.code == 1
    assert "Downloading: 0 of 1 files" in done.err


def test_view_and_play(run: Run, tmp_path: Path) -> None:
    """A view in full is the original here; a video plays; what is none fails with 1."""
    photo, video = uploaded(
        run,
        write_photo(tmp_path, "a.jpg"),
        write(tmp_path, "b.mp4", b"\0" * 99 + tmp_path.name.encode()),
    )

    viewed = run("view", photo, "--out", tmp_path / "out", "--size", "fullsize", "--json")
    played = run("play", video, photo, "--out", tmp_path / "out")

    assert viewed.code == 0, viewed.err
    assert json.loads(viewed.out)["downloaded"] == [
        {"asset_id": photo, "filepath": str(tmp_path / "out" / "a.jpg"), "verified": False}
    ]
    assert played.code == 1
    assert played.out == f"{tmp_path / 'out' / f'video-{video}.mp4'}\n"
    assert "not a video" in played.err


def test_archive(run: Run, tmp_path: Path) -> None:
    """Assets come as zip files, whose paths are told."""
    ids = uploaded(run, write_photo(tmp_path, "a.jpg"), write_photo(tmp_path, "b.jpg"))

    done = run("archive", *ids, "--out", tmp_path / "out", "--filename", "both", "--json")

    assert done.code == 0, done.err
    (path,) = json.loads(done.out)["archives"]
    assert sorted(zipfile.ZipFile(path).namelist()) == ["a.jpg", "b.jpg"]


def test_public_link(inside: Inside, server: Server, run: Run, tmp_path: Path) -> None:
    """A public link needs an address and nothing else; a wrong one is 3."""
    (asset,) = uploaded(run, write_photo(tmp_path, "a.jpg"))
    link = post(server, "/shared-links", {"type": "INDIVIDUAL", "assetIds": [asset]})
    words = ("download", asset, "--out", str(tmp_path / "out"), "--key")

    opened = inside.run(*words, link["key"], IMMICH_INSTANCE_URL=server.url)
    wrong = inside.run(*words, "wrong", IMMICH_INSTANCE_URL=server.url)

    assert (opened.code, opened.out) == (0, f"{tmp_path / 'out' / 'a.jpg'}\n"), opened.err
    assert (wrong.code, "public link" in wrong.err) == (3, True)


def test_public_link_with_a_password(
    inside: Inside, server: Server, run: Run, tmp_path: Path
) -> None:
    """The password comes from a file or from the environment, and is never repeated."""
    (asset,) = uploaded(run, write_photo(tmp_path, "a.jpg"))
    body = {"type": "INDIVIDUAL", "assetIds": [asset], "password": "sesame"}
    key = post(server, "/shared-links", body)["key"]
    good, bad = tmp_path / "good", tmp_path / "bad"
    good.write_bytes(b"sesame\r\n")
    bad.write_text("canary")
    words = ("download", asset, "--out", str(tmp_path / "out"), "--key", key)
    address = {"IMMICH_INSTANCE_URL": server.url}

    by_file = inside.run(*words, "--password-file", str(good), **address)
    by_variable = inside.run(*words, **address, IMMICH_LINK_PASSWORD="sesame")  # noqa: S106 - made up here
    without = inside.run(*words, **address)
    wrong = inside.run(*words, "--password-file", str(bad), **address)
    missing = inside.run(*words, "--password-file", str(tmp_path / "none"), **address)
    empty = inside.run(*words, "--password-file", "/dev/null", **address)

    assert (by_file.code, by_variable.code) == (0, 0), by_file.err + by_variable.err
    assert (without.code, "--password-file" in without.err) == (3, True)
    assert (wrong.code, "with this password" in wrong.err) == (3, True)
    assert "canary" not in wrong.err + wrong.out
    assert (missing.code, "No such file" in missing.err) == (2, True)
    assert (empty.code, "one line" in empty.err) == (2, True)


@pytest.mark.parametrize(
    "words",
    [
        ("download", str(UUID(int=0)), "--out", "x", "--password-file", "/dev/null"),
        ("download", "--out", "x"),
        ("download", "no-uuid", "--out", "x"),
        ("download", "http://nas/photos/66", "--out", "x"),
        ("download", f"http://nas/albums/{UUID(int=0)}", "--out", "x"),
        ("download", "--album", f"http://nas/photos/{UUID(int=0)}", "--out", "x"),
        ("download", "0" * 32, "--out", "x", "--on-exists", "perhaps"),
        ("download", "0" * 32, "1" * 32, "--out", "x", "--filename", "a"),
        ("download", "0" * 32, "--album", "1" * 32, "--out", "x"),
        ("view", "0" * 32, "--out", "x", "--size", "huge"),
        ("view", "0" * 32),
        ("play", "0" * 32, "1" * 32, "--out", "x", "--filename", "a"),
        ("archive", "--out", "x"),
    ],
)
def test_wrong_words(run: Run, tmp_path: Path, words: tuple[str, ...]) -> None:
    """What cannot be meant is 2, and nothing is written."""
    before = listed(tmp_path)
    done = run(*words)

    assert (done.code, done.out) == (2, "")
    assert listed(tmp_path) == before


def test_what_nothing_proves(run: Run, inside: Inside, server: Server, tmp_path: Path) -> None:
    """Originals that could not be proved are counted on a terminal, and marked in the JSON."""
    photos = [write_photo(tmp_path, name) for name in ("a.jpg", "b.jpg")]
    first, second = uploaded(run, *photos)
    made = post(server, "/api-keys", {"name": "poor", "permissions": ["asset.download"]})
    poor = {"IMMICH_INSTANCE_URL": server.url, "IMMICH_API_KEY": made["secret"]}

    told = inside.run("download", "-o", tmp_path / "out", "--no-progress", first, second, **poor)
    marked = inside.run("download", "-o", tmp_path / "out", "--json", first, **poor)
    proved = run("download", "-o", tmp_path / "out", "--no-progress", first)

    assert told.code == 0, told.err
    assert "not verified: 2 files:" in told.err
    assert [e["verified"] for e in json.loads(marked.out)["downloaded"]] == [False]
    assert (proved.code, proved.err) == (0, "")


def test_what_stays(run: Run, tmp_path: Path) -> None:
    """A file that was left in the way is listed as skipped, and is no download."""
    (photo,) = uploaded(run, write_photo(tmp_path, "a.jpg"))
    theirs = write(tmp_path / "out", "a.jpg", b"theirs")

    words = ("download", photo, "--out", tmp_path / "out", "--on-exists", "skip")
    told, listed_ = run(*words), run(*words, "--json")

    assert (told.code, told.out) == (0, "")
    assert f"skipped: {photo}: {theirs} is another file" in told.err
    assert json.loads(listed_.out) == {
        "downloaded": [],
        "failed": [],
        "skipped": [{"asset_id": photo, "filepath": str(theirs)}],
    }
