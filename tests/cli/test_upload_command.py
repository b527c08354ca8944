"""`upload`: every option, the official CLI's spellings, and two runs beside a daemon."""

import json
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from tests.cli.conftest import Server, Shell
from tests.cli.inside import Ended, Inside
from tests.library import listed, write, write_photo

Upload = Callable[..., Ended]


@pytest.fixture
def upload(inside: Inside, server: Server) -> Upload:
    """Runs `immich-sync upload` with a server that the environment names."""

    def run(*words: str | Path) -> Ended:
        known = {"IMMICH_INSTANCE_URL": f"{server.url}/api", "IMMICH_API_KEY": server.api_key}
        return inside.run("upload", *words, **known)

    return run


def test_official_spellings(upload: Upload, tmp_path: Path) -> None:
    """A command line written for the official CLI means the same here."""
    photos = tmp_path / "photos"
    for name in ("a.jpg", ".b.jpg", "raw/c.jpg"):
        write_photo(photos, name)
    words = ("-r", "-H", "-i", "/raw/*", "-A", "Official", "-c", "2", "--no-progress")

    rehearsed = upload(*words, "-n", "-j", photos)
    done = upload(*words, "--skip-hash", "--delete", "--json-output", photos)

    assert (rehearsed.code, done.code) == (0, 0), rehearsed.err + done.err
    assert json.loads(rehearsed.out)["stats"]["uploaded"] == 2
    result = json.loads(done.out)
    assert (result["stats"]["uploaded"], result["ignored"]) == (2, {"ignore_pattern": 1})
    assert [Path(path).name for path in result["deleted"]] == [".b.jpg", "a.jpg"]
    assert listed(photos) == ["raw"]


def test_sentences(upload: Upload, tmp_path: Path) -> None:
    """Results go to stdout in one sentence, what a person should know and progress to stderr."""
    write_photo(tmp_path / "photos", "a.jpg")
    write(tmp_path / "photos", "empty.jpg", b"")
    write(tmp_path / "photos", "b.txt", b"")
    (tmp_path / "photos" / "c.jpg").symlink_to("a.jpg")

    done = upload("--delete-uploads", tmp_path / "photos")
    rehearsed = upload("--dry-run", "--no-progress", tmp_path / "photos")

    assert done.code == 1
    assert done.out == (
        "1 file uploaded, 0 already in Immich, 1 failed. 1 file deleted from the disk.\n"
    )
    assert "no bytes" in done.err
    assert "ignored: 1 (.txt)" in done.err
    assert "ignored: 1 (link; name what they lead to)" in done.err
    assert "Uploading: 2 of 2 files" in done.err
    assert "Uploading" not in rehearsed.err
    assert rehearsed.out == "0 files to be uploaded, 0 already in Immich, 1 failed.\n"


def test_what_is_named_and_no_photo(upload: Upload, tmp_path: Path) -> None:
    """It is told by its name, and 1 if nothing else was; a sidecar goes along without a word."""
    photo = write_photo(tmp_path, "a.jpg")
    sidecar = write(tmp_path, "a.jpg.xmp", b"<x:xmpmeta/>")
    text = write(tmp_path, "a.txt", b"no photo")

    both = upload("--no-progress", photo, sidecar)
    alone = upload("--no-progress", text)
    beside = upload("--no-progress", photo, text)
    unwanted = upload("--no-progress", "--ignore", ".txt", text)

    assert both.code == 0, both.err
    assert (beside.code, f"not uploaded: {text}" in beside.err) == (0, True)
    assert (alone.code, alone.err) == (
        1, f"not uploaded: {text}: no photo or video that Immich takes\n",
    )  # fmt: skip
    assert alone.out == "0 files uploaded, 0 already in Immich, 0 failed.\n"
    assert unwanted.code == 0


