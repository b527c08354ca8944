"""Makes the state folder and its files, readable by their owner only.

Its own module because the lock and the database need the same sentences when that fails.
"""

import errno
import os
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from immich_sync.core.errors import Misconfigured, StateTrouble

_FULL = {errno.ENOSPC, errno.EDQUOT}
COMPANIONS = ("", "-wal", "-shm")
"""Of a state file, itself included; see https://sqlite.org/wal.html, "The WAL File"."""


@contextmanager
def written(folder: Path) -> Iterator[None]:
    """StateTrouble if the disk of `folder` is full or fails, Misconfigured if it refuses us."""
    try:
        yield
    except OSError as error:
        if error.errno in _FULL:
            raise StateTrouble(
                f"The disk that holds {folder} is full: free some space there."
            ) from error
        if error.errno == errno.EIO:
            raise StateTrouble(
                f"The disk that holds {folder} failed: see whether it is healthy."
            ) from error
        raise Misconfigured(
            f"The state folder {folder} cannot be written ({error.strerror}): give it to the user "
            "who runs immich-sync, or choose another one with IMMICH_SYNC_STATE_DIR."
        ) from error


def make_folder(folder: Path) -> None:
    """There is a folder, ours alone if it had to be made. Raises Misconfigured, StateTrouble."""
    with written(folder):
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)


def make_file(path: Path) -> None:
    """There is a file, ours alone if it had to be made. Raises Misconfigured, StateTrouble."""
    make_folder(path.parent)
    with written(path.parent):
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))


def move_aside(path: Path) -> Path:
    """Nothing lies at `path` any more; the file and its WAL lie at the returned path, dated."""
    stamp = time.strftime("%Y%m%dT%H%M%S")
    aside = path.with_name(f"{path.name}.corrupt-{stamp}")
    count = 1
    while aside.exists():
        count += 1
        aside = path.with_name(f"{path.name}.corrupt-{stamp}-{count}")
    with written(path.parent):
        for companion in COMPANIONS:
            source = path.with_name(path.name + companion)
            if source.exists():
                source.replace(aside.with_name(aside.name + companion))
    return aside


def put_aside(path: Path, aside: Path) -> None:
    """The file lies at `aside` too, on the disk, where nothing lay; it is still at `path`. OSError.

    So there is no moment without it, and who replaces it leaves nothing lost.
    """
    try:
        os.link(path, aside)
    except FileExistsError:
        raise
    except OSError:  # a file system without links
        shutil.copy2(path, aside)
        descriptor = os.open(aside, os.O_RDONLY | os.O_CLOEXEC)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
