"""One upload at a time for the same bytes."""

import anyio
import pytest

from immich_sync.bell import Bell
from immich_sync.core.types import Checksum
from immich_sync.flights import KEPT, Flights

BYTES = Checksum(bytes(20))


@pytest.mark.anyio
async def test_the_second_waits_for_the_first_and_is_told_to_ask_again() -> None:
    """Of two who want to send the same bytes at once, only one sends."""
    flights, told = Flights(), []
    sending = anyio.Event()

    async def first() -> None:
        async with flights.only(BYTES) as alone:
            told.append(("first", alone))
            sending.set()
            await anyio.sleep(0.01)
            told.append(("first", False))

    async def second() -> None:
        await sending.wait()
        async with flights.only(BYTES) as alone:
            told.append(("second", alone))

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(first)
        tasks.start_soon(second)

    assert told == [("first", True), ("first", False), ("second", False)]


@pytest.mark.anyio
async def test_a_flight_that_failed_lets_the_next_one_send() -> None:
    """Trouble of one file must not keep another with the same bytes from going up."""
    flights = Flights()
    with pytest.raises(OSError, match="lost"):
        async with flights.only(BYTES):
            raise OSError("lost")

    async with flights.only(BYTES) as alone:
        assert alone


@pytest.mark.anyio
async def test_landings_are_remembered() -> None:
    """Whoever asked before a landing knows that the answer is old; but for very old ones."""
    flights, other = Flights(), Checksum(b"\x01" * 20)
    before = flights.landings
    async with flights.only(BYTES):
        assert not flights.landed_since(BYTES, before)

    assert flights.landed_since(BYTES, before)
    assert not flights.landed_since(BYTES, flights.landings)
    assert not flights.landed_since(other, before)
    for number in range(1, KEPT + 1):
        async with flights.only(Checksum(number.to_bytes(20, "big"))):
            pass
    assert not flights.landed_since(BYTES, before)


@pytest.mark.anyio
async def test_a_ring_before_the_wait_is_not_lost() -> None:
    """Whoever rings while nobody waits is heard at the next wait, once."""
    bell = Bell()
    bell.ring()

    with anyio.fail_after(1):
        await bell.heard()
    with anyio.move_on_after(0.01) as waited:
        await bell.heard()

    assert waited.cancelled_caught


@pytest.mark.anyio
async def test_a_wait_ends_by_itself() -> None:
    """A bell with a time limit returns unrung."""
    with anyio.fail_after(1):
        await Bell().heard(0.01)
