"""The way of one folder's files into one account.

Its own module because the pipeline walks it, the worker asks whether it is open, and neither
makes it.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from immich_sync.coalesce import Coalescer
from immich_sync.core.folder import Folder
from immich_sync.core.ports import Lane
from immich_sync.core.types import AccountId, Checksum, Due, Place
from immich_sync.flights import Flights
from immich_sync.headroom import Headroom
from immich_sync.immich.check import Presence
from immich_sync.immich.client import Immich
from immich_sync.joining import Joiner
from immich_sync.slots import Slots
from immich_sync.tombstones import Tombstones


@dataclass(frozen=True, slots=True)
class Route:
    """Everything that its files meet on their way."""

    folder: Folder
    account: AccountId
    immich: Immich
    checker: Coalescer[Checksum, Presence]
    joiner: Joiner
    flights: Flights
    uploads: Slots  # how many at once, shared by the account's folders
    looking: Lane  # calls that ask this folder's disk for little: stat, list, open
    hashing: Lane  # calls that read much, bounded by what its disk bears
    moved: Callable[[int], None] = lambda _: None  # told how many bytes of an upload went out
    answered: Callable[[float], None] = lambda _: None  # told how many seconds an upload took
    tombstones: Tombstones | None = None  # None: a person named these files, and insists
    takes_back: bool = False  # what we trashed because its file was gone, once there is one again
    may_change: Callable[[Place, Checksum], Awaitable[bool]] | None = None  # None: all may
    missed: Callable[[], None] = lambda: None  # told of what is gone and was not seen in the trash
    headroom: Headroom | None = None  # None: a person wants these files up, room or not
    believed: Callable[[], bool] = lambda: True  # whether the server seems to be the one we know

    def hashing_of(self, due: Due) -> Lane:
        """Where its bytes are read: large files have a lane of their own, not to be in the way."""
        lane = self.hashing
        return Lane(f"{lane.name}, large", max(1, lane.width - 1)) if due.is_large else lane

    def is_open(self) -> bool:
        """Whether the server is thought to answer, to have room, and to be the right one."""
        roomy = self.headroom is None or self.headroom.trouble is None
        return roomy and self.immich.gate.trouble is None and self.believed()
