"""What lies beside a photo: its XMP sidecar, the still of its live photo.

Its own module because the names of a directory are asked for one by one here: listing a directory
of 50,000 photos for each of them would never end.
"""

from dataclasses import dataclass, field
from hashlib import sha1

from immich_sync.core.errors import FileChanged, FileVanished
from immich_sync.core.media import sidecar_of, still_of
from immich_sync.core.naming import shown
from immich_sync.core.ports import Disk
from immich_sync.core.settle import lain_still
from immich_sync.core.types import Checksum, below

LARGEST = 8 << 20
"""Bytes. No editor writes more; what is larger is no XMP, and is left on the disk."""
WRITING = 10.0
"""Seconds for which a sidecar without its last tag is taken to be still in the writing."""


@dataclass(frozen=True, slots=True)
class Sidecar:
    """An XMP file's bytes, as they lie beside their photo."""

    name: bytes
    data: bytes
    checksum: Checksum


def read_sidecar(
    disk: Disk, root: bytes, directory: bytes, name: bytes, *, wall: float
) -> Sidecar | None:
    """The sidecar of the photo `name`, whole; None if it has none, or an empty one.

    Raises FileChanged while it is being written, FileUnreadable if the disk does not show it.
    """
    found = sidecar_of(name, _Beside(disk, root, directory))
    if found is None:
        return None
    try:
        source = disk.open(root, below(directory, found))
    except FileVanished:
        return None
    try:
        stamp = source.stamp()
        if not 0 < stamp.size <= LARGEST:
            return None
        data = source.read_at(0, stamp.size)
        moved = source.stamp() != stamp or len(data) != stamp.size
    finally:
        source.close()
    young = lain_still(stamp, wall) < WRITING
    if moved or (young and not data.rstrip(b"\0 \t\r\n").endswith(b">")):
        raise FileChanged(f"the sidecar {shown(below(directory, found))} is still being written")
    return Sidecar(found, data, Checksum(sha1(data, usedforsecurity=False).digest()))


def has_still(disk: Disk, root: bytes, directory: bytes, motion: bytes) -> bool:
    """Whether a still with the stem of the video `motion` lies beside it."""
    return still_of(motion, _Beside(disk, root, directory)) is not None


@dataclass(frozen=True, slots=True)
class _Beside:
    """The regular files of one directory: a container that looks each name up on the disk."""

    disk: Disk
    root: bytes
    directory: bytes
    seen: dict[bytes, bool] = field(default_factory=dict)

    def __contains__(self, name: object) -> bool:
        if not isinstance(name, bytes):
            return False
        if name not in self.seen:
            stamp = self.disk.stat(self.root, below(self.directory, name))
            self.seen[name] = stamp is not None
        return self.seen[name]
