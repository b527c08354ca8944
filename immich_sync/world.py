"""What everything that lives for the program's life stands on: the ports, opened.

Its own module because both stories need it and neither may import the other.
"""

from dataclasses import dataclass

from immich_sync.core.ports import Blocking, Clock, Hands
from immich_sync.journal import Journal
from immich_sync.store.door import Store


@dataclass(frozen=True, slots=True)
class World:
    """Clock, threads, disk and state."""

    clock: Clock
    blocking: Blocking
    disk: Hands
    store: Store
    journal: Journal
