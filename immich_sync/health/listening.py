"""Where it is listened, which a reload may change.

Its own module because a port that is taken has to be noticed before anything else is given up.
"""

import socket

import anyio

from immich_sync.bell import Bell
from immich_sync.core.folder import Health
from immich_sync.health.door import Answer, bind, serve


class Listening:
    """Open from the start, where `health` says; nowhere for None. Raises Misconfigured."""

    def __init__(self, health: Health | None, answer: Answer) -> None:
        self._health = health
        self._answer = answer
        self._bound = None if health is None else bind(health)
        self._serving = anyio.CancelScope()
        self._moved = Bell()

    async def run(self) -> None:
        """Answer wherever that is, until cancelled."""
        while True:
            with anyio.CancelScope() as self._serving:
                if self._bound is None or self._health is None:
                    await self._moved.heard()
                else:
                    await serve(self._bound, self._health, self._answer)

    def move(self, health: Health | None) -> None:
        """From now on there and nowhere else. Raises Misconfigured; then all is as before."""
        if health == self._health:
            return
        bound: socket.socket | None = None
        if health is not None:
            there = (
                self._bound is not None
                and self._health is not None
                and ((health.host, health.port) == (self._health.host, self._health.port))
            )
            bound = self._bound.dup() if there and self._bound else bind(health)
        self._bound, self._health = bound, health
        self._serving.cancel()

    def close(self) -> None:
        """Nobody listens any more."""
        if self._bound is not None:
            self._bound.close()
