"""Which bytes of a file a request asks for.

Its own module because it is pure and full of cases: Range, If-Range, and what the server makes
of them (express `send`, as seen on a 3.1.0 server).
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from email.utils import format_datetime, parsedate_to_datetime

_RANGE = re.compile(r"\s*bytes\s*=\s*(\d*)\s*-\s*(\d*)\s*", re.ASCII | re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Span:
    """Bytes `start` to `stop` (exclusive) of a file of `size`; `partial` makes it a 206."""

    start: int
    stop: int
    size: int
    partial: bool


@dataclass(frozen=True, slots=True)
class Validators:
    """What identifies this state of the file to caches; the ETag is a weak one."""

    etag: str
    last_modified: str


def validators(size: int, modified: datetime) -> Validators:
    """The validators of a file of `size` bytes, last modified at `modified` (UTC)."""
    milliseconds = int(modified.timestamp() * 1000)
    whole = modified.replace(microsecond=0)
    return Validators(f'W/"{size:x}-{milliseconds:x}"', format_datetime(whole, usegmt=True))


def select(headers: Mapping[str, str], size: int, known: Validators) -> Span | None:
    """The span to send; None if it starts at or past the end.

    Several ranges at once, and what is no range, mean the whole file; so does an `If-Range` that
    names another state of it.
    """
    whole = Span(0, size, size, partial=False)
    match = _RANGE.fullmatch(headers.get("range", ""))
    if match is None or not _still(headers.get("if-range"), known):
        return whole
    first, last = match[1], match[2]
    if not first and not last:
        return whole
    if not first:
        length = int(last)
        return Span(max(0, size - length), size, size, partial=True) if length and size else None
    start = int(first)
    if start >= size:
        return None
    stop = min(int(last) + 1, size) if last else size
    return Span(start, stop, size, partial=True) if stop > start else None


def _still(condition: str | None, known: Validators) -> bool:
    if condition is None:
        return True
    if '"' in condition:
        return condition.removeprefix("W/") == known.etag.removeprefix("W/")
    try:
        return parsedate_to_datetime(known.last_modified) <= parsedate_to_datetime(condition)
    except ValueError:
        return False
