"""Facts about the tree of watches, proved on a kernel in memory."""

import errno
import struct
from collections import deque
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from immich_sync.core.types import Evidence
from immich_sync.filesystem.dirt import Dirt
from immich_sync.filesystem.watchtree import (
    CLOSE_WRITE,
    CREATE,
    DELETE,
    DELETE_SELF,
    IGNORED,
    ISDIR,
    MOVE_SELF,
    MOVED_FROM,
    MOVED_TO,
    NOMEDIA,
    OVERFLOW,
    UNMOUNT,
    Kernel,
    RawEvent,
    WatchTree,
    parse,
)


class _Directory:
    def __init__(self) -> None:
        self.directories: dict[bytes, _Directory] = {}
        self.files: set[bytes] = set()


class _World:
    """Directories, and inotify as inotify(7) describes it: watches on inodes, one bounded queue."""

    def __init__(self, *, queue: int = 10_000, watches: int = 10_000) -> None:
        self.root = _Directory()
        self.events: deque[RawEvent] = deque()
        self.limit = watches
        self.watched: dict[int, _Directory] = {}
        self._queue = queue
        self._next = 1

    def kernel(self) -> Kernel:
        return Kernel(self._add_watch, self._rm_watch, self._subdirectories)

    def at(self, path: bytes) -> _Directory:
        here = self.root
        for name in path.split(b"/") if path else ():
            if name not in here.directories:
                raise OSError(errno.ENOENT, "gone")
            here = here.directories[name]
        return here

    def paths(self) -> dict[bytes, _Directory]:
        found, waiting = {}, [(b"", self.root)]
        while waiting:
            path, here = waiting.pop()
            found[path] = here
            waiting += [((path + b"/" + n).lstrip(b"/"), d) for n, d in here.directories.items()]
        return found

    def say(self, where: _Directory, mask: int, name: bytes) -> None:
        for watch, directory in self.watched.items():
            if directory is where:
                self._put(RawEvent(watch, mask, name))

    def make(self, parent: _Directory, name: bytes) -> None:
        parent.directories[name] = _Directory()
        self.say(parent, CREATE | ISDIR, name)

    def write(self, parent: _Directory, name: bytes) -> None:
        parent.files.add(name)
        self.say(parent, CREATE, name)
        self.say(parent, CLOSE_WRITE, name)

    def take_out(self, parent: _Directory, name: bytes) -> _Directory:
        moved = parent.directories.pop(name)
        self.say(parent, MOVED_FROM | ISDIR, name)
        return moved

    def put_in(self, parent: _Directory, name: bytes, moved: _Directory) -> None:
        parent.directories[name] = moved
        self.say(parent, MOVED_TO | ISDIR, name)

    def remove(self, parent: _Directory, name: bytes) -> None:
        gone = parent.directories[name]
        for child in tuple(gone.directories):
            self.remove(gone, child)
        del parent.directories[name]
        self.say(parent, DELETE | ISDIR, name)
        for watch in [w for w, directory in self.watched.items() if directory is gone]:
            del self.watched[watch]
            self._put(RawEvent(watch, IGNORED, b""))

    def _put(self, event: RawEvent) -> None:
        if len(self.events) < self._queue:
            self.events.append(event)
        elif RawEvent(-1, OVERFLOW, b"") not in self.events:
            self.events.append(RawEvent(-1, OVERFLOW, b""))

    def _add_watch(self, path: bytes, mask: int) -> int:
        assert mask
        directory = self.at(path)
        for watch, known in self.watched.items():
            if known is directory:
                return watch
        if len(self.watched) >= self.limit:
            raise OSError(errno.ENOSPC, "limit")
        self._next += 1
        self.watched[self._next] = directory
        return self._next

    def _rm_watch(self, watch: int) -> None:
        if self.watched.pop(watch, None) is not None:
            self._put(RawEvent(watch, IGNORED, b""))

    def _subdirectories(self, path: bytes) -> list[bytes] | None:
        here = self.at(path)
        return None if NOMEDIA in here.files else sorted(here.directories)


