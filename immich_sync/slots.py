"""How many uploads go out at once.

Its own module because a few large videos, each of them hours long, must not take every place: what
is small has one that they never get.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import anyio

from immich_sync.core.types import LARGE


class Slots:
    """Places for uploads, `total` of them, of which so many are `reserved` for small files.

    Large ones have one place at least.
    """

    def __init__(self, total: int, *, reserved: int = 1) -> None:
        self._all = anyio.CapacityLimiter(total)
        self._large = anyio.CapacityLimiter(max(1, total - reserved))

    @asynccontextmanager
    async def taken(self, size: int) -> AsyncIterator[None]:
        """A place for an upload of so many bytes, waited for, while the block lasts."""
        if size < LARGE:
            async with self._all:
                yield
            return
        async with self._large, self._all:
            yield
