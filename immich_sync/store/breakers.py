"""What waits for a person's word about a whole folder, kept over restarts.

Its own module because deletions, changes and external libraries trip alike, and are approved alike.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from immich_sync.core.breaker import Breaker
from immich_sync.core.types import FolderId
from immich_sync.store.database import Database
from immich_sync.store.rows import text


@dataclass(frozen=True, slots=True)
class Tripped:
    """A breaker that has tripped, since when (wall-clock seconds), and why, for people."""

    since: float
    why: str
    approved: bool = False  # a person said that it is right; kept where it is asked only once


def standing(database: Database, folder: FolderId) -> Mapping[Breaker, Tripped]:
    """Those of the folder, the approved ones among them. Raises StateTrouble."""
    with database.reading() as connection:
        return {
            Breaker(kind): Tripped(since, why, bool(approved))
            for kind, since, why, approved in connection.execute(_STANDING, (folder,))
        }


@dataclass(frozen=True, slots=True)
class Waiting:
    """A watched folder that waits for a person's word, and how many of its files are meant."""

    folder: FolderId
    breaker: Breaker
    since: float  # wall-clock seconds
    why: str
    files: int


def waiting(database: Database) -> list[Waiting]:
    """All that wait, in the order of their folders. Raises StateTrouble."""
    with database.reading() as connection:
        return [
            Waiting(FolderId(folder), Breaker(kind), since, why, files)
            for folder, kind, since, why, files in connection.execute(_WAITING)
        ]


def trip(database: Database, folder: FolderId, breaker: Breaker, why: str, now: float) -> None:
    """The breaker has tripped; since when is kept. Raises StateTrouble."""
    with database.writing() as connection:
        connection.execute(_TRIP, (folder, breaker.value, now, text(why)))


def reset(database: Database, folder: FolderId, breaker: Breaker) -> None:
    """Nothing waits any more. Raises StateTrouble."""
    with database.writing() as connection:
        connection.execute(
            "DELETE FROM breaker WHERE folder = ? AND kind = ?", (folder, breaker.value)
        )


def approve(database: Database, folder: FolderId, breaker: Breaker) -> None:
    """A person said that it is right, and is not asked this again. Raises StateTrouble."""
    with database.writing() as connection:
        connection.execute(
            "UPDATE breaker SET approved = 1 WHERE folder = ? AND kind = ?", (folder, breaker.value)
        )


_STANDING = "SELECT kind, since, why, approved FROM breaker WHERE folder = ?"

_TRIP = """
INSERT INTO breaker (folder, kind, since, why) VALUES (?, ?, ?, ?)
ON CONFLICT DO UPDATE SET why = excluded.why
"""

_WAITING = """
SELECT breaker.folder, breaker.kind, since, why, CASE breaker.kind
    WHEN 'deletions' THEN (
        SELECT count(*) FROM departed
        WHERE departed.folder = breaker.folder AND state = 'waiting')
    WHEN 'changes' THEN (
        SELECT count(*) FROM file WHERE file.folder = breaker.folder AND hold = 'changed'
        AND dismissed = 0 AND (hold IS NOT NULL OR incomplete = 1))
    ELSE (SELECT count(*) FROM job WHERE job.folder = breaker.folder) END
FROM breaker JOIN folder ON folder.id = breaker.folder
WHERE approved = 0 AND folder.kind = 'watched' ORDER BY breaker.folder, breaker.kind
"""
