"""Services that run while a block lasts, and the one error that comes out."""

import anyio
import pytest

from immich_sync.serving import first, serving

pytestmark = pytest.mark.anyio


async def forever() -> None:
    """A service without trouble."""
    await anyio.sleep_forever()


async def broken() -> None:
    """A service with trouble."""
    await anyio.lowlevel.checkpoint()
    raise LookupError("a service")


async def test_the_block_ends_it() -> None:
    """Services end with the block, and the block's own error comes out as it is."""
    async with serving(forever):
        pass
    with pytest.raises(ZeroDivisionError):
        async with serving(forever, forever):
            _ = 1 // 0


async def test_a_service_ends_it() -> None:
    """A service's trouble ends the block, and comes out without a group around it."""
    with pytest.raises(LookupError, match="a service"):
        async with serving(forever, broken):
            await anyio.sleep_forever()


def test_first() -> None:
    """Of groups in groups, the first error is meant."""
    inner = ExceptionGroup("inner", [KeyError("a"), ValueError("b")])

    assert isinstance(first(ExceptionGroup("outer", [inner])), KeyError)
