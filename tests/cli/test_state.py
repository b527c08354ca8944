"""`state backup`, `restore` and `check` as they are typed; no server and no key need be there."""

import json
from contextlib import closing
from pathlib import Path

import pytest

from immich_sync.core.tombstones import Why
from immich_sync.core.types import AccountId, Checksum
from immich_sync.store import tombstones
from immich_sync.store.database import open_database
from tests.cli.inside import Inside
from tests.store.filling import fill

KEY = "a-key-that-is-nobodys-business"


@pytest.fixture
def config(tmp_path: Path) -> str:
    """A configuration whose server nobody runs, and a state with some of everything."""
    with closing(open_database(tmp_path / "state" / "state.db")) as database:
        fill(database)
        removed = {Checksum(b"\1" * 20): Why.REMOVED}
        tombstones.write(database, AccountId(1), removed, 1_800_000_000.0)
    file = tmp_path / "config.toml"
    file.write_text(
        f'state_dir = "{tmp_path}/state"\n[server]\nurl = "http://nowhere:1"\napi_key = "{KEY}"\n'
    )
    return str(file)


def test_a_state_is_checked_kept_and_put_back(inside: Inside, config: str, tmp_path: Path) -> None:
    """Each says what it did, on standard output, and ends with 0."""
    kept = str(tmp_path / "kept.tar")
    check = inside.run("state", "check", "--config", config)
    backup = inside.run("state", "backup", kept, "--config", config)
    again = inside.run("state", "backup", kept, "--config", config)
    restore = inside.run("state", "restore", kept, "--config", config)

    assert (check.code, check.err) == (0, "")
    assert check.out.startswith(f"{tmp_path}/state\n✓ state: Every page can be read.")
    assert check.out.endswith("✓ tombstones: 1 lines can be read.\n\nAll is well.\n")
    assert (backup.code, backup.err) == (0, "")
    assert backup.out.startswith(kept)
    assert backup.out.endswith("  40 files, 40 assets, 1 tombstone; read again, and whole\n")
    assert (again.code, again.out) == (2, "")
    assert "is there already, and was left as it is: choose another name." in again.err
    assert (restore.code, restore.err) == (0, "")
    assert "40 files, 40 assets, 1 tombstone." in restore.out
    assert f"What was there before lies in {tmp_path}/state/before-restore-" in restore.out


def test_all_of_it_is_json_too(inside: Inside, config: str, tmp_path: Path) -> None:
    """With numbers for scripts; and no key in anything."""
    said = [
        inside.run("state", *words, "--json", "--config", config)
        for words in (["check"], ["backup", str(tmp_path / "b.tar")],
                      ["restore", str(tmp_path / "b.tar")])
    ]  # fmt: skip
    check, backup, restore = (json.loads(one.out) for one in said)

    assert [one.code for one in said] == [0, 0, 0]
    assert (check["sound"], check["rows"]["file"], check["tombstones"]["lines"]) == (True, 40, 1)
    assert backup["contents"]["rows"]["asset"] == 40
    assert (restore["backup"]["made_at"], restore["removed"]) == (backup["made_at"], 0)
    assert all(KEY not in one.out + one.err for one in said)
    assert KEY.encode() not in (tmp_path / "b.tar").read_bytes()


def test_what_is_wrong_is_code_1(inside: Inside, config: str, tmp_path: Path) -> None:
    """A tombstone that was damaged, then a state that is none: each with its remedy."""
    with (tmp_path / "state" / "tombstones.jsonl").open("ab") as file:
        file.write(b"\0" * 40 + b"\n")
    stones = inside.run("state", "check", "--config", config)
    (tmp_path / "state" / "state.db").write_bytes(b"holiday notes" * 99)
    state = inside.run("state", "check", "--json", "--config", config)
    backup = inside.run("state", "backup", str(tmp_path / "b.tar"), "--config", config)
    run = inside.run("state", "check", IMMICH_SYNC_STATE_DIR=str(tmp_path / "nowhere"))

    assert stones.code == 1
    assert "✗ tombstones: 1 lines can be read, 1 are damaged" in stones.out
    assert stones.out.endswith("1 error.\n")
    assert (state.code, json.loads(state.out)["sound"]) == (1, False)
    assert (backup.code, "is damaged" in backup.err) == (1, True)
    assert (run.code, "There is no state at" in run.err) == (2, True)
    assert not (tmp_path / "b.tar").exists()


@pytest.mark.parametrize("place", ["none/", "none/such/kept.tar"])
def test_a_backup_into_no_folder_is_refused(
    place: str, inside: Inside, config: str, tmp_path: Path
) -> None:
    """Neither a file nor a folder is made of a name that was meant as a folder's."""
    backup = inside.run("state", "backup", f"{tmp_path}/{place}", "--config", config)

    assert (backup.code, backup.out) == (2, "")
    assert "here is no such folder" in backup.err
    assert not (tmp_path / "none").exists()
