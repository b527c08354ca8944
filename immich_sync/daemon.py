"""The process: state folder, signals, control socket, systemd, and the engine in their midst.

Its own module because it is the only one that knows the whole, and the only one that knows that
it is a process.
"""

import os
import signal
import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass
from pathlib import Path

import anyio
import anyio.to_thread
import structlog
from anyio.abc import TaskStatus

from immich_sync import control, pulse, systemd
from immich_sync.core.errors import Misconfigured, ServerTrouble, StateDamaged
from immich_sync.core.folder import Setup
from immich_sync.core.types import Activity
from immich_sync.draining import drain
from immich_sync.engine import Engine
from immich_sync.health.listening import Listening
from immich_sync.health.pages import Pages
from immich_sync.machine import this_machine
from immich_sync.notify.announcing import Announcer
from immich_sync.notify.channels import LOG, outside
from immich_sync.observing import Observer
from immich_sync.orders import Orders
from immich_sync.reloading import Vetted, vet
from immich_sync.store.database import STATE_FILE, Database, lock_state, open_database

LAST_RESORT = 7.5
"""Seconds after which a process that was told to stop ends, even if a disk never answers."""
STOPPING = (signal.SIGTERM, signal.SIGINT)
"""What tells the process to stop."""
LONG_RELOAD = 60.0
"""Seconds after which a process whose reload waits for such a disk ends, to be started anew."""

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class _Wishes:
    """What the caller of `run` wants."""

    once: bool
    within: float | None
    tell: Callable[[Activity], None]
    started: Callable[[Engine], None]
    reread: Callable[[], Setup] | None


async def run(
    setup: Setup,
    *,
    once: bool = False,
    within: float | None = None,
    tell: Callable[[Activity], None] = lambda _: None,
    started: Callable[[Engine], None] = lambda _: None,
    reread: Callable[[], Setup] | None = None,
) -> int:
    """Sync until SIGTERM or SIGINT; with `once`, until all is done or `within` seconds are over.

    Returns the exit code: 0, or 1 if with `once` something failed or could not be reached. `tell`
    hears what happens to each file; `started` is given the engine, and each one that a reload puts
    in its place. `reread` reads the configuration anew, in a thread; without it none is reloaded.

    Raises Misconfigured, StateTrouble (a state found damaged on the way is made anew by the next
    start), and ServerTrouble if address or key turn out to be wrong from the start.
    """
    state = Path(setup.state)
    wishes = _Wishes(once, within, tell, started, reread)
    with lock_state(state):
        database = open_database(state / STATE_FILE)
        if database.moved_aside:
            log.warning("state_rebuilt", moved_aside=str(database.moved_aside))
        with closing(database):
            engine = Engine(setup, this_machine(setup.limits, setup.folders), database, tell)
            process = _Process(engine, database, wishes)
            with closing(process):
                code = await process.live()
    if process.engine.fatal is not None:
        raise process.engine.fatal
    return code


@dataclass(frozen=True, slots=True)
class Reloaded:
    """What came of a reload: the folders, and why which account's server could not be asked."""

    folders: Sequence[str]
    not_asked: Mapping[str, str]


