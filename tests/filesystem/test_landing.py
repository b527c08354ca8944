"""A file on its way: kept, gone on with, put in place whole, never over another one."""

import hashlib
import json
import os
from pathlib import Path

import pytest

from immich_sync.core.errors import FileTrouble
from immich_sync.filesystem.claiming import InTheWay, tidy
from immich_sync.filesystem.landing import SYNC_AFTER, checksum_of, land_at
from tests.library import listed


def test_landing(tmp_path: Path) -> None:
    """Nothing bears the target's name until it is whole; then it has its bytes and its time."""
    target = tmp_path / "a.jpg"
    landing = land_at(target, "original 1")
    landing.begin('W/"1"')
    landing.write(b"12")
    landing.write(b"34")
    during = listed(tmp_path)
    landing.finish(1_700_000_000.0, overwrite=False)
    landing.close()

    assert during == ["a.jpg.temp", "a.jpg.temp.json"]
    assert listed(tmp_path) == ["a.jpg"]
    assert (target.read_bytes(), target.stat().st_mtime) == (b"1234", 1_700_000_000.0)
    assert landing.checksum() == hashlib.sha1(b"1234", usedforsecurity=False).digest()
    assert landing.checksum() == checksum_of(target)


def test_resume(tmp_path: Path) -> None:
    """What was left is taken over with its validator, and is part of the checksum."""
    first = land_at(tmp_path / "a.jpg", "original 1")
    first.begin('W/"1"')
    first.write(b"12")
    first.close()
    second = land_at(tmp_path / "a.jpg", "original 1")
    found = second.size, second.validator
    second.write(b"34")
    second.close()

    assert found == (2, 'W/"1"')
    assert second.checksum() == hashlib.sha1(b"1234", usedforsecurity=False).digest()


def test_what_a_kill_leaves(tmp_path: Path) -> None:
    """Of a slow download no more is lost than what came since it was last noted, seconds ago."""
    now = 0.0
    first = land_at(tmp_path / "a.mp4", "original 1", lambda: now)
    first.begin('W/"1"')
    noted = []
    for seconds in (1.0, SYNC_AFTER, SYNC_AFTER + 1, 2 * SYNC_AFTER):
        now = seconds
        first.write(b"12")
        noted.append(json.loads((tmp_path / "a.mp4.temp.json").read_text())["on_disk"])

    assert noted == [0, 4, 4, 8]
    first.close()


@pytest.mark.parametrize("spoil", ["another asset", "no validator"])
def test_leftovers_that_nothing_follows(tmp_path: Path, spoil: str) -> None:
    """What was left of something else, or cannot be gone on with, is thrown away."""
    first = land_at(tmp_path / "a.jpg", "original 1")
    first.begin(None if spoil == "no validator" else 'W/"1"')
    first.write(b"12")
    first.close()
    second = land_at(tmp_path / "a.jpg", "original 2" if spoil == "another asset" else "original 1")

    assert (second.size, second.validator) == (0, None)
    second.close()
    assert listed(tmp_path) == []


@pytest.mark.parametrize("spoil", ["no record", "a broken record", "an older record"])
def test_a_strangers_file_is_untouched(tmp_path: Path, spoil: str) -> None:
    """A file of such a name that no record of ours stands beside belongs to somebody else."""
    (tmp_path / "a.jpg.temp").write_bytes(b"my only copy")
    record = tmp_path / "a.jpg.temp.json"
    if spoil != "no record":
        record.write_text("[]" if spoil == "a broken record" else '{"what": "original 1"}')
    before = listed(tmp_path)
    with pytest.raises(InTheWay, match=r"a\.jpg\.temp.* move it away"):
        land_at(tmp_path / "a.jpg", "original 1")

    assert listed(tmp_path) == before
    assert (tmp_path / "a.jpg.temp").read_bytes() == b"my only copy"


@pytest.mark.parametrize("kind", ["link", "file", "directory"])
def test_a_strangers_record_is_untouched(tmp_path: Path, kind: str) -> None:
    """Where the record should go, no link is followed and nothing of anybody's is replaced."""
    precious, record = tmp_path / "precious", tmp_path / "a.jpg.temp.json"
    precious.write_bytes(b"precious")
    match kind:
        case "link":
            record.symlink_to(precious)
        case "file":
            record.write_bytes(b"precious")
        case "directory":
            record.mkdir()
    with pytest.raises(FileTrouble, match=r"a\.jpg"):
        land_at(tmp_path / "a.jpg", "original 1")

    assert listed(tmp_path) == ["a.jpg.temp.json", "precious"]
    assert precious.read_bytes() == b"precious"
    assert kind != "file" or record.read_bytes() == b"precious"


def test_the_record_comes_first(tmp_path: Path) -> None:
    """Before the first byte is there, it is written down what it is of, validator or not."""
    landing = land_at(tmp_path / "a.jpg", "original 1")
    with pytest.raises(AssertionError):
        landing.write(b"12")
    landing.begin(None)
    record = json.loads((tmp_path / "a.jpg.temp.json").read_text())
    empty = (tmp_path / "a.jpg.temp").stat().st_size
    landing.close()

    assert (record["what"], record["validator"], empty) == ("original 1", None, 0)
    assert listed(tmp_path) == []


