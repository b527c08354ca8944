"""Moves a file elsewhere, into the quarantine or out of it, and never over another file.

Its own module because a move between file systems is a copy and a deletion, and the deletion must
wait until the copy is on the disk and was read back.
"""

import ctypes
import errno
import fcntl
import hashlib
import os
from contextlib import suppress

from immich_sync.core.cleanup import NoPlace
from immich_sync.core.errors import FileChanged, FileTrouble
from immich_sync.core.naming import shown
from immich_sync.core.ports import Source, Target
from immich_sync.core.types import Stamp, below
from immich_sync.filesystem.beneath import DIRECTORY, open_beneath
from immich_sync.filesystem.removal import Held, last_look

_BLOCK = 1024 * 1024
_NOREPLACE = 1  # linux/fs.h, RENAME_NOREPLACE
_PART = b".immich-sync-part"
_NO_LINKS = frozenset({errno.EPERM, errno.ENOTSUP, errno.EMLINK, errno.ENOSYS})
_NO_FLAGS = frozenset({errno.EINVAL, errno.ENOSYS, errno.ENOTSUP})
_LEFT = os.O_RDWR | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_NEW = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC

_libc = ctypes.CDLL(None, use_errno=True)


def move(opened: Held, root: bytes, relative: bytes, stamp: Stamp, to: Target) -> None:
    """The open file lies at `to`, and not at `relative` below `root` any more. Blocks.

    Raises FileChanged if it is not that file's name, or not as it was, or somebody writes to it;
    NoPlace if `to` cannot be written; FileTrouble if something lies there, if a disk refuses, or if
    what was copied is not what was to be. Then it is where it was.
    """
    directory, _, name = relative.rpartition(b"/")
    to_directory, _, to_name = to.relative.rpartition(b"/")
    try:
        target = make_beneath(to.root, to_directory, to.mode)
    except OSError as error:
        raise _refused(to, error) from error
    try:
        with last_look(opened, root, directory, name, stamp) as parent:
            if _put(parent, name, target, to_name, to):
                os.fsync(target)
                return
        _copy(opened, stamp, target, to_name, to)
        with last_look(opened, root, directory, name, stamp) as parent:
            os.unlink(name, dir_fd=parent)
    finally:
        os.close(target)


def make_beneath(root: bytes, directory: bytes, mode: int) -> int:
    """A descriptor of a directory below a root that is there; made if need be. Raises OSError."""
    try:
        return open_beneath(root, directory, DIRECTORY)
    except FileNotFoundError:
        if not directory:
            raise
    above, _, name = directory.rpartition(b"/")
    parent = make_beneath(root, above, mode)
    try:
        with suppress(FileExistsError):
            os.mkdir(name, mode, dir_fd=parent)
            os.fsync(parent)
    finally:
        os.close(parent)
    return open_beneath(root, directory, DIRECTORY)


def _put(source: int, name: bytes, target: int, to_name: bytes, to: Target) -> bool:
    """Whether the name could be moved within its file system; never over another one."""
    try:
        _rename(source, name, target, to_name)
    except FileExistsError:
        raise _taken(to) from None
    except OSError as error:
        if error.errno == errno.EXDEV:
            return False
        raise
    return True


def _rename(source: int, name: bytes, target: int, to_name: bytes) -> None:
    """As rename(2), but FileExistsError if something has the name. Raises OSError."""
    renameat2 = getattr(_libc, "renameat2", None)
    if renameat2 is not None:
        if renameat2(source, name, target, to_name, _NOREPLACE) == 0:
            return
        code = ctypes.get_errno()
        if code not in _NO_FLAGS:
            raise OSError(code, os.strerror(code), to_name)
    try:
        os.link(name, to_name, src_dir_fd=source, dst_dir_fd=target, follow_symlinks=False)
    except OSError as error:
        if error.errno not in _NO_LINKS:
            raise
    else:
        os.unlink(name, dir_fd=source)
        return
    # Neither is known on FAT and the like: what comes between the look and the rename is lost.
    with suppress(FileNotFoundError):
        os.stat(to_name, dir_fd=target, follow_symlinks=False)
        raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), to_name)
    os.rename(name, to_name, src_dir_fd=source, dst_dir_fd=target)


def _copy(opened: Held, stamp: Stamp, target: int, name: bytes, to: Target) -> None:
    """The same bytes lie at `name`, on the disk, read back; under another name until then."""
    part = b"." + name[:200] + _PART
    try:
        descriptor = _begin(part, target)
        try:
            wanted = _pour(opened, stamp.size, descriptor)
            if to.checksum is not None:
                _compare(wanted, to.checksum, to)
            found = opened.status()
            with suppress(PermissionError):
                os.fchown(descriptor, found.st_uid, found.st_gid)
            os.fchmod(descriptor, found.st_mode & 0o777)
            os.utime(descriptor, ns=(found.st_atime_ns, found.st_mtime_ns))
            os.fsync(descriptor)
            _compare(_digest(descriptor), wanted, to)
            _put(target, part, target, name, to)
            os.fsync(target)
        except BaseException:
            with suppress(FileNotFoundError):
                os.unlink(part, dir_fd=target)
            raise
        finally:
            os.close(descriptor)
    except OSError as error:
        raise _refused(to, error) from error


def _begin(part: bytes, target: int) -> int:
    """A new file of that name, locked: what a crash left there goes, what another writes stays."""
    with suppress(FileNotFoundError):
        left = os.open(part, _LEFT, dir_fd=target)
        try:
            fcntl.flock(left, fcntl.LOCK_EX | fcntl.LOCK_NB)
            os.unlink(part, dir_fd=target)
        finally:
            os.close(left)
    descriptor = os.open(part, _NEW, 0o600, dir_fd=target)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor


def _pour(source: Source, size: int, descriptor: int) -> bytes:
    """The SHA-1 of what was read and written. Raises FileChanged if it is not `size` bytes."""
    hashed, offset = hashlib.sha1(usedforsecurity=False), 0
    while offset <= size and (block := source.read_at(offset, _BLOCK)):
        hashed.update(block)
        view = memoryview(block)
        while view:
            view = view[os.write(descriptor, view) :]
        offset += len(block)
    if offset != size:
        raise FileChanged("It changed while it was copied; it is kept.")
    return hashed.digest()


def _digest(descriptor: int) -> bytes:
    """The SHA-1 of what the disk has; what is only remembered of it is forgotten before."""
    with suppress(AttributeError, OSError):
        os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
    hashed, offset = hashlib.sha1(usedforsecurity=False), 0
    while block := os.pread(descriptor, _BLOCK, offset):
        hashed.update(block)
        offset += len(block)
    return hashed.digest()


def _compare(found: bytes, wanted: bytes, to: Target) -> None:
    if found != wanted:
        raise FileTrouble(f"{shown(to.relative)} was copied wrongly; the file is kept.")


def _taken(to: Target) -> FileTrouble:
    path = shown(below(to.root.rstrip(b"/"), to.relative))
    return FileTrouble(f"Something lies at {path} already: nothing is written over.")


def _refused(to: Target, error: OSError) -> NoPlace:
    path = shown(below(to.root.rstrip(b"/"), to.relative))
    return NoPlace(f"{path} cannot be written: {error.strerror}.")
