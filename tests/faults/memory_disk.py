"""A disk in memory: mounts, inodes, hard links, descriptors that outlive their names, bad sectors.

Its own module because it must keep to what a real disk promises and to nothing else; what happens
on it is told by the scenarios.
"""

import errno
from collections.abc import AsyncIterator, Callable, Collection, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace

import anyio

from immich_sync.core.errors import FileChanged, FileTrouble, FileUnreadable, FileVanished
from immich_sync.core.ports import Changes, Entry, RootIdentity, Source, Target, WatchHealth
from immich_sync.core.types import Evidence, Stamp

ASIDE = b"/quarantine"
"""A second root: where files are put aside. Nobody watches it."""

Happening = Callable[[str], None]
"""Told of each effect before it takes place; may raise, and then it does not."""


@dataclass(slots=True)
class Inode:
    """Some bytes and what the disk says of them."""

    data: bytes
    stamp: Stamp


Taken = Callable[[bytes, bytes, Inode], None]
"""Told of each file that the program itself, and no person, took: from which root, and its path."""


@dataclass(slots=True)
class Volume:
    """A file system: its files by path, and what tells it from others."""

    identity: RootIdentity
    files: dict[bytes, Inode] = field(default_factory=dict)


def volume(name: str, *, by_device: bool = False) -> Volume:
    """An empty file system."""
    return Volume(RootIdentity(name, "memory", 1, by_device))


@dataclass(slots=True)
class Trap:
    """What happens to a file while it is being read: once, at the `after`-th read from now."""

    path: bytes
    after: int
    spring: Callable[[], None]


@dataclass(slots=True)
class MemorySource:
    """An open file in memory; it keeps its bytes when the name goes, as a descriptor does."""

    disk: "MemoryDisk"
    path: bytes
    inode: Inode

    def stamp(self) -> Stamp:
        """The file's stamp now."""
        return self.inode.stamp

    def read_at(self, offset: int, length: int) -> bytes:
        """The bytes there. Raises FileUnreadable."""
        self.disk.happening(f"read {self.path!r}")
        self.disk.refuse_if_broken(self.path)
        self.disk.spring_traps(self.path)
        return self.inode.data[offset : offset + length]

    def close(self) -> None:
        """Nothing to give back."""


