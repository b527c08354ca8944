"""The tree of watched directories, kept true by the kernel's events; knows no descriptor.

Its own module because this is where inotify libraries lose directories: a watch follows an inode,
a photo lies at a path, and the two part whenever somebody renames a directory. The kernel is three
functions given from outside, so all of it can be tested without one.

Three rules keep every directory heard. A watch is added *before* its directory is listed, so what
comes later is an event and what came before is in the list. A directory that appears at a path,
by whatever way, is watched and listed with all that is below it, and reported dirty. What is known
of a path is dropped when the kernel says that its directory left; an event that is already stale
may drop too much, but then the event that made it stale is still in the queue and adds it again.
"""

import errno
import struct
from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple

from immich_sync.core.types import Evidence
from immich_sync.filesystem.dirt import Dirt

# linux/inotify.h
CLOSE_WRITE, MOVED_FROM, MOVED_TO, CREATE, DELETE = 0x8, 0x40, 0x80, 0x100, 0x200
DELETE_SELF, MOVE_SELF, UNMOUNT, OVERFLOW, IGNORED = 0x400, 0x800, 0x2000, 0x4000, 0x8000
ONLYDIR, EXCL_UNLINK, ISDIR = 0x1000000, 0x4000000, 0x40000000

# Neither MODIFY nor ATTRIB: whoever modifies a file closes it in the end, a stamp that moves is
# found by settling and by the scan, and both would send an event for each write of a long copy.
MASK = CREATE | MOVED_FROM | MOVED_TO | CLOSE_WRITE | DELETE | ONLYDIR | EXCL_UNLINK
# A directory's own going is told by its parent; only the root has none that is watched.
ROOT_MASK = MASK | DELETE_SELF | MOVE_SELF

_SEEN = {CREATE: Evidence.BEGUN, CLOSE_WRITE: Evidence.FINISHED, MOVED_TO: Evidence.FINISHED}
_GONE = frozenset({errno.ENOENT, errno.ENOTDIR, errno.ELOOP})
_HEADER = struct.Struct("iIII")

NOMEDIA = b".nomedia"
"""A directory with a file of this name holds no photos, and what lies below it neither."""

Skip = Callable[[bytes, bytes, bool], bool]
"""Whether (directory below the root, name, is a directory) is to be passed over."""


class RawEvent(NamedTuple):
    """One event as the kernel wrote it."""

    watch: int
    mask: int
    name: bytes


def parse(buffer: bytes) -> Iterator[RawEvent]:
    """The events of one read; a torn last one, which the kernel never writes, is left out."""
    position, end = 0, len(buffer)
    while position + _HEADER.size <= end:
        watch, mask, _, length = _HEADER.unpack_from(buffer, position)
        position += _HEADER.size + length
        if position > end:
            return
        yield RawEvent(watch, mask, buffer[position - length : position].rstrip(b"\0"))


class Kernel(NamedTuple):
    """What the tree asks of the system, by paths below the root; `rm_watch` never raises.

    A path that leads through a symbolic link must raise OSError: it would take the watch away
    from the directory's own path.
    """

    add_watch: Callable[[bytes, int], int]
    rm_watch: Callable[[int], None]
    subdirectories: Callable[[bytes], Iterable[bytes] | None]  # None: it forbids media


class _Node:
    """A directory of the tree; `watch` is None until it has one, and again when it lost it."""

    __slots__ = ("attached", "children", "name", "parent", "silent", "watch")

    def __init__(self, parent: "_Node | None", name: bytes) -> None:
        self.parent = parent
        self.name = name
        self.watch: int | None = None
        self.children: dict[bytes, _Node] = {}
        self.attached = True
        self.silent = False  # it holds a .nomedia: neither its files nor its directories count

    def path(self) -> bytes:
        """Below the root; b"" is the root."""
        names = []
        node: _Node | None = self
        while node is not None and node.parent is not None:
            names.append(node.name)
            node = node.parent
        return b"/".join(reversed(names))


