"""A file moves into quarantine and back, also to another file system, never over one."""

import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from immich_sync.core.cleanup import NoPlace
from immich_sync.core.errors import FileChanged, FileTrouble
from immich_sync.core.ports import Target
from immich_sync.core.types import Checksum
from immich_sync.filesystem.disk import LocalDisk
from immich_sync.filesystem.removal import reread

MEMORY = Path("/dev/shm")
elsewhere = pytest.mark.skipif(not MEMORY.is_dir(), reason="needs a second file system")


def _move(root: Path, relative: bytes, to_root: Path, to: bytes) -> None:
    disk = LocalDisk()
    opened, _, stamp = reread(disk, os.fsencode(root), relative, None)
    try:
        target = Target(os.fsencode(to_root), to)
        disk.move(opened, os.fsencode(root), relative, stamp, target)
    finally:
        opened.close()


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """A folder with one photo of long ago in a directory."""
    (tmp_path / "photos" / "d").mkdir(parents=True)
    photo = tmp_path / "photos" / "d" / "a.jpg"
    photo.write_bytes(b"a photo")
    os.utime(photo, ns=(1, 1_234_567_891_234_567_891))
    return tmp_path / "photos"


def _is_there(path: Path, content: bytes = b"a photo") -> None:
    assert path.read_bytes() == content
    assert path.stat().st_mtime_ns == 1_234_567_891_234_567_891


def test_it_moves_with_its_path_and_time(photos: Path, tmp_path: Path) -> None:
    """Directories are made for us alone, and the file is at one place only."""
    (tmp_path / "aside").mkdir()

    _move(photos, b"d/a.jpg", tmp_path / "aside", b"photos/d/a.jpg")

    _is_there(tmp_path / "aside" / "photos" / "d" / "a.jpg")
    assert not (photos / "d" / "a.jpg").exists()
    assert (tmp_path / "aside" / "photos" / "d").stat().st_mode & 0o777 == 0o700


@elsewhere
def test_it_moves_to_another_file_system(photos: Path, tmp_path: Path) -> None:
    """It is copied, and nothing but the copy is left."""
    aside = MEMORY / f"immich-sync-{os.getpid()}-{tmp_path.name}"
    aside.mkdir()
    try:
        _move(photos, b"d/a.jpg", aside, b"a.jpg")

        _is_there(aside / "a.jpg")
        assert [one.name for one in aside.iterdir()] == ["a.jpg"]
        assert not (photos / "d" / "a.jpg").exists()
    finally:
        for one in aside.iterdir():
            one.unlink()
        aside.rmdir()


@pytest.mark.parametrize("there", ["file", "link", "directory"])
def test_nothing_is_written_over(photos: Path, tmp_path: Path, there: str) -> None:
    """Whatever lies there stays, and so does the file."""
    aside = tmp_path / "aside"
    aside.mkdir()
    match there:
        case "file":
            (aside / "a.jpg").write_bytes(b"other")
        case "link":
            (aside / "a.jpg").symlink_to("nowhere")
        case _:
            (aside / "a.jpg").mkdir()

    with pytest.raises(FileTrouble, match="already: nothing is written over"):
        _move(photos, b"d/a.jpg", aside, b"a.jpg")

    _is_there(photos / "d" / "a.jpg")
    assert (aside / "a.jpg").is_dir() or not (aside / "a.jpg").exists() or there == "file"
    assert LocalDisk().links(os.fsencode(aside), b"a.jpg") >= 1


def test_no_link_leads_out_of_the_quarantine(photos: Path, tmp_path: Path) -> None:
    """A directory on the way that is a link is not followed."""
    (tmp_path / "aside").mkdir()
    (tmp_path / "other").mkdir()
    (tmp_path / "aside" / "d").symlink_to(tmp_path / "other")

    with pytest.raises(FileTrouble):
        _move(photos, b"d/a.jpg", tmp_path / "aside", b"d/a.jpg")

    _is_there(photos / "d" / "a.jpg")
    assert list((tmp_path / "other").iterdir()) == []


def test_what_somebody_writes_to_stays(photos: Path, tmp_path: Path) -> None:
    """A program that has it open for writing keeps it where it is."""
    (tmp_path / "aside").mkdir()
    with (photos / "d" / "a.jpg").open("ab"), pytest.raises(FileChanged, match="writes to it"):
        _move(photos, b"d/a.jpg", tmp_path / "aside", b"a.jpg")

    assert (photos / "d" / "a.jpg").exists()


def test_names_and_links_are_told(photos: Path) -> None:
    """Whatever is no directory has its name, and every file the number of its names."""
    disk, root = LocalDisk(), os.fsencode(photos)
    (photos / "d" / "b.jpg").hardlink_to(photos / "d" / "a.jpg")
    (photos / "d" / "c.jpg").symlink_to("a.jpg")
    (photos / "d" / "e").mkdir()

    assert list(disk.names(root, b"d")) == [b"a.jpg", b"b.jpg", b"c.jpg"]
    assert [disk.links(root, name) for name in (b"d/a.jpg", b"d/c.jpg", b"d/none")] == [2, 1, 0]


def _moved_elsewhere(root: Path, aside: Path, checksum: Checksum | None = None) -> None:
    """The photo of these tests goes to another file system."""
    disk = LocalDisk()
    opened, _, stamp = reread(disk, os.fsencode(root), b"d/a.jpg", None)
    try:
        target = Target(os.fsencode(aside), b"a.jpg", checksum=checksum)
        disk.move(opened, os.fsencode(root), b"d/a.jpg", stamp, target)
    finally:
        opened.close()


@pytest.fixture
def aside() -> Iterator[Path]:
    """A folder on another file system."""
    made = Path(tempfile.mkdtemp(dir=MEMORY))
    yield made
    shutil.rmtree(made)


@elsewhere
def test_a_copy_that_is_not_what_was_proved_is_none(photos: Path, aside: Path) -> None:
    """Read a second time the disk gave other bytes: the file stays, and nothing lies aside."""
    with pytest.raises(FileTrouble, match="wrongly"):
        _moved_elsewhere(photos, aside, Checksum(b"x" * 20))

    _is_there(photos / "d" / "a.jpg")
    assert list(aside.iterdir()) == []


@elsewhere
def test_what_another_process_copies_to_the_same_place_is_left_alone(
    photos: Path, aside: Path
) -> None:
    """Two daemons may share a quarantine; what one of them left when it died goes, though."""
    part = aside / ".a.jpg.immich-sync-part"
    part.write_bytes(b"half of another photo")
    with part.open("rb") as theirs:
        fcntl.flock(theirs, fcntl.LOCK_EX)
        with pytest.raises(NoPlace):
            _moved_elsewhere(photos, aside)
        assert part.read_bytes() == b"half of another photo"
    _is_there(photos / "d" / "a.jpg")

    _moved_elsewhere(photos, aside)

    _is_there(aside / "a.jpg")
    assert not part.exists()
