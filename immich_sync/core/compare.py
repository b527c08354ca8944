"""A directory on the disk against the same directory in the ledger.

Its own module because both the full scan and a single dirty directory are decided here, and
because it runs once for every file there is: it stays a plain loop over tuples.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from immich_sync.core.ports import Entry
from immich_sync.core.settle import CUT_OFF, lain_still
from immich_sync.core.types import Stamp


@dataclass(frozen=True, slots=True)
class Difference:
    """Names of one directory, by what is to be done about them."""

    due: tuple[Entry, ...]  # new or rewritten, and lying still for long
    moving: tuple[bytes, ...]  # new or rewritten a short while ago
    touched: tuple[Entry, ...]  # only their ctime moved (a chown, a link)
    gone: tuple[bytes, ...]  # in the ledger only


def compare(entries: Sequence[Entry], known: Mapping[bytes, Stamp], *, wall: float) -> Difference:
    """What differs; `entries` are the directory's media, `wall` is now in wall-clock seconds."""
    due: list[Entry] = []
    moving: list[bytes] = []
    touched: list[Entry] = []
    names: set[bytes] = set()
    for entry in entries:
        name, stamp = entry
        names.add(name)
        was = known.get(name)
        if was == stamp or stamp is None:
            continue
        if was is not None and was.same_bytes(stamp):
            touched.append(entry)
        elif lain_still(stamp, wall) >= CUT_OFF:
            due.append(entry)
        else:
            moving.append(name)
    gone = tuple(name for name in known if name not in names)
    return Difference(tuple(due), tuple(moving), tuple(touched), gone)
