"""What a person is told who orders something that comes to nothing."""

import re
from collections.abc import AsyncIterator
from pathlib import Path

import anyio
import pytest

from immich_sync.control import Request
from immich_sync.core.errors import Misconfigured
from immich_sync.core.types import Held, Hold
from immich_sync.engine import Engine
from immich_sync.orders import Orders
from tests.scene import Household, household, photo, running

pytestmark = pytest.mark.anyio


@pytest.fixture
async def home(tmp_path: Path) -> AsyncIterator[Household]:
    """Two photos that are in Immich; the first is listed as a problem."""
    async with household(tmp_path) as made:
        made.put("a.jpg", photo(1))
        made.put("b.jpg", photo(2))
        assert await made.sync() == 0
        made.learn(Held(made.place("a.jpg"), Hold.TOO_LARGE, "It is too large."))
        yield made


async def settle(engine: Engine, home: Household, name: str) -> None:
    """Wait until this file was looked at and found to lack something."""
    place = home.place(name)
    with anyio.fail_after(10):
        while True:
            intake = engine.intakes.get(place.folder)
            waiting = None if intake is None else intake.waiting(place)
            if waiting is not None and waiting.wants.value != "stillness":
                return
            await anyio.sleep(0.01)


@pytest.mark.parametrize(
    ("content", "said"),
    [(photo(3)[:-20], "it is not whole, and goes up then"), (b"", "it has no bytes")],
    ids=["not whole", "empty"],
)
async def test_a_retry_of_what_settles_says_until_when(
    home: Household, content: bytes, said: str
) -> None:
    """It is known, and not ignored: it only has to wait."""
    path = home.put("cut.jpg", content)
    async with running(home) as engine:
        await settle(engine, home, "cut.jpg")

        with pytest.raises(Misconfigured) as refused:
            await Orders(engine).handle(Request("retry", (str(path),)))

    until = r" is still settling until \d{4}-\d\d-\d\d \d\d:\d\d:\d\d: "
    assert re.match(re.escape(str(path)) + until + said, str(refused.value))


async def test_a_retry_where_nothing_failed_says_so(home: Household) -> None:
    """Of a directory nobody asks whether it is a photo."""
    (home.photos / "Alps").mkdir()
    async with running(home) as engine:
        await until_scanned(engine)
        with pytest.raises(Misconfigured, match=r"^Nothing in .*/Alps failed or waits"):
            await Orders(engine).handle(Request("retry", (str(home.photos / "Alps"),)))


async def test_a_dismissal_names_what_was_not_listed(home: Household) -> None:
    """One of the three was."""
    names = [str(home.photos / name) for name in ("a.jpg", "b.jpg", "c.jpg")]
    async with running(home) as engine:
        await until_scanned(engine)

        answer = await Orders(engine).handle(Request("dismiss", tuple(names)))

        assert answer == {"dismissed": 1, "not_listed": names[1:]}
        with pytest.raises(Misconfigured, match=r"b\.jpg, .*c\.jpg is listed"):
            await Orders(engine).handle(Request("dismiss", tuple(names[1:])))


async def until_scanned(engine: Engine) -> None:
    """Wait until the folder is known."""
    with anyio.fail_after(10):
        while not any(one.last_scan for one in engine.intakes.values()):  # noqa: ASYNC110 - no bell rings
            await anyio.sleep(0.01)


async def test_an_approval_of_nothing_says_so(home: Household) -> None:
    """Nothing follows where nothing waited."""
    async with running(home) as engine:
        with anyio.fail_after(10):
            while not (engine.keepers and any(i.root.online for i in engine.intakes.values())):  # noqa: ASYNC110 - no bell rings
                await anyio.sleep(0.01)
        said = await Orders(engine).handle(Request("approve", folder="photos"))

    assert said == {"photos": []}
