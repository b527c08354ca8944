"""What the mount table tells of a folder: its identity, how to watch it, how many may read it.

Its own module because only here are file systems known by name.
"""

import os
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path

from immich_sync.core.ports import Lane, RootIdentity

IMMICH_MARKER = b".immich"
"""The file by which Immich knows its own directories again (Immich 3.1: storage.service)."""

_DIGITS = 18  # of a mount's number, at most
_MOUNTINFO = Path("/proc/self/mountinfo")
_BLOCK = Path("/sys/dev/block")
_ESCAPED = re.compile(rb"\\([0-7]{3})")

_REMOTE = frozenset(
    {"nfs", "nfs4", "cifs", "smb3", "smbfs", "9p", "afs", "ceph", "coda", "glusterfs", "lustre"}
    | {"gfs2", "ocfs2", "beegfs", "davfs", "fuse.sshfs", "fuse.rclone", "fuse.glusterfs"}
    | {"fuse.davfs", "fuse.s3fs", "fuse.gvfsd-fuse"}
)
_LAYERED = frozenset({"overlay", "aufs", "virtiofs", "vboxsf", "prl_fs", "fakeowner", "grpcfuse"})
_MAKES_UP_INODES = frozenset({"vfat", "msdos", "exfat", "virtiofs", "9p", "vboxsf", "prl_fs"})

_MOST_THREADS = 4  # SHA-1 runs at 2 GB/s a core: more threads than this wait for the disk


@dataclass(frozen=True, slots=True)
class Mount:
    """One line of /proc/self/mountinfo, see proc(5)."""

    number: int
    device: str  # major:minor
    point: bytes
    filesystem: str  # its type, such as "ext4" or "fuse.sshfs"
    source: str
    options: frozenset[str]  # of the file system, not of the mount
    follows: bool = field(default=False, compare=False)
    """Whether what is mounted elsewhere below its peer appears here too (shared or slave)."""


@dataclass(frozen=True, slots=True)
class BlockDevice:
    """What files are read from; `rotational` is None where the system does not say."""

    key: str
    rotational: bool | None


def parse_mountinfo(table: bytes) -> tuple[Mount, ...]:
    """The mounts in the order they were made; lines of an unknown shape are left out."""
    mounts = []
    for line in table.split(b"\n"):
        left, dash, right = line.partition(b" - ")
        first, last = left.split(b" "), right.split(b" ")
        whole = len(first) >= 6 and len(last) >= 2  # noqa: PLR2004 -- fields of proc(5)
        if not (dash and whole and first[0].isdigit() and len(first[0]) <= _DIGITS):
            continue
        options = last[2] if len(last) > 2 else b""  # noqa: PLR2004 -- fields of proc(5)
        mounts.append(
            Mount(
                number=int(first[0]),
                device=os.fsdecode(first[2]),
                point=_unescaped(first[4]),
                filesystem=os.fsdecode(last[0]),
                source=os.fsdecode(_unescaped(last[1])),
                options=frozenset(os.fsdecode(options).split(",")),
                follows=any(one.startswith((b"shared:", b"master:")) for one in first[6:]),
            )
        )
    return tuple(mounts)


def read_mounts() -> tuple[Mount, ...]:
    """The mounts this process sees; none where the system keeps no such table."""
    try:
        return parse_mountinfo(_MOUNTINFO.read_bytes())
    except OSError:
        return ()


def mount_at(path: bytes, mounts: Iterable[Mount]) -> Mount | None:
    """The mount that an absolute path without links lies on: the deepest, of equals the latest."""
    best: Mount | None = None
    for mount in mounts:
        covers = path == mount.point or path.startswith(mount.point.rstrip(b"/") + b"/")
        if covers and (best is None or len(mount.point) >= len(best.point)):
            best = mount
    return best


def mount_of(root: bytes) -> Mount | None:
    """The mount a directory lies on; None if it is missing or the system keeps no table."""
    try:
        return mount_at(os.path.realpath(root, strict=True), read_mounts())
    except OSError:
        return None


def mounts_below(root: bytes) -> frozenset[tuple[int, bytes]]:
    """The mounts inside a root by number and place: a change of them comes without any event."""
    inside = os.path.realpath(root).rstrip(b"/") + b"/"
    return frozenset((m.number, m.point) for m in read_mounts() if m.point.startswith(inside))


def identify(root: bytes) -> RootIdentity | None:
    """Which file system lies at `root`; None if it is missing or no directory."""
    try:
        found = os.stat(os.path.join(root, b"."))  # noqa: PTH116,PTH118 -- paths are bytes
        filesystem = os.statvfs(root).f_fsid
    except OSError:
        return None
    mount = mount_of(root)
    return RootIdentity(
        filesystem=f"{filesystem:x}" if filesystem else "",
        source=f"{mount.source} {mount.filesystem}" if mount else "",
        inode=found.st_ino,
        by_device=filesystem == _encoded(found.st_dev),
    )


