"""Puts a backup back in the place of the state.

Its own module because an old state is not a wrong one, and not a right one either: it tells what
was seen once. What was removed since stays removed, and the rest is audited before it counts.
"""

import os
import shutil
import sqlite3
import tempfile
import time
from collections.abc import Sequence
from contextlib import closing, suppress
from pathlib import Path

from immich_sync.core import tombstones
from immich_sync.core.errors import Misconfigured
from immich_sync.core.keeping import Restored
from immich_sync.core.types import Hold
from immich_sync.store.backup import read_backup
from immich_sync.store.copying import keep_name, look_at, uri
from immich_sync.store.database import STATE_FILE, Database, marker
from immich_sync.store.lock import NAME, lock_state
from immich_sync.store.room import COMPANIONS, put_aside, written
from immich_sync.store.soundness import integrity
from immich_sync.store.tombstones import FILE, lines
from immich_sync.store.trouble import TROUBLES, translated
from immich_sync.store.upgrading import is_pending

_STAGING = ".restoring-"


def restore(state: Path, backup: Path, *, now: float) -> Restored:
    """The state is what the backup holds, but for its tombstones, which are those of both.

    What was there lies in a folder of its own beside it. Until each account has been audited again,
    its rows are marked as restored. `now` in wall-clock seconds. Raises Misconfigured (a daemon
    runs, the backup is none, or newer) or StateTrouble; then the state is as it was, with perhaps
    more tombstones.
    """
    with lock_state(state), written(state):
        for left in state.glob(f"{_STAGING}*"):  # a restore was killed here
            shutil.rmtree(left)
        with tempfile.TemporaryDirectory(prefix=_STAGING, dir=state) as staging:
            new = Path(staging)
            kept = read_backup(backup, new)
            ours = list(lines(state / FILE))
            joined = tombstones.merged(ours, list(lines(new / FILE)))
            removed = _prepare(new / STATE_FILE, backup, joined, now)
            aside = _room(state)
            _hand_over(state, aside, new / STATE_FILE, state / NAME)
            if len(joined) > len(ours):
                _replace_tombstones(state / FILE, new, aside, joined)
            _replace_state(state / STATE_FILE, new / STATE_FILE, aside)
        with suppress(OSError):
            aside.rmdir()  # nothing was there before
        keep_name(state)
        there = str(aside) if aside.exists() else ""
        return Restored(kept, str(state), there, len(joined) - len(ours), removed)


def _prepare(path: Path, backup: Path, stones: Sequence[bytes], now: float) -> int:
    """The tables at `path` are of this version and say that they are old; how many were removed."""
    with translated(path):
        with closing(look_at(path)) as connection:
            is_pending(connection, backup)  # raises Misconfigured for what is newer
            if complaints := integrity(connection):
                raise Misconfigured(f"{backup} holds a damaged state: {'; '.join(complaints)}.")
        with closing(Database(path, read_only=False)) as database, database.writing() as connection:
            connection.execute("UPDATE account SET restored_at = ?", (now,))
            connection.execute("UPDATE folder SET restored_at = ?", (now,))
            # Whether these were deleted, moved or tidied away since, the backup cannot know.
            connection.execute("DELETE FROM departed WHERE state IN ('waiting', 'meant')")
            return _bury(connection, stones)


def _bury(connection: sqlite3.Connection, stones: Sequence[bytes]) -> int:
    """What is known to have been removed is known to these tables; how many assets that changed.

    Else an audit would find them gone all at once, and doubt the server.
    """
    read = list(tombstones.read(stones))
    count = 0
    for account, user in connection.execute("SELECT id, user FROM account").fetchall():
        times = {line.checksum: line.at for line in read if line.user == user}
        for checksum, hold in tombstones.standing(read, user).items():
            if hold is not Hold.MISSING:
                row = (times[checksum], account, checksum)
                count += connection.execute(_BURY, row).rowcount
    return count


_BURY = """
UPDATE asset SET trashed_at = ?
WHERE account = ? AND sha1 = ? AND verified_at IS NOT NULL
    AND trashed_at IS NULL AND removed_at IS NULL
"""


def _room(state: Path) -> Path:
    """A new folder for what is there now."""
    stamp = time.strftime("%Y%m%dT%H%M%S")
    for count in range(1, 1000):
        aside = state / f"before-restore-{stamp}{f'-{count}' if count > 1 else ''}"
        with suppress(FileExistsError):
            aside.mkdir(mode=0o700)
            return aside
    raise Misconfigured(f"{state} has a thousand states from before a restore: remove some.")


def _hand_over(state: Path, *paths: Path) -> None:
    """What root made belongs to whom the state folder belongs, who else could not start again."""
    if os.geteuid() == 0:
        owner = state.stat()
        for path in paths:
            os.chown(path, owner.st_uid, owner.st_gid, follow_symlinks=False)


def _replace_tombstones(path: Path, new: Path, aside: Path, joined: Sequence[bytes]) -> None:
    """All lines are at `path`, at no moment fewer than before; the file of before lies aside."""
    draft = new / "joined.jsonl"
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.writelines(joined)
        file.flush()
        os.fsync(descriptor)
    if path.exists():
        put_aside(path, aside / path.name)
    _hand_over(path.parent, draft)
    draft.replace(path)
    keep_name(path.parent)


def _replace_state(path: Path, new: Path, aside: Path) -> None:
    """The new tables are at `path`; those of before lie aside, with all that belongs to them."""
    if path.exists():
        _settle(path)
        put_aside(path, aside / path.name)
    for name in (*(path.name + one for one in COMPANIONS if one), marker(path).name):
        # A WAL that stayed behind would be taken for one of the new tables.
        with suppress(FileNotFoundError):
            path.with_name(name).rename(aside / name)
    keep_name(aside)
    new.replace(path)


def _settle(path: Path) -> None:
    """What a killed daemon left in the WAL is in the file itself; a damaged file stays as it is."""
    with suppress(*TROUBLES):
        with closing(look_at(path)) as old:
            if integrity(old, quick=True):
                return
        with closing(sqlite3.connect(f"{uri(path)}?mode=rw", uri=True)) as old:
            old.execute("PRAGMA wal_checkpoint(TRUNCATE)")
