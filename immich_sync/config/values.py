"""Single values as people write them: durations, sizes, times of day, lists, yes and no.

Its own module because these are pure: a text in, a value or a sentence (`ValueError`) out. They
take `object`, since TOML and the environment may hold anything.
"""

import re
from collections.abc import Callable
from datetime import time
from ipaddress import ip_address
from math import inf

from immich_sync.core.media import compile_ignore

_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_BYTES = {"": 1, "b": 1, "k": 1024, "m": 1024**2, "g": 1024**3, "t": 1024**4}
_DURATION = re.compile(r"([0-9]{1,9}(?:\.[0-9]{1,9})?)\s*(ms|s|m|h|d)", re.ASCII)
_SIZE = re.compile(r"([0-9]{1,9}(?:\.[0-9]{1,9})?)\s*([kmgt]?)(?:i?b)?", re.ASCII | re.IGNORECASE)
_CLOCK = re.compile(r"([0-9]{1,2}):([0-9]{2})", re.ASCII)
_LONGEST = 366 * 86400.0
_YES = frozenset({"true", "yes", "on", "1"})
_NO = frozenset({"false", "no", "off", "0"})
_SHOWN = 60


def seen(value: object) -> str:
    """`value` for a sentence: quoted, escaped, and not longer than a line."""
    try:
        text = repr(value) if isinstance(value, str) else str(value)
    except ValueError:  # an integer of more digits than Python likes to print
        return "a number that is far too large"
    return text if len(text) <= _SHOWN else text[: _SHOWN - 1] + "…"


def duration(value: object) -> float:
    """Seconds of a text such as "500ms", "10s", "5m", "6h", "30d"; more than 0, at most a year."""
    match = _DURATION.fullmatch(value.strip()) if isinstance(value, str) else None
    if match is None:
        raise ValueError(
            f'{seen(value)} is not a duration; write it as "500ms", "10s", "5m", "6h" or "30d"'
        )
    seconds = float(match[1]) * _SECONDS[match[2]]
    if not 0 < seconds <= _LONGEST:
        raise ValueError(f"{seen(value)} is out of range: more than 0 and at most a year, please")
    return seconds


def duration_or_never(value: object) -> float:
    """A `duration`, or infinity for the word "never"."""
    if isinstance(value, str) and value.strip().lower() == "never":
        return inf
    return duration(value)


def size(value: object) -> int:
    """Bytes of a text such as "512k", "20M", "4G" (powers of 1024)."""
    match = _SIZE.fullmatch(value.strip()) if isinstance(value, str) else None
    if match is None:
        raise ValueError(f'{seen(value)} is not a size; write it as "512k", "20M" or "4G"')
    return round(float(match[1]) * _BYTES[match[2].lower()])


def clock_time(value: object) -> time:
    """The time of day of a text such as "03:30", or of TOML's own local time."""
    if isinstance(value, time) and value.tzinfo is None:
        return value
    match = _CLOCK.fullmatch(value.strip()) if isinstance(value, str) else None
    if match is not None and int(match[1]) < 24 and int(match[2]) < 60:  # noqa: PLR2004 -- a clock's
        return time(int(match[1]), int(match[2]))
    raise ValueError(f'{seen(value)} is not a time of day; write it as "03:30"')


def yes_or_no(value: object) -> bool:
    """TOML's true and false, and the words for them that the environment is given."""
    word = value.strip().lower() if isinstance(value, str) else ""
    if value is True or word in _YES:
        return True
    if value is False or word in _NO:
        return False
    raise ValueError(f"{seen(value)} is neither true nor false")


def whole(lowest: int, highest: int) -> Callable[[object], int]:
    """A reader of whole numbers from `lowest` to `highest`."""

    def read(value: object) -> int:
        text = value.strip() if isinstance(value, str) else ""
        number = int(text) if text.isascii() and text.isdigit() and len(text) < 10 else value  # noqa: PLR2004 -- more digits than any limit here has
        if isinstance(number, bool) or not isinstance(number, int):
            raise ValueError(f"{seen(value)} is not a whole number")  # noqa: TRY004 -- pydantic wants it so
        if not lowest <= number <= highest:
            raise ValueError(f"{seen(value)} is out of range: {lowest} to {highest}, please")
        return number

    return read


def one_of(*words: str) -> Callable[[object], str]:
    """A reader of one of a few words."""

    def read(value: object) -> str:
        if isinstance(value, str) and value in words:
            return value
        raise ValueError(f"{seen(value)} is not known here; choose from: {', '.join(words)}")

    return read


def text(value: object) -> str:
    """Any text of one line, without the white space around it."""
    if not isinstance(value, str):
        raise ValueError(f"{seen(value)} is not a text")  # noqa: TRY004 -- pydantic wants it so
    stripped = value.strip()
    if any(ord(letter) < 32 or ord(letter) == 127 for letter in stripped):  # noqa: PLR2004 -- ASCII
        raise ValueError(f"{seen(value)} holds a line break or another control character")
    return stripped


def something(value: object) -> str:
    """A text that is not empty."""
    given = text(value)
    if not given:
        raise ValueError("it is empty")
    return given


def address(value: object) -> tuple[str, int] | None:
    """Host and port of "127.0.0.1:9283", "[::1]:9283", "localhost:9283"; None if it is empty.

    A port alone is one of 127.0.0.1. A host is an IP address: nobody has to be asked for it.
    """
    given = str(value) if isinstance(value, int) else text(value)
    if not given:
        return None
    host, _, port = given.rpartition(":")
    host = host.removeprefix("[").removesuffix("]") or "127.0.0.1"
    try:
        if host != "localhost":
            ip_address(host)
        number = whole(0, 65535)(port)
    except ValueError:
        raise ValueError(
            f'{seen(value)} is not an address to listen at; write it as "127.0.0.1:9283"'
        ) from None
    return host, number


def names(value: object) -> tuple[str, ...]:
    """Names of hosts: a list, or (in the environment) one text with commas between them."""
    given = value.split(",") if isinstance(value, str) else value
    if not isinstance(given, list | tuple):
        raise ValueError(f"{seen(value)} is not a list of names")  # noqa: TRY004 - pydantic wants it so
    return tuple(something(one).lower() for one in given)


def web_address(value: object) -> str:
    """An address that begins with http:// or https://; "" stays what it is."""
    given = text(value)
    if given and not re.match(r"https?://[^/\s]", given):
        raise ValueError(
            "it is no address that begins with http:// or https://"
        )  # not shown: secret
    return given


def path(value: object) -> str:
    """A path as the system gives it; may hold anything but NUL."""
    if not isinstance(value, str) or not value or "\0" in value:
        raise ValueError(f"{seen(value)} is not a path")
    return value


def patterns(value: object) -> tuple[str, ...]:
    """Patterns as in gitignore: a list, or (in the environment) one text with `:` between them."""
    given = [one for one in value.split(":") if one] if isinstance(value, str) else value
    if not isinstance(given, list | tuple) or not all(isinstance(one, str) for one in given):
        raise ValueError(f"{seen(value)} is not a list of gitignore patterns")
    compile_ignore(given)
    return tuple(given)


def folder_list(value: object) -> object:
    """`[[folders]]` tables as they are; `/photos:/videos` as tables with a path each."""
    if isinstance(value, str):
        return [{"path": one} for one in value.split(":") if one]
    return value
