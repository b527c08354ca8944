"""Numbers as people read them: sizes, counts, spans of time.

Its own module because every screen says them in the same way.
"""

import time
from collections.abc import Mapping

_STEP = 1024
_UNITS = ("B", "kB", "MB", "GB", "TB")
_SPANS = ((86400, "d"), (3600, "h"), (60, "min"))


def size(number: int) -> str:
    """Bytes: `812 B`, `46 kB`, `3.4 MB`."""
    amount = float(number)
    for unit in _UNITS:
        if amount < _STEP or unit == _UNITS[-1]:
            break
        amount /= _STEP
    return f"{amount:.0f} {unit}" if unit in _UNITS[:2] else f"{amount:.1f} {unit}"


def count(number: int, one: str, many: str | None = None) -> str:
    """`1 photo`, `12,345 photos`."""
    return f"{number:,} {one if number == 1 else many or one + 's'}"


def span(seconds: float) -> str:
    """A length of time by its largest unit: `0.3 s`, `42 s`, `5 min`, `2 h`, `3 d`."""
    for length, unit in _SPANS:
        if seconds >= length:
            return f"{seconds / length:.0f} {unit}"
    return f"{seconds:.1f} s" if seconds < 10 else f"{seconds:.0f} s"  # noqa: PLR2004 -- one digit


def ago(moment: float | None, now: float) -> str:
    """`5 min ago`; `never` for None."""
    return "never" if moment is None else f"{span(max(0.0, now - moment))} ago"


def listed(counted: Mapping[str, int]) -> str:
    """What was counted by extension or rule, the most frequent first: `txt 10, gif 2`."""
    often = sorted(counted.items(), key=lambda item: (-item[1], item[0]))
    return ", ".join(f"{name or 'no extension'} {number:,}" for name, number in often)


def moment(at: float) -> str:
    """A wall-clock time, as the clock on the wall shows it: `2026-06-01 20:15:42`."""
    return time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(at))
