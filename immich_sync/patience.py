"""How long a person's order waits for trouble to pass: a few quick tries, with growing pauses.

Its own module because uploads and downloads by hand share it, and the daemon, which has all the
time in the world, does otherwise (`core.backoff`).

Pauses are 0.5, 2, 8, 10, 10 … seconds, those of uploads times a number between 0.75 and 1.25; a
server that says for how long it wants to be left alone is left alone for that long, at most half a
minute.
"""

from collections.abc import Awaitable, Callable
from typing import TypeVar

import anyio

from immich_sync.core.errors import (
    FileUnreadable,
    FileVanished,
    Full,
    Maintenance,
    NotImmich,
    Overloaded,
    Refused,
    Rejected,
    SyncTrouble,
    TooLarge,
    Unreachable,
    Untrusted,
)

T = TypeVar("T")

TRIES = 3
"""How often a question is asked that gets no answer, or none that counts, if nobody says else."""
LONGEST_PAUSE, LONGEST_WISH = 10.0, 30.0
"""Seconds: see above."""
PASSES = (Unreachable, Overloaded, Maintenance)
"""What may be over a moment later, of all the trouble with a server."""


def pause(trouble: SyncTrouble, attempt: int, jitter: float = 0.5) -> float | None:
    """Seconds to wait before the next try, after `attempt` of them; None: no try will help."""
    match trouble:
        case FileVanished() | FileUnreadable() | Rejected() | TooLarge():
            return None
        case Refused() | NotImmich() | Untrusted() | Full():
            return None
        case Overloaded(retry_after=wish) if wish is not None:
            return min(wish, LONGEST_WISH)
        case _:
            wait = min(LONGEST_PAUSE, 0.5 * 4.0 ** min(attempt - 1, 8))
            return wait * (0.75 + jitter / 2)


class Patience:
    """The tries that each of many questions to one server gets.

    Once one of them has used them up, the next has a single one, until an answer comes again: an
    album of thousands must not wait thousands of times for a server that is gone.
    """

    def __init__(self, tries: int = TRIES) -> None:
        self._most = self._tries = tries

    async def ask(self, question: Callable[[], Awaitable[T]]) -> T:
        """The answer, asked for again while trouble may pass. Raises what the last try raised."""
        attempt = 0
        while True:
            attempt += 1
            try:
                answer = await question()
            except PASSES as trouble:
                await self.wait(trouble, attempt)
            else:
                self.renew()
                return answer

    async def wait(self, trouble: SyncTrouble, attempt: int) -> None:
        """Return when it is time for another try after `attempt` in vain; raises if for none."""
        wait = pause(trouble, attempt)
        if wait is None or attempt >= self._tries:
            self._tries = 1
            raise trouble
        await anyio.sleep(wait)

    def renew(self) -> None:
        """An answer came."""
        self._tries = self._most
