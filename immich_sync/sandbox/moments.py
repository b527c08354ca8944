"""Dates as uploads carry them.

Its own module because 2.7 and 3.x disagree about them, and that is worth a small table of tests.
"""

import re
from datetime import UTC, datetime

_ZONED = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d(:\d\d(\.\d+)?)?(Z|[+-]\d\d:?\d\d)", re.ASCII)


def parse_moment(text: str, *, strict: bool) -> datetime:
    """The moment in UTC; ValueError if it is none.

    With `strict` (3.x) it must be ISO 8601 with `Z` or an offset; else (2.7) a naive one is taken
    as UTC.  Source: Immich 3.1, validation.
    """
    if strict and not _ZONED.fullmatch(text):
        raise ValueError("Invalid input: expected an ISO 8601 date-time with Z or an offset")
    moment = datetime.fromisoformat(text)
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(UTC)
