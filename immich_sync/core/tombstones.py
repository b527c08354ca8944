"""Tombstones: the lines that remember, outside the state, what a person took out of Immich.

Its own module because the server forgets an asset when its trash is emptied, and a state that is
lost forgets with it: what these lines say then decides alone whether a photo comes back.
"""

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import Enum

from immich_sync.core.types import Checksum, Hold

SHA1 = 20
"""Bytes of a checksum."""


class Why(Enum):
    """Why a line was written; the last one of a checksum counts. Stored by value."""

    TRASHED = "trashed"  # seen in the trash
    REMOVED = "removed"  # gone after it was seen in the trash, or a person said so
    MISSING = "missing"  # gone without ever having been seen in the trash
    BACK = "back"  # revoked: the server has it again
    WANTED = "wanted"  # revoked: a person wants it uploaded again


_HOLDS: Mapping[Why, Hold | None] = {
    Why.TRASHED: Hold.REMOVED,
    Why.REMOVED: Hold.REMOVED,
    Why.MISSING: Hold.MISSING,
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
    for line in lines:
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
            continue
        if len(found.checksum) == SHA1:
            yield found


def standing(lines: Iterable[Line], user: str) -> dict[Checksum, Hold]:
    """What this user took out of Immich and did not bring back, and how sure that is."""
    found: dict[Checksum, Hold] = {}
    for line in lines:
        if line.user != user:
            continue
        hold = _HOLDS[line.why]
        if hold is None:
            found.pop(line.checksum, None)
        else:
            found[line.checksum] = hold
    return found


def adds(why: Why, before: Hold | None) -> bool:
    """Whether a line that says `why` tells anything new of a checksum that stands like this."""
    if _HOLDS[why] is None:
        return before is not None
    return before is not _HOLDS[why] and before is not Hold.REMOVED


def after(why: Why) -> Hold | None:
    """How a checksum stands once a line says `why` of it."""
    return _HOLDS[why]
