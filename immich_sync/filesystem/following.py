"""The disk of folders whose symbolic links a person wants followed (`follow_symlinks`).

Its own module because it gives up what `beneath` is for: here whoever writes into a folder can
name any file that we may read. Which disk a folder has is decided once, in `disk_for`.
"""

import errno
import os
import stat
from collections.abc import Collection, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass

from immich_sync.core.errors import FileUnreadable
from immich_sync.core.folder import Folder
from immich_sync.core.naming import shown
from immich_sync.core.ports import Entry, Hands, Link, RootIdentity, Source, Target
from immich_sync.core.types import Stamp, below
from immich_sync.filesystem.beneath import Swapped
from immich_sync.filesystem.disk import LocalDisk, OpenFile, look, stamp_of, trouble_of
from immich_sync.filesystem.mounts import immich_above
from immich_sync.filesystem.scan import IMMICH_STORAGE

MOST = 4
"""Links to directories on one way down. Ten directories that hold links to each other have ten
million ways through them without a loop."""
BROKEN, LOOP, DEEP, SPECIAL = "link-broken", "link-loop", "link-depth", "link-special"
REASONS = {
    BROKEN: "it is a symbolic link, and nothing lies where it leads to",
    LOOP: "it leads back to a directory that it lies in",
    DEEP: f"more than {MOST} links to directories lie on the way to it",
    SPECIAL: "it is a symbolic link to a pipe, a socket or a device",
    IMMICH_STORAGE: "it is a symbolic link into Immich's own storage (above it lies .immich)",
}
"""The rules by which a link is passed over, for people."""

_ROOT = getattr(os, "O_PATH", os.O_RDONLY) | os.O_DIRECTORY | os.O_CLOEXEC
_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NONBLOCK | os.O_CLOEXEC
_FILE = os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC
_NOWHERE = frozenset({errno.ENOENT, errno.ENOTDIR, errno.ELOOP})


class PassedOver(OSError):
    """A link that is not followed, or a directory that was met before on the way to it."""

    def __init__(self, rule: str, path: bytes) -> None:
        super().__init__(errno.ELOOP, os.strerror(errno.ELOOP), path)
        self.rule = rule


@dataclass(frozen=True, slots=True)
class _Way:
    """How something was reached: what lies there, and what was gone through."""

    found: os.stat_result
    met: frozenset[tuple[int, int]]  # directories by st_dev and inode, this one among them
    links: int = 0  # to directories


def disk_for(folders: Iterable[Folder]) -> Hands:
    """The disk that these folders are to be read from."""
    disk = LocalDisk()
    roots = frozenset(folder.root for folder in folders if folder.follow_symlinks)
    return Following(disk, roots) if roots else disk


def rule_of(root: bytes, relative: bytes) -> str | None:
    """The rule by which what lies at `relative` is passed over; None if it is followed or no link.

    Raises OSError if that cannot be told. Blocks.
    """
    top = os.open(root, _ROOT)
    try:
        _down(root, top, relative)
    except PassedOver as error:
        return error.rule
    finally:
        os.close(top)
    return None


