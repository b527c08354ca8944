"""A file system that lists one file and never answers when it is read.

Its own module because it speaks FUSE's protocol to the kernel (linux/fuse.h, 7.35), and because no
other way is known to make a read hang without a device that is broken. The read can be ended by
SIGKILL only, as on NFS: the kernel lets go of a request that its server has not taken yet.
"""

import ctypes
import errno
import os
import select
import struct
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

_LOOKUP, _FORGET, _GETATTR, _OPEN, _STATFS, _RELEASE = 1, 2, 3, 14, 17, 18
_INIT, _OPENDIR, _READDIR, _RELEASEDIR, _INTERRUPT, _BATCH_FORGET = 26, 27, 28, 29, 36, 42
_SILENT = (_FORGET, _INTERRUPT, _BATCH_FORGET)  # the kernel wants no answer to these
_IN = struct.Struct("<IIQQIIIHH")
_OUT = struct.Struct("<IiQ")
_ATTR = struct.Struct("<QQQQQQIIIIIIIIII")
_DIRENT = struct.Struct("<QQII")
_ROOT, _FILE = 1, 2  # inodes
_DIRECT_IO, _NO_FLUSH = 0x1, 0x20  # what is closed must not wait for us
_DETACH = 2  # MNT_DETACH
_libc = ctypes.CDLL(None, use_errno=True)


class HangingDisk:
    """One file of `size` bytes called `name`, which can be opened once and not be read."""

    def __init__(self, descriptor: int, name: bytes, size: int) -> None:
        self._opened = False
        self._descriptor = descriptor
        self._name = name
        self._size = size
        self._born = int(time.time()) - 3600

    def hangs(self) -> bool:
        """Whether somebody waits for the file's bytes."""
        return self._opened and bool(select.select([self._descriptor], [], [], 0)[0])

    def serve(self) -> None:
        """Answer the kernel until somebody has opened the file, or the file system is gone."""
        while not self._opened:
            try:
                request = os.read(self._descriptor, 1 << 20)
            except OSError:  # ENODEV: it was unmounted, or the descriptor was closed
                return
            _, what, unique, inode, *_ = _IN.unpack_from(request)
            self._opened = what == _OPEN
            if what not in _SILENT:
                code, answer = self._answer(what, inode, request[_IN.size :])
                head = _OUT.pack(_OUT.size + len(answer), -code, unique)
                os.write(self._descriptor, head + answer)

    def _answer(self, what: int, inode: int, body: bytes) -> tuple[int, bytes]:
        if what == _INIT:
            return 0, struct.pack("<IIIIHHIIHHI28x", 7, 35, 65_536, 0, 16, 12, 65_536, 1, 1, 0, 0)
        if what == _LOOKUP:
            if body.rstrip(b"\0") != self._name:
                return errno.ENOENT, b""
            return 0, struct.pack("<QQQQII", _FILE, 0, 60, 60, 0, 0) + self._attributes(_FILE)
        if what == _GETATTR:
            return 0, struct.pack("<QII", 60, 0, 0) + self._attributes(inode)
        if what in (_OPEN, _OPENDIR):
            return 0, struct.pack("<QII", 1, _DIRECT_IO | _NO_FLUSH, 0)
        if what == _READDIR:
            _, offset = struct.unpack_from("<QQ", body)
            return 0, self._entry() if offset == 0 else b""
        if what == _STATFS:
            return 0, struct.pack("<QQQQQIIII24x", 1000, 500, 500, 10, 5, 4096, 255, 4096, 0)
        if what in (_RELEASE, _RELEASEDIR):
            return 0, b""
        return errno.ENOSYS, b""

    def _attributes(self, inode: int) -> bytes:
        mode, size = (0o40755, 0) if inode == _ROOT else (0o100644, self._size)
        times = (self._born,) * 3
        return _ATTR.pack(inode, size, 8, *times, 0, 0, 0, mode, 1, 0, 0, 0, 4096, 0)

    def _entry(self) -> bytes:
        entry = _DIRENT.pack(_FILE, 1, len(self._name), 8) + self._name
        return entry + bytes(-len(entry) % 8)


@contextmanager
def hanging_disk(place: Path, name: str, content: bytes) -> Iterator[HangingDisk]:
    """Such a disk lies at `place` meanwhile. Skips where it cannot be mounted."""
    try:
        descriptor = os.open("/dev/fuse", os.O_RDWR | os.O_CLOEXEC)
    except OSError as error:
        pytest.skip(f"no FUSE here: {error}")
    options = f"fd={descriptor},rootmode=40000,user_id={os.getuid()},group_id={os.getgid()}"
    if _libc.mount(b"hanging", os.fsencode(place), b"fuse", 0, options.encode()) != 0:
        os.close(descriptor)
        pytest.skip(f"FUSE cannot be mounted here: {os.strerror(ctypes.get_errno())}")
    disk = HangingDisk(descriptor, os.fsencode(name), len(content))
    thread = threading.Thread(target=disk.serve, daemon=True)
    thread.start()
    try:
        yield disk
    finally:
        _libc.umount2(os.fsencode(place), _DETACH)
        thread.join(5)
        os.close(descriptor)
