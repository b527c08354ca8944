"""Deleting: only the very file that was proved, and only if it still lies there."""

import hashlib
import os
from pathlib import Path

import pytest

from immich_sync.core.errors import FileChanged, FileTrouble, FileUnreadable, FileVanished
from immich_sync.filesystem.disk import LocalDisk
from immich_sync.filesystem.removal import last_look, names_in, remove, reread


def test_removal(tmp_path: Path) -> None:
    """A file is read again by its descriptor, and gone."""
    (tmp_path / "d").mkdir()
    (tmp_path / "d" / "a.jpg").write_bytes(b"123")
    disk, root = LocalDisk(), bytes(tmp_path)
    known = disk.stat(root, b"d/a.jpg")
    opened, checksum, stamp = reread(disk, root, b"d/a.jpg", known)
    remove(opened, root, b"d", b"a.jpg", stamp)
    opened.close()

    assert stamp == known
    assert checksum == hashlib.sha1(b"123", usedforsecurity=False).digest()
    assert not (tmp_path / "d" / "a.jpg").exists()


@pytest.mark.parametrize("change", ["written", "touched back", "replaced", "linked"])
def test_changed_meanwhile(tmp_path: Path, change: str) -> None:
    """Whatever happens to the file between its proof and its end keeps it."""
    path = tmp_path / "a.jpg"
    path.write_bytes(b"123")
    disk, root = LocalDisk(), bytes(tmp_path)
    opened, _, stamp = reread(disk, root, b"a.jpg", None)
    match change:
        case "written":
            path.write_bytes(b"1234")
        case "touched back":
            path.write_bytes(b"abc")
            os.utime(path, ns=(stamp.mtime_ns, stamp.mtime_ns))
        case "replaced":
            (tmp_path / "b.jpg").write_bytes(b"123")
            (tmp_path / "b.jpg").replace(path)
        case "linked":
            path.rename(tmp_path / "b.jpg")
            path.symlink_to(tmp_path / "b.jpg")
    with pytest.raises(FileChanged, match="kept"):
        remove(opened, root, b"", b"a.jpg", stamp)
    opened.close()

    assert path.exists()


def test_changed_before(tmp_path: Path) -> None:
    """A file whose stamp is not the known one is not even read; a missing one has vanished."""
    path = tmp_path / "a.jpg"
    path.write_bytes(b"123")
    disk, root = LocalDisk(), bytes(tmp_path)
    known = disk.stat(root, b"a.jpg")
    path.write_bytes(b"1234")

    with pytest.raises(FileChanged):
        reread(disk, root, b"a.jpg", known)
    with pytest.raises(FileVanished):
        reread(disk, root, b"b.jpg", known)


def test_a_name_that_is_gone(tmp_path: Path) -> None:
    """What the disk does not do is said of the file."""
    path = tmp_path / "a.jpg"
    path.write_bytes(b"123")
    opened, _, stamp = reread(LocalDisk(), bytes(tmp_path), b"a.jpg", None)
    path.unlink()
    with pytest.raises(FileTrouble, match=r"a\.jpg could not be deleted"):
        remove(opened, bytes(tmp_path), b"", b"a.jpg", stamp)
    opened.close()


def test_a_file_that_somebody_writes_to_is_kept(tmp_path: Path) -> None:
    """A copy that pauses is whole by its stamp and its bytes, and not yet whole."""
    (tmp_path / "a.jpg").write_bytes(b"the first half")
    root = os.fsencode(tmp_path)
    with (tmp_path / "a.jpg").open("ab") as writer:
        opened, _, stamp = reread(LocalDisk(), root, b"a.jpg", None)
        with pytest.raises(FileChanged, match="open in a program that writes to it"):
            remove(opened, root, b"", b"a.jpg", stamp)
        opened.close()
        writer.write(b", and the second")

    assert (tmp_path / "a.jpg").read_bytes() == b"the first half, and the second"


def test_names_of_a_directory(tmp_path: Path) -> None:
    """All that lies there counts, links that lead nowhere too; only directories do not."""
    (tmp_path / "d" / "sub").mkdir(parents=True)
    (tmp_path / "d" / "a.jpg").write_bytes(b"")
    (tmp_path / "d" / "a.raw2").symlink_to(tmp_path / "nowhere")
    os.mkfifo(tmp_path / "d" / "a.mov")

    assert names_in(bytes(tmp_path), b"d") == [b"a.jpg", b"a.mov", b"a.raw2"]
    with pytest.raises(FileUnreadable, match="gone cannot be listed"):
        names_in(bytes(tmp_path), b"gone")


def test_another_deed_than_deleting(tmp_path: Path) -> None:
    """After the last look anything may be done with the name, in the directory that is open."""
    (tmp_path / "a.jpg").write_bytes(b"123")
    opened, _, stamp = reread(LocalDisk(), bytes(tmp_path), b"a.jpg", None)
    with last_look(opened, bytes(tmp_path), b"", b"a.jpg", stamp) as parent:
        os.rename(b"a.jpg", b"b.jpg", src_dir_fd=parent, dst_dir_fd=parent)
    opened.close()

    assert [path.name for path in tmp_path.iterdir()] == ["b.jpg"]