def _encoded(device: int) -> int:
    """The device's number as FAT, exFAT and XFS give it for an identity (linux/kdev_t.h)."""
    major, minor = os.major(device), os.minor(device)
    return (minor & 0xFF) | (major << 8) | ((minor & ~0xFF) << 12)


def watch_mode(filesystem: str) -> str:
    """How to notice changes on a file system of this type: inotify, poll or both.

    A remote file system sends no events for what others change; FUSE, overlays and the shares of
    virtual machines send some.
    """
    if filesystem in _REMOTE:
        return "poll"
    if filesystem in _LAYERED or filesystem.startswith("fuse"):
        return "both"
    return "inotify"


def is_remote(filesystem: str) -> bool:
    """Whether files of this file system lie on another machine."""
    return filesystem in _REMOTE


def mode_for(root: bytes, *, follows: bool = False) -> str:
    """How to notice changes below `root`: inotify, poll or both.

    `follows`: links lead out of it, to where no event comes from.
    """
    mount = mount_of(root)
    mode = watch_mode(mount.filesystem) if mount else "inotify"
    return "both" if follows and mode == "inotify" else mode


def keeps_inodes(mount: Mount) -> bool:
    """Whether a file keeps its inode number as long as it lives."""
    if mount.filesystem in ("cifs", "smb3"):
        return "serverino" in mount.options
    return mount.filesystem not in _MAKES_UP_INODES and not mount.filesystem.startswith("fuse")


def device_keeps_inodes(device: int) -> bool:
    """Whether files of this `st_dev` keep their inode numbers; true where nothing is known.

    btrfs shows others than the table, and keeps them.
    """
    name = f"{os.major(device)}:{os.minor(device)}"
    return all(keeps_inodes(mount) for mount in read_mounts() if mount.device == name)


def disk_of(root: bytes) -> BlockDevice:
    """The whole disk (not the partition) that files below `root` are read from."""
    mount = mount_of(root)
    if mount is None:
        return BlockDevice("unknown", None)
    for number in (mount.device, _device_number(mount.source)):
        try:
            place = (_BLOCK / number).resolve(strict=True) if number else None
        except OSError:
            place = None
        if place is not None:
            whole = place.parent if (place / "partition").exists() else place
            return BlockDevice(whole.name, _rotational(whole))
    return BlockDevice(f"{mount.filesystem} {mount.source}", None)


def hash_lane(root: bytes, threads: int | None = None) -> Lane:
    """The lane for reading files below `root`: folders on one disk share it by its name.

    One thread on a spinning disk, whose head would wander between files; else up to four.
    """
    disk = disk_of(root)
    cores = min(_MOST_THREADS, os.cpu_count() or 1)
    return Lane(f"hash {disk.key}", threads or (1 if disk.rotational else cores))


def immich_storage(root: bytes) -> bytes | None:
    """The directory of Immich's own storage that `root` is, lies in or holds, or None.

    Immich marks `upload`, `library`, `thumbs` and others of its directories with a file each
    (Immich 3.1: storage.service). Looks at the root, above it, and two levels below it.
    """
    root = os.path.abspath(root)  # noqa: PTH100 -- paths are bytes
    children = _directories_in(root)
    grandchildren = (one for child in children for one in _directories_in(child))
    inside = (one for one in chain(children, grandchildren) if _is_marked(one))
    return immich_above(root) or next(inside, None)


def immich_above(path: bytes) -> bytes | None:
    """The directory of Immich's own storage that an absolute path is or lies in, or None."""
    while not _is_marked(path):
        path, below = os.path.dirname(path), path  # noqa: PTH120 -- paths are bytes
        if path == below:
            return None
    return path


def _is_marked(directory: bytes) -> bool:
    return os.path.isfile(os.path.join(directory, IMMICH_MARKER))  # noqa: PTH113,PTH118 -- bytes


def _directories_in(directory: bytes) -> list[bytes]:
    try:
        with os.scandir(directory) as found:
            return sorted(each.path for each in found if each.is_dir(follow_symlinks=False))
    except OSError:
        return []


def _device_number(source: str) -> str:
    """Major and minor of a device file, for file systems that show a number of their own."""
    try:
        number = Path(source).stat().st_rdev if source.startswith("/dev/") else 0
    except OSError:
        return ""
    return f"{os.major(number)}:{os.minor(number)}" if number else ""


def _rotational(whole: Path) -> bool | None:
    try:
        return (whole / "queue" / "rotational").read_text().strip() == "1"
    except OSError:
        return None


def _unescaped(field: bytes) -> bytes:
    return _ESCAPED.sub(lambda match: bytes([int(match[1], 8)]), field)