class _Reader:
    """What follows the dirt as intake does: a dirty directory is listed, a scan lists all."""

    def __init__(self, world: _World, dirt: Dirt) -> None:
        self._world = world
        self._dirt = dirt
        self.seen: set[tuple[bytes, bytes]] = set()

    def look(self) -> None:
        taken = self._dirt.take()
        if taken is None:
            return
        everything = self._world.paths()
        for path in everything if taken.scan else taken.directories:
            if path in everything:
                self.seen |= {(path, name) for name in everything[path].files}


def _nothing(directory: bytes, name: bytes, is_directory: bool) -> bool:  # noqa: FBT001 -- `Skip`
    del directory, name, is_directory
    return False


def _grown(world: _World, dirt: Dirt) -> WatchTree:
    tree = WatchTree(world.kernel(), dirt, _nothing)
    _drain(world, tree)
    return tree


def _drain(world: _World, tree: WatchTree) -> None:
    while world.events or tree.pending or tree.overflowed:
        if tree.overflowed and not world.events:
            tree.rewalk()
        tree.step(3)
        if world.events:
            tree.handle(world.events.popleft())


def _all_heard(world: _World, dirt: Dirt, tree: WatchTree) -> bool:
    """Whether a file put into any directory is reported there, by its name, and nowhere else."""
    dirt.take()
    everything = world.paths()
    for directory in everything.values():
        world.write(directory, b"probe")
        _drain(world, tree)
    taken = dirt.take()
    reported = (
        {} if taken is None else {path: set(names) for path, names in taken.directories.items()}
    )
    return reported == {path: {b"probe"} for path in everything}


@settings(max_examples=300, deadline=None)
@given(seed=st.integers(0, 2**32), queue=st.sampled_from([4, 30, 10_000]))
def test_no_directory_is_deaf_and_no_file_is_missed(seed: int, queue: int) -> None:
    """Whatever is made, moved and removed, and whenever the tree gets to look at it."""
    random, world, dirt = Random(seed), _World(queue=queue), Dirt()  # noqa: S311 -- Hypothesis' seed
    reader, tree = _Reader(world, dirt), _grown(world, dirt)
    outside: list[_Directory] = []
    for turn in range(random.randrange(5, 80)):
        _change(world, random, outside, b"%d" % turn)
        for _ in range(random.choice([0, 0, 1, 2, 9])):
            _advance(world, tree, random, reader)
    _drain(world, tree)
    reader.look()

    written = {(path, name) for path, here in world.paths().items() for name in here.files}
    assert written <= reader.seen
    assert _all_heard(world, dirt, tree)
    assert tree.watches == len(world.paths()) == len(world.watched)


def _advance(world: _World, tree: WatchTree, random: Random, reader: _Reader) -> None:
    what = random.randrange(4)
    if what == 0:
        tree.step(1)
    elif what == 1 and tree.overflowed and not world.events:
        tree.rewalk()
    elif what == 2:
        reader.look()
    elif world.events:
        tree.handle(world.events.popleft())


def _change(world: _World, random: Random, outside: list[_Directory], name: bytes) -> None:
    """One thing that people and programs do to a tree; few names, so that they come back."""
    everything = world.paths()
    path = random.choice(sorted(everything))
    here = everything[path]
    name = random.choice([name, b"a", b"b"])
    child = random.choice(sorted(here.directories)) if here.directories else None
    what = random.choice(["make", "make", "write", "write", "move", "move", "out", "in", "remove"])
    if what == "make" and name not in here.directories:
        world.make(here, name)
    elif what == "write":
        world.write(here, b"f" + name)
    elif child is None:
        return
    elif what == "move":
        moved = here.directories[child]
        below = {id(one) for one in _tree_of(moved)}
        target = random.choice(
            [one for _, one in sorted(everything.items()) if id(one) not in below]
        )
        if name not in target.directories:
            world.put_in(target, name, world.take_out(here, child))
    elif what == "out":
        outside.append(world.take_out(here, child))
    elif what == "in" and outside and name not in here.directories:
        world.put_in(here, name, outside.pop())
    elif what == "remove":
        world.remove(here, child)


