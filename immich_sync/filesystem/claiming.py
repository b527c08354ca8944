"""Whose `.temp` it is that lies beside a download's target: ours, to be gone on with, or not.

Its own module because nothing that we did not make ourselves may ever be written to, and two
programs must not write to one file: both are settled here, before a byte is.
"""

import fcntl
import os
import stat
from contextlib import suppress
from pathlib import Path

from immich_sync.core.errors import FileTrouble
from immich_sync.core.filenames import suffixed
from immich_sync.core.naming import shown
from immich_sync.filesystem.leftovers import ORIGIN, Foreign, Origin, read_origin

TEMP = ".temp"
"""What is behind a name while its file is not whole."""


class InTheWay(FileTrouble):
    """Another file has the name already, or another program is downloading to it."""


def in_the_way(target: Path) -> InTheWay:
    """The trouble with a name that is taken."""
    return InTheWay(
        f"{said(target)} exists and is another file; move it away, or choose what is"
        " to be done then by on_exists (--on-exists): skip, overwrite or rename."
    )


def claim(target: Path) -> int | None:
    """The open `.temp` of a target, made if there is none, and held against other programs.

    None if it has just been put in place: look again. Raises InTheWay if another program is at it
    or it is none of ours, OSError.
    """
    descriptor = _claim(target)
    try:
        if _is_ours_alone(descriptor, target):
            return descriptor
    except BaseException:
        os.close(descriptor)
        raise
    os.close(descriptor)
    return None


def tidy(target: Path) -> None:
    """A `.temp` that is a second name of the finished file is gone: a crash had left it."""
    with suppress(OSError, InTheWay):
        if known(target) is not None and os.path.samestat(temp_of(target).lstat(), target.lstat()):
            temp_of(target).unlink()
            record_of(target).unlink()


def lies_there(descriptor: int, path: Path) -> bool:
    """Whether a name is that of the open file. Raises OSError."""
    try:
        return os.path.samestat(path.lstat(), os.fstat(descriptor))
    except FileNotFoundError:
        return False


def known(target: Path) -> Origin | None:
    """The record of an earlier download, if there is one. Raises InTheWay if it is none."""
    try:
        return read_origin(record_of(target))
    except Foreign:
        raise _none_of_ours(record_of(target)) from None


def temp_of(target: Path) -> Path:
    """Where the bytes lie until they are whole."""
    return target.with_name(suffixed(target.name, TEMP))


def record_of(target: Path) -> Path:
    """Where it is said what they are of."""
    return target.with_name(suffixed(target.name, ORIGIN))


def said(path: Path) -> str:
    """The path, for people."""
    return shown(os.fsencode(path))


def _claim(target: Path) -> int:
    """The open `.temp`, held against other programs."""
    path = temp_of(target)
    known(target)
    flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK
    descriptor = os.open(path, flags, 0o666)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        raise InTheWay(f"{said(target)} is being downloaded by another program.") from None
    except OSError:  # a file system that cannot lock: nobody else is assumed
        return descriptor
    return descriptor


def _is_ours_alone(descriptor: int, target: Path) -> bool:
    """Whether the claimed file may be written to. Raises InTheWay if it is none of ours."""
    path, held = temp_of(target), os.fstat(descriptor)
    if not lies_there(descriptor, path):
        return False  # another program has just put it in place
    unknown = known(target) is None
    if not stat.S_ISREG(held.st_mode) or (unknown and (held.st_size or held.st_nlink > 1)):
        raise _none_of_ours(path)
    if held.st_nlink > 1:  # a crash in `_put`: this is the finished file by its other name
        path.unlink()
        return False
    return True


def _none_of_ours(path: Path) -> InTheWay:
    return InTheWay(
        f"{said(path)} was not made by a download of ours, and its name is needed for one;"
        " move it away."
    )
