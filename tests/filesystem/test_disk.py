"""Facts about the real disk behind the port."""

import errno
import os
import socket
from pathlib import Path

import pytest

from immich_sync.core.errors import FileChanged, FileUnreadable, FileVanished
from immich_sync.core.ports import Entry, Link
from immich_sync.core.types import NO_STAMP, Stamp
from immich_sync.filesystem.disk import LINK, LocalDisk, look


def _stamp(path: Path) -> Stamp:
    found = path.stat()
    return Stamp(found.st_size, found.st_mtime_ns, found.st_ino, found.st_ctime_ns)


def _strange(tmp_path: Path) -> list[bytes]:
    """A FIFO, a socket, and links to a file, a directory and nothing."""
    os.mkfifo(tmp_path / "fifo.jpg")
    with socket.socket(socket.AF_UNIX) as made:
        made.bind(str(tmp_path / "socket.jpg"))
    (tmp_path / "real.jpg").write_bytes(b"real")
    (tmp_path / "link.jpg").symlink_to("real.jpg")
    (tmp_path / "linked").symlink_to(tmp_path.parent)
    (tmp_path / "dangling.jpg").symlink_to("nowhere")
    return [b"fifo.jpg", b"socket.jpg", b"link.jpg", b"linked", b"dangling.jpg"]


def test_a_listing_is_ordered_by_name(tmp_path: Path) -> None:
    """Files come with their stamps and directories without, in the order of their bytes."""
    (tmp_path / "b").mkdir()
    (tmp_path / "a.jpg").write_bytes(b"12")
    (tmp_path / "c.jpg").write_bytes(b"")
    with open(os.fsencode(tmp_path) + b"/caf\xe9", "wb"):  # noqa: PTH123 -- a name that is no text
        pass

    found = LocalDisk().list(os.fsencode(tmp_path), b"")

    assert [entry.name for entry in found] == [b"a.jpg", b"b", b"c.jpg", b"caf\xe9"]
    assert found[:3] == [
        Entry(b"a.jpg", _stamp(tmp_path / "a.jpg")),
        Entry(b"b", None),
        Entry(b"c.jpg", _stamp(tmp_path / "c.jpg")),
    ]


def test_what_is_no_file_and_no_directory_is_not_listed(tmp_path: Path) -> None:
    """FIFOs and sockets do not exist for us, and of links nothing but that they are there."""
    _strange(tmp_path)

    found = LocalDisk().list(os.fsencode(tmp_path), b"")

    assert found == [
        Link(b"dangling.jpg", LINK),
        Link(b"link.jpg", LINK),
        Link(b"linked", LINK),
        Entry(b"real.jpg", _stamp(tmp_path / "real.jpg")),
    ]


def test_a_listing_never_leaves_the_root(tmp_path: Path) -> None:
    """A directory that is a link cannot be listed."""
    _strange(tmp_path)

    with pytest.raises(OSError, match=r"Not a directory|symbolic links"):
        LocalDisk().list(os.fsencode(tmp_path), b"linked")


def test_what_is_no_file_has_no_stamp(tmp_path: Path) -> None:
    """Only a regular file has one, and it is the stamp that a listing gives."""
    strange = _strange(tmp_path)
    disk, root = LocalDisk(), os.fsencode(tmp_path)

    assert disk.stat(root, b"real.jpg") == _stamp(tmp_path / "real.jpg")
    assert [disk.stat(root, name) for name in [*strange, b"none", b"real.jpg/x", b""]] == [None] * 8


def test_what_is_no_file_is_never_opened(tmp_path: Path) -> None:
    """Opening a FIFO, a socket, a directory or a link neither waits nor succeeds."""
    strange = [*_strange(tmp_path), b""]
    disk, root = LocalDisk(), os.fsencode(tmp_path)

    for name in strange:
        with pytest.raises(FileUnreadable):
            disk.open(root, name)


def test_a_file_that_is_gone_has_vanished(tmp_path: Path) -> None:
    """Neither a missing file nor a missing directory is a failure."""
    (tmp_path / "file").touch()

    for name in (b"none.jpg", b"none/none.jpg", b"file/none.jpg"):
        with pytest.raises(FileVanished, match="no longer there"):
            LocalDisk().open(os.fsencode(tmp_path), name)


