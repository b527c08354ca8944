"""One upload at a time for the same bytes in the same account.

Its own module because two paths with equal bytes must become one asset even when both are due in
the same second: the server would store the second upload's bytes before it noticed.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import anyio

from immich_sync.core.types import Checksum


class Flights:
    """The checksums that are under way in one account."""

    def __init__(self) -> None:
        self._landed: dict[Checksum, anyio.Event] = {}

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
            flight.set()
