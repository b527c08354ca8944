"""The real file system behind `core.ports.Disk`.

Its own module because simulation replaces it whole; everything that reads photos goes through it.
"""

import errno
import fcntl
import os
import stat
import time
from collections.abc import Collection, Sequence
from contextlib import suppress
from typing import Protocol

from immich_sync.core.errors import FileChanged, FileTrouble, FileUnreadable, FileVanished
from immich_sync.core.inner import hides
from immich_sync.core.naming import shown
from immich_sync.core.ports import Entry, Link, RootIdentity, Source, Target
from immich_sync.core.types import NO_STAMP, Stamp
from immich_sync.filesystem.beneath import DIRECTORY, FILE, LOOK, Swapped, open_beneath
from immich_sync.filesystem.mounts import device_keeps_inodes, identify, mounts_below
from immich_sync.filesystem.quarantine import move
from immich_sync.filesystem.removal import names_in, remove

# A name that is too long cannot be anybody's: `IMG….jpg` of 252 bytes has no `.xmp` beside it.
_NOTHING_THERE = frozenset({errno.ENOENT, errno.ENOTDIR, errno.ENAMETOOLONG})
LINK = "link"
"""What the rule is called by which links are passed over, if nobody wants them followed."""
RECENT = 60.0
"""Seconds without a change after which nobody is thought to write, where nothing else tells."""
_AGES = (1 << 63) - 1  # nanoseconds, to the year 2262
_ONE_FILES = frozenset({errno.EIO, errno.EOVERFLOW, errno.EUCLEAN, errno.ESTALE})
_A_LINK_ON_THE_WAY = frozenset({errno.ELOOP, errno.EXDEV})


