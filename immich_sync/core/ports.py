"""The few openings through which the program meets clock, threads, disk and change events.

Its own module because simulation replaces exactly these (and httpx's transport): the code above
them runs unchanged on a virtual clock, an in-memory disk and no threads.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple, ParamSpec, Protocol, TypeVar

from immich_sync.core.types import Checksum, Evidence, Stamp

T = TypeVar("T")
P = ParamSpec("P")


class Clock(Protocol):
    """Wall-clock time and chance; waiting and monotonic time are anyio's."""

    def now(self) -> float:
        """Seconds since the epoch."""
        ...

    def jitter(self) -> float:
        """A number in [0, 1)."""
        ...


@dataclass(frozen=True, slots=True)
class Lane:
    """Blocking calls of one kind: at most `width` of them run at once."""

    name: str
    width: int


class Blocking(Protocol):
    """Runs functions that block; production in threads, simulation inline."""

    async def __call__(
        self, lane: Lane, function: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs
    ) -> T:
        """What `function` returns or raises; waits for a place on the lane first."""
        ...


class Source(Protocol):
    """A regular file, open for reading."""

    def stamp(self) -> Stamp:
        """The open file's stamp now. Raises FileUnreadable."""
        ...

    def read_at(self, offset: int, length: int) -> bytes:
        """At most `length` bytes from `offset`; fewer only at the end. Raises FileUnreadable."""
        ...

    def close(self) -> None:
        """Give the descriptor back; a second call does nothing."""
        ...


class Entry(NamedTuple):
    """One name of a directory listing; `stamp` is None for a directory.

    A NamedTuple rather than a frozen dataclass: a scan makes hundreds of thousands of them.
    """

    name: bytes
    stamp: Stamp | None


class Link(NamedTuple):
    """A symbolic link in a listing that is passed over, by which rule."""

    name: bytes
    rule: str


@dataclass(frozen=True, slots=True)
class RootIdentity:
    """What tells one mounted file system from another, steady across boots (so no st_dev)."""

    filesystem: str  # f_fsid, in hexadecimal; "" where the system has none
    source: str  # the mount's source and type
    inode: int  # of the root directory
    by_device: bool = False  # `filesystem` is a device's number, which the next disk there has too

    def __str__(self) -> str:
        return f"{self.filesystem}|{self.source}|{self.inode}"


@dataclass(frozen=True, slots=True)
class Target:
    """Where a file is moved to; directories that are made on the way get the mode."""

    root: bytes  # absolute, there already
    relative: bytes
    mode: int = 0o700
    checksum: Checksum | None = None  # what a copy has to have; None: whatever was read


class Disk(Protocol):
    """Where photos lie. A root is an absolute path, all else is relative to it (b"" is the root).

    No component below the root may be a symbolic link, or the call fails: a tree that others
    write to must not lead out of itself. Where a person wants links of a root followed, what they
    lead to lies where they are, and a link that cannot be followed is told by its rule.
    """

    def list(self, root: bytes, directory: bytes) -> Sequence[Entry | Link]:
        """Regular files and directories in `directory`, in the order of their names.

        Symbolic links that are not followed, and special files, are left out. Raises OSError.
        """
        ...

    def stat(self, root: bytes, relative: bytes) -> Stamp | None:
        """The stamp of a regular file; None if nothing, or something else, lies there.

        Raises FileUnreadable where that cannot be told (permission, I/O error).
        """
        ...

    def open(self, root: bytes, relative: bytes) -> Source:
        """The regular file at `relative`, never following a link, never blocking on a FIFO.

        Raises FileVanished or FileUnreadable.
        """
        ...

    def is_empty(self, root: bytes) -> bool:
        """Whether no entry of any kind lies in the root itself. Raises OSError."""
        ...

    def identify(self, root: bytes) -> RootIdentity | None:
        """Which file system lies at `root`; None if it is missing or no directory."""
        ...

    def inner(self, root: bytes) -> Collection[bytes]:
        """The places below `root` where something is mounted.

        Where the system keeps no table, those where listings have met another file system since
        this was asked last.
        """
        ...


class Hands(Disk, Protocol):
    """A disk that files can be taken away from as well: who is given a Disk cannot change it."""

    def names(self, root: bytes, directory: bytes) -> Sequence[bytes]:
        """What lies in a directory and is no directory itself, links and all, in order.

        Raises FileUnreadable.
        """
        ...

    def links(self, root: bytes, relative: bytes) -> int:
        """How many names that has which lies there, whatever it is; 0 if nothing does.

        Raises FileUnreadable where that cannot be told.
        """
        ...

    def unlink(self, source: Source, root: bytes, relative: bytes, stamp: Stamp) -> None:
        """The name is gone, if it was the open file's still, unchanged, and nobody writes to it.

        Raises FileChanged if not, FileTrouble if the disk does not let it go.
        """
        ...

    def move(self, source: Source, root: bytes, relative: bytes, stamp: Stamp, to: Target) -> None:
        """The file lies at `to` with its modification time, and not at its old place any more.

        Directories on the way are made; nothing is ever written over. Where `to` lies on another
        file system it is copied, read back and compared first. Raises as `unlink` does, and
        FileTrouble if something lies at `to`.
        """
        ...


@dataclass(frozen=True, slots=True)
class Changes:
    """What a change source noticed since it was last asked. Hints, never the truth."""

    directories: Mapping[bytes, Mapping[bytes, Evidence]]
    """Dirty directories (below the root) with the names that came along, and what was seen."""
    scan: str = ""
    """Why only a full scan can tell what happened (an overflow, a new watcher), if so."""


@dataclass(frozen=True, slots=True)
class WatchHealth:
    """How well a folder is being watched."""

    mode: str  # inotify | poll | both | degraded
    watches: int = 0  # directories being watched
    trouble: str = ""  # for people: what is wrong and what to do


class ChangeSource(Protocol):
    """Says which directories of one root may differ from what is known."""

    async def changes(self) -> Changes:
        """Wait until there is something to say; everything since the last call, coalesced."""
        ...

    def health(self) -> WatchHealth:
        """How well it watches just now."""
        ...
