"""Many small askings become few large calls.

Its own module because checks, album adds, sidecar look-ups and ledger writes all need the same
thing: whatever was asked for while a call was under way goes into the next one.
"""

from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from itertools import islice
from typing import Generic, TypeVar

import anyio

K = TypeVar("K")
V = TypeVar("V")

BUSY = 4
"""How much longer than after an idle time company is waited for between two calls."""


class _Asked(Generic[K, V]):
    """One item on its way to an answer."""

    __slots__ = ("answer", "answered", "given_up", "item")

    def __init__(self, item: K) -> None:
        self.item = item
        self.answered = anyio.Event()
        self.answer: V | Exception | None = None
        self.given_up = False


class Coalescer(Generic[K, V]):
    """Collects what is asked and calls with at most `most` items, one call at a time.

    After an idle time the first call waits `linger` seconds for company, and between two calls
    BUSY times as long: a hundred calls of three items cost much more than ten of thirty. `call`
    answers in the order of its items; an exception among its answers goes to that item's asker, an
    exception of the whole call to all of them. Somebody has to run `run`, or hold `running` open.
    """

    def __init__(
        self,
        call: Callable[[Sequence[K]], Awaitable[Sequence[V | Exception]]],
        *,
        most: int,
        linger: float = 0.005,
    ) -> None:
        self._call = call
        self._most = most
        self._linger = linger
        self._waiting: deque[_Asked[K, V]] = deque()
        self._doorbell = anyio.Event()
        self._closed = False

    async def ask(self, item: K) -> V:
        """The answer for `item`; raises what the call raised for it.

        Raises anyio.ClosedResourceError once nobody runs this coalescer any more.
        """
        if self._closed:
            raise anyio.ClosedResourceError
        asked: _Asked[K, V] = _Asked(item)
        self._waiting.append(asked)
        self._doorbell.set()
        try:
            await asked.answered.wait()
        finally:
            asked.given_up = True  # a cancelled asker costs the others nothing
        if isinstance(asked.answer, Exception):
            raise asked.answer.with_traceback(None)
        return asked.answer  # type: ignore[return-value]  # set before `answered`, of type V

    async def run(self) -> None:
        """Serve for ever. When this is cancelled, everybody still waiting is told so."""
        batch: list[_Asked[K, V]] = []
        try:
            while True:
                await self._doorbell.wait()
                await anyio.sleep(self._linger)
                while batch := self._next_batch():
                    await self._serve(batch)
                    await anyio.sleep(BUSY * self._linger)
                self._doorbell = anyio.Event()
        finally:
            self._closed = True
            for asked in (*batch, *self._waiting):
                if not asked.answered.is_set():
                    _answer(asked, anyio.ClosedResourceError())

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Served while the block lasts."""
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(self.run)
            try:
                yield
            finally:
                tasks.cancel_scope.cancel()

    def _next_batch(self) -> list[_Asked[K, V]]:
        wanted = deque(asked for asked in self._waiting if not asked.given_up)
        batch = list(islice(wanted, self._most))
        self._waiting = deque(islice(wanted, len(batch), None))
        return batch

    async def _serve(self, batch: Sequence[_Asked[K, V]]) -> None:
        pairs: list[tuple[_Asked[K, V], V | Exception]]
        try:
            answers = await self._call([asked.item for asked in batch])
            pairs = list(zip(batch, answers, strict=True))
        except Exception as error:  # noqa: BLE001 - it is the askers' to handle, each gets it
            pairs = [(asked, error) for asked in batch]
        for asked, answer in pairs:
            _answer(asked, answer)


def _answer(asked: _Asked[K, V], answer: V | Exception) -> None:
    asked.answer = answer
    asked.answered.set()
