"""The process: state folder, signals, control socket, systemd, and the engine in their midst.

Its own module because it is the only one that knows the whole, and the only one that knows that
it is a process.
"""

import os
import signal
import threading
from collections.abc import Callable, Collection
from contextlib import closing
from pathlib import Path

import anyio
import structlog

from immich_sync import control, pulse, systemd
from immich_sync.core.errors import StateDamaged
from immich_sync.core.folder import Setup
from immich_sync.core.types import Activity, FolderId
from immich_sync.engine import Engine
from immich_sync.machine import this_machine
from immich_sync.orders import Orders
from immich_sync.store import queue
from immich_sync.store.database import STATE_FILE, lock_state, open_database

LAST_RESORT = 7.5
"""Seconds after which a process that was told to stop ends, even if a disk never answers."""
STOPPING = (signal.SIGTERM, signal.SIGINT)
"""What tells the process to stop."""
GLANCE = 0.1
"""Seconds between two looks at whether a `--once` run has drained."""

log = structlog.get_logger()


async def run(
    setup: Setup,
    *,
    once: bool = False,
    within: float | None = None,
    tell: Callable[[Activity], None] = lambda _: None,
    started: Callable[[Engine], None] = lambda _: None,
) -> int:
    """Sync until SIGTERM or SIGINT; with `once`, until all is done or `within` seconds are over.

    Returns the exit code: 0, or 1 if with `once` something failed or could not be reached. `tell`
    hears what happens to each file; `started` is given the engine. Raises Misconfigured,
    StateTrouble (a state found damaged on the way is made anew by the next start), and
    ServerTrouble if address or key turn out to be wrong from the start.
    """
    state = Path(setup.state)
    with lock_state(state):
        database = open_database(state / STATE_FILE)
        if database.moved_aside:
            log.warning("state_rebuilt", moved_aside=str(database.moved_aside))
        with closing(database):
            engine = Engine(setup, this_machine(setup.limits), database, tell)
            code = await _live(engine, state / control.SOCKET, started, once=once, within=within)
    if engine.fatal is not None:
        raise engine.fatal
    return code


async def _live(
    engine: Engine,
    socket: Path,
    started: Callable[[Engine], None],
    *,
    once: bool,
    within: float | None,
) -> int:
    code = 0

    async def until_drained() -> None:
        nonlocal code
        code = await _drain(engine, within)
        engine.stop()

    async def end_in_time() -> None:
        """A disk that never answers keeps its thread, and must not keep the process."""
        await engine.told_to_stop()
        last_resort = threading.Timer(LAST_RESORT, lambda: os._exit(_code(engine, code)))
        last_resort.daemon = True
        last_resort.start()
        try:
            await anyio.sleep_forever()
        finally:  # ended in time: the process may be somebody else's, and live on
            last_resort.cancel()

    async with anyio.create_task_group() as tasks:
        await tasks.start(control.serve, socket, Orders(engine).handle)
        tasks.start_soon(_heed_signals, engine)
        tasks.start_soon(end_in_time)
        if once:
            tasks.start_soon(until_drained)
        systemd.ready()
        tasks.start_soon(pulse.tell, engine)
        tasks.start_soon(pulse.beat, engine)
        started(engine)
        await engine.run()
        systemd.stopping()
        tasks.cancel_scope.cancel()
    return code


def _code(engine: Engine, code: int) -> int:
    match engine.fatal:
        case None:
            return code
        case StateDamaged():
            return 1  # worth a restart, which repairs it
        case _:
            return 3


async def _heed_signals(engine: Engine) -> None:
    with anyio.open_signal_receiver(*STOPPING) as signals:
        # Whoever started us may have held them back until now.
        signal.pthread_sigmask(signal.SIG_UNBLOCK, STOPPING)
        async for number in signals:
            log.info("stopping", signal=signal.Signals(number).name)
            systemd.stopping()
            engine.stop()


async def _drain(engine: Engine, within: float | None) -> int:
    """Wait until nothing is due and nothing grows; the exit code."""
    with anyio.move_on_after(within):
        while True:
            if await _drained(engine):
                break
            await anyio.sleep(GLANCE)
        lost = [
            one.folder.name
            for one in engine.intakes.values()
            if not one.root.online or engine.unapproved(one.folder_id)
        ]
        waiting = (await _counts(engine, list(engine.intakes))).waiting
        log.info("finished", **engine.crew.outcomes)
        return 1 if engine.crew.failures or lost or waiting else 0
    log.warning("timed_out", seconds=within)
    return 1


async def _drained(engine: Engine) -> bool:
    intakes = engine.intakes.values()
    if len(intakes) < len(engine.setup.folders) or engine.crew.busy or not engine.audited():
        return False
    if not all(intake.is_quiet() for intake in intakes):
        return False
    workable = [
        folder
        for folder, intake in engine.intakes.items()
        if intake.root.online and not engine.unapproved(folder)
    ]
    return (await _counts(engine, workable)).due == 0


async def _counts(engine: Engine, folders: Collection[FolderId]) -> queue.Counts:
    now = engine.world.clock.now()
    return await engine.world.store(queue.counts, now=now, folders=folders)