def test_an_open_file_is_read_anywhere(tmp_path: Path) -> None:
    """Reads give what is there, and less only at the end; the stamp follows the open file."""
    (tmp_path / "a.jpg").write_bytes(b"0123456789")
    source = LocalDisk().open(os.fsencode(tmp_path), b"a.jpg")
    try:
        before = _stamp(tmp_path / "a.jpg")
        assert source.read_at(3, 4) == b"3456"
        assert source.read_at(8, 100) == b"89"
        assert source.read_at(10, 1) == b""
        assert source.stamp() == before
        (tmp_path / "a.jpg").rename(tmp_path / "b.jpg")
        assert source.stamp().same_bytes(before)
    finally:
        source.close()


def test_a_closed_file_stays_closed(tmp_path: Path) -> None:
    """Closing twice closes once, and what is closed cannot be read."""
    (tmp_path / "a.jpg").write_bytes(b"0")
    source = LocalDisk().open(os.fsencode(tmp_path), b"a.jpg")
    source.close()
    source.close()

    with pytest.raises(FileUnreadable, match=r"a\.jpg cannot be read"):
        source.read_at(0, 1)
    with pytest.raises(FileUnreadable, match=r"a\.jpg cannot be read"):
        source.stamp()


def test_trouble_with_a_name_stays_on_one_line(tmp_path: Path) -> None:
    """A name cannot forge a line of a log."""
    with pytest.raises(FileVanished) as caught:
        LocalDisk().open(os.fsencode(tmp_path), b"a\nERROR\x1b[31m")

    assert str(caught.value) == "a\\nERROR\\u001b[31m is no longer there."


def test_opening_leaves_no_descriptor_behind(tmp_path: Path) -> None:
    """Neither success nor any failure leaks one."""
    strange = _strange(tmp_path)
    disk, root = LocalDisk(), os.fsencode(tmp_path)
    disk.open(root, b"real.jpg").close()
    before = len(os.listdir("/proc/self/fd"))  # noqa: PTH208 -- no need for paths

    for name in [b"real.jpg", b"none", b"", *strange]:
        disk.stat(root, name)
        try:
            disk.open(root, name).close()
        except (FileUnreadable, FileVanished):
            continue
        disk.list(root, b"")

    assert len(os.listdir("/proc/self/fd")) == before  # noqa: PTH208 -- no need for paths


@pytest.mark.root
def test_what_may_not_be_read_is_unreadable(seen_by_all: Path) -> None:
    """Without the right to read, the trouble says who lacks it."""
    (seen_by_all / "shut").mkdir(mode=0o700)
    (seen_by_all / "shut" / "a.jpg").write_bytes(b"a")
    os.seteuid(65534)
    try:
        with pytest.raises(FileUnreadable, match="Give the user that runs immich-sync the right"):
            LocalDisk().open(os.fsencode(seen_by_all), b"shut/a.jpg")
        with pytest.raises(FileUnreadable):
            LocalDisk().stat(os.fsencode(seen_by_all), b"shut/a.jpg")
        with pytest.raises(PermissionError):
            LocalDisk().list(os.fsencode(seen_by_all), b"shut")
    finally:
        os.seteuid(0)


class Broken:
    """A listed name whose inode the disk cannot read."""

    def __init__(self, code: int) -> None:
        self._code = code

    def stat(self, *, follow_symlinks: bool) -> os.stat_result:
        """Fails as the disk does."""
        assert not follow_symlinks
        raise OSError(self._code, os.strerror(self._code))


def test_one_unreadable_inode_does_not_hide_its_directory() -> None:
    """It is listed with a stamp that no file has, and so is read, which says what is wrong."""
    assert look(Broken(errno.EIO), keeps=True) == NO_STAMP


def test_trouble_with_a_whole_directory_is_not_one_files() -> None:
    """Who may not look at one name may look at none: that is said once."""
    with pytest.raises(PermissionError):
        look(Broken(errno.EACCES), keeps=True)


def test_a_swapped_root_is_not_read_before_it_was_looked_at(tmp_path: Path) -> None:
    """Another disk, with files of the same names, came between two looks at the root."""
    root, other = tmp_path / "photos", tmp_path / "other"
    for folder in (root, other):
        folder.mkdir()
        (folder / "a.jpg").write_text(folder.name)
    disk, path = LocalDisk(), os.fsencode(root)
    disk.identify(path)
    disk.open(path, b"a.jpg").close()
    root.rename(tmp_path / "away")
    other.rename(root)

    with pytest.raises(FileChanged, match="is not the folder it was a moment ago"):
        disk.open(path, b"a.jpg")
    disk.identify(path)
    found = disk.open(path, b"a.jpg")

    assert found.read_at(0, 9) == b"other"
    found.close()
