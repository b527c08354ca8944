"""A file that comes down bit by bit: `.temp` beside its target, moved into place when it is whole.

Its own module because what a crash, a full disk or a second program may do to a half-written file
is decided here: nothing that bears the target's name is ever half of it.
"""

import errno
import fcntl
import hashlib
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from immich_sync.core.errors import FileTrouble
from immich_sync.core.filenames import suffixed
from immich_sync.core.naming import shown
from immich_sync.core.types import Checksum

TEMP, ORIGIN = ".temp", ".temp.json"
"""What is behind a name while its file is not whole: the bytes, and what they are of."""
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
        self.temp = target.with_name(suffixed(target.name, TEMP))
        self._origin = target.with_name(suffixed(target.name, ORIGIN))
        self._descriptor = descriptor
        self._hash = hashlib.sha1(usedforsecurity=False)
        self._validator: str | None = None

    @property
    def validator(self) -> str | None:
        """What tells that the bytes which are there belong to what would follow."""
        return self._validator

    def resume(self) -> None:
        """What an earlier download of the same left is taken over; anything else is thrown away."""
        validator = self._known_validator()
        if validator is None:
            self.restart()
            return
        offset = 0
        while block := os.pread(self._descriptor, _BLOCK, offset):
            self._hash.update(block)
            offset += len(block)
        self.size, self._validator = offset, validator

    def restart(self) -> None:
        """Nothing is there."""
        with _translated(self.target):
            os.ftruncate(self._descriptor, 0)
        self.size, self._validator = 0, None
        self._hash = hashlib.sha1(usedforsecurity=False)
        self._origin.unlink(missing_ok=True)

    def begin(self, validator: str | None) -> None:
        """What is written from now on is of what this validator is of; remembered for a resume."""
        if validator is None or validator == self._validator:
            return
        self._validator = validator
        content = json.dumps({"what": self._what, "validator": validator})
        with _translated(self.target):
            self._origin.write_text(content, encoding="utf-8")

    def write(self, block: bytes) -> None:
        """The block is behind what was there. Raises FileTrouble (the disk is full, say)."""
        with _translated(self.target):
            view = memoryview(block)
            while view:
                written = os.pwrite(self._descriptor, view, self.size)
                self._hash.update(view[:written])
                self.size += written
                view = view[written:]

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
            self._origin.unlink(missing_ok=True)
            folder = os.open(self.target.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
            try:
                os.fsync(folder)
            finally:
                os.close(folder)

    def discard(self) -> None:
        """Nothing is left of it."""
        with suppress(OSError):
            self.temp.unlink(missing_ok=True)
            self._origin.unlink(missing_ok=True)

    def close(self) -> None:
        """Give the descriptor back; what was written stays for a later download to go on with."""
        descriptor, self._descriptor = self._descriptor, -1
        if descriptor >= 0:
            empty = self.size == 0
            os.close(descriptor)
            if empty:
                self.discard()

    def _put(self, *, overwrite: bool) -> None:
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

    def _known_validator(self) -> str | None:
        """The validator of what an earlier download left, if it was of the same."""
        try:
            found = json.loads(self._origin.read_text(encoding="utf-8"))
            same = found["what"] == self._what
            return str(found["validator"]) if same else None
        except (OSError, ValueError, TypeError, KeyError):
            return None


def land_at(target: Path, what: str) -> Landing:
    """A landing at `target`, with what an earlier download of `what` left there.

    Raises InTheWay if another program is at it, FileTrouble if the disk refuses.
    """
    while True:
        descriptor = _claim(target)
        try:
            if _lies_there(descriptor, target.with_name(suffixed(target.name, TEMP))):
                landing = Landing(target, descriptor, what)
                landing.resume()
                return landing
        except BaseException:
            os.close(descriptor)
            raise
        os.close(descriptor)  # another program has just put it in place


def _claim(target: Path) -> int:
    flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK
    with _translated(target):
        descriptor = os.open(target.with_name(suffixed(target.name, TEMP)), flags, 0o666)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        raise InTheWay(
            f"{shown(os.fsencode(target))} is being downloaded by another program."
        ) from None
    except OSError:  # a file system that cannot lock: nobody else is assumed
        return descriptor
    return descriptor


def _lies_there(descriptor: int, path: Path) -> bool:
    try:
        there = path.stat(follow_symlinks=False)
    except FileNotFoundError:
        return False
    held = os.fstat(descriptor)
    return (there.st_dev, there.st_ino) == (held.st_dev, held.st_ino)


def in_the_way(target: Path) -> InTheWay:
    """The trouble with a name that is taken."""
    return InTheWay(
        f"{shown(os.fsencode(target))} exists and is another file; move it away, or choose what is"
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
    return FileTrouble(f"{shown(os.fsencode(path))} cannot be {done}: {error.strerror}.")
