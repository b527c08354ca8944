"""A file that comes down bit by bit: `.temp` beside its target, moved into place when it is whole.

Its own module because what a crash, a full disk or a second program may do to a half-written file
is decided here: nothing that bears the target's name is ever half of it, and nothing that we did
not make ourselves is ever written to.

Beside the bytes lies a record, `.temp.json`: what they are of, and how many of them are known to
be on the disk. It is there before the first byte; without it a `.temp` is somebody else's.
"""

import errno
import fcntl
import hashlib
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from immich_sync.core.errors import FileTrouble
from immich_sync.core.filenames import suffixed
from immich_sync.core.naming import shown
from immich_sync.core.types import Checksum
from immich_sync.filesystem.leftovers import ORIGIN, Foreign, Origin, note_origin, read_origin

TEMP = ".temp"
"""What is behind a name while its file is not whole."""
SYNC_EVERY = 64 * 1024 * 1024
"""Bytes after which what was written is brought onto the disk, to be gone on with."""
_BLOCK = 1024 * 1024
_NO_LINKS = frozenset({errno.EPERM, errno.ENOTSUP, errno.EMLINK, errno.ENOSYS, errno.EXDEV})


class InTheWay(FileTrouble):
    """Another file has the name already, or another program is downloading to it."""


def checksum_of(path: Path) -> Checksum:
    """The SHA-1 of a file that lies there. Raises FileTrouble."""
    hashed = hashlib.sha1(usedforsecurity=False)
    try:
        with path.open("rb") as file:
            while block := file.read(_BLOCK):
                hashed.update(block)
    except OSError as error:
        raise _trouble(path, "read", error) from error
    return Checksum(hashed.digest())