class LocalDisk:
    """Disks that this machine has mounted. Safe to use from several threads at once."""

    def __init__(self) -> None:
        self._roots: dict[bytes, tuple[int, int]] = {}  # st_dev and inode, when last identified
        self._devices: dict[bytes, int] = {}  # st_dev of the roots, when last seen
        self._met: dict[bytes, dict[bytes, int]] = {}  # by root: the tops of other st_dev
        self._keeps_inodes: dict[int, bool] = {}  # by st_dev; asking the mount table takes 0.1 ms

    def list(self, root: bytes, directory: bytes) -> list[Entry | Link]:
        """Regular files, directories and links in `directory`, in the order of their names.

        Raises OSError. A name that vanishes meanwhile is left out.
        """
        descriptor = open_beneath(root, directory, DIRECTORY)
        encode = os.fsencode  # scandir on a descriptor tells names as text
        entries: list[Entry | Link] = []
        try:
            device = os.fstat(descriptor).st_dev
            keeps = self.keeps(device)
            self._meet(root, directory, device)
            with os.scandir(descriptor) as found:
                for each in found:
                    if each.is_dir(follow_symlinks=False):
                        entries.append(Entry(encode(each.name), None))
                    elif each.is_file(follow_symlinks=False):
                        with suppress(FileNotFoundError):
                            entries.append(Entry(encode(each.name), look(each, keeps=keeps)))
                    elif each.is_symlink():
                        entries.append(Link(encode(each.name), LINK))
        finally:
            os.close(descriptor)
        entries.sort()
        return entries

    def stat(self, root: bytes, relative: bytes) -> Stamp | None:
        """The stamp of a regular file; None if nothing, a link or something else lies there.

        Raises FileUnreadable.
        """
        try:
            descriptor = open_beneath(root, relative, LOOK)
            try:
                found = os.fstat(descriptor)
            finally:
                os.close(descriptor)
        except OSError as error:
            if error.errno in _NOTHING_THERE | _A_LINK_ON_THE_WAY:
                return None
            raise trouble_of(root, relative, error) from error
        if not stat.S_ISREG(found.st_mode):
            return None
        return stamp_of(found, keeps=self.keeps(found.st_dev))

    def open(self, root: bytes, relative: bytes) -> "OpenFile":
        """The regular file at `relative`. Raises FileVanished or FileUnreadable.

        Raises FileChanged if another directory lies at the root than was identified last.
        """
        try:
            descriptor = open_beneath(root, relative, FILE, self.expected(root))
        except OSError as error:
            raise trouble_of(root, relative, error) from error
        opened = OpenFile(descriptor, relative)
        try:
            found = opened.status()
            if stat.S_ISREG(found.st_mode):
                opened.keeps_inodes = self.keeps(found.st_dev)
                return opened
        except BaseException:
            opened.close()
            raise
        opened.close()
        raise FileUnreadable(f"{shown(relative)} is not a regular file: it is left alone.")

    def is_empty(self, root: bytes) -> bool:
        """Whether no entry of any kind lies in the root itself. Raises OSError."""
        with os.scandir(root) as entries:
            return next(entries, None) is None

    def identify(self, root: bytes) -> RootIdentity | None:
        """Which file system lies at `root`; None if it is missing or no directory.

        Files are opened below this very directory, until it is asked for again: a disk may be
        taken out and another one put in between two looks.
        """
        self._roots.pop(root, None)
        with suppress(OSError):
            status = os.stat(root)  # noqa: PTH116 - a path of bytes
            self._roots[root] = (status.st_dev, status.st_ino)
            self._devices[root] = status.st_dev
        return identify(root)

    def inner(self, root: bytes) -> Collection[bytes]:
        """The places below `root` where something is mounted.

        Those of the mount table, which knows bind mounts of the same file system, and those where
        listings have met another st_dev since this was asked last: a btrfs subvolume that is
        nested is in no table, and neither is anything on systems without one.
        """
        above = len(os.path.realpath(root).rstrip(b"/")) + 1
        mounted = {point[above:] for _, point in mounts_below(root)}
        return mounted.union(self._met.pop(root, {}))

    def _meet(self, root: bytes, directory: bytes, device: int) -> None:
        if not directory:
            self._devices[root] = device
        if device == self._devices.get(root, device):
            return
        met = self._met.setdefault(root, {})
        if not any(one == device and hides((top,), directory) for top, one in [*met.items()]):
            with suppress(OSError):  # whoever lists it next meets it
                met[_top(root, directory, device)] = device

    def names(self, root: bytes, directory: bytes) -> Sequence[bytes]:
        """What lies in a directory and is no directory itself. Raises FileUnreadable."""
        return names_in(root, directory)

    def links(self, root: bytes, relative: bytes) -> int:
        """How many names that has which lies there; 0 if nothing does. Raises FileUnreadable."""
        try:
            descriptor = open_beneath(root, relative, LOOK)
            try:
                return max(1, os.fstat(descriptor).st_nlink)
            finally:
                os.close(descriptor)
        except OSError as error:
            if error.errno in _NOTHING_THERE:
                return 0
            if error.errno in _A_LINK_ON_THE_WAY:
                return 1
            raise trouble_of(root, relative, error) from error

    def unlink(self, source: Source, root: bytes, relative: bytes, stamp: Stamp) -> None:
        """The name is gone. Raises FileChanged or FileTrouble."""
        directory, _, name = relative.rpartition(b"/")
        remove(_held(source), root, directory, name, stamp)

    def move(self, source: Source, root: bytes, relative: bytes, stamp: Stamp, to: Target) -> None:
        """The file lies at `to` and nowhere else. Raises FileChanged or FileTrouble."""
        move(_held(source), root, relative, stamp, to)

    def expected(self, root: bytes) -> tuple[int, int] | None:
        """What `open_beneath` must find at the root: its st_dev and inode, last identified."""
        return self._roots.get(root)

    def keeps(self, device: int) -> bool:
        """Whether files of this st_dev keep their inode numbers."""
        known = self._keeps_inodes.get(device)
        if known is None:
            known = self._keeps_inodes[device] = device_keeps_inodes(device)
        return known


def _top(root: bytes, directory: bytes, device: int) -> bytes:
    """The highest directory on the way to this one that lies on the same device. Raises OSError.

    An event may have us list any directory of a disk first, and only its top is mounted.
    """
    while above := directory.rpartition(b"/")[0]:
        if os.lstat(root.rstrip(b"/") + b"/" + above).st_dev != device:
            break
        directory = above
    return directory


