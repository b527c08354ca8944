"""A doorbell: wakes whoever waits, and waits no longer than told.

Its own module because both stories wait the same way: for something new, or for a time.
"""

import anyio


class Bell:
    """Rings that nobody waited for are kept, and count once."""

    def __init__(self) -> None:
        self._rung = anyio.Event()

    def ring(self) -> None:
        """Wake whoever waits, or the next who will."""
        self._rung.set()

    async def heard(self, longest: float | None = None) -> None:
        """Return at the next ring, or after `longest` seconds (None: however long it takes)."""
        with anyio.move_on_after(longest):
            await self._rung.wait()
        self._rung = anyio.Event()
