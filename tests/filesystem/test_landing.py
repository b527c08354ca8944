"""A file on its way: kept, gone on with, put in place whole, never over another one."""

import hashlib
import os
from pathlib import Path

import pytest

from immich_sync.core.errors import FileTrouble
from immich_sync.filesystem.landing import InTheWay, checksum_of, land_at
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


@pytest.mark.parametrize("spoil", ["another asset", "no origin", "a broken origin"])
def test_strangers_leftovers(tmp_path: Path, spoil: str) -> None:
    """What was left of something else, or of nobody knows what, is thrown away."""
    first = land_at(tmp_path / "a.jpg", "original 1")
    first.begin('W/"1"')
    first.write(b"12")
    first.close()
    origin = tmp_path / "a.jpg.temp.json"
    if spoil == "no origin":
        origin.unlink()
    elif spoil == "a broken origin":
        origin.write_text("[]")
    second = land_at(tmp_path / "a.jpg", "original 2" if spoil == "another asset" else "original 1")

    assert (second.size, second.validator) == (0, None)
    second.close()
    assert listed(tmp_path) == []


def test_two_at_once(tmp_path: Path) -> None:
    """A target that somebody else is downloading to is left to them."""
    first = land_at(tmp_path / "a.jpg", "original 1")
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
