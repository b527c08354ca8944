"""A life that can end between any two effects: what it read, wrote, sent and heard is counted.

Its own module because dying is one thing whoever it meets: after it nothing more is read, written
or sent, and what the program still believes to be doing never returns.
"""

import os
import random
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import ParamSpec, TypeVar

import anyio
import httpx

from immich_sync.core.errors import StateTrouble
from immich_sync.core.ports import Lane

T = TypeVar("T")
P = ParamSpec("P")


class Died(BaseException):
    """The process is no more: raised where a synchronous call is cut off, and never let out."""


@dataclass(slots=True)
class Effects:
    """All effects of a scenario, over all of its lives; `doomed` is the one not survived."""

    doomed: int | None = None  # counted from 1
    count: int = 0
    hashed: int = 0  # files read from end to end
    rested: int = 0  # how many there were when all had ended well, before the last restart
    missed: list[int] = field(default_factory=list)  # restarts that ended before they were doomed
    names: list[str] | None = None  # in order, if wanted


@dataclass(slots=True)
class Life:
    """One process: alive until it dies, which it does at most once."""

    effects: Effects
    died: Callable[[], None]
    dead: bool = False
    scopes: list[anyio.CancelScope] = field(default_factory=list)

    def die(self) -> None:
        """Nothing more is done by this process."""
        if not self.dead:
            self.dead = True
            for scope in self.scopes:
                scope.cancel()
            self.died()

    def breathe(self) -> None:
        """Raises Died if it is no more."""
        if self.dead:
            raise Died

    def happening(self, what: str) -> None:
        """An effect is about to take place, or just did; raises Died if this is the end."""
        self.breathe()
        effects = self.effects
        effects.count += 1
        if effects.names is not None:
            effects.names.append(what)
        if effects.count == effects.doomed:
            self.die()
            raise Died


@dataclass(slots=True)
class Hops:
    """Blocking calls without threads; each takes a moment of virtual time, if there is a chance.

    Of those to the state, the next `failing` ones meet a full disk.
    """

    life: Life
    log: str  # the path of SQLite's write-ahead log
    chance: random.Random | None = None
    failing: Callable[[], bool] = lambda: False

    async def __call__(
        self, lane: Lane, function: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs
    ) -> T:
        """What the function returns or raises; nothing at all once dead."""
        await moment(self.chance)
        life = self.life
        try:
            if lane.name == "state":
                result = self._ask_state(partial(function, *args, **kwargs))
            else:
                life.breathe()
                life.effects.hashed += lane.name == "hash"
                result = function(*args, **kwargs)
        except Died:
            await anyio.sleep_forever()
            raise
        await moment(self.chance)
        return result

    def _ask_state(self, question: Callable[[], T]) -> T:
        self.life.happening("store")
        if self.failing():
            raise StateTrouble("the disk of the state is full")
        before = self._written()
        result = question()
        if self._written() != before:
            self.life.happening("committed")
        return result

    def _written(self) -> int:
        """The size of the write-ahead log: it grows with each commit of a small scenario."""
        try:
            return os.stat(self.log).st_size  # noqa: PTH116 - a Path costs more than the question
        except FileNotFoundError:
            return 0


class MortalTransport(httpx.AsyncBaseTransport):
    """The network: a request is sent, the server acts, an answer is received; or not."""

    def __init__(
        self,
        inner: httpx.AsyncBaseTransport,
        life: Life,
        chance: random.Random | None,
        answered: Callable[[httpx.Request, httpx.Response], None],
    ) -> None:
        self._inner = inner
        self._life = life
        self._chance = chance
        self._answered = answered

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """The answer, unless the process died before it was sent or received."""
        name = f"{request.method} {request.url.path}"
        try:
            await moment(self._chance)
            self._life.happening(f"send {name}")
            answer = await self._inner.handle_async_request(request)
            self._answered(request, answer)
            self._life.happening(f"answer {name}")
        except Died:
            await anyio.sleep_forever()
            raise
        await moment(self._chance)
        return answer

    async def aclose(self) -> None:
        """The inner transport is closed."""
        await self._inner.aclose()


async def moment(chance: random.Random | None) -> None:
    """Others get their turn; with a chance, only often, and now and then virtual time passes."""
    draw = 0.4 if chance is None else chance.random()
    if draw < 0.15:
        await anyio.sleep(draw * draw * 1.2)
    elif draw < 0.5:
        await anyio.lowlevel.checkpoint()
