"""Facts about reading a file once."""

import hashlib
import os
from collections.abc import Collection
from pathlib import Path

import pytest

from immich_sync.core.errors import FileChanged, FileVanished
from immich_sync.core.ports import Disk, Entry, Link, RootIdentity, Source
from immich_sync.core.types import Completeness, Stamp
from immich_sync.filesystem.digest import digest, judge
from immich_sync.filesystem.disk import LocalDisk

_PNG = b"\x89PNG\r\n\x1a\n" + b"\0\0\0\x0dIHDR" + bytes(17) + b"\0\0\0\0IEND\xaeB`\x82"


class _Meddled:
    """A real disk on which something happens to a file right after its first block was read."""

    def __init__(self, path: Path, *, rewrite: bytes | None = None) -> None:
        self._path = path
        self._rewrite = rewrite
        self._disk = LocalDisk()

    def list(self, root: bytes, directory: bytes) -> list[Entry | Link]:
        return self._disk.list(root, directory)

    def stat(self, root: bytes, relative: bytes) -> Stamp | None:
        return self._disk.stat(root, relative)

    def identify(self, root: bytes) -> RootIdentity | None:
        return self._disk.identify(root)

    def inner(self, root: bytes) -> Collection[bytes]:
        return self._disk.inner(root)

    def is_empty(self, root: bytes) -> bool:
        return self._disk.is_empty(root)

    def open(self, root: bytes, relative: bytes) -> Source:
        return _Reading(self._disk.open(root, relative), self._meddle)

    def _meddle(self) -> None:
        before = self._path.stat()
        if self._rewrite is not None:
            with self._path.open("r+b") as file:
                file.write(self._rewrite)
        os.utime(self._path, ns=(before.st_atime_ns, before.st_mtime_ns))


class _Reading:
    def __init__(self, source: Source, meddle: object) -> None:
        self._source = source
        self._meddle = meddle

    def stamp(self) -> Stamp:
        return self._source.stamp()

    def read_at(self, offset: int, length: int) -> bytes:
        block = self._source.read_at(offset, length)
        meddle, self._meddle = self._meddle, None
        if callable(meddle):
            meddle()
        return block

    def close(self) -> None:
        self._source.close()


@pytest.mark.parametrize("size", [0, 1, 4096, (1 << 20) - 1, 1 << 20, (1 << 20) + 1, 3 << 20])
def test_the_checksum_is_sha1_of_all_bytes(tmp_path: Path, size: int) -> None:
    """Around the size of a block and of several blocks, every byte counts once."""
    data = (bytes(range(251)) * (size // 251 + 1))[:size]
    (tmp_path / "a.bin").write_bytes(data)

    found = digest(LocalDisk(), os.fsencode(tmp_path), b"a.bin")

    assert found.checksum == hashlib.sha1(data, usedforsecurity=False).digest()
    assert found.stamp == LocalDisk().stat(os.fsencode(tmp_path), b"a.bin")


@pytest.mark.parametrize(
    ("data", "expected"),
    [(_PNG, Completeness.WHOLE), (_PNG[:-12], Completeness.CUT), (b"II*\0" * 9, None)],
)
def test_a_digest_says_whether_the_file_is_whole(
    tmp_path: Path, data: bytes, expected: Completeness | None
) -> None:
    """The same verdict comes with the checksum and without it."""
    (tmp_path / "a.png").write_bytes(data)
    disk, root = LocalDisk(), os.fsencode(tmp_path)

    found = digest(disk, root, b"a.png")

    assert found.completeness is (expected or Completeness.UNKNOWN)
    assert judge(disk, root, b"a.png") == (found.stamp, found.completeness)


def test_a_large_file_is_judged_as_well(tmp_path: Path) -> None:
    """A file of more than a block is judged by reading from the disk."""
    (tmp_path / "a.png").write_bytes(_PNG[:-12] + bytes(2 << 20) + _PNG[-12:])

    found = digest(LocalDisk(), os.fsencode(tmp_path), b"a.png")

    assert found.completeness is Completeness.WHOLE


@pytest.mark.parametrize("size", [1000, 2 << 20])
def test_a_file_rewritten_while_read_has_changed(tmp_path: Path, size: int) -> None:
    """Same size, same mtime: the moved ctime still gives it away."""
    (tmp_path / "a.jpg").write_bytes(bytes(size))
    disk: Disk = _Meddled(tmp_path / "a.jpg", rewrite=b"new")

    with pytest.raises(FileChanged, match=r"a\.jpg changed while it was read"):
        digest(disk, os.fsencode(tmp_path), b"a.jpg")


def test_a_file_touched_while_judged_has_changed(tmp_path: Path) -> None:
    """A verdict holds for one stamp only."""
    (tmp_path / "a.png").write_bytes(_PNG)

    with pytest.raises(FileChanged):
        judge(_Meddled(tmp_path / "a.png"), os.fsencode(tmp_path), b"a.png")


def test_a_file_that_is_not_the_expected_one_is_not_read(tmp_path: Path) -> None:
    """The stamp that settled must be the stamp that is hashed, its ctime included."""
    (tmp_path / "a.jpg").write_bytes(b"one")
    disk, root = LocalDisk(), os.fsencode(tmp_path)
    settled = disk.stat(root, b"a.jpg")
    assert digest(disk, root, b"a.jpg", settled).stamp == settled
    (tmp_path / "a.jpg").chmod(0o600)

    with pytest.raises(FileChanged, match="before it was read"):
        digest(disk, root, b"a.jpg", settled)


def test_a_file_that_is_gone_has_vanished(tmp_path: Path) -> None:
    """As the disk says."""
    with pytest.raises(FileVanished):
        digest(LocalDisk(), os.fsencode(tmp_path), b"a.jpg")
