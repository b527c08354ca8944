"""Opens what lies beneath a root without ever following a symbolic link below it.

Its own module because it is the one security boundary of the source side: whoever may write into
a watched tree must not be able to lead us out of it, not even by swapping a directory for a link.
"""

import ctypes
import errno
import functools
import os
import stat
import sys

_OPENAT2 = 437  # the same number on every architecture that Linux gained since 5.6 (not on alpha)
_NO_MAGICLINKS, _NO_SYMLINKS, _BENEATH = 0x02, 0x04, 0x08  # linux/openat2.h, RESOLVE_*

DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
LOOK = getattr(os, "O_PATH", os.O_RDONLY | os.O_NONBLOCK) | os.O_NOFOLLOW | os.O_CLOEXEC
_STEP = getattr(os, "O_PATH", os.O_RDONLY) | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_ROOT = getattr(os, "O_PATH", os.O_RDONLY) | os.O_DIRECTORY | os.O_CLOEXEC


class _How(ctypes.Structure):
    """`struct open_how` of linux/openat2.h."""

    _fields_ = (
        ("flags", ctypes.c_uint64),
        ("mode", ctypes.c_uint64),
        ("resolve", ctypes.c_uint64),
    )


_libc = ctypes.CDLL(None, use_errno=True)


class Swapped(OSError):
    """Another directory lies at the root than was expected there."""


def open_beneath(
    root: bytes, relative: bytes, flags: int, expected: tuple[int, int] | None = None
) -> int:
    """A descriptor of `relative` (b"" is the root itself), opened with `flags`.

    The root's own path may hold links, for a person chose it. Raises OSError: ELOOP or ENOTDIR
    for a link, EXDEV for a path that leads out, Swapped if the root is not the `expected` one
    (st_dev and inode), ENOENT and the like as usual.
    """
    top = os.open(root, _ROOT)
    try:
        if expected is not None:
            found = os.fstat(top)
            if (found.st_dev, found.st_ino) != expected:
                raise Swapped(errno.ESTALE, os.strerror(errno.ESTALE), root)
        if _has_openat2():
            return _openat2(top, relative or b".", flags)
        return walk_beneath(top, relative, flags)
    finally:
        os.close(top)


def walk_beneath(top: int, relative: bytes, flags: int) -> int:
    """The same from the open directory `top`, for systems without openat2: step by step."""
    parts = relative.split(b"/") if relative else [b"."]
    if relative and not {b"", b".", b".."}.isdisjoint(parts):
        raise OSError(errno.EXDEV, os.strerror(errno.EXDEV), relative)
    here = os.dup(top)
    for part in parts[:-1]:
        try:
            below = _step(here, part)
        finally:
            os.close(here)
        here = below
    try:
        return os.open(parts[-1], flags, dir_fd=here)
    finally:
        os.close(here)


def _step(here: int, part: bytes) -> int:
    try:
        return os.open(part, _STEP, dir_fd=here)
    except NotADirectoryError:
        # O_DIRECTORY hides which it was; callers tell a link from a file.
        if stat.S_ISLNK(os.stat(part, dir_fd=here, follow_symlinks=False).st_mode):
            raise OSError(errno.ELOOP, os.strerror(errno.ELOOP), part) from None
        raise


def _openat2(top: int, relative: bytes, flags: int) -> int:
    how = _How(flags, 0, _BENEATH | _NO_SYMLINKS | _NO_MAGICLINKS)
    while True:
        descriptor: int = _libc.syscall(
            ctypes.c_long(_OPENAT2),
            ctypes.c_int(top),
            relative,
            ctypes.byref(how),
            ctypes.c_size_t(ctypes.sizeof(how)),
        )
        if descriptor >= 0:
            return descriptor
        code = ctypes.get_errno()
        if code not in (errno.EAGAIN, errno.EINTR):  # EAGAIN: a rename raced with the look-up
            raise OSError(code, os.strerror(code), relative)


@functools.cache
def _has_openat2() -> bool:
    """Whether the kernel knows the call and no container's seccomp profile forbids it."""
    if not sys.platform.startswith("linux"):
        return False
    top = os.open("/", _ROOT)
    try:
        os.close(_openat2(top, b".", _STEP))
    except OSError:
        return False
    finally:
        os.close(top)
    return True
