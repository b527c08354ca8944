"""What is known of whole directories, with the assets of their files, for those who only look.

Its own module because a look is given what people configured (a root, a server and a user) and
must not make rows for them, and because it reads every row there is: one range of the index each.
"""

from collections.abc import Iterable
from sqlite3 import Connection

from immich_sync.core.standing import Holding
from immich_sync.core.types import AccountId, Checksum, FolderId, Hold
from immich_sync.store.accounts import Kind
from immich_sync.store.database import Database
from immich_sync.store.rows import stamp_of, text


def folder_at(database: Database, root: bytes) -> FolderId | None:
    """The watched folder with this root, if the state knows it. Raises StateTrouble."""
    with database.reading() as connection:
        row = connection.execute(_FOLDER, (Kind.WATCHED.value, root)).fetchone()
        return None if row is None else FolderId(row[0])


def account_of(database: Database, server: str, user: str) -> AccountId | None:
    """The account of this user on this server, if the state knows it. Raises StateTrouble."""
    with database.reading() as connection:
        row = connection.execute(_ACCOUNT, (text(server), text(user))).fetchone()
        return None if row is None else AccountId(row[0])


def owner_of(database: Database, folder: FolderId) -> AccountId | None:
    """The account that the folder is synced to; None before any. Raises StateTrouble."""
    with database.reading() as connection:
        row = connection.execute("SELECT account FROM folder WHERE id = ?", (folder,)).fetchone()
        return None if row is None or row[0] is None else AccountId(row[0])


def holdings(
    database: Database,
    folder: FolderId,
    account: AccountId | None,
    directories: Iterable[bytes],
) -> dict[bytes, dict[bytes, Holding]]:
    """What is known of each path directly in each of the directories, by name.

    Assets are those of `account`; for None, nothing is known of any. Raises StateTrouble.
    """
    with database.reading() as connection:
        return {path: _holdings(connection, folder, account, path) for path in directories}


def _holdings(
    connection: Connection, folder: FolderId, account: AccountId | None, path: bytes
) -> dict[bytes, Holding]:
    known = {
        row[0]: Holding(
            stamp_of(row[1:5]),
            None if row[5] is None else Checksum(row[5]),
            None if row[6] is None else Hold(row[6]),
            row[7],
            bool(row[8]),
            row[9],
            row[10],
            error=row[11],
        )
        for row in connection.execute(_FILES, (account, folder, path))
    }
    for name, error in connection.execute(_JOBS, (folder, path)):
        known.setdefault(name, Holding(error=error))
    return known


_FOLDER = "SELECT id FROM folder WHERE kind = ? AND root = ?"

_ACCOUNT = "SELECT id FROM account WHERE server = ? AND user = ?"

_FILES = """
SELECT file.name, file.size, file.mtime_ns, file.inode, file.ctime_ns, file.sha1, file.hold,
    file.note, file.dismissed, asset.verified_at, asset.trashed_at,
    coalesce(job.error, '')
FROM file
LEFT JOIN asset ON asset.account = ? AND asset.sha1 = file.sha1
LEFT JOIN job ON job.folder = file.folder AND job.dir = file.dir AND job.name = file.name
WHERE file.folder = ? AND file.dir = ?
"""

_JOBS = "SELECT name, error FROM job WHERE folder = ? AND dir = ?"
