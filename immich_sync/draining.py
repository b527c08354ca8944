"""`run --once`: when all is done, and whether it went well.

Its own module because a daemon that goes on for ever never asks this.
"""

from collections.abc import Collection, Iterator
from datetime import datetime

import anyio
import structlog

from immich_sync.core.naming import shown
from immich_sync.core.settle import Waiting, Wants
from immich_sync.core.types import FolderId, below
from immich_sync.engine import Engine
from immich_sync.store import queue

GLANCE = 0.1
"""Seconds between two looks at whether it has drained."""

log = structlog.get_logger()


_WHY = {
    Wants.STILLNESS: "It may still be written. A run after {} takes it.",
    Wants.REST: "It is not whole, and the rest may still come. A run after {} takes it all the"
    " same.",
    Wants.BYTES: "It has no bytes, and they may still come. A run after {} calls it a problem.",
}


async def drain(engine: Engine, within: float | None) -> int:
    """Wait until nothing is due and nothing grows, at most `within` seconds; the exit code.

    A file that is not whole is not waited for, but it is named, and the code is 1 then.
    """
    with anyio.move_on_after(within):
        while True:
            if await _drained(engine):
                break
            await anyio.sleep(GLANCE)
        lost = [
            one.folder.name
            for one in engine.intakes.values()
            if not one.root.online or one.root.inner.away or engine.unapproved(one.folder_id)
        ]
        waiting = (await _counts(engine, list(engine.intakes))).waiting
        left = _name_left(engine)
        log.info("finished", **engine.crew.outcomes, **({"left_waiting": left} if left else {}))
        return 1 if engine.crew.failures or lost or waiting or left else 0
    log.warning("timed_out", seconds=within, left_waiting=_name_left(engine))
    return 1


def _name_left(engine: Engine) -> int:
    """Log each file that has not settled; how many these are."""
    left, now = 0, engine.world.clock.now() - anyio.current_time()
    for left, (path, one) in enumerate(_unsettled(engine), 1):  # noqa: B007 -- it is the result
        at = datetime.fromtimestamp(now + one.anew).astimezone()
        why = _WHY[one.wants].format(at.strftime("%Y-%m-%d %H:%M:%S"))
        log.warning("left_waiting", file=path, why=why)
    return left


def _unsettled(engine: Engine) -> Iterator[tuple[str, Waiting]]:
    for intake in engine.intakes.values():
        for place in intake.unsettled() if intake.root.online else ():
            one = intake.waiting(place)
            if one is not None:
                yield shown(below(intake.folder.root.rstrip(b"/"), place.relative)), one


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
    if (await _counts(engine, workable)).due:
        return False
    could = set(engine.crew.open_folders()).intersection(workable)
    cleaners = [one for keeper in engine.keepers.values() for one in keeper.cleaners.items()]
    return all(cleaner.looked for folder, cleaner in cleaners if folder in could)


async def _counts(engine: Engine, folders: Collection[FolderId]) -> queue.Counts:
    now = engine.world.clock.now()
    return await engine.world.store(queue.counts, now=now, folders=folders)
