"""The bounded, coalescing set of dirty directories between a watching thread and the loop.

Its own module because here, and only here, it is decided what is given up when too much happens
at once: names before directories, directories before nothing at all. Dirt itself is never lost.
"""

import threading

from immich_sync.core.ports import Changes
from immich_sync.core.types import Evidence

NAMES_OF_ONE = 1_000
"""Names kept of one directory; with more of them the directory is listed anyway."""
NAMES = 100_000
"""Names kept in all."""
DIRECTORIES = 10_000
"""Directories kept; with more of them a scan is the quicker way."""


class Dirt:
    """What was noticed since it was last taken. May be used from several threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._directories: dict[bytes, dict[bytes, Evidence]] = {}
        self._names = 0
        self._scan = ""
        self._collapsed = False
        self._told = False

    def note(self, directory: bytes, name: bytes = b"", evidence: Evidence = Evidence.NONE) -> None:
        """A directory below the root (b"" is the root) is dirty, through `name` if there is one.

        Of several things seen about a name the last counts: a file closed and then made anew is
        being written.
        """
        with self._lock:
            if self._collapsed:
                return
            names = self._directories.get(directory)
            if names is None:
                if len(self._directories) >= DIRECTORIES:
                    self._collapse()
                    return
                names = self._directories[directory] = {}
            if name and (name in names or self._has_room(names)):
                self._names += name not in names
                names[name] = evidence

    def scan(self, reason: str) -> None:
        """Only a full scan can tell what happened; the first reason is kept."""
        with self._lock:
            self._scan = self._scan or reason

    def take(self) -> Changes | None:
        """Everything noted since the last call, or None."""
        with self._lock:
            if not self._directories and not self._scan:
                return None
            taken = Changes(directories=self._directories, scan=self._scan)
            self._directories, self._names = {}, 0
            self._scan, self._collapsed, self._told = "", False, False
            return taken

    def is_news(self) -> bool:
        """Whether there is something to take that this has not yet told of."""
        with self._lock:
            news = not self._told and bool(self._directories or self._scan)
            self._told = self._told or news
            return news

    def _has_room(self, names: dict[bytes, Evidence]) -> bool:
        return len(names) < NAMES_OF_ONE and self._names < NAMES

    def _collapse(self) -> None:
        self._directories, self._names, self._collapsed = {}, 0, True
        self._scan = self._scan or f"more than {DIRECTORIES:,} directories changed at once"
