"""One watchdog observer over one root, from its start to its stop; blocking, no event loop.

Its own module because it holds all that was learnt about watchdog's frame: an observer cannot be
started twice, one failing watch spoils the others of its observer, a dead emitter leaves the
observer alive, a handler that raises ends it, and one that waits for the loop deadlocks.
"""

import os
import sys
import threading
from collections.abc import Callable
from typing import Protocol

from watchdog.events import FileMovedEvent, FileSystemEvent, FileSystemEventHandler
from watchdog.observers.api import BaseObserver

from immich_sync.core.types import Evidence
from immich_sync.filesystem.dirt import Dirt
from immich_sync.filesystem.inotify import InotifyEmitter
from immich_sync.filesystem.watchtree import Skip

_LOOK = 0.5  # seconds between two looks at whether it was stopped while it started
_JOIN = 5.0  # seconds; an emitter that hangs on a dead disk is left behind


class Watcher(Protocol):
    """What `watch` knows of an observer. `start` and `stop` block: not for the loop's thread."""

    def start(self) -> None:
        """Watches the root and all below it, then returns. Raises OSError."""
        ...

    def stop(self) -> None:
        """Ends it, also while or before it starts; a second call does nothing."""
        ...

    def lost(self) -> str:
        """Why the root cannot be seen through any more, if so; never blocks."""
        ...

    def died(self) -> str:
        """Why events no longer arrive although the root is there, if so; never blocks."""
        ...

    def watches(self) -> int:
        """How many directories are watched."""
        ...

    def unwatched(self) -> dict[int, int]:
        """How many directories could not be watched or listed, by errno."""
        ...


def new_watcher(root: bytes, dirt: Dirt, skip: Skip, ring: Callable[[], None]) -> Watcher:
    """A watcher that notes into `dirt` and then calls `ring`, from a thread of its own."""
    if sys.platform.startswith("linux"):
        return LinuxWatcher(root, dirt, skip, ring)
    return StockWatcher(root, dirt, skip, ring)


class LinuxWatcher:
    """Our own inotify emitter in watchdog's observer."""

    def __init__(self, root: bytes, dirt: Dirt, skip: Skip, ring: Callable[[], None]) -> None:
        self._observer = BaseObserver(InotifyEmitter, dirt=dirt, skip=skip)
        self._observer.schedule(_Bell(ring), os.fsdecode(root), recursive=True)
        (self._emitter,) = (
            emitter for emitter in self._observer.emitters if isinstance(emitter, InotifyEmitter)
        )
        self._stopped = threading.Event()

    def start(self) -> None:
        """Watches the root and all below it, then returns. Raises OSError."""
        if self._stopped.is_set():
            return
        self._observer.start()
        # An emitter that was stopped before it started never gets ready.
        while not self._emitter.ready.wait(_LOOK) and not self._stopped.is_set():
            pass
        if self._stopped.is_set():
            _end(self._observer)

    def stop(self) -> None:
        """Ends it, also while or before it starts."""
        self._stopped.set()
        _end(self._observer)

    def lost(self) -> str:
        """Why the root cannot be seen through any more, if so."""
        return self._emitter.lost

    def died(self) -> str:
        """What ended one of the threads."""
        if self._stopped.is_set():
            return ""
        if self._emitter.died or not self._emitter.is_alive():
            return self._emitter.died or "the thread that reads events ended"
        return "" if self._observer.is_alive() else "the thread that passes events on ended"

    def watches(self) -> int:
        """How many directories are watched."""
        return self._emitter.watches

    def unwatched(self) -> dict[int, int]:
        """How many directories could not be watched or listed, by errno."""
        return self._emitter.unwatched()


class StockWatcher:
    """watchdog's own emitter for this system; what it misses is left to the scans."""

    def __init__(self, root: bytes, dirt: Dirt, skip: Skip, ring: Callable[[], None]) -> None:
        from watchdog.observers import Observer  # noqa: PLC0415 -- loads this system's emitter

        self._observer = Observer()
        self._observer.schedule(_Notes(root, dirt, skip, ring), os.fsdecode(root), recursive=True)
        self._stopped = threading.Event()

    def start(self) -> None:
        """Watches the root and all below it, then returns. Raises OSError."""
        self._observer.start()
        if self._stopped.is_set():
            _end(self._observer)

    def stop(self) -> None:
        """Ends it, also while or before it starts."""
        self._stopped.set()
        _end(self._observer)

    def lost(self) -> str:
        """Nothing: the identity of the root tells."""
        return ""

    def died(self) -> str:
        """What ended one of the threads."""
        threads = [self._observer, *self._observer.emitters]
        if self._stopped.is_set() or all(thread.is_alive() for thread in threads):
            return ""
        return "a thread that reads events ended"

    def watches(self) -> int:
        """One: most systems watch a whole tree at once."""
        return len(self._observer.emitters)

    def unwatched(self) -> dict[int, int]:
        """Nothing: the stock emitters do not tell."""
        return {}


class _Bell(FileSystemEventHandler):
    """Passes on that there is something to take, and nothing else."""

    def __init__(self, ring: Callable[[], None]) -> None:
        self._ring = ring

    def dispatch(self, event: FileSystemEvent) -> None:
        """Rings, whatever the event is."""
        del event
        self._ring()


class _Notes(FileSystemEventHandler):
    """Notes a stock emitter's events."""

    def __init__(self, root: bytes, dirt: Dirt, skip: Skip, ring: Callable[[], None]) -> None:
        self._root = root
        self._dirt = dirt
        self._skip = skip
        self._ring = ring

    def dispatch(self, event: FileSystemEvent) -> None:
        """Notes the event, then rings."""
        note_event(event, self._root, self._dirt, self._skip)
        self._ring()


def note_event(event: FileSystemEvent, root: bytes, dirt: Dirt, skip: Skip) -> None:
    """The dirt after an event of watchdog's; what lies outside the root or is skipped is none.

    Only a file that was renamed into place is known to be finished: nothing but inotify tells
    when a file is closed, so nothing is said to have begun either.
    """
    for path in (event.src_path, event.dest_path):
        relative = _below(root, os.fsencode(path))
        if relative is None or _skipped(relative, skip, is_directory=event.is_directory):
            continue
        directory, _, name = relative.rpartition(b"/")
        if event.is_directory:
            dirt.note(directory)
            dirt.note(relative)
            continue
        renamed = isinstance(event, FileMovedEvent) and path == event.dest_path
        dirt.note(directory, name, Evidence.FINISHED if renamed else Evidence.NONE)


def _below(root: bytes, path: bytes) -> bytes | None:
    inside = root.rstrip(b"/") + b"/"
    return path[len(inside) :] if path.startswith(inside) else None


def _skipped(relative: bytes, skip: Skip, *, is_directory: bool) -> bool:
    parts = relative.split(b"/")
    return any(
        skip(b"/".join(parts[:depth]), name, is_directory or depth < len(parts) - 1)
        for depth, name in enumerate(parts)
    )


def _end(observer: BaseObserver) -> None:
    observer.stop()
    if observer.is_alive():
        observer.join(_JOIN)
