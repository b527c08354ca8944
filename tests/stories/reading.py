"""Which files anybody reads, as the kernel tells it.

Its own module because it is the only honest proof that a file was not hashed again: access times
are not kept everywhere, and a program's own log may be wrong.
"""

import ctypes
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from immich_sync.filesystem.watchtree import parse

_ACCESS = 0x1  # linux/inotify.h, IN_ACCESS: bytes were read
_ISDIR = 0x40000000
_libc = ctypes.CDLL(None, use_errno=True)


class Readings:
    """The names that were read in one directory since it is watched."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._names: set[str] = set()

    def names(self) -> set[str]:
        """All of them up to now."""
        while True:
            try:
                buffer = os.read(self._descriptor, 65_536)
            except BlockingIOError:
                return set(self._names)
            events = [event for event in parse(buffer) if not event.mask & _ISDIR]
            self._names |= {os.fsdecode(event.name) for event in events}


@contextmanager
def readings(directory: Path) -> Iterator[Readings]:
    """Whoever reads a file directly in `directory` meanwhile is seen. Linux."""
    descriptor = _libc.inotify_init1(os.O_NONBLOCK | os.O_CLOEXEC)
    assert descriptor >= 0, os.strerror(ctypes.get_errno())
    try:
        watch = _libc.inotify_add_watch(descriptor, os.fsencode(directory), _ACCESS)
        assert watch >= 0, os.strerror(ctypes.get_errno())
        yield Readings(descriptor)
    finally:
        os.close(descriptor)
