"""A simulated machine: a disk in memory, a clock that jumps, no threads, a server in-process.

Its own module because scenarios should read as stories; this is the stage they are played on.
The code under test is the real one: only the ports of `core.ports` and httpx's transport differ.
"""

import random
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import AbstractAsyncContextManager, asynccontextmanager, closing
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import ParamSpec, TypeVar

import anyio
import httpx
import trio.testing
from trio._core import _run as trio_run

from immich_sync.core.errors import FileVanished
from immich_sync.core.folder import Account, Folder, Limits, Setup
from immich_sync.core.ports import Changes, ChangeSource, Entry, Lane, RootIdentity, WatchHealth
from immich_sync.core.types import Evidence, Secret, Stamp
from immich_sync.engine import Engine, Surroundings
from immich_sync.immich.client import Immich, connect
from immich_sync.sandbox import Faults, FaultyTransport, State, create_app, with_faults
from immich_sync.store.database import open_database

T = TypeVar("T")
P = ParamSpec("P")

EPOCH = datetime(2026, 6, 1, 20, 0, tzinfo=UTC).timestamp()
"""When every simulation begins: an evening."""
ROOT = b"/photos"
KEY = "simulated-key-0123456789"


class SimulatedClock:
    """Wall clock on the simulation's own time, and seeded chance."""

    def __init__(self, seed: int) -> None:
        self._chance = random.Random(seed)  # noqa: S311 - repeatable on purpose

    def now(self) -> float:
        """Seconds since the epoch."""
        return EPOCH + anyio.current_time()

    def jitter(self) -> float:
        """A number in [0, 1)."""
        return self._chance.random()


async def inline(_: Lane, function: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> T:
    """Blocking calls without threads: under a virtual clock, a hop would let time jump."""
    await anyio.lowlevel.checkpoint()
    return function(*args, **kwargs)


@dataclass(slots=True)
class MemorySource:
    """An open file in memory; it keeps its bytes when the name goes, as a descriptor does."""

    data: bytes
    seen: Stamp

    def stamp(self) -> Stamp:
        """The stamp at opening."""
        return self.seen

    def read_at(self, offset: int, length: int) -> bytes:
        """The bytes there."""
        return self.data[offset : offset + length]

    def close(self) -> None:
        """Nothing to give back."""


@dataclass(slots=True)
class MemoryDisk:
    """A folder's files by their path below the root, and who wants to hear of changes."""

    files: dict[bytes, tuple[bytes, Stamp]] = field(default_factory=dict)
    noticed: list[tuple[bytes, bytes]] = field(default_factory=list)
    heard: anyio.Event = field(default_factory=anyio.Event)
    reads: int = 0
    _inodes: int = 100

    def write(self, relative: bytes, data: bytes, now: float) -> None:
        """A file is written and closed, all at once."""
        self._inodes += 1
        at = int(now * 1e9)
        self.files[relative] = (data, Stamp(len(data), at, self._inodes, at))
        directory, _, name = relative.rpartition(b"/")
        self.noticed.append((directory, name))
        self.heard.set()

    def list(self, root: bytes, directory: bytes) -> list[Entry]:
        """Files and directories, in the order of their names."""
        del root
        inside = directory + b"/" if directory else b""
        found: dict[bytes, Stamp | None] = {}
        for path, (_, stamp) in self.files.items():
            if path.startswith(inside):
                name, slash, _ = path[len(inside) :].partition(b"/")
                found[name] = None if slash else stamp
        return [Entry(name, found[name]) for name in sorted(found)]

    def stat(self, root: bytes, relative: bytes) -> Stamp | None:
        """The stamp of a file."""
        del root
        return self.files[relative][1] if relative in self.files else None

    def open(self, root: bytes, relative: bytes) -> MemorySource:
        """The file; raises FileVanished."""
        del root
        if relative not in self.files:
            raise FileVanished("it is not there any more")
        self.reads += 1
        return MemorySource(*self.files[relative])

    def is_empty(self, root: bytes) -> bool:
        """Whether there is no file at all."""
        del root
        return not self.files

    def identify(self, root: bytes) -> RootIdentity | None:
        """Always the same disk."""
        del root
        return RootIdentity("simulated", "memory", 1)


@dataclass(slots=True)
class MemoryChanges:
    """A change source that hears everything."""

    disk: MemoryDisk

    async def changes(self) -> Changes:
        """What was noticed since the last call."""
        while not self.disk.noticed:
            await self.disk.heard.wait()
            self.disk.heard = anyio.Event()
        directories: dict[bytes, dict[bytes, Evidence]] = {}
        for directory, name in self.disk.noticed:
            directories.setdefault(directory, {})[name] = Evidence.FINISHED
        self.disk.noticed.clear()
        return Changes(directories)

    def health(self) -> WatchHealth:
        """Well."""
        return WatchHealth("inotify")


@dataclass(slots=True)
class Stage:
    """Everything a scenario may touch; made within it, since its clock is the simulation's."""

    seed: int
    path: Path  # a real folder for SQLite and for the sandbox's bytes
    disk: MemoryDisk = field(default_factory=MemoryDisk)
    faults: Faults = field(default_factory=Faults)
    trace: list[tuple[float, str]] = field(default_factory=list)
    server: State = field(init=False)
    clock: SimulatedClock = field(init=False)

    def __post_init__(self) -> None:
        self.clock = SimulatedClock(self.seed)
        self.server = State(
            self.path / "server",
            api_key=KEY,
            now=lambda: datetime.fromtimestamp(self.clock.now(), UTC),
            rng=random.Random(self.seed),  # noqa: S311 - repeatable on purpose
        )

    def setup(self, *, album: str | None = "{parent}", limits: Limits | None = None) -> Setup:
        """One account, one folder."""
        account = Account("default", "http://immich.test", Secret(KEY))
        folder = Folder("photos", ROOT, "default", album=album, settle=1.0)
        return Setup((account,), (folder,), limits or Limits(in_flight=8), str(self.path))

    def surroundings(self) -> Surroundings:
        """The simulated machine."""

        @asynccontextmanager
        async def watch(_: Folder) -> AsyncIterator[ChangeSource]:
            yield MemoryChanges(self.disk)

        def link(account: Account, limits: Limits) -> AbstractAsyncContextManager[Immich]:
            app = with_faults(create_app(self.server), self.faults, self.server)
            inner = httpx.ASGITransport(app, raise_app_exceptions=False)
            return connect(account, limits, self.clock, FaultyTransport(inner, self.faults))

        return Surroundings(
            clock=self.clock,
            blocking=inline,
            disk=self.disk,
            watch=watch,
            hashing=lambda _: Lane("hash", 1),
            connect=link,
        )

    @asynccontextmanager
    async def daemon(self, setup: Setup | None = None) -> AsyncIterator[Engine]:
        """The engine, running while the block lasts; then it is told to stop."""
        with closing(open_database(self.path / "state.db")) as database:
            engine = Engine(
                setup or self.setup(),
                self.surroundings(),
                database,
                tell=lambda one: self.trace.append((round(anyio.current_time(), 6), one.event)),
            )
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(engine.run)
                yield engine
                engine.stop()


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
