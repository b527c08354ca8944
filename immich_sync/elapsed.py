"""How long it really was: the wall clock, with what it was set ahead or back taken out.

Its own module because whoever waits for days before a deletion must not be told by a wrong clock
that they are over, and because all folders share one clock.
"""

import anyio

from immich_sync.core.cleanup import Jump, jumped
from immich_sync.store import cleanups
from immich_sync.world import World

NOTED_EVERY = 3600.0
"""Seconds between two notes of the time: what passed since the last one is known at a restart."""


class Elapsed:
    """The jumps of one program's wall clock, over its restarts; look before you ask."""

    def __init__(self, world: World) -> None:
        self.jumps: list[Jump] = []
        self._world = world
        self._seen: tuple[float, float] | None = None  # by both clocks
        self._noted = 0.0  # monotonic

    async def look(self) -> None:
        """Whatever the wall clock did until now is known."""
        now, steady = self._world.clock.now(), anyio.current_time()
        if self._seen is None:
            before, self.jumps = await self._world.store(cleanups.clock)
            jump = None if before is None else jumped(before, now, None)
        else:
            jump = jumped(self._seen[0], now, steady - self._seen[1])
            if jump is None and steady - self._noted < NOTED_EVERY:
                self._seen = now, steady
                return
        await self._world.store(cleanups.saw_clock, now, jump)
        self._seen, self._noted = (now, steady), steady
        if jump is not None:
            self.jumps = [*self.jumps, jump]
