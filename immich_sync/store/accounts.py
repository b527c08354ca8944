"""The accounts and folders that rows of the state belong to.

Its own module because these rows are made once, at start, out of what a person configured.
"""

from dataclasses import dataclass
from enum import Enum
from sqlite3 import Connection

from immich_sync.core.types import AccountId, FolderId, Priority
from immich_sync.store.database import Database
from immich_sync.store.rows import text


class Kind(Enum):
    """What a folder is to us. Stored by value."""

    WATCHED = "watched"  # by the daemon
    ONCE = "once"  # the root of a one-shot upload: never watched


@dataclass(frozen=True, slots=True)
class FolderRow:
    """A folder as it was known before this start."""

    id: FolderId
    account: AccountId | None  # None until its server has been reached once


def ensure_account(database: Database, server: str, user: str) -> AccountId:
    """The row of this user on this server, made if there is none. Raises StateTrouble."""
    with database.writing() as connection:
        row = connection.execute(_ACCOUNT, (text(server), text(user))).fetchone()
        return AccountId(row[0])


def ensure_folder(
    database: Database, *, name: str, root: bytes, kind: Kind, policy: str, now: float
) -> FolderRow:
    """The folder's row, made if there is none; it is the same folder as long as its root is.

    If its policy (whatever the caller wants every known file looked at again for, such as the
    album's template) is another one than last time, the new one is stored and every file that is
    not held is due with RECHECK, in one transaction. Raises StateTrouble.
    """
    with database.writing() as connection:
        row = connection.execute(_READ_FOLDER, (kind.value, root)).fetchone()
        if row is None:
            made = connection.execute(
                _MAKE_FOLDER, (kind.value, root, text(name), text(policy))
            ).fetchone()
            return FolderRow(FolderId(made[0]), None)
        folder, account, old_policy = row
        if old_policy != text(policy):
            _requeue(connection, folder, now)
        connection.execute(_UPDATE_FOLDER, (text(name), text(policy), folder))
        known = None if account is None else AccountId(account)
        return FolderRow(FolderId(folder), known)


def assign(database: Database, folder: FolderId, account: AccountId, now: float) -> None:
    """The folder's files belong into this account from now on.

    If that was another one before, every file that is not held is due with RECHECK: what is known
    about assets there says nothing about them here. What went missing there is due with them; what
    a person removed there stays held. Raises StateTrouble.
    """
    with database.writing() as connection:
        (before,) = connection.execute(
            "SELECT account FROM folder WHERE id = ?", (folder,)
        ).fetchone()
        connection.execute("UPDATE folder SET account = ? WHERE id = ?", (account, folder))
        if before not in {None, account}:
            connection.execute(_MISSING_NO_MORE, (folder,))
            connection.execute("DELETE FROM departed WHERE folder = ?", (folder,))
            _requeue(connection, folder, now)


def identity(database: Database, folder: FolderId) -> str | None:
    """The file system last accepted as the folder's; None if none was. Raises StateTrouble."""
    with database.reading() as connection:
        row = connection.execute("SELECT identity FROM folder WHERE id = ?", (folder,)).fetchone()
        return None if row is None else row[0]


def set_identity(database: Database, folder: FolderId, seen: str) -> None:
    """This file system is the folder's own from now on.

    If that was another one before, what it lacks was not deleted: the copy may not have been
    whole. Raises StateTrouble.
    """
    with database.writing() as connection:
        connection.execute(_SET_IDENTITY, (text(seen), folder))


def _requeue(connection: Connection, folder: int, now: float) -> None:
    connection.execute(_REQUEUE, (Priority.RECHECK.value, now, folder))


# An update that changes nothing makes RETURNING speak of the row that is there already.
_ACCOUNT = """
INSERT INTO account (server, user) VALUES (?, ?)
ON CONFLICT DO UPDATE SET user = excluded.user RETURNING id
"""

_READ_FOLDER = "SELECT id, account, policy FROM folder WHERE kind = ? AND root = ?"

_MAKE_FOLDER = "INSERT INTO folder (kind, root, name, policy) VALUES (?, ?, ?, ?) RETURNING id"

_UPDATE_FOLDER = "UPDATE folder SET name = ?, policy = ? WHERE id = ?"

# In an update, every right-hand side sees the row as it was before.
_SET_IDENTITY = """
UPDATE folder SET identity = ?1, on_delete = iif(
    on_delete = 'trash' AND identity IS NOT NULL AND identity <> ?1, 'soon', on_delete)
WHERE id = ?2
"""

_MISSING_NO_MORE = """
UPDATE file SET hold = NULL, note = '', dismissed = 0 WHERE folder = ? AND hold = 'missing'
"""

_REQUEUE = """
INSERT INTO job (folder, dir, name, priority, due_at)
SELECT folder, dir, name, ?, ? FROM file WHERE folder = ? AND hold IS NULL
ON CONFLICT DO UPDATE SET
    priority = min(priority, excluded.priority), round = round + 1,
    due_at = iif(attempts > 0, due_at, min(due_at, excluded.due_at))
"""
