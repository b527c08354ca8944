"""A bounded look into a file.

Its own module because every format is judged through it: what a hostile file can cost is decided
here, once.
"""

from collections.abc import Callable

READS = 2048
"""How often a file is read from at most to judge it."""
BYTES = 2 * 1024 * 1024
"""How much of a file is read at most to judge it."""
TAIL = 64 * 1024
"""How much of a file's end is looked at, in bytes."""

_LOOKS = 16 * 1024  # questions answered: what a file of tiny parts can cost in time
_BLOCK = 1024

ReadAt = Callable[[int, int], bytes]
"""Bytes of a file from an offset, as many as asked for, or fewer at its end."""


class LookedEnough(Exception):
    """The budget is spent: nothing more can be told. No failure; `judge` catches it."""


class Window:
    """A file seen through `read` within a budget; answers small questions from one block."""

    def __init__(self, read: ReadAt, size: int) -> None:
        self.size = size
        self._read = read
        self._looks = _LOOKS
        self._reads = READS
        self._bytes = BYTES
        self._start = 0
        self._block = b""

    def at(self, offset: int, length: int) -> bytes:
        """The bytes there; fewer where the file ends. Raises LookedEnough beyond the budget."""
        length = min(length, self.size - offset)
        if length <= 0:
            return b""
        self._looks -= 1
        begin = offset - self._start
        if self._looks < 0:
            raise LookedEnough
        if begin >= 0 and begin + length <= len(self._block):
            return self._block[begin : begin + length]
        wanted = min(max(length, _BLOCK), self.size - offset)
        self._reads -= 1
        self._bytes -= wanted
        if self._reads < 0 or self._bytes < 0:
            raise LookedEnough
        self._start, self._block = offset, self._read(offset, wanted)[:wanted]
        return self._block[:length]

    def tail(self, begin: int = 0) -> bytes:
        """The file's last bytes, 64 KiB at most, none from before `begin`."""
        begin = max(begin, self.size - TAIL)
        return self.at(begin, self.size - begin)


def is_blank(data: bytes) -> bool:
    """Whether there is nothing but zeros: space that was set aside and not yet written."""
    return not data.strip(b"\0")
