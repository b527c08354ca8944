"""Watches the conditions, and tells each channel what it was not told yet.

Its own module because it lives as long as the engine and beside it: a channel that hangs holds up
neither syncing nor another channel.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import anyio
import structlog

from immich_sync.bell import Bell
from immich_sync.core import conditions
from immich_sync.core.conditions import Condition, News, Steady, Told
from immich_sync.notify.channels import Channel
from immich_sync.notify.message import NotDelivered, message_of
from immich_sync.observing import Observer
from immich_sync.store import told as memory

LAST_WORDS = 5.0
"""Seconds to tell why the program ends."""

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Pace:
    """Seconds: between two looks, and between a channel's failures, doubling up to `longest`."""

    look: float = 300.0
    first: float = 10.0
    longest: float = 900.0
    start: float = 600.0  # that servers and folders have to show themselves after a start


class Announcer:
    """Tells the channels what needs a person; `run` it beside the engine."""

    def __init__(
        self, observer: Observer, channels: Sequence[Channel], pace: Pace = Pace()
    ) -> None:
        self._observer = observer
        self._channels = {channel.key: channel for channel in channels}
        self._pace = pace
        self._wishes = observer.engine.setup.notify
        self._told: dict[str, tuple[Told, ...]] = {}  # by channel, once the state was asked
        self._unsaved: set[str] = set()
        self._counting: tuple[Condition, ...] = ()
        self._brewing = False  # whether something stands that does not count yet
        self._bells = {key: Bell() for key in self._channels}

    async def run(self) -> None:
        """Watch and tell until cancelled."""
        store = self._observer.engine.world.store
        for key in self._channels:
            self._told[key] = await store(memory.load, key)
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(self._watch)
            for channel in self._channels.values():
                tasks.start_soon(self._serve, channel)

    async def last_words(self, why: str) -> None:
        """Tell everybody that the program ends, and why, if they were not told so before."""
        said = News(new=(conditions.ended(why),))
        store = self._observer.engine.world.store

        async def tell(channel: Channel) -> None:
            known = await store(memory.load, channel.key)
            if any(one.what == "ended" for one in known):
                return
            try:
                await channel.send(message_of(said))
            except NotDelivered as error:
                log.warning("notification_failed", channel=channel.label, why=str(error))
            else:
                told = (*known, *conditions.told_after(said, self._now()))
                await store(memory.save, channel.key, told)

        with anyio.move_on_after(LAST_WORDS):
            async with anyio.create_task_group() as tasks:
                for channel in self._channels.values():
                    tasks.start_soon(tell, channel)

    def _now(self) -> float:
        return self._observer.engine.world.clock.now()

    async def _watch(self) -> None:
        with anyio.move_on_after(self._pace.start):
            await self._all_is_known()
        known = {one.key for told in self._told.values() for one in told}
        steady = Steady(self._wishes.after, known, self._now())
        while True:
            try:
                found = self._observer.standing(await self._observer.status())
                counting = steady.look(found, self._now())
            except Exception:
                log.exception("conditions_unknown")
                counting = None
            if counting is not None:
                self._counting, self._brewing = counting, steady.brewing
                for bell in self._bells.values():
                    bell.ring()
            await anyio.sleep(min(self._pace.look, self._wishes.after / 2))

    async def _all_is_known(self) -> None:
        """Before that, nothing can be called over only because it has not shown itself yet."""
        while True:
            status = await self._observer.status()
            if status is not None and conditions.is_known(status):
                return
            await anyio.sleep(min(self._pace.look, self._wishes.after))

    async def _serve(self, channel: Channel) -> None:
        pause = self._pace.first
        while True:
            await self._bells[channel.key].heard()
            if await self._tell(channel):
                pause = self._pace.first
            else:
                await anyio.sleep(pause)
                pause = min(2 * pause, self._pace.longest)
                self._bells[channel.key].ring()
            await self._save(channel)

    async def _tell(self, channel: Channel) -> bool:
        """Whether the channel knows all that it is to know now."""
        said = conditions.news(
            self._counting,
            self._told[channel.key],
            now=self._now(),
            remind_after=self._wishes.remind_after,
            brewing=self._brewing,
        )
        if said is None:
            return True
        if said.new:
            told = conditions.told_perhaps(said, self._told[channel.key], self._now())
            with anyio.move_on_after(LAST_WORDS):  # it may be our own disk that is to be told of
                await self._remember(channel, told)
            self._unsaved.add(channel.key)
        try:
            await channel.send(message_of(said))
        except NotDelivered as error:
            log.warning("notification_failed", channel=channel.label, why=str(error))
            return False
        self._told[channel.key] = conditions.told_after(said, self._now())
        self._unsaved.add(channel.key)
        return True

    async def _save(self, channel: Channel) -> None:
        if channel.key in self._unsaved and await self._remember(channel, self._told[channel.key]):
            self._unsaved.discard(channel.key)

    async def _remember(self, channel: Channel, told: Sequence[Told]) -> bool:
        """Whether a restart will know it: not while our own disk is what there is to tell of."""
        store = self._observer.engine.world.store
        if store.trouble is not None:
            return False
        await store(memory.save, channel.key, told)
        return True
