"""Whether a new folder's photos are in Immich already, through an external library.

Its own module because this is asked once for each folder, before anything of it goes up: the
server tells no checksums of such libraries, so every photo would be there twice.
"""

from collections.abc import Callable, Sequence

import anyio
import structlog

from immich_sync.core.breaker import Breaker
from immich_sync.core.errors import NotImmich, Refused, ServerTrouble, SyncTrouble
from immich_sync.core.types import FolderId
from immich_sync.immich.client import Immich
from immich_sync.immich.libraries import path_in_library
from immich_sync.store import breakers, ledger, queue
from immich_sync.world import World

SAMPLE = 5
"""Names that are looked for."""
MANY = 500
"""Files found that are enough to take a sample of, though the first scan goes on."""
BREATH, LONGEST_BREATH = 0.1, 5.0
"""Seconds between two looks at how far the first scan is: more, the longer it has taken so far."""
NEEDED = "asset.read"
"""The permission without which this cannot be seen; it is not insisted on."""

log = structlog.get_logger()


async def waits(
    folder: FolderId,
    name: str,
    immich: Immich,
    world: World,
    still_to_come: Callable[[], bool | None],
) -> bool:
    """Whether the folder has to wait for a person, because its photos seem to be there already.

    Returns once that can be told: of a folder of which nothing is known, after its first scan.
    `still_to_come` says whether files are settling then; None before.
    """
    if await world.store(ledger.file_count, folder, 1):
        return False
    standing = (await world.store(breakers.standing, folder)).get(Breaker.LIBRARY)
    if standing is not None and standing.approved:
        return False
    breath = BREATH
    while True:
        more = still_to_come()
        enough = {None: MANY, True: 1, False: 0}[more]
        if await world.store(queue.holds, folder, enough):
            break
        await anyio.sleep(breath)
        breath = min(LONGEST_BREATH, 1.1 * breath)
    found = await _looked_up(immich, await world.store(queue.sample, folder, SAMPLE))
    if not found:
        await world.store(breakers.reset, folder, Breaker.LIBRARY)
        return False
    why = f"Photos of this folder are in Immich already, in an external library ({found})."
    await world.store(breakers.trip, folder, Breaker.LIBRARY, why, world.clock.now())
    log.error("in_an_external_library", folder=name, why=why)
    return True


async def _looked_up(immich: Immich, names: Sequence[bytes]) -> str:
    """A path in a library, if at least half of the names are found in one; else ""."""
    asked = [text for name in names if (text := name.decode("utf-8", "ignore")).encode() == name]
    paths: list[str] = []
    missed = 0
    for name in asked:
        path = await _insisting(immich, name)
        if path is None:
            missed += 1
        else:
            paths.append(path)
        if 2 * missed > len(asked):
            return ""
    return paths[0] if paths else ""


async def _insisting(immich: Immich, name: str) -> str | None:
    """Where a library holds it, however long the server takes to answer."""
    while True:
        await immich.gate.wait_open()
        try:
            if (await immich.whoami()).missing([NEEDED]):
                return None
            return await path_in_library(immich, name)
        except (NotImmich, Refused) as trouble:  # nothing that waiting mends
            log.warning("libraries_not_seen", error=str(trouble))
            return None
        except ServerTrouble as trouble:
            immich.gate.close(trouble)
        except SyncTrouble as trouble:
            log.warning("libraries_not_seen", error=str(trouble))
            return None
