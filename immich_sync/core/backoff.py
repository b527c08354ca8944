"""From trouble to a verdict: whether, and when, a file is tried again.

Its own module because this is the only place that decides it. The formulas, for people
(`docs/operations.md` repeats them; n counts this file's failures, r is a number in [0, 1)):

    unreadable      first · 2^(n-1)              at most `longest`     (30 s … 6 h)
    suspected       first · 1/6 · 120^(n-1)      at most 4 · `longest` (5 s, 10 min, 20 h, 24 h)
    changed         first                        and at once when it has settled anew
    each of them    · (0.75 + r / 2)

Trouble with the server counts against no file: it closes the account's gate (`immich.gate`
says for how long). Trouble with the state gets no verdict: the store's door waits it out, or ends
the program, and no worker ever meets it.
"""

from dataclasses import dataclass

from immich_sync.core.errors import (
    FileChanged,
    FileTrouble,
    FileVanished,
    NoRoom,
    Rejected,
    ServerTrouble,
    Suspected,
    SyncTrouble,
    TooLarge,
)
from immich_sync.core.folder import Limits
from immich_sync.core.types import Hold


@dataclass(frozen=True, slots=True)
class Resettle:
    """The file moved: intake watches it until it holds still.

    Tried again at `due_at` (wall-clock seconds) in any case: where not its own stamp moved but its
    sidecar's, say, it holds still as it is known, and nobody would call it new.
    """

    due_at: float


@dataclass(frozen=True, slots=True)
class Forget:
    """There is no file any more."""


@dataclass(frozen=True, slots=True)
class RetryAt:
    """Try again at `due_at` (wall-clock seconds), having used up `attempts`."""

    due_at: float
    attempts: int


@dataclass(frozen=True, slots=True)
class GiveUp:
    """Hold the file until it changes or a person asks."""

    hold: Hold


@dataclass(frozen=True, slots=True)
class PauseAccount:
    """Not this file's fault: the account's gate is closed, and no attempt is used up."""

    trouble: ServerTrouble


@dataclass(frozen=True, slots=True)
class PauseUploads:
    """Not this file's fault, and no attempt used up: its way opens again when there is room."""


Verdict = Resettle | Forget | RetryAt | GiveUp | PauseAccount | PauseUploads


def decide(
    error: SyncTrouble, attempts: int, *, now: float, jitter: float, limits: Limits
) -> Verdict:
    """The verdict on `error`, after `attempts` earlier failures of this file."""
    spread = 0.75 + jitter / 2
    match error:
        case FileChanged():
            return Resettle(now + limits.retry_first * spread)
        case FileVanished():
            return Forget()
        case Rejected():
            return GiveUp(Hold.REJECTED)
        case TooLarge():
            return GiveUp(Hold.TOO_LARGE)
        case Suspected():
            wait = min(4 * limits.retry_longest, limits.retry_first / 6 * 120.0 ** min(attempts, 8))
            return RetryAt(now + wait * spread, attempts + 1)
        case FileTrouble():
            wait = min(limits.retry_longest, limits.retry_first * 2.0 ** min(attempts, 30))
            return RetryAt(now + wait * spread, attempts + 1)
        case NoRoom():
            return PauseUploads()
        case ServerTrouble():
            return PauseAccount(error)
        case _:
            raise AssertionError(f"{type(error).__name__} has no verdict") from error
