"""Whether an account's server has room for more.

Its own module because asking before each upload would be rude, and never asking fills the disk
under Immich's database: between the two stands an estimate.
"""

from collections.abc import Callable

import anyio
import structlog

from immich_sync.core.diagnosis import size
from immich_sync.core.errors import NoRoom, ServerTrouble
from immich_sync.core.folder import Account
from immich_sync.core.ports import Clock
from immich_sync.immich.client import Immich
from immich_sync.immich.storage import room_left

FRESH = 300.0
"""Seconds that an answer is believed, less what we have sent since."""
UNTOLD = 3600.0
"""Seconds until a server that does not tell is asked again: the key may have been given more."""
AGAIN = 60.0
"""Seconds between two questions to a server that had too little."""

log = structlog.get_logger()


class Headroom:
    """What is known of it; `run` has to be running, or a pause would never end."""

    def __init__(
        self,
        immich: Immich,
        account: Account,
        clock: Clock,
        opened: Callable[[], None] = lambda: None,
    ) -> None:
        self.trouble: NoRoom | None = None  # why uploads pause
        self.since: float | None = None  # since when they do, wall-clock seconds
        self._immich = immich
        self._url = account.url
        self._least = account.min_server_free
        self._opened = opened
        self._clock = clock
        self._free: int | None = None  # bytes, by the last answer; None: it does not tell
        self._sent = 0  # bytes, since that answer
        self._good_until = 0.0  # monotonic
        self._asking = anyio.Lock()
        self._low = anyio.Event()

    async def reserve(self, length: int) -> None:
        """An upload of `length` bytes may begin. Raises NoRoom; ServerTrouble if asking fails."""
        if not self._least:
            return
        async with self._asking:
            if self.trouble is None and not self._seems_enough():
                await self._ask()
            if self.trouble is not None:
                raise NoRoom(str(self.trouble))
            self._sent += length

    async def run(self) -> None:
        """While there is too little, ask now and then, until cancelled."""
        while True:
            await self._low.wait()
            await anyio.sleep(AGAIN)
            if self._immich.gate.trouble is not None:
                continue
            async with self._asking:
                try:
                    await self._ask()
                except ServerTrouble as trouble:
                    log.debug("room_unknown", error=str(trouble))

    def _seems_enough(self) -> bool:
        if anyio.current_time() >= self._good_until:
            return False
        return self._free is None or self._free - self._sent >= self._least

    async def _ask(self) -> None:
        self._free = await room_left(self._immich)
        self._sent = 0
        self._good_until = anyio.current_time() + (UNTOLD if self._free is None else FRESH)
        if self._free is not None and self._free < self._least:
            self._close(self._free)
        elif self.trouble is not None:
            self.trouble = self.since = None
            self._low = anyio.Event()
            log.info("room_again", server=self._url)
            self._opened()

    def _close(self, free: int) -> None:
        said = (
            f"{self._url} has {size(max(free, 0))} left, less than min_server_free"
            f" ({size(self._least)}): uploads pause. Free some space there (Immich's trash counts"
            " until it is emptied), or lower min_server_free; they go on by themselves."
        )
        if self.trouble is None:
            self.since = self._clock.now()
            log.warning("server_nearly_full", server=self._url, free=free)
        self.trouble = NoRoom(said)
        self._low.set()