def test_checking_is_no_uploading(upload: Upload, tmp_path: Path) -> None:
    """A dry run, and an upload of what is there already, say that they check."""
    write_photo(tmp_path / "photos", "a.jpg")
    said = [
        upload(*words, tmp_path / "photos").err.partition(",")[0]
        for words in (("--dry-run",), (), ())
    ]

    assert said == [f"{word}: 1 of 1 files" for word in ("Checking", "Uploading", "Checking")]


def test_an_empty_word_is_no_folder(
    upload: Upload, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A variable that was never set names nothing, least of all the folder one happens to be in."""
    write_photo(tmp_path / "photos")
    monkeypatch.chdir(tmp_path / "photos")

    done = upload("--delete-uploads", "")

    assert (done.code, done.out) == (2, "")
    assert "an empty path names nothing" in done.err
    assert listed(tmp_path / "photos") == ["a.jpg"]


@pytest.mark.parametrize("beside_a_daemon", [False, True])
def test_second_run_reads_nothing(
    shell: Shell,
    inside: Inside,
    configured: Callable[[str], Path],
    tmp_path: Path,
    beside_a_daemon: bool,  # noqa: FBT001 - a case
) -> None:
    """A second run over the same folder takes its checksums from the state, daemon or not."""
    config, photos = configured(""), tmp_path / "by-hand"
    write_photo(photos)
    words = ("upload", "--config", str(config), "--json", str(photos))

    def twice() -> tuple[Ended, Ended]:
        first = inside.run(*words)
        state = next(tmp_path.rglob("state.db"))
        with closing(sqlite3.connect(state, isolation_level=None)) as database:
            database.execute("UPDATE file SET sha1 = zeroblob(20) WHERE name = ?", (b"a.jpg",))
        return first, inside.run(*words, "--retries", "1")

    if beside_a_daemon:
        with shell.running(["run", "--config", str(config)]) as daemon:
            assert daemon.stderr is not None
            assert any("server_reached" in line for line in daemon.stderr)
            first, second = twice()
    else:
        first, second = twice()

    assert first.code == 0, first.err
    assert json.loads(first.out)["stats"]["uploaded"] == 1
    # The state's wrong checksum was believed until the upload itself read the file.
    assert second.code == 1
    assert "changed while it was being uploaded" in json.loads(second.out)["failed"][0]["error"]


def test_exit_codes(inside: Inside, server: Server, upload: Upload, tmp_path: Path) -> None:
    """2 for a command that cannot be meant, 3 for a refused key, 1 for a server that is away."""
    path = str(write_photo(tmp_path))
    url = {"IMMICH_INSTANCE_URL": server.url}

    assert upload("-a", "-A", "x", path).code == 2
    assert upload("-A", " ", path).code == 2
    assert upload("--concurrency", "0", path).code == 2
    assert upload().code == 2
    nobody = inside.run("upload", path, **url)
    assert (nobody.code, "IMMICH_API_KEY" in nobody.err) == (2, True)
    refused = inside.run("upload", path, **url, IMMICH_API_KEY="wrong-key-0123456789")
    assert (refused.code, refused.out) == (3, "")
    assert "wrong-key" not in refused.err
    away = {"IMMICH_INSTANCE_URL": "http://127.0.0.1:9", "IMMICH_API_KEY": server.api_key}
    assert inside.run("upload", path, **away).code == 1


def test_another_account(
    inside: Inside, server: Server, configured: Callable[[str], Path], tmp_path: Path
) -> None:
    """`--account` takes another account of the configuration."""
    (tmp_path / "anna").write_text("wrong-key-0123456789")
    config = configured(f'[accounts.anna]\napi_key_file = "{tmp_path / "anna"}"\n')
    path = str(write_photo(tmp_path))

    mine = inside.run("upload", "--config", str(config), path)
    hers = inside.run("upload", "--config", str(config), "--account", "anna", path)
    nobodys = inside.run("upload", "--config", str(config), "--account", "bob", path)

    assert (mine.code, hers.code, nobodys.code) == (0, 3, 2), nobodys.err
    assert server.url in hers.err
