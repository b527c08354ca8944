"""Takes a file away, and only the very file whose bytes were proved to be elsewhere.

Its own module because it is the one place that deletes what people gave us: it holds the file
open while the proof is asked for, and looks again before the name goes.
"""

import hashlib
import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Protocol, TypeVar

from immich_sync.core.errors import FileChanged, FileTrouble, FileUnreadable
from immich_sync.core.naming import shown
from immich_sync.core.ports import Source
from immich_sync.core.types import Checksum, Stamp, below
from immich_sync.filesystem.beneath import DIRECTORY, open_beneath

_BLOCK = 1024 * 1024

S_co = TypeVar("S_co", bound=Source, covariant=True)


class Held(Source, Protocol):
    """A file that is held open on a real disk."""

    def status(self) -> os.stat_result:
        """All that the disk says of it. Raises FileUnreadable."""
        ...

    def is_being_written(self) -> bool:
        """Whether any program has it open for writing."""
        ...


class Opens(Protocol[S_co]):
    """A disk, as far as it opens files."""

    def open(self, root: bytes, relative: bytes) -> S_co:
        """The regular file there. Raises FileVanished or FileUnreadable."""
        ...


def reread(
    disk: Opens[S_co], root: bytes, relative: bytes, stamp: Stamp | None
) -> tuple[S_co, Checksum, Stamp]:
    """The file, open, with the checksum it has now; the caller closes it.

    Raises FileChanged if its stamp (its `ctime_ns` included) is not `stamp` any more or moves
    while it is read, FileVanished and FileUnreadable.
    """
    with ExitStack() as stack:
        opened = disk.open(root, relative)
        stack.callback(opened.close)
        before = opened.stamp()
        if stamp is not None and before != stamp:
            raise FileChanged(f"{shown(relative)} changed since; it is kept.")
        hashed = hashlib.sha1(usedforsecurity=False)
        offset = 0
        while offset <= before.size and (block := opened.read_at(offset, _BLOCK)):
            hashed.update(block)
            offset += len(block)
        if opened.stamp() != before:
            raise FileChanged(f"{shown(relative)} changed while it was read again; it is kept.")
        stack.pop_all()
        return opened, Checksum(hashed.digest()), before


@contextmanager
def last_look(
    opened: Held, root: bytes, directory: bytes, name: bytes, stamp: Stamp
) -> Iterator[int]:
    """The directory's descriptor, right after the name was seen to be the open file's still.

    What happens to the name in the block (it is deleted, or moved elsewhere) should be one call.
    Raises FileChanged if another file has the name, if the open one's stamp is not `stamp` any
    more, or if a program has it open for writing; FileTrouble if the disk refuses, also in the
    block.
    """
    path = shown(below(directory, name))
    try:
        parent = open_beneath(root, directory, DIRECTORY)
        try:
            there = os.stat(name, dir_fd=parent, follow_symlinks=False)
            held = opened.status()
            same = (there.st_dev, there.st_ino) == (held.st_dev, held.st_ino)
            if not same or opened.stamp() != stamp:
                raise FileChanged(f"{path} changed since; it is kept.")
            if opened.is_being_written():
                raise FileChanged(f"{path} is open in a program that writes to it; it is kept.")
            yield parent
        finally:
            os.close(parent)
    except OSError as error:
        raise FileTrouble(f"{path} could not be deleted: {error.strerror}.") from error


def remove(opened: Held, root: bytes, directory: bytes, name: bytes, stamp: Stamp) -> None:
    """The name is gone from its directory; raises as `last_look` does."""
    with last_look(opened, root, directory, name, stamp) as parent:
        os.unlink(name, dir_fd=parent)


def names_in(root: bytes, directory: bytes) -> list[bytes]:
    """What lies in a directory and is no directory itself, links and all, in order.

    Raises FileUnreadable.
    """
    try:
        descriptor = open_beneath(root, directory, DIRECTORY)
        try:
            with os.scandir(descriptor) as found:
                return sorted(
                    os.fsencode(entry.name)
                    for entry in found
                    if not entry.is_dir(follow_symlinks=False)
                )
        finally:
            os.close(descriptor)
    except OSError as error:
        path = shown(directory) or "the folder"
        raise FileUnreadable(f"{path} cannot be listed: {error.strerror}.") from error
