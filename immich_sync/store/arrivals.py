"""From what was seen on the disk to jobs: only what the ledger does not know becomes due.

Its own module because this is where the two stories meet, in one transaction: what the ledger
says and what the queue is given must belong to the same moment.
"""

from collections.abc import Sequence

from immich_sync.core.types import Arrival, Place, Priority, Stamp
from immich_sync.store import ledger, queue
from immich_sync.store.database import Database


def arrive(
    database: Database,
    seen: Sequence[tuple[Place, Stamp]],
    priority: Priority,
    *,
    now: float,
) -> int:
    """Make due what has settled and is not known with this very stamp; how many that were.

    A file of which only the ctime moved is due too, but after all others: reading it tells whether
    its bytes moved with it. `now` in wall-clock seconds.
    """
    arrivals = []
    for place, stamp in seen:
        known = ledger.stamp(database, place)
        if known is None or not known.same_bytes(stamp):
            arrivals.append(Arrival(place, priority, stamp))
        elif known != stamp:
            arrivals.append(Arrival(place, Priority.RECHECK, stamp))
    return queue.put(database, arrivals, now=now) if arrivals else 0
