"""`run --once`: when all is done, and whether it went well.

Its own module because a daemon that goes on for ever never asks this.
"""

from collections.abc import Collection

import anyio
import structlog

from immich_sync.core.types import FolderId
from immich_sync.engine import Engine
from immich_sync.store import queue

GLANCE = 0.1
"""Seconds between two looks at whether it has drained."""

log = structlog.get_logger()


async def drain(engine: Engine, within: float | None) -> int:
    """Wait until nothing is due and nothing grows, at most `within` seconds; the exit code."""
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
    if (await _counts(engine, workable)).due:
        return False
    could = set(engine.crew.open_folders()).intersection(workable)
    cleaners = [one for keeper in engine.keepers.values() for one in keeper.cleaners.items()]
    return all(cleaner.looked for folder, cleaner in cleaners if folder in could)


async def _counts(engine: Engine, folders: Collection[FolderId]) -> queue.Counts:
    now = engine.world.clock.now()
    return await engine.world.store(queue.counts, now=now, folders=folders)
