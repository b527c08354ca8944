"""How it is, asked for again and again without costing much.

Its own module because metrics and notifications both live on it, and the question behind it looks
at the whole state: who asks more often than it is worth gets the last answer.
"""

import anyio

from immich_sync import status
from immich_sync.core.conditions import Condition, failing_state, standing
from immich_sync.core.status import Status
from immich_sync.engine import Engine

FRESH = 5.0
"""Seconds for which an answer is good in any case."""
SHARE = 0.02
"""The part of all time that may be spent on asking."""
PATIENCE = 20.0
"""Seconds to wait for our own disk before the last answer has to do."""


class Observer:
    """The status of one engine; `since` is when its process started, wall-clock seconds."""

    def __init__(self, engine: Engine, since: float, *, fresh: float = FRESH) -> None:
        self.engine = engine
        self._since = since
        self._fresh = fresh
        self._asking = anyio.Lock()
        self._last: Status | None = None
        self._good_until = 0.0  # on anyio's clock

    async def status(self) -> Status | None:
        """The status now or of a moment ago; None if the state could never be asked."""
        async with self._asking:
            began = anyio.current_time()
            if self._last is None or began >= self._good_until:
                with anyio.move_on_after(PATIENCE):
                    self._last = await status.of(self.engine, since=self._since)
                    took = anyio.current_time() - began
                    self._good_until = began + max(self._fresh, took / SHARE)
            return self._last

    def standing(self, status: Status | None) -> tuple[Condition, ...]:
        """What needs a person, by what `status` said, and by the state: it may fail."""
        engine = self.engine
        found = () if status is None else standing(status, engine.setup, engine.world.clock.now())
        if trouble := engine.world.store.trouble:
            known = failing_state(str(trouble))
            return (*(one for one in found if one.key != known.key), known)
        return found