def test_the_finished_file_by_its_other_name(tmp_path: Path) -> None:
    """A crash between the link and the unlink leaves a name that must not be written through."""
    target = tmp_path / "a.jpg"
    first = land_at(target, "original 1")
    first.begin('W/"1"')
    first.write(b"1234")
    first.close()
    target.hardlink_to(tmp_path / "a.jpg.temp")
    second = land_at(target, "original 2")
    second.begin('W/"2"')
    second.write(b"?")
    second.close()

    assert target.read_bytes() == b"1234"
    assert (tmp_path / "a.jpg.temp").read_bytes() == b"?"


def test_tidy(tmp_path: Path) -> None:
    """The finished file's other name goes, if it is ours; the leftovers of another file stay."""
    target, temp = tmp_path / "a.jpg", tmp_path / "a.jpg.temp"
    first = land_at(target, "original 1")
    first.begin('W/"1"')
    first.write(b"12")
    first.close()
    target.write_bytes(b"12")
    tidy(target)
    kept = listed(tmp_path)
    target.unlink()
    target.hardlink_to(temp)
    tidy(target)
    tidied = listed(tmp_path)
    temp.hardlink_to(target)
    tidy(target)

    assert kept == ["a.jpg", "a.jpg.temp", "a.jpg.temp.json"]
    assert tidied == ["a.jpg"]
    assert listed(tmp_path) == ["a.jpg", "a.jpg.temp"]


def test_what_a_power_cut_may_have_taken(tmp_path: Path) -> None:
    """Only what is known to be on the disk is gone on with; what a dead process left is cut off."""
    first = land_at(tmp_path / "a.jpg", "original 1")
    first.begin('W/"1"')
    first.write(b"12")
    first.keep()
    first.write(b"\0\0")  # and there the power fails
    copies = {path: path.read_bytes() for path in tmp_path.iterdir()}
    first.close()
    for path, content in copies.items():
        path.write_bytes(content)
    second = land_at(tmp_path / "a.jpg", "original 1")
    found = second.size
    second.write(b"34")
    second.finish(None, overwrite=False)
    second.close()

    assert found == 2
    assert (tmp_path / "a.jpg").read_bytes() == b"1234"


def test_a_name_that_was_taken_away(tmp_path: Path) -> None:
    """What was laid in the place of the file on its way does not become the target."""
    landing = land_at(tmp_path / "a.jpg", "original 1")
    landing.begin('W/"1"')
    landing.write(b"12")
    (tmp_path / "other").write_bytes(b"other")
    (tmp_path / "other").replace(tmp_path / "a.jpg.temp")
    with pytest.raises(FileTrouble, match="moved away or replaced"):
        landing.finish(None, overwrite=True)
    landing.discard()
    landing.close()

    assert listed(tmp_path) == ["a.jpg.temp", "a.jpg.temp.json"]
    assert (tmp_path / "a.jpg.temp").read_bytes() == b"other"


def test_two_at_once(tmp_path: Path) -> None:
    """A target that somebody else is downloading to is left to them."""
    first = land_at(tmp_path / "a.jpg", "original 1")
    first.begin(None)
    first.write(b"12")
    with pytest.raises(InTheWay, match="another program"):
        land_at(tmp_path / "a.jpg", "original 1")
    first.finish(None, overwrite=False)
    first.close()

    assert (tmp_path / "a.jpg").read_bytes() == b"12"


def test_somebody_was_faster(tmp_path: Path) -> None:
    """A file that came into the way meanwhile is not replaced, unless that is asked for."""
    target = tmp_path / "a.jpg"
    landing = land_at(target, "original 1")
    landing.begin(None)
    landing.write(b"12")
    target.write_bytes(b"theirs")
    with pytest.raises(InTheWay):
        landing.finish(None, overwrite=False)
    before = target.read_bytes()
    landing.finish(None, overwrite=True)
    landing.close()

    assert (before, target.read_bytes()) == (b"theirs", b"12")


def test_links_are_not_followed(tmp_path: Path) -> None:
    """A link that was laid in the place of the file on its way leads nowhere."""
    (tmp_path / "precious").write_bytes(b"precious")
    (tmp_path / "a.jpg.temp").symlink_to(tmp_path / "precious")
    with pytest.raises(FileTrouble, match="cannot be written"):
        land_at(tmp_path / "a.jpg", "original 1")

    assert (tmp_path / "precious").read_bytes() == b"precious"


def test_a_name_as_long_as_can_be(tmp_path: Path) -> None:
    """A name that leaves no room for a suffix still lands."""
    target = tmp_path / ("a" * 251 + ".jpg")
    landing = land_at(target, "original 1")
    landing.begin('W/"1"')
    landing.write(b"12")
    landing.finish(None, overwrite=False)
    landing.close()

    assert listed(tmp_path) == [target.name]


def test_a_folder_that_is_gone(tmp_path: Path) -> None:
    """What the disk refuses is said of the file that was to be written."""
    with pytest.raises(FileTrouble, match=r"a\.jpg cannot be written"):
        land_at(tmp_path / "gone" / "a.jpg", "original 1")
    with pytest.raises(FileTrouble, match=r"a\.jpg cannot be read"):
        checksum_of(tmp_path / "a.jpg")
    assert not os.path.lexists(tmp_path / "gone")
