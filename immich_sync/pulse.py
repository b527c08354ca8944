"""Shows systemd that the daemon gets on with its work, and what that is.

Its own module because it decides what counts as alive: the loop, the state and the feeder have
turned. A server that is down, a slow upload or a full disk is no reason for a restart: it would
mend none of them, and begin the upload anew.
"""

import anyio

from immich_sync import systemd
from immich_sync.engine import Engine

GLANCE = 1.0
"""Seconds between two looks at what is being done."""
ALIVE_WITHIN = 4.0
"""Seconds in which the state and the feeder of a daemon that is well have turned."""
TURN = 0.02
"""Seconds between two looks at whether the feeder has turned."""


async def tell(engine: Engine) -> None:
    """Say what is being done whenever that changes; until cancelled."""
    said = ""
    while True:
        if (words := doing(engine)) != said:
            systemd.status(words)
            said = words
        await anyio.sleep(GLANCE)


async def beat(engine: Engine) -> None:
    """Show that it gets on, four times in `WatchdogSec`, until cancelled; if systemd waits for it.

    Nothing is said while the state or the feeder stands still: then systemd restarts us.
    """
    interval = systemd.watchdog_interval()
    if interval is None:
        return
    systemd.alive()  # the engine is only starting
    while True:
        if await gets_on(engine, interval / 2):
            systemd.alive()


async def gets_on(engine: Engine, within: float) -> bool:
    """Whether state and feeder turned, after `within` seconds, in which they were asked to."""
    crew, store = engine.crew, engine.world.store
    turned, rounds = False, crew.rounds
    crew.bell.ring()
    with anyio.move_on_after(within):
        await store.turn()
        turned = True
        await anyio.sleep_forever()
    # With a full disk the feeder waits at the store's door, which knows what it waits for.
    return turned and (crew.rounds > rounds or store.trouble is not None or engine.stopping)


async def turns(engine: Engine, within: float) -> bool:
    """The same as `gets_on`, as soon as it is known: for whoever asks once."""
    crew, store = engine.crew, engine.world.store
    rounds = crew.rounds
    crew.bell.ring()
    with anyio.move_on_after(within):
        await store.turn()
        while not (crew.rounds > rounds or store.trouble is not None or engine.stopping):  # noqa: ASYNC110 - no bell tells that a look is over
            await anyio.sleep(TURN)
        return True
    return False


def doing(engine: Engine) -> str:
    """One line for `systemctl status`: what is in hand, and what is waited for."""
    crew = engine.crew
    busy = len(crew.busy)
    words = [f"{busy} {'file' if busy == 1 else 'files'} in hand" if busy else "watching"]
    if engine.stopping:
        words = ["stopping", *(words if busy else [])]
    if trouble := engine.world.store.trouble:
        words.append(f"waiting for the state's disk: {trouble}")
    for link in engine.links.values():
        if closed := link.immich.gate.trouble:
            words.append(f"waiting for {link.account.url}: {closed}")
        elif no_room := link.headroom.trouble:
            words.append(str(no_room))
    away = [one.folder.name for one in engine.intakes.values() if not one.root.online]
    if away:
        words.append(f"offline: {', '.join(away)}")
    return "; ".join(words)
