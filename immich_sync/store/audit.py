"""What an audit reads of the ledger, and what its findings become there.

Its own module because these statements look at all assets of an account at once, and nothing else
of the daemon's work does.
"""

import json
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from sqlite3 import Connection

from immich_sync.core import audit
from immich_sync.core.audit import Findings
from immich_sync.core.types import AccountId, Asset, AssetId, Checksum, FolderId, Hold, Priority
from immich_sync.store.accounts import Kind
from immich_sync.store.database import Database
from immich_sync.store.rows import asset_of, text


@dataclass(frozen=True, slots=True)
class Standing:
    """How an account stands; times are wall-clock seconds."""

    audited_at: float | None = None  # when the last audit that was believed began
    doubt: str = ""  # why its server is not believed to be the one we know
    restored_at: float | None = None  # when its rows were put back from a backup, until audited


def standing(database: Database, account: AccountId) -> Standing:
    """How the account stands. Raises StateTrouble."""
    with database.reading() as connection:
        row = connection.execute(_STANDING, (account,)).fetchone()
        return Standing() if row is None else Standing(*row)


def doubt(database: Database, account: AccountId, why: str, now: float) -> None:
    """The account's server is not believed; since when is kept. Raises StateTrouble."""
    with database.writing() as connection:
        connection.execute(_DOUBT, (text(why), now, account))


def page(database: Database, account: AccountId, after: bytes, limit: int) -> list[Asset]:
    """The next assets that the server once proved to have, by checksum. Raises StateTrouble."""
    with database.reading() as connection:
        rows = connection.execute(_PAGE, (account, after, limit))
        return [asset for row in rows if (asset := asset_of(row)) is not None]


def without_asset(
    database: Database, account: AccountId, checksums: Iterable[Checksum]
) -> list[Checksum]:
    """Those of which the ledger knows no asset, in order. Raises StateTrouble."""
    with database.reading() as connection:
        return [
            one
            for one in sorted(checksums)
            if connection.execute(_ASSET, (account, one)).fetchone() is None
        ]


def settle(
    database: Database,
    account: AccountId,
    found: Findings,
    *,
    restoring: Collection[FolderId],
    lost: Hold | None,
    now: float,
) -> None:
    """The findings are facts, and the account is believed again: all of it, or StateTrouble.

    What is in the trash now is due in the folders `restoring` it. What is there again is no longer
    held. Of what was lost, files are held as `lost`; with None it is forgotten to have been there,
    and its files are due. A word of the server's since the audit began stands; `now` (wall-clock
    seconds) tells it from one of tomorrow, before the clock was set back.
    """
    with database.writing() as connection:
        connection.execute(_SCRATCH)
        settling = _Settling(connection, account, found.began, now, _folders(connection, account))
        settling.mark(_TRASHED, found.trashed)
        settling.make_due(Priority.BACKLOG, restoring)
        settling.mark(_ALIVE, found.alive)
        settling.make_due(Priority.RECHECK)
        settling.hold(found.removed, Hold.REMOVED)
        if lost is not None:
            settling.hold(found.lost, lost)
        else:
            settling.mark(_FORGET, ((checksum, None) for checksum in found.lost))
            settling.free_marked()
            settling.make_due(Priority.BACKLOG)
        settling.mark(_FORGET, ((checksum, None) for checksum in found.purged))
        settling.make_due(Priority.BACKLOG)
        settling.mark_all(found.returned)
        settling.free_marked()
        settling.make_due(Priority.RECHECK)
        settling.free_returned()
        settling.make_due(Priority.RECHECK)
        connection.execute(_BELIEVED, (found.began, account))


@dataclass(frozen=True, slots=True)
class _Settling:
    """One transaction; what was changed last is `marked`, and the next statement is about that."""

    connection: Connection
    account: AccountId
    began: float
    now: float
    folders: Collection[FolderId]

    def mark(self, statement: str, assets: Iterable[tuple[Checksum, AssetId | None]]) -> None:
        """Change assets, but for those of which the ledger knows something newer."""
        self.mark_all([one[0] for one in assets if self._changed(statement, one)])

    def hold(self, checksums: Iterable[Checksum], hold: Hold) -> None:
        """These are gone, and their files are held."""
        self.mark(_GONE, ((checksum, None) for checksum in checksums))
        if not self._is_marked():
            return
        said = {"hold": hold.value, "note": audit.note(hold), "began": self.began}
        self.connection.execute(_HOLD, {**said, **self.where()})

    def free_marked(self) -> None:
        """What is marked is not held any more for having been gone."""
        if self._is_marked():
            self.connection.execute(_FREE_MARKED, self.where())

    def free_returned(self) -> None:
        """What is there is not held any more for having been gone, and is marked."""
        freed = self.connection.execute(_FREE_RETURNED, self.where()).fetchall()
        self.mark_all(Checksum(sha1) for (sha1,) in freed)

    def _is_marked(self) -> bool:
        return self.connection.execute("SELECT 1 FROM marked").fetchone() is not None

    def make_due(self, priority: Priority, folders: Collection[FolderId] | None = None) -> None:
        """The files with these bytes are due (in these folders only, if given)."""
        if not self._is_marked():
            return
        when = {"priority": priority.value, "began": self.began}
        self.connection.execute(_DUE, {**when, **self.where(folders)})

    def where(self, folders: Collection[FolderId] | None = None) -> dict[str, str | int]:
        """What statements on files ask for: the account's folders, or these only."""
        wanted = self.folders if folders is None else folders
        return {"account": self.account, "folders": json.dumps(list(wanted))}

    def _changed(self, statement: str, one: tuple[Checksum, AssetId | None]) -> bool:
        checksum, asset_id = one
        wanted = {"sha1": checksum, "asset": asset_id, "began": self.began, "now": self.now}
        return bool(
            self.connection.execute(statement, {"account": self.account, **wanted}).rowcount
        )

    def mark_all(self, checksums: Iterable[Checksum]) -> None:
        """The next statements are about these."""
        self.connection.execute("DELETE FROM marked")
        rows = [(checksum,) for checksum in checksums]
        self.connection.executemany("INSERT OR IGNORE INTO marked VALUES (?)", rows)


