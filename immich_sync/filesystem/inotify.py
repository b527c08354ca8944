"""Our own emitter for watchdog's observers: Linux's inotify, read by one thread for each root.

Its own module because it is the one place that speaks to inotify. watchdog's own emitter loses
directories in random moves, hides the limit of watches and can spin for ever in large trees
(seen with 7.1); its frame of observer, emitter and dispatcher is kept.

No list here grows with the number of events: what was noticed goes into a bounded `Dirt`, and
watchdog's queue only ever carries one equal event, the bell, whose repeats it drops by itself.
"""

import contextlib
import ctypes
import os
import select
import threading
import time

from watchdog.events import DirModifiedEvent, FileSystemEvent
from watchdog.observers.api import EventEmitter, EventQueue, ObservedWatch

from immich_sync.filesystem.beneath import DIRECTORY, LOOK, open_beneath
from immich_sync.filesystem.dirt import Dirt
from immich_sync.filesystem.watchtree import NOMEDIA, Kernel, Skip, WatchTree, parse

_BUFFER = 64 * 1024
_VISITS = 256  # directories visited between two looks at the queue, which holds 16,384 events
_GATHER = 0.005  # seconds in which events gather: waking for each of a burst costs ten times more
_REWALK_EVERY = 1.0
_RETRY_FIRST, _RETRY_LONGEST = 60.0, 3600.0
_NOMEDIA = os.fsdecode(NOMEDIA)
_libc = ctypes.CDLL(None, use_errno=True)


class Inotify:
    """An inotify descriptor and the way from a path below the root to a watch."""

    def __init__(self, root: bytes) -> None:
        """Raises OSError: EMFILE when the user's instances are used up."""
        self._root = root
        self.descriptor = _checked(_libc.inotify_init1(os.O_NONBLOCK | os.O_CLOEXEC))

    def kernel(self) -> Kernel:
        """These functions, for a tree of watches."""
        return Kernel(self._add_watch, self._rm_watch, self._subdirectories)

    def read(self) -> bytes:
        """As many whole events as fit into a buffer; b"" if none are waiting."""
        try:
            return os.read(self.descriptor, _BUFFER)
        except BlockingIOError:
            return b""

    def close(self) -> None:
        """All watches go with the descriptor."""
        os.close(self.descriptor)

    def _add_watch(self, path: bytes, mask: int) -> int:
        # Through a descriptor: inotify_add_watch itself would follow links on the way.
        place = open_beneath(self._root, path, LOOK)
        try:
            return _checked(
                _libc.inotify_add_watch(
                    self.descriptor, b"/proc/self/fd/%d" % place, ctypes.c_uint32(mask)
                )
            )
        finally:
            os.close(place)

    def _rm_watch(self, watch: int) -> None:
        _libc.inotify_rm_watch(self.descriptor, watch)  # EINVAL: it ended by itself

    def _subdirectories(self, path: bytes) -> list[bytes] | None:
        place = open_beneath(self._root, path, DIRECTORY)
        names: list[bytes] = []
        try:
            with os.scandir(place) as found:
                for each in found:
                    if each.is_dir(follow_symlinks=False):
                        names.append(os.fsencode(each.name))
                    elif each.name == _NOMEDIA:
                        return None
        finally:
            os.close(place)
        return names


class InotifyEmitter(EventEmitter):
    """The thread that reads one root's events. Started and stopped by its observer."""

    def __init__(
        self,
        event_queue: EventQueue,
        watch: ObservedWatch,
        *,
        timeout: float = 1.0,
        event_filter: list[type[FileSystemEvent]] | None = None,
        dirt: Dirt,
        skip: Skip,
    ) -> None:
        super().__init__(event_queue, watch, timeout=timeout, event_filter=event_filter)
        self.ready = threading.Event()  # every directory has been visited, or none will be
        self.died = ""  # what ended the thread although nobody stopped it
        self.overflows = 0
        self._root = os.fsencode(watch.path)
        self._bell = DirModifiedEvent(watch.path)
        self._dirt = dirt
        self._skip = skip
        self._inotify: Inotify | None = None
        self._tree: WatchTree | None = None
        self._stop_lock = threading.Lock()
        self._wake = -1, -1

    @property
    def watches(self) -> int:
        """How many directories are watched."""
        return self._tree.watches if self._tree else 0

    @property
    def lost(self) -> str:
        """Why nothing can be seen through the root any more, if so."""
        return self._tree.lost if self._tree else ""

    def unwatched(self) -> dict[int, int]:
        """How many directories could not be watched or listed, by errno."""
        return self._tree.unwatched() if self._tree else {}

    def on_thread_start(self) -> None:
        """Opens inotify and watches the root, in the starter's thread. Raises OSError."""
        self._inotify = Inotify(self._root)
        try:
            self._tree = WatchTree(self._inotify.kernel(), self._dirt, self._skip)
            with self._stop_lock:
                self._wake = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
        except OSError:
            self._inotify.close()
            raise

    def on_thread_stop(self) -> None:
        """Wakes the thread. Called in the stopper's thread, and also after a failed start."""
        with self._stop_lock:
            if self._wake[1] >= 0:
                with contextlib.suppress(BlockingIOError):
                    os.write(self._wake[1], b".")

    def run(self) -> None:
        """Reads until stopped; what ends it otherwise is left in `died`."""
        if self._inotify is None or self._tree is None:
            return
        try:
            self._read_all(self._inotify, self._tree)
        except Exception as error:  # noqa: BLE001 -- a thread's end must be known, whatever it was
            self.died = f"{type(error).__name__}: {error}"
            self._dirt.scan("watching ended by an error")
        finally:
            with self._stop_lock:
                self._inotify.close()
                for end in self._wake:
                    os.close(end)
                self._wake = -1, -1
            self.ready.set()
            self.queue_event(self._bell)

    def _read_all(self, inotify: Inotify, tree: WatchTree) -> None:
        poller = select.poll()
        poller.register(inotify.descriptor, select.POLLIN)
        poller.register(self._wake[0], select.POLLIN)
        rewalk_at, drained = 0.0, False
        retry = _Retry()
        while self.should_keep_running() and not tree.lost:
            now = time.monotonic()
            if tree.overflowed and drained and now >= rewalk_at:
                rewalk_at = now + _REWALK_EVERY
                self.overflows += 1
                tree.rewalk()
            elif not tree.pending and retry.due(now, complete=tree.complete):
                tree.retry()
            tree.step(_VISITS)
            if not tree.pending:
                self.ready.set()
            if self._dirt.is_news():
                self.queue_event(self._bell)
            poller.poll(0 if tree.pending or not drained else 1000 * self.timeout)
            buffer = inotify.read()
            drained = not buffer
            for event in parse(buffer):
                tree.handle(event)
            if 0 < len(buffer) < _BUFFER // 2:
                self.stopped_event.wait(_GATHER)


class _Retry:
    """When to try again what could not be watched: after a minute, then ever more seldom."""

    def __init__(self) -> None:
        self._at: float | None = None
        self._after = _RETRY_FIRST

    def due(self, now: float, *, complete: bool) -> bool:
        """Whether the time has come, in monotonic seconds; asked whenever nothing is pending."""
        if complete:
            self._at, self._after = None, _RETRY_FIRST
        elif self._at is None:
            self._at = now + self._after
        elif now >= self._at:
            self._at, self._after = None, min(2 * self._after, _RETRY_LONGEST)
            return True
        return False


def _checked(result: int) -> int:
    if result < 0:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))
    return result
