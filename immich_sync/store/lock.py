"""Holds a state folder for one daemon.

Its own module because it is about processes, not about tables, and outlives any connection.
"""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from immich_sync.core.errors import Misconfigured
from immich_sync.store.room import make_folder, written

NAME = "immich-sync.lock"


@contextmanager
def lock_state(folder: Path) -> Iterator[None]:
    """Nobody else holds `folder` within; the kernel lets go when the process ends, however it ends.

    Makes the folder if need be. Raises Misconfigured if another process holds it, or if the
    folder cannot be written or its file system cannot lock; StateTrouble if its disk is full.
    """
    make_folder(folder)
    with written(folder):
        descriptor = os.open(folder / NAME, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        _lock(descriptor, folder)
        yield
    finally:
        os.close(descriptor)


def _lock(descriptor: int, folder: Path) -> None:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        # The holder may have been seen between locking and writing its number.
        holder = os.pread(descriptor, 32, 0).decode("ascii", "replace").strip() or "unknown"
        raise Misconfigured(
            f"Another immich-sync (pid {holder}) is already running on the state folder {folder}: "
            "stop it first. Two that are to run at once need a state folder each."
        ) from error
    except OSError as error:
        raise Misconfigured(
            f"The file system of the state folder {folder} cannot lock files ({error.strerror}): "
            "choose a state folder on a local disk."
        ) from error
    os.ftruncate(descriptor, 0)
    os.pwrite(descriptor, f"{os.getpid()}\n".encode("ascii"), 0)
