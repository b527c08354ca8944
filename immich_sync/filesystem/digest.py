"""Reads a file once: its stamp, its checksum, and what its container says of itself.

Its own module because open, stat, hash and stat belong into one hop to a thread: a hop costs more
than hashing a small photo, and only both stamps of one descriptor prove that nothing moved.
"""

import hashlib
from dataclasses import dataclass

from immich_sync.core import complete
from immich_sync.core.errors import FileChanged
from immich_sync.core.naming import shown
from immich_sync.core.ports import Disk, Source
from immich_sync.core.types import Checksum, Completeness, Stamp

_BLOCK = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Digest:
    """What one reading of a file told; all of it about the same bytes."""

    stamp: Stamp
    checksum: Checksum
    completeness: Completeness
    content_identifier: str | None  # of a live photo's moving part


def digest(disk: Disk, root: bytes, relative: bytes, expected: Stamp | None = None) -> Digest:
    """The digest of the file at `relative`; blocks for as long as the disk needs to read it.

    Raises FileChanged if its stamp (its `ctime_ns` included) moved while it was read or is not the
    `expected` one, FileVanished and FileUnreadable.
    """
    source = disk.open(root, relative)
    try:
        stamp = source.stamp()
        if expected is not None and stamp != expected:
            raise FileChanged(f"{shown(relative)} changed before it was read.")
        whole = _whole(source, stamp.size)
        if whole is not None:
            read, hashed = _from(whole), hashlib.sha1(whole, usedforsecurity=False)
        else:
            read, hashed = source.read_at, _hash(source, stamp.size)
        name = relative.rpartition(b"/")[2]
        found = Digest(
            stamp=stamp,
            checksum=Checksum(hashed.digest()),
            completeness=complete.judge(read, stamp.size, name),
            content_identifier=complete.content_identifier(read, stamp.size, name),
        )
        if source.stamp() != stamp:
            raise FileChanged(f"{shown(relative)} changed while it was read.")
    finally:
        source.close()
    return found


def judge(disk: Disk, root: bytes, relative: bytes) -> tuple[Stamp, Completeness]:
    """Whether the file at `relative` is whole by its container, without reading all of it.

    Costs a few reads. Raises FileChanged, FileVanished and FileUnreadable.
    """
    source = disk.open(root, relative)
    try:
        stamp = source.stamp()
        verdict = complete.judge(source.read_at, stamp.size, relative.rpartition(b"/")[2])
        if source.stamp() != stamp:
            raise FileChanged(f"{shown(relative)} changed while it was read.")
    finally:
        source.close()
    return stamp, verdict


def _whole(source: Source, size: int) -> bytes | None:
    """All of a file that fits into one block: it is then read once and not a second time."""
    return source.read_at(0, _BLOCK) if size < _BLOCK else None


def _hash(source: Source, size: int) -> "hashlib._Hash":
    hashed = hashlib.sha1(usedforsecurity=False)
    offset = 0
    while block := source.read_at(offset, _BLOCK):
        hashed.update(block)
        offset += len(block)
        if offset > size + _BLOCK:  # it grows as fast as it is read: its stamp has moved
            break
    return hashed


def _from(whole: bytes) -> complete.ReadAt:
    def read(offset: int, length: int) -> bytes:
        return whole[offset : offset + length]

    return read