class Landing:
    """A target on its way; made by `land_at`, in a thread, like all its methods; close it."""

    def __init__(self, target: Path, descriptor: int, what: str) -> None:
        self.target = target
        self.size = 0  # bytes that are there
        self._what = what
        self.temp = _temp(target)
        self._record = _record(target)
        self._descriptor = descriptor
        self._hash = hashlib.sha1(usedforsecurity=False)
        self._origin: Origin | None = None  # as it stands in the record

    @property
    def validator(self) -> str | None:
        """What tells that the bytes which are there belong to what would follow."""
        return self._origin.validator if self._origin else None

    def resume(self) -> None:
        """What an earlier download of the same left is taken over; anything else is thrown away.

        Taken over is only what was brought onto the disk then: after a power cut there may be
        nothing but zeros behind it. Raises FileTrouble.
        """
        with _translated(self.target):
            origin = _known(self.target)
            if origin is None or origin.what != self._what or origin.validator is None:
                self.restart()
                return
            offset, most = 0, origin.on_disk
            while block := os.pread(self._descriptor, min(_BLOCK, most - offset), offset):
                self._hash.update(block)
                offset += len(block)
            os.ftruncate(self._descriptor, offset)
            self.size, self._origin = offset, origin

    def restart(self) -> None:
        """Nothing is there. Raises FileTrouble."""
        with _translated(self.target):
            os.ftruncate(self._descriptor, 0)
        self.size, self._origin = 0, None
        self._hash = hashlib.sha1(usedforsecurity=False)

    def begin(self, validator: str | None) -> None:
        """What is written from now on is of what this validator is of. Raises FileTrouble."""
        if self._origin is None or self._origin.validator != validator:
            self._note(Origin(self._what, validator, on_disk=0))

    def write(self, block: bytes) -> None:
        """The block is behind what was there. Raises FileTrouble (the disk is full, say)."""
        if self._origin is None:
            raise AssertionError("nothing is written before it is noted what it is of")
        with _translated(self.target):
            view = memoryview(block)
            while view:
                written = os.pwrite(self._descriptor, view, self.size)
                self._hash.update(view[:written])
                self.size += written
                view = view[written:]
        if self.size - self._origin.on_disk >= SYNC_EVERY:
            self.keep()

    def keep(self) -> None:
        """What is there is on the disk, for a later download to go on with. Raises FileTrouble."""
        origin = self._origin
        if origin is None or origin.validator is None or origin.on_disk == self.size:
            return
        with _translated(self.target):
            os.fsync(self._descriptor)
        self._note(Origin(origin.what, origin.validator, on_disk=self.size))

    def checksum(self) -> Checksum:
        """The SHA-1 of what is there."""
        return Checksum(self._hash.digest())

    def finish(self, modified: float | None, *, overwrite: bool) -> None:
        """The file is at its target, whole and on the disk, modified then (wall-clock seconds).

        Raises InTheWay if something else has the name meanwhile (not with `overwrite`).
        """
        with _translated(self.target):
            if modified is not None:
                os.utime(self._descriptor, (modified, modified))
            os.fsync(self._descriptor)
            self._put(overwrite=overwrite)
            self._origin = None
            self._record.unlink(missing_ok=True)
            folder = os.open(self.target.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
            try:
                os.fsync(folder)
            finally:
                os.close(folder)

    def discard(self) -> None:
        """Nothing is left of it."""
        self._origin = None
        with suppress(OSError):
            if _lies_there(self._descriptor, self.temp):
                self.temp.unlink()
                self._record.unlink(missing_ok=True)

    def close(self) -> None:
        """Give the descriptor back; what was written stays for a later download to go on with."""
        if self._descriptor < 0:
            return
        try:
            if self.size == 0:
                self.discard()
            else:
                with suppress(FileTrouble):  # then a later download begins anew
                    self.keep()
        finally:
            descriptor, self._descriptor = self._descriptor, -1
            with suppress(OSError):
                os.close(descriptor)

    def _note(self, origin: Origin) -> None:
        with _translated(self.target):
            note_origin(self._record, origin)
        self._origin = origin

    def _put(self, *, overwrite: bool) -> None:
        if not _lies_there(self._descriptor, self.temp):
            raise FileTrouble(
                f"{_said(self.temp)} was moved away or replaced while it was written."
            )
        if not overwrite:
            try:
                # Unlike a rename, a link never takes the place of what is there.
                os.link(self.temp, self.target, follow_symlinks=False)
            except FileExistsError:
                raise in_the_way(self.target) from None
            except OSError as error:
                if error.errno not in _NO_LINKS:
                    raise
                if os.path.lexists(self.target):
                    raise in_the_way(self.target) from None
            else:
                self.temp.unlink()
                return
        self.temp.replace(self.target)


def land_at(target: Path, what: str) -> Landing:
    """A landing at `target`, with what an earlier download of `what` left there.

    Raises InTheWay if another program is at it or what lies there is none of ours, FileTrouble if
    the disk refuses.
    """
    while True:
        with _translated(target):
            descriptor = _claim(target)
            try:
                if _is_ours_alone(descriptor, target):
                    landing = Landing(target, descriptor, what)
                    landing.resume()
                    return landing
            except BaseException:
                os.close(descriptor)
                raise
            os.close(descriptor)


def tidy(target: Path) -> None:
    """A `.temp` that is a second name of the finished file is gone: a crash had left it."""
    with suppress(OSError, InTheWay):
        if _known(target) is not None and os.path.samestat(_temp(target).lstat(), target.lstat()):
            _temp(target).unlink()
            _record(target).unlink()


def _claim(target: Path) -> int:
    """The open `.temp`, held against other programs."""
    path = _temp(target)
    _known(target)
    flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK
    descriptor = os.open(path, flags, 0o666)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        raise InTheWay(f"{_said(target)} is being downloaded by another program.") from None
    except OSError:  # a file system that cannot lock: nobody else is assumed
        return descriptor
    return descriptor


def _is_ours_alone(descriptor: int, target: Path) -> bool:
    """Whether the claimed file may be written to. Raises InTheWay if it is none of ours."""
    path, held = _temp(target), os.fstat(descriptor)
    if not _lies_there(descriptor, path):
        return False  # another program has just put it in place
    unknown = _known(target) is None
    if not stat.S_ISREG(held.st_mode) or (unknown and (held.st_size or held.st_nlink > 1)):
        raise _none_of_ours(path)
    if held.st_nlink > 1:  # a crash in `_put`: this is the finished file by its other name
        path.unlink()
        return False
    return True


def _lies_there(descriptor: int, path: Path) -> bool:
    try:
        return os.path.samestat(path.lstat(), os.fstat(descriptor))
    except FileNotFoundError:
        return False


def _known(target: Path) -> Origin | None:
    """The record of an earlier download, if there is one. Raises InTheWay if it is none."""
    try:
        return read_origin(_record(target))
    except Foreign:
        raise _none_of_ours(_record(target)) from None


def _temp(target: Path) -> Path:
    return target.with_name(suffixed(target.name, TEMP))


def _record(target: Path) -> Path:
    return target.with_name(suffixed(target.name, ORIGIN))


def _none_of_ours(path: Path) -> InTheWay:
    return InTheWay(
        f"{_said(path)} was not made by a download of ours, and its name is needed for one;"
        " move it away."
    )


def in_the_way(target: Path) -> InTheWay:
    """The trouble with a name that is taken."""
    return InTheWay(
        f"{_said(target)} exists and is another file; move it away, or choose what is"
        " to be done then by on_exists (--on-exists): skip, overwrite or rename."
    )


@contextmanager
def _translated(target: Path) -> Iterator[None]:
    """FileTrouble for whatever the disk says."""
    try:
        yield
    except OSError as error:
        raise _trouble(target, "written", error) from error


def _trouble(path: Path, done: str, error: OSError) -> FileTrouble:
    return FileTrouble(f"{_said(path)} cannot be {done}: {error.strerror}.")


def _said(path: Path) -> str:
    return shown(os.fsencode(path))