class _Process:
    """What stays while a reload puts one engine in the place of another."""

    def __init__(self, engine: Engine, database: Database, wishes: _Wishes) -> None:
        self.engine = engine
        self._wishes = wishes
        self._database = database
        self._since = engine.world.clock.now()
        self._observer = Observer(engine, self._since)
        self._orders = Orders(engine)
        self._successor: Setup | None = None
        self._taken_over = anyio.Event()
        self._reloads = anyio.Lock()
        self._listening = Listening(engine.setup.health, Pages(lambda: self._observer).answer)
        self._stopping = False
        self._code = 0

    async def live(self) -> int:
        """Until told to stop, or until an engine ends by itself; the exit code."""
        socket = Path(self.engine.setup.state) / control.SOCKET
        async with anyio.create_task_group() as tasks:
            await tasks.start(control.serve, socket, self._answer)
            await tasks.start(self._heed_signals)
            tasks.start_soon(self._listening.run)
            while True:
                await self._work(self.engine)
                successor, self._successor = self._successor, None
                if successor is None or self._stopping or _is_damage(self.engine):
                    break
                self._take_over(successor)
            systemd.stopping()
            tasks.cancel_scope.cancel()
        return self._code

    def close(self) -> None:
        """Nothing is listened at any more."""
        self._listening.close()

    async def _work(self, engine: Engine) -> None:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(self._end_in_time, engine)
            if self._wishes.once:
                tasks.start_soon(self._until_drained, engine)
            systemd.ready()
            tasks.start_soon(pulse.tell, engine)
            tasks.start_soon(pulse.beat, engine)
            announcer = Announcer(self._observer, (LOG, *outside(engine.setup.notify)))
            if not self._wishes.once:
                tasks.start_soon(announcer.run)
            self._wishes.started(engine)
            await engine.run()
            if isinstance(engine.fatal, ServerTrouble) and self._successor is None:
                await announcer.last_words(str(engine.fatal))
            tasks.cancel_scope.cancel()

    async def _until_drained(self, engine: Engine) -> None:
        self._code = await drain(engine, self._wishes.within)
        engine.stop()

    async def _end_in_time(self, engine: Engine) -> None:
        """A disk that never answers keeps its thread, and must not keep the process."""
        await engine.told_to_stop()
        patience = LAST_RESORT if self._successor is None else LONG_RELOAD
        last_resort = threading.Timer(patience, lambda: os._exit(self._last_code(engine)))
        last_resort.daemon = True
        last_resort.start()
        try:
            await anyio.sleep_forever()
        finally:  # ended in time: the process may be somebody else's, and live on
            last_resort.cancel()

    def _last_code(self, engine: Engine) -> int:
        return 1 if self._successor is not None else _code(engine, self._code)

    async def _heed_signals(
        self, *, task_status: TaskStatus[None] = anyio.TASK_STATUS_IGNORED
    ) -> None:
        async with anyio.create_task_group() as reloads:
            with anyio.open_signal_receiver(*STOPPING, signal.SIGHUP) as signals:
                # Whoever started us may have held them back until now.
                signal.pthread_sigmask(signal.SIG_UNBLOCK, (*STOPPING, signal.SIGHUP))
                task_status.started()
                async for number in signals:
                    if number == signal.SIGHUP and self._wishes.reread and not _on_a_terminal():
                        reloads.start_soon(self._reload_unasked)
                        continue
                    log.info("stopping", signal=signal.Signals(number).name)
                    systemd.stopping()
                    self._stopping = True
                    self.engine.stop()

    async def _answer(self, request: control.Request) -> object:
        if request.command == "reload":
            return await self._reload()
        return await self._orders.handle(request)

    async def _reload_unasked(self) -> None:
        with suppress(Exception):  # the log has it
            await self._reload()

    async def _reload(self) -> Reloaded:
        """The configuration, read anew, is in force. Raises what is wrong with it."""
        if self._wishes.reread is None:
            raise Misconfigured("This run reads its configuration once: end it and start it anew.")
        async with self._reloads:
            systemd.reloading()
            try:
                setup = await anyio.to_thread.run_sync(self._wishes.reread, abandon_on_cancel=True)
                vetted = await vet(
                    setup, self.engine.setup, this_machine(setup.limits, setup.folders)
                )
                self._listening.move(setup.health)
            except Exception as error:
                log.error("reload_refused", error=str(error))  # noqa: TRY400 - a sentence for people
                systemd.ready()
                raise
            changed = setup != self.engine.setup or _is_of_others(self.engine, vetted)
            if changed:
                self._successor, self._taken_over = setup, anyio.Event()
                self.engine.stop()
                await self._taken_over.wait()
            else:
                systemd.ready()
        names = [folder.name for folder in setup.folders]
        log.info("reloaded", folders=names, changed=changed)
        return Reloaded(names, vetted.not_asked)

    def _take_over(self, setup: Setup) -> None:
        """Another engine over the same state; what only memory knew of a person's wishes stays."""
        before = self.engine
        machine = this_machine(setup.limits, setup.folders, before.world.blocking)
        engine = Engine(setup, machine, self._database, self._wishes.tell, before)
        engine.crew.paused.update(before.crew.paused)
        self.engine = engine
        self._observer = Observer(engine, self._since)
        self._orders = self._orders.to(engine)
        self._taken_over.set()


def _on_a_terminal() -> bool:
    """Whether a person started it, whose terminal has just been closed."""
    return os.isatty(2)


def _is_of_others(engine: Engine, vetted: Vetted) -> bool:
    """Whether a key is somebody else's than when its server was reached: who, is asked anew."""
    return any(
        link.user is not None and vetted.users.get(name, link.user) != link.user
        for name, link in engine.links.items()
    )


def _is_damage(engine: Engine) -> bool:
    return isinstance(engine.fatal, StateDamaged)


def _code(engine: Engine, code: int) -> int:
    match engine.fatal:
        case None:
            return code
        case StateDamaged():
            return 1  # worth a restart, which repairs it
        case _:
            return 3