class OpenFile:
    """An open regular file; implements `core.ports.Source`. One owner at a time."""

    def __init__(self, descriptor: int, relative: bytes) -> None:
        self.keeps_inodes = True
        self._descriptor = descriptor
        self._relative = relative

    def stamp(self) -> Stamp:
        """The open file's stamp now. Raises FileUnreadable."""
        return stamp_of(self.status(), keeps=self.keeps_inodes)

    def status(self) -> os.stat_result:
        """All that the disk says of the open file. Raises FileUnreadable."""
        try:
            return os.fstat(self._descriptor)
        except OSError as error:
            raise _unreadable(self._relative, error) from error

    def read_at(self, offset: int, length: int) -> bytes:
        """At most `length` bytes from `offset`; fewer only at the end. Raises FileUnreadable."""
        try:
            block = os.pread(self._descriptor, length, offset)
            if len(block) in (0, length):
                return block
            pieces = [block]  # a signal or a network file system may cut a read short
            offset, length = offset + len(block), length - len(block)
            while length and (block := os.pread(self._descriptor, length, offset)):
                pieces.append(block)
                offset, length = offset + len(block), length - len(block)
            return b"".join(pieces)
        except OSError as error:
            raise _unreadable(self._relative, error) from error

    def is_being_written(self) -> bool:
        """Whether any program has the file open for writing, as far as the system tells.

        The kernel grants a lease on reading only if nobody has (fcntl(2), F_SETLEASE). Where it
        gives none (another user's file, a network share), a file that moved a short while ago is
        taken to be in the writing.
        """
        try:
            fcntl.fcntl(self._descriptor, fcntl.F_SETLEASE, fcntl.F_RDLCK)
            fcntl.fcntl(self._descriptor, fcntl.F_SETLEASE, fcntl.F_UNLCK)
        except BlockingIOError:
            return True
        except (OSError, AttributeError):  # AttributeError: only Linux knows leases
            found = self.status()
            return time.time() - max(found.st_mtime, found.st_ctime) < RECENT
        return False

    def close(self) -> None:
        """Give the descriptor back; a second call does nothing."""
        descriptor, self._descriptor = self._descriptor, -1
        if descriptor >= 0:
            os.close(descriptor)


class Listed(Protocol):
    """What is used of an os.DirEntry."""

    def stat(self, *, follow_symlinks: bool) -> os.stat_result:
        """The status of what the name stands for."""
        ...


def look(each: Listed, *, keeps: bool) -> Stamp:
    """The stamp of a listed file. Raises OSError where that speaks of the whole directory.

    One that the disk has trouble with, alone among its like, must not hide the others: it gets a
    stamp that no file has, so that it is due, and whoever then reads it says why he cannot.
    """
    try:
        return stamp_of(each.stat(follow_symlinks=False), keeps=keeps)
    except OSError as error:
        if error.errno not in _ONE_FILES:
            raise
        return NO_STAMP


def _held(source: Source) -> OpenFile:
    if not isinstance(source, OpenFile):
        raise TypeError("only what this disk has opened can be taken from it")
    return source


def stamp_of(found: os.stat_result, *, keeps: bool) -> Stamp:
    """The stamp that a status tells; `keeps`: whether inodes there are worth anything."""
    mtime_ns = found.st_mtime_ns
    if not -_AGES <= mtime_ns <= _AGES:  # a date that no database holds is kept as the last one
        mtime_ns = _AGES if mtime_ns > 0 else -_AGES
    return Stamp(found.st_size, mtime_ns, found.st_ino if keeps else 0, found.st_ctime_ns)


def trouble_of(root: bytes, relative: bytes, error: OSError) -> FileTrouble:
    """What an error at `relative` means to its file."""
    if isinstance(error, Swapped):
        return FileChanged(
            f"{shown(relative)} is not read: {shown(root)} is not the folder it was a moment ago."
        )
    if error.errno in _NOTHING_THERE:
        return FileVanished(f"{shown(relative)} is no longer there.")
    if error.errno in _A_LINK_ON_THE_WAY:
        return FileUnreadable(
            f"{shown(relative)} leads through a symbolic link: links are not followed. "
            f"Give the folder it points to a place of its own beside {shown(root)}."
        )
    return _unreadable(relative, error)


def _unreadable(relative: bytes, error: OSError) -> FileUnreadable:
    reason = error.strerror or "unknown error"
    advice = (
        "Give the user that runs immich-sync the right to read it."
        if error.errno in (errno.EACCES, errno.EPERM)
        else "It is tried again later."
    )
    return FileUnreadable(f"{shown(relative)} cannot be read: {reason}. {advice}")
