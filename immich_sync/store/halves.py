"""Where the other half of a live photo is, when one half has departed.

Its own module because halves are found by their names, among the files that lie here and those
that are gone alike.
"""

from dataclasses import dataclass
from sqlite3 import Connection

from immich_sync.core.departure import Departed, Half, State
from immich_sync.core.media import motion_of, still_of


@dataclass(frozen=True, slots=True)
class _Known:
    """The names of one directory, those that are gone among them: each is looked up when asked."""

    connection: Connection
    departed: Departed

    def __contains__(self, name: object) -> bool:
        return isinstance(name, bytes) and self.state(name) is not None

    def state(self, name: bytes) -> str | None:
        """Where the file of this name is: "here", "motion" (here), or its state."""
        place = self.departed.place
        found = self.connection.execute(_NAMED, 2 * (place.folder, place.directory, name))
        row = found.fetchone()
        return None if row is None else str(row[0])


_HALVES = {
    "here": Half.HERE,
    "motion": Half.HERE,
    State.WAITING.value: Half.LEAVING,
    State.MEANT.value: Half.LEAVING,
    State.TRASHED.value: Half.TRASHED,
    State.WITH_STILL.value: Half.TRASHED,
    State.KEPT.value: Half.KEPT,
}


def half(connection: Connection, departed: Departed) -> Half:
    """Where the other half of the live photo is, if the departed file was one of two."""
    known, name = _Known(connection, departed), departed.place.name
    other = still_of(name, known) if departed.motion else motion_of(name, known)
    state = None if other is None else known.state(other)
    if state is None or (state == "here" and not departed.motion):
        return Half.NONE  # a video beside a photo, and no more than that
    return _HALVES[state]


_NAMED = """
SELECT iif(motion, 'motion', 'here') FROM file WHERE folder = ? AND dir = ? AND name = ?
UNION ALL
SELECT state FROM (
    SELECT state FROM departed WHERE folder = ? AND dir = ? AND name = ? ORDER BY at DESC)
LIMIT 1
"""
