"""A simulated machine: a disk in memory, a clock that jumps, no threads, a server in-process.

Its own module because scenarios should read as stories; this is the stage they are played on.
The code under test is the real one: only the ports of `core.ports` and httpx's transport differ.
"""

import random
import tempfile
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import AbstractAsyncContextManager, asynccontextmanager, closing
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import ParamSpec, TypeVar

import anyio
import httpx
import trio.testing
from anyio.abc import TaskGroup
from starlette.types import ASGIApp
from trio._core import _run as trio_run

from immich_sync.bell import Bell
from immich_sync.core.folder import Account, Folder, Limits, Setup
from immich_sync.core.ports import ChangeSource, Lane
from immich_sync.core.types import Activity, Secret
from immich_sync.engine import Engine, Surroundings
from immich_sync.immich.client import Immich, connect
from immich_sync.sandbox import Faults, FaultyTransport, State, create_app, with_faults
from immich_sync.store.database import open_database
from tests.faults.memory_disk import MemoryChanges, MemoryDisk
from tests.faults.mortality import Effects, Hops, Life, MortalTransport

T = TypeVar("T")
P = ParamSpec("P")

EPOCH = datetime(2026, 6, 1, 20, 0, tzinfo=UTC).timestamp()
"""When every simulation begins: an evening."""
ROOT = b"/photos"
KEY = "simulated-key-0123456789"


class SimulatedClock:
    """Wall clock on the simulation's own time, and seeded chance."""

    def __init__(self, seed: int) -> None:
        self.ahead = 0.0  # seconds by which somebody has set it
        self._chance = random.Random(seed)  # noqa: S311 - repeatable on purpose

    def now(self) -> float:
        """Seconds since the epoch."""
        return EPOCH + anyio.current_time() + self.ahead

    def jitter(self) -> float:
        """A number in [0, 1)."""
        return self._chance.random()


