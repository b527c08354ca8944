"""Many askers share few calls, and none of them spoils it for the others."""

from collections.abc import Sequence

import anyio
import anyio.lowlevel
import pytest
import trio.testing

from immich_sync.coalesce import Coalescer

VIRTUAL = pytest.param(
    ("trio", {"clock": trio.testing.MockClock(autojump_threshold=0)}), id="trio-virtual"
)


@pytest.fixture(params=["asyncio", "trio", VIRTUAL])
def anyio_backend(request: pytest.FixtureRequest) -> object:
    """Both event loops, and trio's once more on a virtual clock."""
    return request.param


class Doubling:
    """A call that doubles numbers and remembers with what it was called."""

    def __init__(self, *, takes: float = 0.0) -> None:
        self.calls: list[list[int]] = []
        self.under_way = 0
        self.begun = anyio.Event()
        self._takes = takes

    async def __call__(self, items: Sequence[int]) -> Sequence[int | Exception]:
        """Twice each item; a LookupError for 13."""
        self.calls.append(list(items))
        self.begun.set()
        self.under_way += 1
        assert self.under_way == 1
        await anyio.sleep(self._takes)
        self.under_way -= 1
        return [LookupError("thirteen") if item == 13 else 2 * item for item in items]


@pytest.mark.anyio
async def test_asked_together_called_once() -> None:
    """What is asked at the same time goes into one call, in the order of asking."""
    call = Doubling()
    coalescer = Coalescer(call, most=10)
    answers: dict[int, int] = {}

    async def ask(item: int) -> None:
        answers[item] = await coalescer.ask(item)

    async with coalescer.running(), anyio.create_task_group() as askers:
        for item in range(5):
            askers.start_soon(ask, item)

    assert {item: 2 * item for item in range(5)} == answers
    assert sorted(call.calls[0]) == [0, 1, 2, 3, 4]
    assert len(call.calls) == 1


@pytest.mark.anyio
async def test_asked_meanwhile_goes_into_the_next_call() -> None:
    """Items asked for while a call is under way share the next one, at most `most` of them."""
    call = Doubling(takes=0.05)
    coalescer = Coalescer(call, most=3, linger=0.0)

    async with coalescer.running(), anyio.create_task_group() as askers:
        askers.start_soon(coalescer.ask, 1)
        await call.begun.wait()
        for item in (2, 3, 4, 5):
            askers.start_soon(coalescer.ask, item)

    assert [len(items) for items in call.calls] == [1, 3, 1]
    assert {1, 2, 3, 4, 5} == {item for items in call.calls for item in items}


@pytest.mark.anyio
async def test_one_item_fails_alone() -> None:
    """An exception among the answers reaches only the asker of its item."""
    coalescer = Coalescer(Doubling(), most=10)
    outcomes: dict[int, object] = {}

    async def ask(item: int) -> None:
        try:
            outcomes[item] = await coalescer.ask(item)
        except LookupError as error:
            outcomes[item] = str(error)

    async with coalescer.running(), anyio.create_task_group() as askers:
        for item in (12, 13, 14):
            askers.start_soon(ask, item)

    assert outcomes == {12: 24, 13: "thirteen", 14: 28}


@pytest.mark.anyio
async def test_a_failed_call_fails_all_its_askers_and_no_later_one() -> None:
    """The exception of a call goes to everybody in it; the next call starts afresh."""
    calls: list[int] = []

    async def call(items: Sequence[int]) -> Sequence[int]:
        calls.append(len(items))
        await anyio.lowlevel.checkpoint()
        if len(calls) == 1:
            raise OSError("no way")
        return items

    coalescer = Coalescer(call, most=10)
    failed: list[str] = []

    async def ask(item: int) -> None:
        with pytest.raises(OSError, match="no way") as caught:
            await coalescer.ask(item)
        failed.append(str(caught.value))

    async with coalescer.running():
        async with anyio.create_task_group() as askers:
            askers.start_soon(ask, 1)
            askers.start_soon(ask, 2)
        assert failed == ["no way", "no way"]
        assert await coalescer.ask(3) == 3


@pytest.mark.anyio
async def test_answers_must_match_the_items() -> None:
    """A call that answers too little fails its askers instead of leaving one waiting."""

    async def call(items: Sequence[int]) -> Sequence[int]:
        await anyio.lowlevel.checkpoint()
        return items[1:]

    coalescer = Coalescer(call, most=10)
    async with coalescer.running():
        with pytest.raises(ValueError, match="shorter"):
            await coalescer.ask(1)


@pytest.mark.anyio
async def test_a_cancelled_asker_does_not_disturb_the_others() -> None:
    """One who gives up while its call is under way leaves the others their answers."""
    call = Doubling(takes=0.05)
    coalescer = Coalescer(call, most=10)
    answers: list[int] = []

    async def ask_patiently() -> None:
        answers.append(await coalescer.ask(2))

    async with coalescer.running(), anyio.create_task_group() as askers:
        askers.start_soon(ask_patiently)
        with anyio.move_on_after(0.02) as impatient:
            await coalescer.ask(1)

    assert impatient.cancelled_caught
    assert answers == [4]


@pytest.mark.anyio
async def test_given_up_before_the_call_is_not_asked() -> None:
    """Who gives up before the call is no part of it."""
    call = Doubling()
    coalescer = Coalescer(call, most=10, linger=0.05)

    async with coalescer.running():
        with anyio.move_on_after(0.01):
            await coalescer.ask(1)
        assert await coalescer.ask(2) == 4

    assert call.calls == [[2]]


@pytest.mark.anyio
async def test_nobody_waits_for_a_closed_coalescer() -> None:
    """When it stops being run, waiting askers and later ones are told so."""
    call = Doubling(takes=60.0)
    coalescer = Coalescer(call, most=1, linger=0.0)
    told: list[int] = []

    async def ask(item: int) -> None:
        with pytest.raises(anyio.ClosedResourceError):
            await coalescer.ask(item)
        told.append(item)

    async with anyio.create_task_group() as askers, coalescer.running():
        for item in (1, 2):
            askers.start_soon(ask, item)
        await call.begun.wait()

    assert sorted(told) == [1, 2]
    with pytest.raises(anyio.ClosedResourceError):
        await coalescer.ask(3)
