"""Brings the tables of a state file up to this version, or refuses to touch them.

Its own module because it is the one moment in which a state can be lost by a mistake of ours: so
it keeps a copy, does all in one transaction, and leaves what is newer alone.
"""

import os
import sqlite3
from collections.abc import Sequence
from contextlib import closing, suppress
from pathlib import Path

import sqlite_utils

from immich_sync.core.errors import Misconfigured
from immich_sync.store.copying import copy, keep_name, look_at
from immich_sync.store.migrations import STEPS, Step, migrations_of
from immich_sync.store.room import written
from immich_sync.store.trouble import TROUBLES, code, is_damage, trouble


def applied(connection: sqlite3.Connection) -> tuple[str, ...]:
    """The steps that made these tables, oldest first; () if they are not ours. sqlite3.Error."""
    if not connection.execute(_OURS).fetchone():
        return ()
    return tuple(str(name) for (name,) in connection.execute(_APPLIED))


def is_pending(connection: sqlite3.Connection, path: Path, steps: Sequence[Step] = STEPS) -> bool:
    """Whether steps are missing. Raises Misconfigured if there are some that we do not know."""
    done, known = set(applied(connection)), {step.__name__ for step in steps}
    if unknown := done - known:
        raise Misconfigured(
            f"{path} was written by a newer immich-sync (it has the step "
            f"{', '.join(sorted(unknown))}): install that version again, or choose "
            "another state folder. The file was left as it is."
        )
    return done != known


def refuse_newer(path: Path) -> None:
    """Raises Misconfigured if a newer version has written the file, which stays untouched.

    Whoever may write tidies up, on leaving, what a killed daemon left in its WAL
    (https://sqlite.org/wal.html, "Checkpointing"); so this only looks.
    """
    with suppress(*TROUBLES), closing(look_at(path)) as connection:
        is_pending(connection, path)


def upgrade(
    tables: sqlite_utils.Database, path: Path, steps: Sequence[Step] = STEPS
) -> Path | None:
    """All steps are applied, or none; two processes that start together do not apply one twice.

    What was there before lies, whole, at the returned path: `state.db.before-` and the first step
    that it lacked. Raises StateTrouble if there is no room for that. Whatever is raised: who called
    closes the connection, and the tables are as they were.
    """
    tables.conn.execute("BEGIN IMMEDIATE")
    done = applied(tables.conn)
    missing = [step.__name__ for step in steps if step.__name__ not in done]
    kept = _keep_old(path, missing[0]) if done and missing else None
    migrations_of(steps).apply(tables)
    tables.conn.execute("COMMIT")
    return kept


def _keep_old(path: Path, step: str) -> Path:
    kept = path.with_name(f"{path.name}.before-{step}")
    draft = path.with_name(f"{kept.name}.{os.getpid()}")
    with written(path.parent):
        draft.unlink(missing_ok=True)
        try:
            copy(path, draft)
        except TROUBLES as error:
            draft.unlink(missing_ok=True)
            if is_damage(error) and code(error) is not None:
                raise
            raise trouble(kept, error) from error
        # One that is there already was made before the same step, which then failed.
        draft.replace(kept)
        keep_name(path.parent)
    return kept


_OURS = "SELECT 1 FROM sqlite_master WHERE name = '_sqlite_migrations'"

_APPLIED = "SELECT name FROM _sqlite_migrations WHERE migration_set = 'immich_sync' ORDER BY rowid"
