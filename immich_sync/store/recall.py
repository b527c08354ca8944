"""What is known of some paths, as jobs that are worked on at once and never wait in the queue.

Its own module because a one-shot upload takes its files from the disk, not from the queue, but
must not read again what it has read before.
"""

from collections.abc import Sequence
from dataclasses import replace

from immich_sync.core.types import Due, File, FolderId, Hold, Job, Place, Priority, Stamp
from immich_sync.store import ledger
from immich_sync.store.accounts import Kind
from immich_sync.store.database import Database


def recall(database: Database, seen: Sequence[tuple[Place, Stamp]], now: float) -> list[Due]:
    """A job for each place, with what is known of the bytes there if the stamp is the same.

    The asset is left out, so that the server is asked in any case, and so is why the file was held
    before: somebody wants it now. `now` in wall-clock seconds. Raises StateTrouble.
    """
    return [
        Due(Job(place, Priority.NEW, now), _usable(ledger.file(database, place), stamp), None)
        for place, stamp in seen
    ]


def recall_of_root(
    database: Database, root: bytes, seen: Sequence[tuple[Place, Stamp]], now: float
) -> list[Due]:
    """The same from a state that is only looked at, where the one-shot's root has another id."""
    with database.reading() as connection:
        row = connection.execute(_ROOT, (Kind.ONCE.value, root)).fetchone()
    folder = FolderId(row[0]) if row else None

    def known(place: Place, stamp: Stamp) -> File | None:
        if folder is None:
            return None
        found = _usable(ledger.file(database, replace(place, folder=folder)), stamp)
        return found and replace(found, place=place)

    return [Due(Job(place, Priority.NEW, now), known(place, stamp), None) for place, stamp in seen]


_ROOT = "SELECT id FROM folder WHERE kind = ? AND root = ?"


def _usable(known: File | None, stamp: Stamp) -> File | None:
    if known is None or known.stamp != stamp or known.checksum is None:
        return None
    return known if known.hold is Hold.EMPTY else replace(known, hold=None, note="")