@dataclass(slots=True)
class MemoryDisk:
    """What lies at the one root: the mounted volume; and who wants to hear of changes."""

    mounted: Volume = field(default_factory=lambda: volume("home"))
    aside: dict[bytes, Inode] = field(default_factory=dict)  # what lies below ASIDE
    aside_identity: RootIdentity | None = RootIdentity("aside", "memory", 1)  # noqa: RUF009 -- frozen
    missing: bool = False  # not even a mount point is there
    within: dict[bytes, Volume] = field(default_factory=dict)  # mounted in it now, by place
    removed: set[bytes] = field(default_factory=set)  # mount points that are no more
    covered: dict[bytes, dict[bytes, Inode]] = field(default_factory=dict)  # by mount points
    broken: set[bytes] = field(default_factory=set)  # files and directories that give EIO
    linked: set[bytes] = field(default_factory=set)  # where a symbolic link lies
    traps: list[Trap] = field(default_factory=list)
    happening: Happening = lambda _: None
    took: Taken = lambda _root, _path, _inode: None
    noticed: list[tuple[bytes, bytes, Evidence]] = field(default_factory=list)
    overflowed: bool = False
    listening: bool = False
    listened: Volume | None = None  # a watch hears of the disk it was set on, and of no other
    opens: int = 0  # of files, since the beginning
    heard: anyio.Event = field(default_factory=anyio.Event)
    _inodes: int = 100
    _ticks: int = 0  # no two changes carry the same time: a kernel that told them apart never lies

    @property
    def files(self) -> dict[bytes, Inode]:
        """The mounted files by path."""
        return self.mounted.files

    # What people and programs do to it.

    def write(
        self,
        path: bytes,
        data: bytes,
        now: float,
        evidence: Evidence = Evidence.FINISHED,
        *,
        mtime_ns: int | None = None,
    ) -> None:
        """The path holds a new file with these bytes, whatever was there before."""
        self._inodes += 1
        at = self._time(now)
        stamp = Stamp(len(data), at if mtime_ns is None else mtime_ns, self._inodes, at)
        self.files[path] = Inode(data, stamp)
        self.notice(path, evidence)

    def rewrite(
        self,
        path: bytes,
        data: bytes,
        now: float,
        evidence: Evidence = Evidence.FINISHED,
        *,
        keep_mtime: bool = False,
    ) -> None:
        """The file's bytes are others, in place: whoever has it open sees them."""
        inode, at = self.files[path], self._time(now)
        mtime_ns = inode.stamp.mtime_ns if keep_mtime else at
        inode.stamp = Stamp(len(data), mtime_ns, inode.stamp.inode, at)
        inode.data = data
        self.notice(path, evidence)

    def rename(self, old: bytes, new: bytes, now: float) -> None:
        """The file is found under its new name only; its ctime moves."""
        inode = self.files.pop(old)
        inode.stamp = inode.stamp._replace(ctime_ns=self._time(now))
        self.files[new] = inode
        self.notice(old, None)
        self.notice(new, Evidence.FINISHED)

    def link(self, old: bytes, new: bytes, now: float) -> None:
        """One file, two names; its ctime moves."""
        inode = self.files[old]
        inode.stamp = inode.stamp._replace(ctime_ns=self._time(now))
        self.files[new] = inode
        self.notice(new, Evidence.NONE)

    def remove(self, path: bytes) -> None:
        """The name is gone."""
        del self.files[path]
        self.notice(path, None)

    def replace_by_link(self, path: bytes) -> None:
        """A symbolic link to elsewhere lies where the file was."""
        self.linked.add(path)
        self.remove(path)

    def mount(self, place: bytes, inner: Volume | None) -> None:
        """At this place in the root lies that file system, or the bare mount point."""
        files, inside = self.files, place + b"/"
        here = {path: files.pop(path) for path in [*files] if path.startswith(inside)}
        if place in self.within:
            self.within.pop(place).files = here
        else:
            self.covered[place] = here
        if inner is None:
            files.update(self.covered[place])
        else:
            self.within[place] = inner
            files.update(inner.files)
        self.notice(inside, None)

    def notice(self, path: bytes, evidence: Evidence | None) -> None:
        """Who listens is told that the directory is dirty, and of the name with `evidence`."""
        if not self.listening or self.mounted is not self.listened:
            return
        directory, _, name = path.rpartition(b"/")
        told = (b"", Evidence.NONE) if evidence is None else (name, evidence)
        self.noticed.append((directory, *told))
        while directory and not any(one.startswith(directory + b"/") for one in self.files):
            directory = directory.rpartition(b"/")[0]  # its last file is gone, and so is it
            self.noticed.append((directory, b"", Evidence.NONE))
        self.heard.set()

    def overflow(self, *, silent: bool = False) -> None:
        """Events were lost, and the kernel said so, unless it was `silent`."""
        self.noticed.clear()
        self.overflowed = self.listening and not silent
        self.heard.set()

    def _time(self, now: float) -> int:
        self._ticks += 1
        return int(now * 1e9) + self._ticks

    # What the program may do: `core.ports.Disk`.

    def list(self, root: bytes, directory: bytes) -> list[Entry]:
        """Files and directories, in the order of their names. Raises OSError."""
        del root
        self.happening(f"list {directory!r}")
        if directory in self.broken:
            raise OSError(errno.EIO, "Input/output error")
        if self.missing:
            raise FileNotFoundError(errno.ENOENT, "No such file or directory")
        if not directory:  # whoever looks through it all watches what is there
            self.listened = self.mounted
        inside = directory + b"/" if directory else b""
        found: dict[bytes, Stamp | None] = {}
        for path, inode in self.files.items():
            if path.startswith(inside):
                name, slash, _ = path[len(inside) :].partition(b"/")
                found[name] = None if slash else inode.stamp
        for point in self.covered:
            if point.startswith(inside):
                found.setdefault(point[len(inside) :].partition(b"/")[0])
        # Directories live as long as their files, mount points for ever.
        if directory and not found and directory not in self.covered:
            raise FileNotFoundError(errno.ENOENT, "No such file or directory")
        return [Entry(name, found[name]) for name in sorted(found)]

    def stat(self, root: bytes, relative: bytes) -> Stamp | None:
        """The stamp of a file. Raises FileUnreadable."""
        self.happening(f"stat {relative!r}")
        self.refuse_if_broken(relative)
        inode = self._below(root).get(relative)
        return None if inode is None else inode.stamp

    def open(self, root: bytes, relative: bytes) -> MemorySource:
        """The file. Raises FileVanished, FileUnreadable."""
        self.happening(f"open {relative!r}")
        self.refuse_if_broken(relative)
        inode = self._below(root).get(relative)
        if inode is None:
            raise FileVanished("it is not there any more")
        self.opens += 1
        return MemorySource(self, relative, inode)

    def is_empty(self, root: bytes) -> bool:
        """Whether there is no file at all."""
        del root
        self.happening("is it empty")
        return not self.files and not self.covered

    def identify(self, root: bytes) -> RootIdentity | None:
        """The mounted volume's identity."""
        self.happening("identify")
        if root == ASIDE:
            return self.aside_identity
        if self.missing:
            return None
        home, place = self.mounted.identity, root[1:].partition(b"/")[2]
        if place in self.within:
            return self.within[place].identity
        if place in self.removed:
            return None
        return replace(home, inode=1000 + len(place)) if place else home

    def inner(self, root: bytes) -> Collection[bytes]:
        """The places in the root where a volume is mounted."""
        del root
        return tuple(self.within)

    def names(self, root: bytes, directory: bytes) -> Sequence[bytes]:
        """The names of the files directly in a directory."""
        self.happening(f"names {directory!r}")
        found = (path.rpartition(b"/") for path in sorted(self._below(root)))
        return [name for above, _, name in found if above == directory]

    def links(self, root: bytes, relative: bytes) -> int:
        """How many names the file has; a directory or a link has one. Raises FileUnreadable."""
        self.happening(f"links {relative!r}")
        self.refuse_if_broken(relative)
        if relative in self.linked:
            return 1
        below = self._below(root)
        inode = below.get(relative)
        if inode is None:
            paths = (*below, *self.covered)
            return int(any((path + b"/").startswith(relative + b"/") for path in paths))
        return sum(one is inode for one in below.values())

    def unlink(self, source: Source, root: bytes, relative: bytes, stamp: Stamp) -> None:
        """The name is gone. Raises FileChanged."""
        self.happening(f"remove {relative!r}")
        self._last_look(source, root, relative, stamp)
        inode = self._below(root).pop(relative)
        self.took(root, relative, inode)
        self._gone(root, relative)
        self.happening(f"removed {relative!r}")

    def move(self, source: Source, root: bytes, relative: bytes, stamp: Stamp, to: Target) -> None:
        """The file has another name, below another root perhaps. Raises FileTrouble."""
        self.happening(f"move {relative!r}")
        self._last_look(source, root, relative, stamp)
        target = self._below(to.root)
        if to.relative in target:
            raise FileTrouble("something lies there already")
        inode = self._below(root).pop(relative)
        self._ticks += 1
        inode.stamp = inode.stamp._replace(ctime_ns=inode.stamp.ctime_ns + self._ticks)
        target[to.relative] = inode
        self.took(root, relative, inode)
        self._gone(root, relative)
        if to.root != ASIDE:
            self.notice(to.relative, Evidence.FINISHED)
        self.happening(f"moved {relative!r}")

    def _below(self, root: bytes) -> dict[bytes, Inode]:
        if root == ASIDE:
            return self.aside
        return {} if self.missing else self.files

    def _last_look(self, source: Source, root: bytes, relative: bytes, stamp: Stamp) -> None:
        inode = self._below(root).get(relative)
        same = isinstance(source, MemorySource) and source.inode is inode
        if inode is None or not same or inode.stamp != stamp:
            raise FileChanged("it changed since; it is kept")

    def _gone(self, root: bytes, relative: bytes) -> None:
        if root != ASIDE:
            self.notice(relative, None)

    def refuse_if_broken(self, path: bytes) -> None:
        """Raises FileUnreadable for a path on a bad sector."""
        if path in self.broken:
            raise FileUnreadable("it cannot be read: Input/output error")

    def spring_traps(self, path: bytes) -> None:
        """The file was read once more."""
        for trap in [one for one in self.traps if one.path == path]:
            trap.after -= 1
            if trap.after <= 0:
                self.traps.remove(trap)
                trap.spring()

    @asynccontextmanager
    async def watched(self) -> AsyncIterator["MemoryChanges"]:
        """Somebody listens while the block lasts."""
        self.noticed.clear()
        self.overflowed, self.listening, self.listened = False, True, self.mounted
        try:
            yield MemoryChanges(self)
        finally:
            self.listening = False


@dataclass(slots=True)
class MemoryChanges:
    """A change source that hears what is noticed."""

    disk: MemoryDisk

    async def changes(self) -> Changes:
        """What was noticed since the last call."""
        disk = self.disk
        while not disk.noticed and not disk.overflowed:
            await disk.heard.wait()
            disk.heard = anyio.Event()
        directories: dict[bytes, dict[bytes, Evidence]] = {}
        for directory, name, evidence in disk.noticed:
            names = directories.setdefault(directory, {})
            if name:
                names[name] = evidence
        found = Changes(directories, "overflow" if disk.overflowed else "")
        disk.noticed.clear()
        disk.overflowed = False
        return found

    def health(self) -> WatchHealth:
        """Well."""
        return WatchHealth("inotify")