async def inline(_: Lane, function: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> T:
    """Blocking calls without threads: under a virtual clock, a hop would let time jump."""
    await anyio.lowlevel.checkpoint()
    return function(*args, **kwargs)


@dataclass(slots=True)
class Stage:
    """Everything a scenario may touch; made within it, since its clock is the simulation's."""

    seed: int
    path: Path  # a real folder for SQLite and for the sandbox's bytes
    hurried: bool = True  # no hop and no request takes any time
    effects: Effects = field(default_factory=Effects)
    disk: MemoryDisk = field(default_factory=MemoryDisk)
    faults: Faults = field(default_factory=Faults)
    trace: list[tuple[float, str]] = field(default_factory=list)
    told: Callable[[Activity], None] = lambda _: None
    answered: Callable[[httpx.Request, httpx.Response], None] = lambda _request, _answer: None
    state_failures: int = 0  # how many of the next questions to the state meet a full disk
    deaths: int = 0  # at an effect, not by a kill
    refused: bool = False  # the last process ended by itself: key or server cannot be used
    endings: Bell = field(default_factory=Bell)  # rings when a process has ended
    key: str = KEY  # what the next process is configured with
    powered: bool = False  # no power cut can come: nobody has to note what would outlive one
    synced: int = 0  # bytes of the write-ahead log that outlive a power cut
    server: State = field(init=False)
    clock: SimulatedClock = field(init=False)
    engine: Engine | None = field(init=False, default=None)
    _app: ASGIApp = field(init=False)
    _life: Life | None = field(init=False, default=None)
    _ended: anyio.Event = field(init=False)
    _chance: random.Random | None = field(init=False)

    def __post_init__(self) -> None:
        self.clock = SimulatedClock(self.seed)
        self.server = State(
            self.path / "server",
            api_key=KEY,
            now=lambda: datetime.fromtimestamp(self.clock.now(), UTC),
            rng=random.Random(self.seed),  # noqa: S311 - repeatable on purpose
        )
        self._app = with_faults(create_app(self.server), self.faults, self.server)
        self._chance = None if self.hurried else random.Random(self.seed)  # noqa: S311 - likewise
        self._ended = anyio.Event()
        self._ended.set()
        if not self.state.exists():
            self.state.write_bytes(_migrated())

    @property
    def state(self) -> Path:
        """The state file."""
        return self.path / "state.db"

    def setup(
        self,
        *,
        album: str | None = "{parent}",
        limits: Limits | None = None,
        scan_every: float | None = None,
        on_delete: str = "ignore",
    ) -> Setup:
        """One account, one folder."""
        account = Account("default", "http://immich.test", Secret(self.key))
        folder = Folder(
            "photos",
            ROOT,
            "default",
            album=album,
            settle=1.0,
            scan_every=scan_every,
            on_delete=on_delete,
            delete_after=60.0,
        )
        return Setup((account,), (folder,), limits or Limits(in_flight=8), str(self.path))

    def surroundings(self, life: Life) -> Surroundings:
        """The simulated machine, as one process sees it."""
        self.disk.happening = life.happening
        return self._around(life, self.disk.watched, self.state)

    def _around(
        self,
        life: Life,
        watched: Callable[[], AbstractAsyncContextManager[ChangeSource]],
        state: Path,
    ) -> Surroundings:
        def watch(_: Folder) -> AbstractAsyncContextManager[ChangeSource]:
            return watched()

        def link(account: Account, limits: Limits) -> AbstractAsyncContextManager[Immich]:
            inner = httpx.ASGITransport(self._app, raise_app_exceptions=False)
            faulty = FaultyTransport(inner, self.faults)
            transport = MortalTransport(faulty, life, self._chance, self.answered)
            return connect(account, limits, self.clock, transport)

        return Surroundings(
            clock=self.clock,
            blocking=Hops(life, f"{state}-wal", self._chance, self._state_fails),
            disk=self.disk,
            watch=watch,
            hashing=lambda _: Lane("hash", 1),
            connect=link,
        )

    def start(self, tasks: TaskGroup, setup: Setup | None = None) -> None:
        """A new process begins; one at a time."""
        assert self.engine is None
        life = self._life = Life(self.effects, self._note_death)
        self._ended = anyio.Event()
        database = open_database(self.state)
        if not self.powered:
            with database.reading() as connection:
                connection.set_trace_callback(self._note_sync)
        engine = self.engine = Engine(
            setup or self.setup(), self.surroundings(life), database, tell=self._tell
        )

        async def live() -> None:
            with closing(database), anyio.CancelScope() as scope:
                life.scopes.append(scope)
                if life.dead:  # before it drew its first breath
                    scope.cancel()
                await engine.run()
            self.engine, self.refused = None, engine.fatal is not None
            self._ended.set()
            self.endings.ring()

        tasks.start_soon(live)

    def dies_with_it(self, scope: anyio.CancelScope) -> None:
        """What runs in this scope is done by the process, and ends when that dies."""
        assert self._life is not None
        self._life.scopes.append(scope)

    async def kill(self) -> None:
        """The process dies here and now, if there is one; its files stay as they are."""
        if self._life is not None:
            self._life.die()
        await self._ended.wait()

    async def stop(self) -> None:
        """The process is asked to end, and does."""
        if self.engine is not None:
            self.engine.stop()
        await self._ended.wait()

    def start_rival(self, tasks: TaskGroup, setup: Setup) -> Callable[[], None]:
        """A second daemon with a state of its own, that hears of nothing; call to kill it."""
        state = self.path / "rival" / "state.db"
        state.parent.mkdir(exist_ok=True)
        if not state.exists():
            state.write_bytes(_migrated())
        life = Life(Effects(), lambda: None)
        database = open_database(state)
        engine = Engine(setup, self._around(life, deaf, state), database)

        async def live() -> None:
            with closing(database), anyio.CancelScope() as scope:
                life.scopes.append(scope)
                if life.dead:
                    scope.cancel()
                await engine.run()

        tasks.start_soon(live)
        return life.die

    @asynccontextmanager
    async def daemon(self, setup: Setup | None = None) -> AsyncIterator[Engine]:
        """The engine, running while the block lasts; then it is told to stop."""
        async with anyio.create_task_group() as tasks:
            self.start(tasks, setup)
            assert self.engine is not None
            yield self.engine
            await self.stop()

    def _tell(self, activity: Activity) -> None:
        self.trace.append((round(anyio.current_time(), 6), activity.event))
        self.told(activity)

    def _note_sync(self, statement: str) -> None:
        """The state goes back to NORMAL after a commit that waited for the disk (FULL)."""
        if statement == "PRAGMA synchronous = NORMAL":
            log = Path(f"{self.state}-wal")
            self.synced = log.stat().st_size if log.exists() else 0

    def _note_death(self) -> None:
        self.deaths += self.effects.count == self.effects.doomed

    def _state_fails(self) -> bool:
        self.state_failures -= self.state_failures > 0
        return self.state_failures > 0


@asynccontextmanager
async def deaf() -> AsyncIterator[MemoryChanges]:
    """A change source for a disk on which nothing happens."""
    yield MemoryChanges(MemoryDisk())


@cache
def _migrated() -> bytes:
    """A new state file: to copy it is quicker than to make its tables again and again."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "state.db")
        open_database(path).close()
        return path.read_bytes()


def quick_folder() -> str | None:
    """Where a simulation's files belong: in memory, if the system has a place for that."""
    return "/dev/shm" if Path("/dev/shm").is_dir() else None


async def until(condition: Callable[[], bool], *, within: float) -> None:
    """Virtual time passes until the condition holds; fails after `within` virtual seconds."""
    with anyio.fail_after(within):
        while True:
            if condition():
                return
            await anyio.sleep(1.0)


def simulate(scenario: Callable[[], Coroutine[object, object, T]], *, seed: int) -> T:
    """Play a scenario on trio with a virtual clock and a seeded scheduler."""
    # trio has no public way to say this; its own tests say it so.
    trio_run._ALLOW_DETERMINISTIC_SCHEDULING = True  # type: ignore[misc]
    trio_run._r = random.Random(seed)  # noqa: S311 - the scheduler's dice
    clock = trio.testing.MockClock(autojump_threshold=0)
    return anyio.run(scenario, backend="trio", backend_options={"clock": clock})
