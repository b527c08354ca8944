"""What was learnt, written down in groups: one commit for what many files found out.

Its own module because a commit costs the same for one fact as for a hundred, and because this is
where a failing disk of our own is waited out: nothing that was handed over is ever dropped.
"""

from collections.abc import Awaitable, Callable, Sequence

import anyio

from immich_sync.core.errors import StateTrouble
from immich_sync.core.types import Record

Write = Callable[[Sequence[Record]], Awaitable[None]]

LINGER = 0.02
"""Seconds in which records gather before they are written together."""
PATIENCE = 30.0
"""Seconds between two tries while our own disk is full or failing."""


class Journal:
    """Gathers records and writes them in order; one writer, `run`, for the program's life."""

    def __init__(self, write: Write) -> None:
        self._write = write
        self._records: list[Record] = []
        self._handed = anyio.Event()
        self._written = anyio.Event()
        self.trouble: StateTrouble | None = None

    def note(self, *records: Record) -> None:
        """Hand facts over; they are written within a few tens of milliseconds."""
        self._records += records
        self._handed.set()

    async def commit(self, *records: Record) -> None:
        """Hand records over and return when they, and all before them, are written."""
        self.note(*records)
        await self._written.wait()

    async def run(self) -> None:
        """Write until cancelled."""
        while True:
            await self._handed.wait()
            await anyio.sleep(LINGER)
            await self.flush()

    async def flush(self) -> None:
        """Write all that was handed over, waiting for our own disk as long as it takes."""
        if not self._records:
            return
        batch, self._records = self._records, []
        written, self._written = self._written, anyio.Event()
        self._handed = anyio.Event()
        try:
            await self._persist(batch)
        except BaseException:  # cancelled while waiting for the disk: the last flush has them again
            self._records[:0] = batch
            raise
        written.set()

    async def _persist(self, batch: Sequence[Record]) -> None:
        while True:
            try:
                await self._write(batch)
            except StateTrouble as trouble:
                self.trouble = trouble
                await anyio.sleep(PATIENCE)
            else:
                self.trouble = None
                return
