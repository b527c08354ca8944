"""What was learnt, written down in groups: one commit for what many files found out.

Its own module because a commit costs the same for one fact as for a hundred.
"""

from collections.abc import Callable

import anyio

from immich_sync.core.types import Record
from immich_sync.store.door import Store
from immich_sync.store.ledger import apply

LINGER = 0.02
"""Seconds in which records gather before they are written together."""


class Journal:
    """Gathers records and writes them in order; one writer, `run`, for the program's life.

    `heard` is told each of them at once.
    """

    def __init__(
        self,
        store: Store,
        now: Callable[[], float],
        heard: Callable[[Record], None] = lambda _: None,
    ) -> None:
        self._store = store
        self._heard = heard
        self._now = now
        self._records: list[Record] = []
        self._handed = anyio.Event()
        self._written = anyio.Event()

    def note(self, *records: Record) -> None:
        """Hand facts over; they are written within a few tens of milliseconds."""
        self._records += records
        for record in records:
            self._heard(record)
        self._handed.set()

    async def commit(self, *records: Record) -> None:
        """Hand records over and return when they, and all before them, are written."""
        self.note(*records)
        await self._written.wait()

    async def run(self) -> None:
        """Write until cancelled; `flush` writes what is in hand then."""
        while True:
            await self._handed.wait()
            await anyio.sleep(LINGER)
            await self.flush()

    async def flush(self) -> None:
        """Write all that was handed over."""
        batch, self._records = self._records, []
        written, self._written = self._written, anyio.Event()
        self._handed = anyio.Event()
        try:
            if batch:
                await self._store(apply, batch, self._now())
        except BaseException:  # cancelled while our own disk is failing: still in hand
            self._records[:0] = batch
            raise
        written.set()
