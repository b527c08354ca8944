"""Whether an account's server may be asked just now.

Its own module because it is pure state that everything else leans on: while the gate is closed
nobody asks but one probe, and the probe alone opens it again.
"""

import copy
from collections.abc import Awaitable, Callable

import anyio

from immich_sync.core.errors import Overloaded, Refused, ServerTrouble, SyncTrouble
from immich_sync.core.ports import Clock

LONGEST_PAUSE = 15 * 60.0
"""Seconds between two probes of a server that answers probes but nothing else."""


class Gate:
    """Open, or closed with a trouble.

    The pause before each probe, for people (n counts closings since it last stayed open, r is a
    number in [0, 1)): `probe_every` · 2^(n-1) · (1 + r/4), at most 15 minutes; twice that for a
    refused key; never less than what the server asked for. A probe that fails does not lengthen
    it: an outage of a night is noticed to be over within `probe_every`. What does is a server that
    answers probes and questions and then fails at the work: it has stayed open only if something
    was answered after it had been open for as long as it was closed.
    """

    def __init__(self, probe_every: float, clock: Clock) -> None:
        self._every = probe_every
        self._clock = clock
        self._trouble: ServerTrouble | None = None
        self._since: float | None = None
        self._strikes = 0
        self._proven_at = 0.0  # the wall-clock time from which on a success is one
        self._opened = anyio.Event()
        self._opened.set()
        self._closed = anyio.Event()

    @property
    def trouble(self) -> ServerTrouble | None:
        """Why it is closed; None while it is open."""
        return self._trouble

    @property
    def since(self) -> float | None:
        """Since when it is closed, wall-clock seconds; None while it is open."""
        return self._since

    def check(self) -> None:
        """Nothing while open; raises the trouble while closed, so that nobody hammers."""
        if self._trouble is not None:
            raise copy.copy(self._trouble)

    def close(self, trouble: ServerTrouble) -> None:
        """Closed with `trouble`; if it was closed before, the first trouble stays."""
        if self._trouble is not None:
            return
        self._trouble = copy.copy(trouble)  # without the traceback, and all that it holds
        self._since = self._clock.now()
        self._strikes += 1
        self._opened = anyio.Event()
        self._closed.set()

    def opened(self) -> None:
        """Open; whoever waited goes on."""
        self._trouble = None
        self._since = None
        self._proven_at = self._clock.now() + self._length()
        self._closed = anyio.Event()
        self._opened.set()

    def succeeded(self) -> None:
        """Something was answered: if it has been open for long, the next trouble is a first one."""
        if self._trouble is None and self._clock.now() >= self._proven_at:
            self._strikes = 0

    async def wait_closed(self) -> None:
        """Returns while it is closed."""
        while self._trouble is None:
            await self._closed.wait()

    async def wait_open(self) -> None:
        """Returns while it is open."""
        while self._trouble is not None:
            await self._opened.wait()

    def pause(self) -> float:
        """Seconds to wait before the next probe."""
        pause = self._length() * (1 + self._clock.jitter() / 4)
        match self._trouble:
            case Refused():
                return 2 * pause
            case Overloaded(retry_after=wish) if wish is not None:
                return max(pause, wish)
            case _:
                return pause

    def _length(self) -> float:
        longest = max(LONGEST_PAUSE, self._every)
        return min(self._every * 2.0 ** min(max(self._strikes - 1, 0), 30), longest)

    async def probe(self, ask: Callable[[], Awaitable[object]]) -> None:
        """For ever: while closed, pause and `ask`; what `ask` raises becomes the trouble shown."""
        while True:
            await self._closed.wait()
            await anyio.sleep(self.pause())
            try:
                await ask()
            except ServerTrouble as trouble:
                self._trouble = copy.copy(trouble)
            except SyncTrouble:
                continue
            else:
                self.opened()
