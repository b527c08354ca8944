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
    """The jumps of one program's wall clock, over its restarts; look before you ask.

    It goes on with what one `before` it saw, if that was in the same process.
    """

    def __init__(self, world: World, before: "Elapsed | None" = None) -> None:
        self.jumps: list[Jump] = [] if before is None else before.jumps
        self._world = world
        self._seen: tuple[float, float] | None = None  # by both clocks
        self._noted = 0.0  # monotonic
        if before is not None:
            self._seen, self._noted = before._seen, before._noted  # noqa: SLF001 -- one of us
        self._alone = anyio.Lock()

    async def look(self) -> None:
        """Whatever the wall clock did until now is known."""
        async with self._alone:  # or two who look at once would note a jump twice
            await self._look()

    async def _look(self) -> None:
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