class WatchTree:
    """Which directories are watched. Used by one thread, except for the public numbers."""

    def __init__(self, kernel: Kernel, dirt: Dirt, skip: Skip) -> None:
        """Watches the root itself, and will visit all below it. Raises OSError."""
        self.lost = ""  # why nothing more can be seen through the root, if so
        self.overflowed = False  # events were lost: `rewalk` is due
        self._kernel = kernel
        self._dirt = dirt
        self._skip = skip
        self._root = _Node(None, b"")
        self._by_watch: dict[int, _Node] = {}
        self._unwatched: dict[_Node, int] = {}  # what could not be watched or listed, and the errno
        self._pending: list[tuple[_Node, bool]] = []
        self._quiet = True  # until all has been visited once: a scan follows that anyway
        self._bind(self._root, kernel.add_watch(b"", ROOT_MASK))
        self._pending.append((self._root, True))

    @property
    def watches(self) -> int:
        """How many directories are watched."""
        return len(self._by_watch)

    @property
    def pending(self) -> bool:
        """Whether directories are waiting to be visited."""
        return bool(self._pending)

    @property
    def complete(self) -> bool:
        """Whether every directory that was visited is watched."""
        return not self._unwatched

    def unwatched(self) -> dict[int, int]:
        """How many directories could not be watched or listed, by errno."""
        counts: dict[int, int] = {}
        for code in tuple(self._unwatched.values()):
            counts[code] = counts.get(code, 0) + 1
        return counts

    def step(self, most: int) -> None:
        """Visits at most so many of the directories that are waiting."""
        while self._pending and most > 0:
            most -= 1
            node, again = self._pending.pop()
            if node.attached:
                self._visit(node, again=again)
        if not self._pending:
            self._quiet = False

    def rewalk(self) -> None:
        """All directories are visited again; watches that are right stay untouched.

        Removing them first would put an IGNORED for each into the queue that just overflowed. Only
        for when the queue is empty: of the events that stand behind the overflow's own some lack
        their sequel, and would drop what this has added. A reader that never sees the queue empty
        is too slow, and will be told of another overflow.
        """
        self.overflowed = False
        self._pending = [(self._root, True)]

    def retry(self) -> None:
        """What could not be watched or listed is tried again."""
        nodes, self._unwatched = tuple(self._unwatched), {}
        self._pending += [(node, True) for node in nodes if node.attached]

    def handle(self, event: RawEvent) -> None:
        """The tree and the dirt after one event."""
        if event.mask & OVERFLOW:
            self.overflowed = True
            self._dirt.scan("the kernel's queue of events overflowed")
            return
        node = self._by_watch.get(event.watch)
        if node is None:
            return  # of a watch that was given up
        if node is self._root and event.mask & (DELETE_SELF | MOVE_SELF | UNMOUNT | IGNORED):
            self._lose_root(event.mask)
        elif event.mask & IGNORED:
            self._ended(node)
        elif event.name:
            self._named(node, event)

    def _named(self, node: _Node, event: RawEvent) -> None:
        directory, is_directory = node.path(), bool(event.mask & ISDIR)
        if event.name == NOMEDIA and event.mask != CLOSE_WRITE:
            self._dirt.note(directory)
            self._pending.append((node, True))
            return
        if node.silent or self._skip(directory, event.name, is_directory):
            return
        if not is_directory:
            self._dirt.note(directory, event.name, _SEEN.get(event.mask, Evidence.NONE))
            return
        self._dirt.note(directory)
        known = node.children.get(event.name)
        if event.mask & CREATE and known is not None:
            self._pending.append((known, False))  # the listing was quicker, or it is another one
            return
        if known is not None:
            self._drop(known)
        if event.mask & (CREATE | MOVED_TO):
            self._add(node, event.name)

    def _lose_root(self, mask: int) -> None:
        what = {MOVE_SELF: "moved away", UNMOUNT: "unmounted"}
        self.lost = next((word for bit, word in what.items() if mask & bit), "deleted")
        self._dirt.scan(f"the folder was {self.lost}")

    def _ended(self, node: _Node) -> None:
        """Its directory was deleted, or a file system below the root was unmounted."""
        parent = node.parent
        self._drop(node)
        if parent is not None and parent.attached:
            self._dirt.note(parent.path())
            self._add(parent, node.name)  # what lies there now, if anything does

    def _add(self, parent: _Node, name: bytes) -> None:
        node = parent.children[name] = _Node(parent, name)
        self._pending.append((node, False))

    def _drop(self, top: _Node) -> None:
        if top.parent is not None and top.parent.children.get(top.name) is top:
            del top.parent.children[top.name]
        stack = [top]
        while stack:
            node = stack.pop()
            stack += node.children.values()
            node.attached = False
            self._unwatched.pop(node, None)
            if node.watch is not None:
                del self._by_watch[node.watch]
                self._kernel.rm_watch(node.watch)
                node.watch = None

    def _visit(self, node: _Node, *, again: bool) -> None:
        """Watches a directory and, if that is new (or `again`), lists it."""
        path = node.path()
        before, trouble = node.watch, 0
        try:
            watch = self._kernel.add_watch(path, MASK if path else ROOT_MASK)
        except OSError as error:
            trouble = error.errno or errno.EIO
            if trouble in _GONE:
                self._vanished(node)
                return
        else:
            self._bind(node, watch)
        is_new = node.watch is None or node.watch != before
        if is_new and not self._quiet:
            self._dirt.note(path)
        if is_new or again:
            trouble = self._list(node, path, again=again) or trouble
        if not node.attached:
            return
        if trouble:
            self._unwatched[node] = trouble
        else:
            self._unwatched.pop(node, None)

    def _list(self, node: _Node, path: bytes, *, again: bool) -> int:
        """Brings the children up to what lies there; the errno if that cannot be told."""
        try:
            found = self._kernel.subdirectories(path)
            node.silent = found is None
            names = {name for name in found or () if not self._skips_directory(path, name)}
        except OSError as error:
            if error.errno in _GONE:
                self._vanished(node)
            return error.errno or errno.EIO
        for name, child in tuple(node.children.items()):
            if name not in names:
                self._drop(child)
        for name in names:
            if name in node.children:
                self._pending.append((node.children[name], again))
            else:
                self._add(node, name)
        return 0

    def _skips_directory(self, path: bytes, name: bytes) -> bool:
        return self._skip(path, name, True)  # noqa: FBT003 -- a predicate of three

    def _vanished(self, node: _Node) -> None:
        if node is self._root:
            self._lose_root(DELETE_SELF)
        else:
            self._drop(node)

    def _bind(self, node: _Node, watch: int) -> None:
        """`watch` hears the directory at this node's path, and no other node's."""
        other = self._by_watch.get(watch)
        if other is not None and other is not node:
            other.watch = None  # its directory is here now; what lies at its path comes as an event
        if node.watch is not None and node.watch != watch:
            del self._by_watch[node.watch]
            self._kernel.rm_watch(node.watch)
        self._by_watch[watch] = node
        node.watch = watch
