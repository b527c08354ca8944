"""One upload at a time for the same bytes in the same account.

Its own module because two paths with equal bytes must become one asset even when both are due in
the same second: the server would store the second upload's bytes before it noticed.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import anyio

from immich_sync.core.types import Checksum

KEPT = 10_000
"""Landings that are remembered: more than a question to the server can outlast."""


class Flights:
    """The checksums that are under way in one account."""

    def __init__(self) -> None:
        self.landings = 0  # how many flights have ended
        self._landed: dict[Checksum, anyio.Event] = {}
        self._latest: dict[Checksum, int] = {}  # the last landings, oldest first

    def landed_since(self, checksum: Checksum, mark: int) -> bool:
        """Whether a flight of these bytes has ended since `landings` was `mark`."""
        return self._latest.get(checksum, 0) > mark

    @asynccontextmanager
    async def only(self, checksum: Checksum) -> AsyncIterator[bool]:
        """True if nobody else is sending these bytes: then send them, others wait.

        False after somebody else's flight has ended, well or badly: ask the server again.
        """
        if flight := self._landed.get(checksum):
            await flight.wait()
            yield False
            return
        flight = self._landed[checksum] = anyio.Event()
        try:
            yield True
        finally:
            del self._landed[checksum]
            self._note(checksum)
            flight.set()

    def _note(self, checksum: Checksum) -> None:
        self.landings += 1
        self._latest.pop(checksum, None)
        self._latest[checksum] = self.landings
        if len(self._latest) > KEPT:
            del self._latest[next(iter(self._latest))]