class Following:
    """A local disk of which the links below some roots are followed; the others are `disk`'s."""

    def __init__(self, disk: LocalDisk, roots: Collection[bytes]) -> None:
        self._disk = disk
        self._roots = roots

    def list(self, root: bytes, directory: bytes) -> Sequence[Entry | Link]:
        """As LocalDisk, with what links lead to, and those that lead nowhere. Raises OSError.

        Where it cannot be told what lies behind a link, it is said to be a directory: who lists it
        meets the trouble, and nothing behind it counts as gone.
        """
        if root not in self._roots:
            return self._disk.list(root, directory)
        top = os.open(root, _ROOT)
        entries: list[Entry | Link] = []
        try:
            way = _down(root, top, directory)
            keeps = self._disk.keeps(way.found.st_dev)
            descriptor = os.open(directory or b".", _DIRECTORY, dir_fd=top)
            try:
                with os.scandir(descriptor) as listed:
                    for each in listed:
                        name = os.fsencode(each.name)
                        with suppress(FileNotFoundError):
                            if each.is_file(follow_symlinks=False):
                                entries.append(Entry(name, look(each, keeps=keeps)))
                            elif each.is_symlink() or each.is_dir(follow_symlinks=False):
                                entries.append(self._entry(root, top, below(directory, name), way))
            finally:
                os.close(descriptor)
        finally:
            os.close(top)
        entries.sort(key=lambda entry: entry.name)
        return entries

    def _entry(self, root: bytes, top: int, relative: bytes, above: _Way) -> Entry | Link:
        name = relative.rpartition(b"/")[2]
        try:
            way = _step(root, top, relative, above)
        except PassedOver as error:
            return Link(name, error.rule)
        except FileNotFoundError:  # its very name is gone
            raise
        except OSError:
            return Entry(name, None)
        if stat.S_ISDIR(way.found.st_mode):
            return Entry(name, None)
        return Entry(name, stamp_of(way.found, keeps=self._disk.keeps(way.found.st_dev)))

    def stat(self, root: bytes, relative: bytes) -> Stamp | None:
        """The stamp of a regular file, or of one that links lead to; None if there is none.

        Raises FileUnreadable.
        """
        if root not in self._roots:
            return self._disk.stat(root, relative)
        try:
            top = os.open(root, _ROOT)
            try:
                found = _down(root, top, relative).found
            finally:
                os.close(top)
        except OSError as error:
            if error.errno in _NOWHERE | {errno.ENAMETOOLONG}:
                return None
            raise trouble_of(root, relative, error) from error
        if not stat.S_ISREG(found.st_mode):
            return None
        return stamp_of(found, keeps=self._disk.keeps(found.st_dev))

    def open(self, root: bytes, relative: bytes) -> Source:
        """The regular file at `relative`, or where links lead from there.

        Raises FileVanished or FileUnreadable, and FileChanged if another directory lies at the
        root than was identified last; what links lead to may lie on any file system.
        """
        if root not in self._roots:
            return self._disk.open(root, relative)
        try:
            opened = OpenFile(self._descriptor(root, relative), relative)
        except PassedOver as error:
            reason = REASONS[error.rule]
            raise FileUnreadable(f"{shown(relative)} is not read: {reason}.") from error
        except OSError as error:
            raise trouble_of(root, relative, error) from error
        try:
            found = opened.status()
            opened.keeps_inodes = self._disk.keeps(found.st_dev)
        except BaseException:
            opened.close()
            raise
        if stat.S_ISREG(found.st_mode):
            return opened
        opened.close()
        raise _no_file(relative)

    def _descriptor(self, root: bytes, relative: bytes) -> int:
        """Opened once it is known to be a regular file: a device may act upon being opened."""
        top = os.open(root, _ROOT)
        try:
            found = os.fstat(top)
            expected = self._disk.expected(root)
            if expected is not None and (found.st_dev, found.st_ino) != expected:
                raise Swapped(errno.ESTALE, os.strerror(errno.ESTALE), root)
            if not stat.S_ISREG(_down(root, top, relative).found.st_mode):
                raise _no_file(relative)
            return os.open(relative, _FILE, dir_fd=top)
        finally:
            os.close(top)

    def is_empty(self, root: bytes) -> bool:
        """As LocalDisk."""
        return self._disk.is_empty(root)

    def identify(self, root: bytes) -> RootIdentity | None:
        """As LocalDisk."""
        return self._disk.identify(root)

    def inner(self, root: bytes) -> Collection[bytes]:
        """As LocalDisk."""
        return self._disk.inner(root)

    def names(self, root: bytes, directory: bytes) -> Sequence[bytes]:
        """As LocalDisk: whoever takes files away follows no link."""
        return self._disk.names(root, directory)

    def links(self, root: bytes, relative: bytes) -> int:
        """As LocalDisk."""
        return self._disk.links(root, relative)

    def unlink(self, source: Source, root: bytes, relative: bytes, stamp: Stamp) -> None:
        """As LocalDisk."""
        self._disk.unlink(source, root, relative, stamp)

    def move(self, source: Source, root: bytes, relative: bytes, stamp: Stamp, to: Target) -> None:
        """As LocalDisk."""
        self._disk.move(source, root, relative, stamp, to)


def _down(root: bytes, top: int, relative: bytes) -> _Way:
    """The way from the root, open as `top`. Raises PassedOver, and OSError."""
    found = os.fstat(top)
    way = _Way(found, frozenset({(found.st_dev, found.st_ino)}))
    here = b""
    for name in relative.split(b"/") if relative else ():
        if name in (b"", b".", b".."):
            raise OSError(errno.EXDEV, os.strerror(errno.EXDEV), relative)
        here = below(here, name)
        way = _step(root, top, here, way)
    return way


def _step(root: bytes, top: int, relative: bytes, above: _Way) -> _Way:
    """One name further than `above`. Raises PassedOver, and OSError."""
    found = os.stat(relative, dir_fd=top, follow_symlinks=False)
    is_link = stat.S_ISLNK(found.st_mode)
    if is_link:
        try:
            found = os.stat(relative, dir_fd=top)
        except OSError as error:
            if error.errno in _NOWHERE:
                raise PassedOver(BROKEN, relative) from error
            raise
    if is_link and immich_above(os.path.realpath(below(root.rstrip(b"/"), relative))) is not None:
        raise PassedOver(IMMICH_STORAGE, relative)
    if not stat.S_ISDIR(found.st_mode):
        if is_link and not stat.S_ISREG(found.st_mode):
            raise PassedOver(SPECIAL, relative)
        return _Way(found, above.met, above.links)
    identity = (found.st_dev, found.st_ino)
    if identity in above.met:
        raise PassedOver(LOOP, relative)
    if is_link and above.links == MOST:
        raise PassedOver(DEEP, relative)
    return _Way(found, above.met | {identity}, above.links + is_link)


def _no_file(relative: bytes) -> FileUnreadable:
    return FileUnreadable(f"{shown(relative)} is not a regular file: it is left alone.")
