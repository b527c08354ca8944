"""While the gate is closed one probe goes out, rarely, and it alone opens the gate."""

from collections.abc import Callable

import anyio
import anyio.lowlevel
import pytest
import trio.testing

from immich_sync.core.errors import (
    NotImmich,
    Overloaded,
    Refused,
    ServerTrouble,
    TooLarge,
    Unreachable,
)
from immich_sync.immich.gate import LONGEST_PAUSE, Gate


class FixedClock:
    """A wall that stands still unless it is moved, and a jitter of one's choice."""

    def __init__(self, jitter: float = 0.0) -> None:
        self.later = 0.0
        self._jitter = jitter

    def now(self) -> float:
        """Seconds since the epoch."""
        return 1_700_000_000.0 + self.later

    def jitter(self) -> float:
        """Always the same."""
        return self._jitter


class Server:
    """What a probe asks: it answers from `back_at` on; every probe's time is noted."""

    def __init__(self, *, back_at: float, trouble: ServerTrouble | None = None) -> None:
        self.probes: list[float] = []
        self._back_at = back_at
        self._trouble = trouble or Unreachable("still down")
        self._begun = anyio.current_time()

    async def probe(self) -> None:
        """Raises the trouble until it is over."""
        now = anyio.current_time() - self._begun
        self.probes.append(now)
        await anyio.lowlevel.checkpoint()
        if now < self._back_at:
            raise self._trouble


@pytest.fixture
def anyio_backend() -> object:
    """Virtual time: an outage of a night takes no time."""
    return ("trio", {"clock": trio.testing.MockClock(autojump_threshold=0)})


def closed(
    trouble: ServerTrouble, *, times: int = 1, jitter: float = 0.0, clock: FixedClock | None = None
) -> Gate:
    """A gate that was closed so often without a success in between."""
    gate = Gate(30.0, clock or FixedClock(jitter))
    for _ in range(times):
        gate.opened()
        gate.close(trouble)
    return gate


def test_open_at_first() -> None:
    """A new gate lets everybody through and shows no trouble."""
    gate = Gate(30.0, FixedClock())
    gate.check()

    assert (gate.trouble, gate.since) == (None, None)


def test_closed_raises_its_trouble() -> None:
    """A closed gate raises what closed it, with all it knows, and says since when."""
    gate = closed(Overloaded("busy", 7.0))
    with pytest.raises(Overloaded, match="busy") as caught:
        gate.check()

    assert caught.value.retry_after == 7.0
    assert gate.since == 1_700_000_000.0


def test_each_raising_stands_alone() -> None:
    """However often it raises, no traceback grows."""
    gate = closed(Unreachable("down"))
    raised = []
    for _ in range(2):
        with pytest.raises(Unreachable) as caught:
            gate.check()
        raised.append(caught.value)

    assert raised[0] is not raised[1]
    assert gate.trouble is not None
    assert gate.trouble.__traceback__ is None


def test_the_first_trouble_stays() -> None:
    """What comes in late from calls under way neither replaces the trouble nor counts."""
    gate = closed(Unreachable("down"))
    gate.close(NotImmich("late"))

    assert str(gate.trouble) == "down"
    assert gate.pause() == 30.0


@pytest.mark.parametrize(
    ("times", "pause"),
    [(1, 30.0), (2, 60.0), (3, 120.0), (6, LONGEST_PAUSE), (9999, LONGEST_PAUSE)],
)
def test_pauses_double_without_success(times: int, pause: float) -> None:
    """A server that answers probes and then fails at the work is asked ever more rarely."""
    assert closed(Unreachable("down"), times=times).pause() == pause


def test_a_success_forgives_once_it_has_stayed_open() -> None:
    """A question answered at once proves nothing of the work; one answered after a while does."""
    clock = FixedClock()
    gate = closed(Unreachable("down"), times=2, clock=clock)
    pauses = []
    for later in (59.0, 119.0):
        gate.opened()
        clock.later += later
        gate.succeeded()
        gate.close(Unreachable("down again"))
        pauses.append(gate.pause())
    gate.opened()
    clock.later += 240.0
    gate.succeeded()
    gate.close(Unreachable("down again"))

    assert [*pauses, gate.pause()] == [120.0, 240.0, 30.0]


def test_a_success_while_closed_does_not_count() -> None:
    """The probe's own small success is no proof that work succeeds."""
    gate = closed(Unreachable("down"), times=2)
    gate.succeeded()

    assert gate.pause() == 60.0


@pytest.mark.parametrize(
    ("trouble", "jitter", "pause"),
    [
        (Overloaded("busy", 600.0), 0.0, 600.0),
        (Overloaded("busy", 1.0), 0.0, 30.0),
        (Overloaded("busy"), 0.0, 30.0),
        (Refused("no"), 0.0, 60.0),
        (Unreachable("down"), 1.0, 37.5),
    ],
)
def test_the_pause_depends_on_the_trouble(
    trouble: ServerTrouble, jitter: float, pause: float
) -> None:
    """A wish is honoured, a refused key is tried once a minute, jitter only lengthens."""
    assert closed(trouble, jitter=jitter).pause() == pause


@pytest.mark.anyio
async def test_a_night() -> None:
    """Ten hours down: a probe each 30 s, one at a time, and waiters go on when one succeeds."""
    server = Server(back_at=36_000.0)
    gate = closed(Unreachable("down"))
    woken: list[float] = []

    async def wait() -> None:
        await gate.wait_open()
        woken.append(anyio.current_time())

    begun = anyio.current_time()
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(gate.probe, server.probe)
        async with anyio.create_task_group() as waiters:
            for _ in range(3):
                waiters.start_soon(wait)
        tasks.cancel_scope.cancel()

    assert len(server.probes) == 1200
    assert server.probes == [pytest.approx(30.0 * n) for n in range(1, 1201)]
    assert woken == [pytest.approx(begun + 36_000.0)] * 3
    gate.check()


@pytest.mark.anyio
@pytest.mark.parametrize("make", [lambda: NotImmich("a login page"), lambda: TooLarge("413")])
async def test_a_failed_probe_says_why(make: Callable[[], ServerTrouble]) -> None:
    """A probe's own trouble about the server is shown; any other leaves the gate as it was."""
    trouble = make()
    server = Server(back_at=100.0, trouble=trouble)
    gate = closed(Unreachable("down"))
    with anyio.move_on_after(50.0):
        await gate.probe(server.probe)

    assert server.probes == [pytest.approx(30.0)]
    assert str(gate.trouble) == ("a login page" if isinstance(trouble, NotImmich) else "down")


@pytest.mark.anyio
async def test_it_closes_and_opens_again() -> None:
    """The probing goes on for ever: a second outage is probed like the first."""
    server, clock = Server(back_at=0.0), FixedClock()
    gate = closed(Unreachable("down"), clock=clock)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(gate.probe, server.probe)
        await gate.wait_open()
        clock.later = 1000.0
        gate.succeeded()
        await anyio.sleep(1000.0)
        gate.close(Unreachable("down"))
        await gate.wait_open()
        tasks.cancel_scope.cancel()

    assert server.probes == [pytest.approx(30.0), pytest.approx(1060.0)]
