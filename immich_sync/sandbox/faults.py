"""Faults as values, and the list that says which request meets which.

Its own module because the application, the relay and the simulated transport all ask the same
list; each takes only the kinds it can act out, so that a fault fires once.
"""

from dataclasses import dataclass
from typing import TypeVar, get_args


@dataclass(frozen=True, slots=True)
class Status:
    """The answer is this status; the body is read first if `read_body`, else not at all.

    `retry_after` is the header of that name: seconds, or an HTTP date.
    """

    status: int
    retry_after: str | None = None
    message: str = "Injected"
    read_body: bool = False


@dataclass(frozen=True, slots=True)
class Delay:
    """The request waits `seconds` before the server sees it, and is then handled as ever."""

    seconds: float


@dataclass(frozen=True, slots=True)
class Maintenance:
    """Only `/server/ping` and `/server/config` answer; all else is 503."""


@dataclass(frozen=True, slots=True)
class Quota:
    """The body is taken in, then refused: 400 `Quota has been exceeded!`."""


@dataclass(frozen=True, slots=True)
class TooLarge:
    """A proxy in front takes no body above `limit` bytes: 413 in HTML, the body unread."""

    limit: int = 0


@dataclass(frozen=True, slots=True)
class Html:
    """A captive portal: 200 and a log-in page, whatever was asked."""


@dataclass(frozen=True, slots=True)
class ResetRequest:
    """The connection is reset when `after` bytes of the request's body have been passed on."""

    after: int = 0


@dataclass(frozen=True, slots=True)
class ResetResponse:
    """The connection is reset when `after` bytes of the answer, head included, were passed on."""

    after: int = 0


@dataclass(frozen=True, slots=True)
class LostAnswer:
    """The server has answered, so has done its work; the connection is reset instead."""


@dataclass(frozen=True, slots=True)
class EarlyAnswer:
    """A proxy answers this status on seeing the head, and closes with the body unread."""

    status: int = 413


@dataclass(frozen=True, slots=True)
class SlowRead:
    """The request's body is taken at this many bytes a second, and no faster."""

    bytes_per_second: int


@dataclass(frozen=True, slots=True)
class Refuse:
    """The connection does not come about (simulated transport only; see `Relay.refuse`)."""


AppFault = Status | Delay | Maintenance | Quota | TooLarge | Html
WireFault = ResetRequest | ResetResponse | LostAnswer | EarlyAnswer | SlowRead
TransportFault = Refuse | ResetRequest | ResetResponse | LostAnswer
Fault = AppFault | WireFault | TransportFault

APP_FAULTS: tuple[type[AppFault], ...] = get_args(AppFault)
WIRE_FAULTS: tuple[type[WireFault], ...] = get_args(WireFault)
TRANSPORT_FAULTS: tuple[type[TransportFault], ...] = get_args(TransportFault)

FaultT = TypeVar("FaultT", bound=Fault)


class Rule:
    """One fault, the requests it is meant for, and how often it `fired` so far."""

    def __init__(
        self,
        fault: Fault,
        method: str | None,
        path: str,
        skip: int,
        times: int | None,
        *,
        exact: bool,
    ) -> None:
        self.fault = fault
        self.method = method
        self.path = path
        self.fired = 0
        self._exact = exact
        self._skip = skip
        self._times = times

    @property
    def spent(self) -> bool:
        """Whether it has fired as often as it may."""
        return self._times is not None and self.fired >= self._times

    def meets(self, method: str, path: str, size: int) -> bool:
        """Whether it fires for this request with a body of `size` bytes; if so, it is counted."""
        is_there = path == self.path if self._exact else path.startswith(self.path)
        matches = self.method in {None, method} and is_there
        if isinstance(self.fault, TooLarge) and size <= self.fault.limit:
            return False
        if not matches or self.spent:
            return False
        if self._skip > 0:
            self._skip -= 1
            return False
        self.fired += 1
        return True


class Faults:
    """The rules in force, oldest first; the first that meets a request acts on it."""

    def __init__(self, *, wire: bool = True) -> None:
        self._wire = wire
        self._rules: list[Rule] = []

    def add(
        self,
        fault: Fault,
        *,
        method: str | None = None,
        path: str = "/",
        exact: bool = False,
        skip: int = 0,
        times: int | None = None,
    ) -> Rule:
        """From now on, requests of `method` (any) below `path` (`exact`: to it) meet the fault.

        The first `skip` of them are spared, and after `times` (None: no end) it is over.
        ValueError if nothing here can act the fault out.
        """
        if not self._wire and not isinstance(fault, APP_FAULTS):
            raise ValueError(f"{fault} needs a relay in front: use Sandbox(relay=True)")
        rule = Rule(fault, method, path, skip, times, exact=exact)
        self._rules.append(rule)
        return rule

    def remove(self, rule: Rule) -> None:
        """The rule is not in force any more, if it was."""
        self._rules = [other for other in self._rules if other is not rule]

    def clear(self) -> None:
        """No rule is in force."""
        self._rules = []

    def take(
        self, kinds: tuple[type[FaultT], ...], method: str, path: str, size: int = 0
    ) -> FaultT | None:
        """The fault, of one of these kinds, that this request meets; it is counted as fired."""
        for rule in self._rules:
            fault = rule.fault
            if isinstance(fault, kinds) and rule.meets(method, path, size):
                return fault
        return None