def _tree_of(top: _Directory) -> list[_Directory]:
    return [top, *(one for child in top.directories.values() for one in _tree_of(child))]


def test_evidence_travels_with_the_name() -> None:
    """Made is begun; closed or renamed into place is finished; gone is nothing seen."""
    world, dirt = _World(), Dirt()
    tree = _grown(world, dirt)
    for mask, name in (
        (CREATE, b"begun"),
        (CREATE, b"closed"),
        (CLOSE_WRITE, b"closed"),
        (MOVED_TO, b"renamed"),
        (MOVED_FROM, b"moved"),
        (DELETE, b"deleted"),
    ):
        world.say(world.root, mask, name)
    _drain(world, tree)

    taken = dirt.take()

    assert taken is not None
    assert taken.directories == {
        b"": {
            b"begun": Evidence.BEGUN,
            b"closed": Evidence.FINISHED,
            b"renamed": Evidence.FINISHED,
            b"moved": Evidence.NONE,
            b"deleted": Evidence.NONE,
        }
    }


def test_what_is_there_at_the_start_is_not_dirty() -> None:
    """A scan follows the start anyway."""
    world, dirt = _World(), Dirt()
    world.make(world.root, b"a")
    world.make(world.at(b"a"), b"b")

    tree = _grown(world, dirt)

    assert (tree.watches, dirt.take()) == (3, None)


def test_a_directory_moved_in_is_dirty_with_all_below_it() -> None:
    """What lies in it came without any event."""
    world, dirt = _World(), Dirt()
    tree = _grown(world, dirt)
    moved = _Directory()
    moved.directories[b"b"] = _Directory()
    world.put_in(world.root, b"a", moved)
    _drain(world, tree)

    taken = dirt.take()

    assert taken is not None
    assert taken.directories == {b"": {}, b"a": {}, b"a/b": {}}


def test_a_directory_moved_out_is_no_longer_watched() -> None:
    """What happens outside of the root is none of our business."""
    world, dirt = _World(), Dirt()
    world.make(world.root, b"a")
    world.make(world.at(b"a"), b"b")
    tree = _grown(world, dirt)
    world.take_out(world.root, b"a")
    _drain(world, tree)

    assert tree.watches == len(world.watched) == 1


def test_skipped_directories_are_neither_watched_nor_heard() -> None:
    """Nor are skipped names a reason to list their directory."""
    world, dirt = _World(), Dirt()
    world.make(world.root, b".thumbnails")
    tree = WatchTree(world.kernel(), dirt, lambda _, name, __: name.startswith(b"."))
    _drain(world, tree)
    world.make(world.root, b".trash")
    world.write(world.root, b".x.tmp")
    _drain(world, tree)

    assert (tree.watches, dirt.take()) == (1, None)


def test_a_directory_that_forbids_media_is_silent_until_it_allows_it() -> None:
    """A .nomedia silences all below it; when it goes, all below is dirty."""
    world, dirt = _World(), Dirt()
    world.make(world.root, b"a")
    a = world.at(b"a")
    world.make(a, b"b")
    tree = _grown(world, dirt)
    world.write(a, NOMEDIA)
    _drain(world, tree)
    assert tree.watches == 2
    dirt.take()
    world.write(a, b"x.jpg")
    world.write(a.directories[b"b"], b"y.jpg")
    world.make(a, b"c")
    _drain(world, tree)
    assert dirt.take() is None

    a.files.remove(NOMEDIA)
    world.say(a, DELETE, NOMEDIA)
    _drain(world, tree)

    taken = dirt.take()
    assert taken is not None
    assert taken.directories == {b"a": {}, b"a/b": {}, b"a/c": {}}
    assert tree.watches == 4


def test_an_overflow_asks_for_a_scan_and_touches_no_right_watch() -> None:
    """Removing watches would fill the queue that just overflowed."""
    world, dirt = _World(), Dirt()
    for number in range(50):
        world.make(world.root, b"%d" % number)
    tree = _grown(world, dirt)
    before = dict(world.watched)
    world.events.append(RawEvent(-1, OVERFLOW, b""))
    _drain(world, tree)

    taken = dirt.take()

    assert taken is not None
    assert (taken.scan, taken.directories) == ("the kernel's queue of events overflowed", {})
    assert world.watched == before
    assert not world.events


