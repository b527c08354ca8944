"""Tombstones: the lines that remember, outside the state, what a person took out of Immich.

Its own module because the server forgets an asset when its trash is emptied, and a state that is
lost forgets with it: what these lines say then decides alone whether a photo comes back.
"""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import Enum
from itertools import accumulate
from math import inf

from immich_sync.core.types import Checksum, Hold

SHA1 = 20
"""Bytes of a checksum."""


class Why(Enum):
    """Why a line was written; the last one of a checksum counts. Stored by value."""

    TRASHED = "trashed"  # seen in the trash
    REMOVED = "removed"  # gone after it was seen in the trash, or a person said so
    MISSING = "missing"  # gone without ever having been seen in the trash
    DEPARTED = "departed"  # trashed by us, because its file was deleted here
    BACK = "back"  # revoked: the server has it again
    WANTED = "wanted"  # revoked: a person wants it uploaded again


_HOLDS: Mapping[Why, Hold | None] = {
    Why.TRASHED: Hold.REMOVED,
    Why.REMOVED: Hold.REMOVED,
    Why.MISSING: Hold.MISSING,
    Why.DEPARTED: Hold.DEPARTED,
    Why.BACK: None,
    Why.WANTED: None,
}


@dataclass(frozen=True, slots=True)
class Line:
    """One line of the file; `at` in wall-clock seconds, `user` as in the state's account."""

    at: float
    server: str  # for people: a user's id is the same wherever the server moves
    user: str
    checksum: Checksum
    why: Why


def written(line: Line) -> bytes:
    """The line with its end."""
    said = {
        "at": datetime.fromtimestamp(line.at, UTC).isoformat(timespec="seconds"),
        "server": line.server,
        "user": line.user,
        "sha1": line.checksum.hex(),
        "why": line.why.value,
    }
    return json.dumps(said).encode() + b"\n"


def read(lines: Iterable[bytes]) -> Iterator[Line]:
    """The lines that can be understood, in order; a torn or damaged one is passed over."""
    return (found for line in lines if (found := _understood(line)) is not None)


def _understood(line: bytes) -> Line | None:
    try:
        said = json.loads(line)
        found = Line(
            datetime.fromisoformat(said["at"]).timestamp(),
            str(said["server"]),
            str(said["user"]),
            Checksum(bytes.fromhex(said["sha1"])),
            Why(said["why"]),
        )
    except (ValueError, TypeError, KeyError, RecursionError, OverflowError):
        return None
    return found if len(found.checksum) == SHA1 else None


@dataclass(frozen=True, slots=True)
class Condition:
    """How a file of tombstones reads, in lines."""

    lines: int = 0  # that are understood
    torn: int = 0  # cut off while they were written: nobody relied on them yet
    damaged: int = 0  # that said something once


def condition(lines: Iterable[bytes]) -> Condition:
    """How these lines read: what a power cut tore is told apart from what was damaged later."""
    understood = torn = damaged = 0
    for line in lines:
        if _understood(line) is not None:
            understood += 1
        elif _is_torn(line.rstrip(b"\n")):
            torn += 1
        else:
            damaged += 1
    return Condition(understood, torn, damaged)


_HEAD = b'{"at": "'


def _is_torn(text: bytes) -> bool:
    """Whether it is the beginning of a line, and nothing else."""
    begins = text.startswith(_HEAD) or _HEAD.startswith(text)
    return begins and text.isascii() and text.decode().isprintable() and not text.endswith(b"}")


def merged(ours: Sequence[bytes], older: Sequence[bytes]) -> list[bytes]:
    """Every line of both, those of each in their order, so that none is forgotten.

    The last line of a checksum counts, so they are joined by their times; where a clock that
    jumped makes these unsure, `ours` comes later. What both have stays where `ours` has it.
    """
    known = set(map(_ended, ours))
    mine = list(map(_ended, ours))
    missing = [line for line in map(_ended, older) if line not in known]
    times = list(accumulate((_time(line, -inf) for line in mine), max))
    limits = list(accumulate((_time(line, inf) for line in reversed(missing)), min))[::-1]
    joined: list[bytes] = []
    place = 0
    for line, limit in zip(missing, limits, strict=True):
        while place < len(mine) and times[place] < limit:
            joined.append(mine[place])
            place += 1
        joined.append(line)
    return joined + mine[place:]


def _ended(line: bytes) -> bytes:
    return line if line.endswith(b"\n") else line + b"\n"


def _time(line: bytes, unknown: float) -> float:
    found = _understood(line)
    return unknown if found is None else found.at


def standing(lines: Iterable[Line], user: str) -> dict[Checksum, Hold]:
    """What this user took out of Immich and did not bring back, and how sure that is."""
    return {checksum: hold for checksum, hold in said(lines, user).items() if hold is not None}


def said(lines: Iterable[Line], user: str) -> dict[Checksum, Hold | None]:
    """How each checksum stands that these lines say anything of, for this user; None: revoked."""
    return {line.checksum: _HOLDS[line.why] for line in lines if line.user == user}


def adds(why: Why, before: Hold | None) -> bool:
    """Whether a line that says `why` tells anything new of a checksum that stands like this."""
    if _HOLDS[why] is None:
        return before is not None
    # What we trashed ourselves, and what a person removed, stays that: all else follows from it.
    return before is not _HOLDS[why] and before not in {Hold.REMOVED, Hold.DEPARTED}


def after(why: Why) -> Hold | None:
    """How a checksum stands once a line says `why` of it."""
    return _HOLDS[why]
