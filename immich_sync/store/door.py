"""The one door to the state for async code.

Its own module because it makes us a single writer: one call at a time, each a synchronous
function, so that no `await` can stand inside a transaction. And because a disk of our own that is
full or failing is waited out here: whoever asks waits, nothing is dropped, all goes on by itself.
Damage is not waited out: it ends the program, so that the next start makes the state anew.
"""

from collections.abc import Callable
from contextlib import closing
from functools import partial
from typing import Concatenate, ParamSpec, TypeVar

import anyio
import structlog

from immich_sync.core.errors import StateDamaged, StateTrouble
from immich_sync.core.ports import Blocking, Lane
from immich_sync.store.database import Database, open_read_only

T = TypeVar("T")
P = ParamSpec("P")

PATIENCE = 5.0
"""Seconds between two tries while our own disk is full or failing."""
_LANE = Lane("state", 1)  # SQLite has one writer; so have we
_LOOKING = Lane("look at state", 1)

log = structlog.get_logger()


class Store:
    """The open state; calling it runs a function of this package on it.

    A program that is not `patient` wants to hear of trouble at once: nobody waits for it to pass.
    """

    def __init__(
        self,
        database: Database,
        blocking: Blocking,
        *,
        patient: bool = True,
        damaged: Callable[[StateDamaged], None] = lambda _: None,
    ) -> None:
        self._patient = patient
        self._damaged = damaged  # told of damage; it has to see to it that nobody waits for long
        self.trouble: StateTrouble | None = None  # what is waited for just now
        self.since: float | None = None  # since when (monotonic)
        self._failing = 0  # questions that have failed and wait for their next try
        self._database = database
        self._blocking = blocking

    async def __call__(
        self, function: Callable[Concatenate[Database, P], T], /, *args: P.args, **kwargs: P.kwargs
    ) -> T:
        """What `function(database, …)` returns, as soon as our own disk lets it.

        It does not return after damage: all is ending. Raises StateTrouble if not `patient`.
        """
        return await self._insist(_LANE, partial(function, self._database, *args, **kwargs))

    async def look(
        self, function: Callable[Concatenate[Database, P], T], /, *args: P.args, **kwargs: P.kwargs
    ) -> T:
        """The same for a long question that only reads: it holds nobody else up."""

        def ask() -> T:
            with closing(open_read_only(self._database.path)) as database:
                return function(database, *args, **kwargs)

        return await self._insist(_LOOKING, ask)

    async def turn(self) -> None:
        """Return once whatever was asked before has been answered; the disk is not touched."""
        await self._blocking(_LANE, lambda: None)

    async def _insist(self, lane: Lane, question: Callable[[], T]) -> T:
        try:
            return await self._blocking(lane, question)
        except StateTrouble as trouble:
            if not self._patient:
                raise
            self._is_failing(trouble)
        self._failing += 1
        try:
            answer = await self._try_again(lane, question)
        finally:
            # What can still be read says nothing of what cannot be written: the trouble is over
            # when nobody who met it is still waiting.
            self._failing -= 1
            if not self._failing:
                self.trouble = self.since = None
        if self.trouble is None:
            log.info("state_works_again")
        return answer

    async def _try_again(self, lane: Lane, question: Callable[[], T]) -> T:
        while True:
            await anyio.sleep(PATIENCE)
            try:
                return await self._blocking(lane, question)
            except StateTrouble as trouble:
                self._is_failing(trouble)

    def _is_failing(self, trouble: StateTrouble) -> None:
        if self.trouble is None:
            self.since = anyio.current_time()
            log.error("state_failed", error=str(trouble))
        self.trouble = trouble
        if isinstance(trouble, StateDamaged):
            self._database.note_damage()  # one that only looked could not
            self._damaged(trouble)
