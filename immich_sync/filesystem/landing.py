"""A file that comes down bit by bit: `.temp` beside its target, moved into place when it is whole.

Its own module because what a crash, a full disk or a second program may do to a half-written file
is decided here: nothing that bears the target's name is ever half of it, and nothing that we did
not make ourselves is ever written to.

Beside the bytes lies a record, `.temp.json`: what they are of, and how many of them are known to
be on the disk. It is there before the first byte; without it a `.temp` is somebody else's.
"""

import errno
import hashlib
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from immich_sync.core.errors import FileTrouble
from immich_sync.core.types import Checksum
from immich_sync.filesystem.claiming import (
    claim,
    in_the_way,
    known,
    lies_there,
    record_of,
    said,
    temp_of,
)
from immich_sync.filesystem.leftovers import Origin, note_origin

SYNC_EVERY = 64 * 1024 * 1024
"""Bytes after which what was written is brought onto the disk, to be gone on with."""
SYNC_AFTER = 5.0
"""Seconds after which it is as well. On a fast way the bytes come first: steps of 16 MiB make
writing a fifth slower, to save what is sent again in less than a second."""
_BLOCK = 1024 * 1024
_NO_LINKS = frozenset({errno.EPERM, errno.ENOTSUP, errno.EMLINK, errno.ENOSYS, errno.EXDEV})


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

    def __init__(self, target: Path, descriptor: int, what: str, now: Callable[[], float]) -> None:
        self.target = target
        self.size = 0  # bytes that are there
        self._what = what
        self.temp = temp_of(target)
        self._record = record_of(target)
        self._descriptor = descriptor
        self._hash = hashlib.sha1(usedforsecurity=False)
        self._origin: Origin | None = None  # as it stands in the record
        self._now = now
        self._noted_at = now()

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
            origin = known(self.target)
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
        more = self.size - self._origin.on_disk
        if more >= SYNC_EVERY or self._now() - self._noted_at >= SYNC_AFTER:
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
            if lies_there(self._descriptor, self.temp):
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
        self._origin, self._noted_at = origin, self._now()

    def _put(self, *, overwrite: bool) -> None:
        if not lies_there(self._descriptor, self.temp):
            raise FileTrouble(f"{said(self.temp)} was moved away or replaced while it was written.")
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


def land_at(target: Path, what: str, now: Callable[[], float] = time.monotonic) -> Landing:
    """A landing at `target`, with what an earlier download of `what` left there; `now` in seconds.

    Raises InTheWay if another program is at it or what lies there is none of ours, FileTrouble if
    the disk refuses.
    """
    while True:
        with _translated(target):
            descriptor = claim(target)
            if descriptor is None:
                continue
            try:
                landing = Landing(target, descriptor, what, now)
                landing.resume()
            except BaseException:
                os.close(descriptor)
                raise
            return landing


@contextmanager
def _translated(target: Path) -> Iterator[None]:
    """FileTrouble for whatever the disk says."""
    try:
        yield
    except OSError as error:
        raise _trouble(target, "written", error) from error


def _trouble(path: Path, done: str, error: OSError) -> FileTrouble:
    return FileTrouble(f"{said(path)} cannot be {done}: {error.strerror}.")