def _folders(connection: Connection, account: AccountId) -> list[FolderId]:
    rows = connection.execute(_FOLDERS, (account, Kind.WATCHED.value))
    return [FolderId(folder) for (folder,) in rows]


_STANDING = "SELECT audited_at, doubt, restored_at FROM account WHERE id = ?"

_DOUBT = """
UPDATE account SET doubt = ?, doubted_at = coalesce(doubted_at, ?) WHERE id = ?
"""

_BELIEVED = """
UPDATE account SET audited_at = ?, doubt = '', doubted_at = NULL, restored_at = NULL WHERE id = ?
"""

_ASSET = "SELECT 1 FROM asset WHERE account = ? AND sha1 = ?"

_PAGE = """
SELECT account, sha1, asset_id, origin, verified_at, trashed_at, removed_at FROM asset
WHERE account = ? AND sha1 > ? AND verified_at IS NOT NULL ORDER BY sha1 LIMIT ?
"""

_FOLDERS = "SELECT id FROM folder WHERE account = ? AND kind = ?"

_SCRATCH = "CREATE TEMP TABLE IF NOT EXISTS marked (sha1 BLOB PRIMARY KEY) WITHOUT ROWID"

_TRASHED = """
UPDATE asset SET asset_id = :asset, verified_at = :began, trashed_at = :began, removed_at = NULL,
    origin = iif(asset_id = :asset, origin, 'found')
WHERE account = :account AND sha1 = :sha1 AND NOT verified_at BETWEEN :began AND :now
"""

_ALIVE = """
UPDATE asset SET asset_id = :asset, verified_at = :began, trashed_at = NULL, removed_at = NULL,
    proved_at = :began, origin = iif(asset_id = :asset, origin, 'found')
WHERE account = :account AND sha1 = :sha1 AND NOT verified_at BETWEEN :began AND :now
"""

_GONE = """
UPDATE asset SET removed_at = coalesce(removed_at, :began)
WHERE account = :account AND sha1 = :sha1 AND NOT verified_at BETWEEN :began AND :now
"""

_FORGET = """
DELETE FROM asset
WHERE account = :account AND sha1 = :sha1 AND NOT verified_at BETWEEN :began AND :now
"""

# `file` has no index by checksum: each statement below walks it once for all that is marked.
_HOLD = """
UPDATE file SET hold = :hold, note = :note, changed_at = :began,
    dismissed = dismissed AND :hold = 'removed'
WHERE (hold IS NULL OR hold = 'missing') AND hold IS NOT :hold AND sha1 IN marked
    AND folder IN (SELECT value FROM json_each(:folders))
"""

_FREE_MARKED = """
UPDATE file SET hold = NULL, note = '', dismissed = 0
WHERE hold IN ('removed', 'missing') AND sha1 IN marked
    AND folder IN (SELECT value FROM json_each(:folders))
"""

# What was held because it was gone and is known to be there: by this audit, or by an upload.
_FREE_RETURNED = """
UPDATE file SET hold = NULL, note = '', dismissed = 0
WHERE hold IN ('removed', 'missing') AND folder IN (SELECT value FROM json_each(:folders))
    AND EXISTS (
        SELECT 1 FROM asset WHERE account = :account AND asset.sha1 = file.sha1
        AND verified_at IS NOT NULL AND removed_at IS NULL)
RETURNING sha1
"""

_DUE = """
INSERT INTO job (folder, dir, name, priority, due_at)
SELECT folder, dir, name, :priority, :began FROM file
WHERE hold IS NULL AND sha1 IN marked AND folder IN (SELECT value FROM json_each(:folders))
ON CONFLICT DO UPDATE SET
    priority = min(priority, excluded.priority), round = round + 1,
    due_at = iif(attempts > 0, due_at, min(due_at, excluded.due_at))
"""
