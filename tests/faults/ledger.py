"""Reads the daemon's state from beside, as it stands after the last commit.

Its own module because it asks in its own words: whoever judges the ledger must not read it through
the program that wrote it.
"""

import sqlite3
from dataclasses import dataclass
from pathlib import Path

from immich_sync.core.types import Stamp
from immich_sync.store.rows import UNSIGNED

Path_ = bytes


@dataclass(frozen=True, slots=True)
class Row:
    """What the ledger says of one path."""

    stamp: Stamp
    checksum: str | None
    hold: str | None
    due: bool  # a job waits
    asset_id: str | None
    verified_at: float | None
    trashed_at: float | None
    removed_at: float | None


@dataclass(slots=True)
class Ledger:
    """The state file, read from beside as it stands after the last commit."""

    path: Path
    _connection: sqlite3.Connection | None = None

    def rows(self) -> dict[Path_, Row]:
        """What is known of each path."""
        return {
            (directory + b"/" + name if directory else name): Row(
                Stamp(size, mtime, inode & UNSIGNED, ctime),
                None if checksum is None else checksum.hex(),
                hold,
                bool(due),
                *asset,
            )
            for directory, name, size, mtime, inode, ctime, checksum, hold, due, *asset in (
                self._query(_ROWS)
            )
        }

    def jobs(self) -> list[Path_]:
        """The paths that are due."""
        return [(d + b"/" + n if d else n) for d, n in self._query("SELECT dir, name FROM job")]

    def departed(self) -> list[Path_]:
        """The paths whose deletion has not reached Immich."""
        query = "SELECT dir, name FROM departed WHERE state IN ('waiting', 'meant')"
        return [(d + b"/" + n if d else n) for d, n in self._query(query)]

    def cleaned(self) -> list[tuple[Path_, str, str]]:
        """What was cleaned away, or is about to be: path, checksum, how far it came."""
        rows = self._query("SELECT dir, name, sha1, state FROM cleaned")
        return [(d + b"/" + n if d else n, sha1.hex(), state) for d, n, sha1, state in rows]

    def verified(self) -> set[str]:
        """The checksums that are known to be, or to have been, in Immich."""
        query = "SELECT sha1 FROM asset WHERE verified_at IS NOT NULL"
        return {checksum.hex() for (checksum,) in self._query(query)}

    def assets(self) -> list[tuple[str, str, float | None, float | None, float | None]]:
        """All that is known of assets: checksum, id, verified, trashed, removed."""
        query = "SELECT sha1, asset_id, verified_at, trashed_at, removed_at FROM asset"
        return [(row[0].hex(), *row[1:]) for row in self._query(query)]

    def members(self) -> set[tuple[str, str]]:
        """Album and asset of each pair that is known to have been put together."""
        return {(row[0], row[1]) for row in self._query("SELECT album_id, asset_id FROM member")}

    def close(self) -> None:
        """Give the connection back; the next question opens a new one."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def image(self) -> bytes:
        """The whole state, as a backup has it."""
        self._query("SELECT 1")
        assert self._connection is not None
        return self._connection.serialize()

    def _query(self, query: str) -> list[tuple]:  # type: ignore[type-arg]  # rows of any shape
        if self._connection is None:
            self._connection = sqlite3.connect(self.path)
        return self._connection.execute(query).fetchall()


_ROWS = """
SELECT file.dir, file.name, file.size, file.mtime_ns, file.inode, file.ctime_ns, file.sha1,
    file.hold, job.folder IS NOT NULL, asset.asset_id, asset.verified_at, asset.trashed_at,
    asset.removed_at
FROM file
LEFT JOIN job ON job.folder = file.folder AND job.dir = file.dir AND job.name = file.name
LEFT JOIN folder ON folder.id = file.folder
LEFT JOIN asset ON asset.account = folder.account AND asset.sha1 = file.sha1
"""
