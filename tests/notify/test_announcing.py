"""Who is told what of the real engine: once, over restarts, and past channels that fail."""

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

import anyio
import pytest

from immich_sync.core.folder import Notify
from immich_sync.core.types import Secret
from immich_sync.engine import Engine
from immich_sync.notify import webhook
from immich_sync.notify.announcing import Announcer, Pace
from immich_sync.notify.channels import Channel
from immich_sync.notify.message import Message, NotDelivered
from immich_sync.observing import Observer
from tests.notify.listener import listening
from tests.scene import Household, household, photo, running

pytestmark = pytest.mark.anyio

PACE = Pace(look=0.02, first=0.02, longest=0.1)


@dataclass(slots=True)
class Ear:
    """A channel of this process: keeps what it is told; refuses it as often as it is to."""

    refuses: int = 0
    heard: list[Message] = field(default_factory=list)

    async def take(self, message: Message) -> None:
        """One message."""
        if self.refuses:
            self.refuses -= 1
            raise NotDelivered("not now")
        self.heard.append(message)

    @property
    def kinds(self) -> Sequence[str]:
        """What it was told, in one word each."""
        return [one.kind for one in self.heard]


@asynccontextmanager
async def announcing(home: Household, *channels: Channel) -> AsyncIterator[Engine]:
    """The engine, and who tells of it."""
    async with running(home) as engine:
        observer = Observer(engine, engine.world.clock.now(), fresh=0.0)
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(Announcer(observer, channels, PACE).run)
            yield engine
            tasks.cancel_scope.cancel()


async def until(condition: Callable[[], object]) -> None:
    """Return once it is true; at most 20 seconds later."""
    with anyio.fail_after(20):
        while not condition():  # noqa: ASYNC110 - no bell rings
            await anyio.sleep(0.01)


async def is_told_nothing(ear: Ear) -> None:
    """Return once the ear that refuses was left in peace for longer than the longest pause."""
    refuses = -1
    with anyio.fail_after(20):
        while refuses != ear.refuses:
            refuses = ear.refuses
            await anyio.sleep(10 * PACE.longest)


@asynccontextmanager
async def scene(place: Path) -> AsyncIterator[Household]:
    """A household whose people want to know soon, and whose one photo is synced."""
    async with household(place) as home:
        home.configure(root_check=0.05)
        home.setup = replace(home.setup, notify=Notify(after=0.2))
        home.put("a.jpg", photo(1))
        assert await home.sync() == 0
        yield home


async def test_a_condition_is_told_once_and_its_end_once(tmp_path: Path) -> None:
    """Although it is looked at every few milliseconds, and although the daemon starts anew."""
    ear = Ear()
    channel = Channel("ear", "an ear", ear.take)
    async with scene(tmp_path) as home:
        away = tmp_path / "away"
        async with announcing(home, channel):
            home.photos.rename(away)
            await until(lambda: ear.heard)
            await anyio.sleep(0.5)
        assert ear.kinds == ["trouble"]
        assert [one.what for one in ear.heard[0].conditions] == ["folder_offline"]

        async with announcing(home, channel) as engine:
            await until(lambda: engine.intakes and engine.audited())
            await anyio.sleep(0.6)
        assert ear.kinds == ["trouble"]

        away.rename(home.photos)
        async with announcing(home, channel):
            await until(lambda: len(ear.heard) > 1)
            await anyio.sleep(0.5)
        assert ear.kinds == ["trouble", "well"]
        assert ear.heard[1].over == (("folder_offline", "photos"),)


async def test_a_reminder_comes_when_it_is_wanted(tmp_path: Path) -> None:
    """As long as it stands, again and again."""
    ear = Ear()
    async with scene(tmp_path) as home:
        home.setup = replace(home.setup, notify=replace(home.setup.notify, remind_after=0.3))
        home.photos.rename(tmp_path / "away")
        async with announcing(home, Channel("ear", "an ear", ear.take)):
            await until(lambda: len(ear.heard) == 3)

    assert ear.kinds == ["trouble", "reminder", "reminder"]


async def test_a_channel_that_fails_is_tried_again_and_holds_up_no_other(tmp_path: Path) -> None:
    """Each one is told once in the end; what hangs keeps neither them nor syncing nor the end."""
    good, late = Ear(), Ear(refuses=3)
    async with scene(tmp_path) as home, listening() as listener:
        listener.answer = None
        hanging = Secret(listener.url)

        async def hang(message: Message) -> None:
            await webhook.post(hanging, message)

        home.photos.rename(tmp_path / "away")
        channels = [
            Channel("good", "a good one", good.take),
            Channel("late", "a late one", late.take),
            Channel("hanging", "one that hangs", hang),
        ]
        async with announcing(home, *channels):
            await until(lambda: good.heard and late.heard and listener.bodies)
            (tmp_path / "away").rename(home.photos)
            home.put("b.jpg", photo(2))
            await until(lambda: len(home.sandbox.assets()) == 2)

    assert (good.kinds[0], late.kinds[0]) == ("trouble", "trouble")
    assert late.refuses == 0
    assert good.kinds.count("trouble") == 1


async def test_what_is_over_before_it_was_told_is_not_told(tmp_path: Path) -> None:
    """A channel that comes back hears how it is now, and nothing of what it missed."""
    ear = Ear(refuses=1_000_000)
    async with scene(tmp_path) as home:
        home.photos.rename(tmp_path / "away")
        async with announcing(home, Channel("ear", "an ear", ear.take)) as engine:
            await until(lambda: ear.refuses < 1_000_000)
            (tmp_path / "away").rename(home.photos)
            await until(lambda: all(one.root.online for one in engine.intakes.values()))
            await is_told_nothing(ear)
            ear.refuses = 0
            await anyio.sleep(0.4)

    assert ear.heard == []


@pytest.mark.parametrize("away", [True, False], ids=["still away", "back"])
async def test_death_while_somebody_is_told(tmp_path: Path, *, away: bool) -> None:
    """Nobody knows what arrived: what stands is told again, and what is over, as over."""
    first, second = Ear(), Ear()

    async def take_and_hang(message: Message) -> None:
        await first.take(message)
        await anyio.sleep_forever()

    async with scene(tmp_path) as home:
        home.photos.rename(tmp_path / "away")
        async with announcing(home, Channel("ear", "an ear", take_and_hang)):
            await until(lambda: first.heard)
        if not away:
            (tmp_path / "away").rename(home.photos)
        async with announcing(home, Channel("ear", "an ear", second.take)):
            await until(lambda: second.heard)

    assert first.kinds == ["trouble"]
    assert second.kinds == ["trouble" if away else "well"]


async def test_last_words_are_said_once(tmp_path: Path) -> None:
    """Not again by the next daemon that meets the same; one that stays says that all is well."""
    ear = Ear()
    async with scene(tmp_path) as home:
        for _ in range(2):
            async with running(home) as engine:
                observer = Observer(engine, 0.0)
                announcer = Announcer(observer, [Channel("ear", "an ear", ear.take)])
                await announcer.last_words("The key is refused.")
        assert ear.kinds == ["trouble"]
        assert ear.heard[0].text == "Nothing is synced any more. The key is refused."

        async with announcing(home, Channel("ear", "an ear", ear.take)):
            await until(lambda: len(ear.heard) > 1)
    assert ear.kinds == ["trouble", "well"]