def test_what_the_limit_keeps_from_being_watched_is_counted_and_tried_again() -> None:
    """It is found all the same, and watched as soon as there is room."""
    world, dirt = _World(watches=3), Dirt()
    tree = _grown(world, dirt)
    for name in (b"a", b"b", b"c", b"d"):
        world.make(world.root, name)
    world.make(world.at(b"d"), b"e")
    _drain(world, tree)
    taken = dirt.take()
    assert taken is not None
    assert set(taken.directories) == {b"", b"a", b"b", b"c", b"d", b"d/e"}
    assert (tree.watches, tree.unwatched(), tree.complete) == (3, {errno.ENOSPC: 3}, False)

    world.limit = 100
    tree.retry()
    _drain(world, tree)

    assert (tree.watches, tree.unwatched(), tree.complete) == (6, {}, True)
    assert _all_heard(world, dirt, tree)


def test_what_was_not_watched_and_is_gone_is_forgotten() -> None:
    """A directory without a watch that was removed is no trouble any more."""
    world, dirt = _World(watches=1), Dirt()
    tree = _grown(world, dirt)
    world.make(world.root, b"a")
    _drain(world, tree)
    assert not tree.complete
    world.remove(world.root, b"a")
    _drain(world, tree)

    assert tree.complete


@pytest.mark.parametrize(
    ("mask", "word"),
    [
        (MOVE_SELF, "moved away"),
        (UNMOUNT, "unmounted"),
        (DELETE_SELF, "deleted"),
        (IGNORED, "deleted"),
    ],
)
def test_a_lost_root_is_told_as_what_it_is(mask: int, word: str) -> None:
    """And asks for a scan, which finds out what is there now."""
    world, dirt = _World(), Dirt()
    tree = _grown(world, dirt)
    world.say(world.root, mask, b"")
    _drain(world, tree)

    taken = dirt.take()

    assert tree.lost == word
    assert taken is not None
    assert taken.scan == f"the folder was {word}"


def test_what_is_unmounted_below_the_root_is_watched_anew() -> None:
    """The directory that the mount had covered is heard again."""
    world, dirt = _World(), Dirt()
    world.make(world.root, b"usb")
    tree = _grown(world, dirt)
    (watch,) = (w for w, one in world.watched.items() if one is world.at(b"usb"))
    world.root.directories[b"usb"] = _Directory()
    del world.watched[watch]
    world.events += [RawEvent(watch, UNMOUNT, b""), RawEvent(watch, IGNORED, b"")]
    _drain(world, tree)

    taken = dirt.take()
    assert taken is not None
    assert taken.directories == {b"": {}, b"usb": {}}
    assert _all_heard(world, dirt, tree)


def test_a_root_that_cannot_be_watched_raises() -> None:
    """Without its root there is no tree."""
    with pytest.raises(OSError, match="limit"):
        WatchTree(_World(watches=0).kernel(), Dirt(), _nothing)


def test_a_buffer_is_read_event_by_event() -> None:
    """Padding is taken off, names are any bytes, a torn end is left out."""
    one = struct.pack("iIII", 1, CREATE, 0, 16) + b"caf\xe9 \n.jpg".ljust(16, b"\0")
    two = struct.pack("iIII", -1, OVERFLOW, 0, 0)
    torn = struct.pack("iIII", 2, CREATE, 0, 16) + b"torn"

    assert list(parse(one + two + torn)) == [
        RawEvent(1, CREATE, b"caf\xe9 \n.jpg"),
        RawEvent(-1, OVERFLOW, b""),
    ]


@given(st.binary(max_size=200))
def test_no_buffer_breaks_the_reader(buffer: bytes) -> None:
    """Whatever comes, reading it ends."""
    assert len(list(parse(buffer))) <= len(buffer) // 16
