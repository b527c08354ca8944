"""The tombstones' file: beside the state, appended to and never rewritten.

Its own module because it must outlive the state file: whatever happens to that, what a person took
out of Immich stays out. It is ours as the state is: one daemon writes it, under the state's lock,
and beside it an upload by hand, which only revokes. So lines are appended in one piece, and who
keeps in memory what they say has to read on before relying on it.
"""

import os
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from immich_sync.core import tombstones
from immich_sync.core.errors import StateTrouble
from immich_sync.core.tombstones import Line, Why
from immich_sync.core.types import AccountId, Checksum, Hold
from immich_sync.store.copying import keep_name
from immich_sync.store.database import Database

FILE = "tombstones.jsonl"
"""The file's name in the state folder."""


def open_tombstones(database: Database, account: AccountId, now: float) -> dict[Checksum, Hold]:
    """What the account's user took out of Immich, as the file and the state know it together.

    What only the state knew is in the file afterwards: each makes up for the loss of the other.
    `now` in wall-clock seconds. Raises StateTrouble.
    """
    with database.reading() as connection:
        _, user = connection.execute(_ACCOUNT, (account,)).fetchone()
        known = {
            Checksum(sha1): Hold(hold)
            for query in (_HELD, _GONE, _DEPARTED)
            for sha1, hold in connection.execute(query, (account,))
        }
    standing = tombstones.standing(tombstones.read(lines(_file(database))), user)
    unwritten = {
        checksum: _WHYS[hold] for checksum, hold in known.items() if checksum not in standing
    }
    write(database, account, unwritten, now)
    return known | standing


def removed(state: Path, user: str) -> frozenset[Checksum]:
    """What this user is known to have taken out of Immich, by the file in the folder `state` alone.

    For those who only look. Raises StateTrouble.
    """
    standing = tombstones.standing(tombstones.read(lines(state / FILE)), user)
    return frozenset(checksum for checksum, hold in standing.items() if hold is Hold.REMOVED)


def end(database: Database) -> int:
    """Bytes of the file, from where to read on later. Raises StateTrouble."""
    path = _file(database)
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0
    except OSError as error:
        raise _trouble(path, "read", error) from error


def since(
    database: Database, account: AccountId, start: int
) -> tuple[dict[Checksum, Hold | None], int]:
    """What the lines from byte `start` on say of the account's user, and where they end.

    A line that is still being written is left for the next time; a file that has become shorter is
    another one, and read from its beginning. Raises StateTrouble.
    """
    path = _file(database)
    if (now := end(database)) == start:
        return {}, start
    try:
        with path.open("rb") as file:
            file.seek(start if start < now else 0)
            whole, _, torn = file.read().rpartition(b"\n")
            start = file.tell() - len(torn)
    except FileNotFoundError:
        return {}, 0
    except OSError as error:
        raise _trouble(path, "read", error) from error
    with database.reading() as connection:
        _, user = connection.execute(_ACCOUNT, (account,)).fetchone()
    return tombstones.said(tombstones.read(whole.splitlines()), user), start


def write(
    database: Database, account: AccountId, stones: Mapping[Checksum, Why], now: float
) -> None:
    """Each of these lines is on the disk; `now` in wall-clock seconds.

    Raises StateTrouble; then some of them may be, which does no harm.
    """
    if not stones:
        return
    with database.reading() as connection:
        server, user = connection.execute(_ACCOUNT, (account,)).fetchone()
    new = (Line(now, server, user, checksum, why) for checksum, why in stones.items())
    _append(_file(database), map(tombstones.written, new))


def lines(path: Path) -> Iterator[bytes]:
    """The lines of such a file, if there is one, whatever they say. Raises StateTrouble."""
    try:
        with path.open("rb") as file:
            yield from file
    except FileNotFoundError:
        return
    except OSError as error:
        raise _trouble(path, "read", error) from error


def _file(database: Database) -> Path:
    return database.path.with_name(FILE)


def _append(path: Path, new: Iterable[bytes]) -> None:
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
        with os.fdopen(descriptor, "r+b", buffering=0) as file:
            end = file.seek(0, os.SEEK_END)
            torn = end > 0 and os.pread(descriptor, 1, end - 1) != b"\n"
            data = memoryview((b"\n" if torn else b"") + b"".join(new))
            while data:
                data = data[file.write(data) or 0 :]
            os.fsync(descriptor)
        if end == 0:
            keep_name(path.parent)
    except OSError as error:
        raise _trouble(path, "written", error) from error


def _trouble(path: Path, what: str, error: OSError) -> StateTrouble:
    return StateTrouble(
        f"{path} cannot be {what} ({error.strerror}), and it remembers which photos were removed "
        "from Immich on purpose: see whether its disk is full or failing, and whether the file "
        "belongs to the user who runs immich-sync. Everything waits until then; nothing is lost."
    )


_ACCOUNT = "SELECT server, user FROM account WHERE id = ?"

_HELD = """
SELECT file.sha1, file.hold FROM file JOIN folder ON folder.id = file.folder
LEFT JOIN asset ON asset.account = folder.account AND asset.sha1 = file.sha1
WHERE folder.account = ? AND folder.kind = 'watched' AND file.hold IN ('removed', 'missing')
    AND file.sha1 IS NOT NULL
    AND (asset.sha1 IS NULL OR (asset.verified_at IS NOT NULL AND asset.removed_at IS NOT NULL))
"""

_GONE = """
SELECT sha1, iif(trashed_at IS NULL, 'missing', 'removed') FROM asset
WHERE account = ? AND verified_at IS NOT NULL
    AND (removed_at IS NOT NULL OR trashed_at IS NOT NULL)
"""

# Those that were trashed by us, and are not known to have been taken out again.
_DEPARTED = """
SELECT DISTINCT departed.sha1, 'departed' FROM departed
JOIN folder ON folder.id = departed.folder
JOIN asset ON asset.account = folder.account AND asset.sha1 = departed.sha1
WHERE folder.account = ? AND asset.removed_at IS NULL AND (
    (state = 'trashed' AND asset.trashed_at IS NOT NULL) OR state = 'with_still')
"""

_WHYS = {Hold.REMOVED: Why.REMOVED, Hold.MISSING: Why.MISSING, Hold.DEPARTED: Why.DEPARTED}
