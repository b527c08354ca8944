"""The tables of the state file, as steps that are each applied once.

Its own module because what has been released here never changes again: a new wish is a new step.
A new value of a stored enum (Hold, Origin, Priority) is a new step too, even an empty one, so that
an older version refuses the state instead of taking it for damaged.
"""

from collections.abc import Callable, Sequence

from sqlite_utils import Migrations
from sqlite_utils.db import Database

Step = Callable[[Database], None]


def tables(database: Database) -> None:
    """The first release: who and where, what lies where, what is in Immich, what is due."""
    for statement in _TABLES:
        database.conn.execute(statement)


# The primary key of `file` makes one directory one range of its index, and a tree one range too.
# `job` is read in the order of its index, folder by folder, so that a paused folder costs nothing.
_TABLES = (
    """
    CREATE TABLE account (
        id INTEGER PRIMARY KEY,
        server TEXT NOT NULL,
        user TEXT NOT NULL,
        audited_at REAL,
        restored_at REAL, -- these rows were put back from a backup, and not audited since
        doubt TEXT NOT NULL DEFAULT '',
        doubted_at REAL,
        UNIQUE (server, user)
    ) STRICT
    """,
    """
    CREATE TABLE folder (
        id INTEGER PRIMARY KEY,
        account INTEGER REFERENCES account (id),
        kind TEXT NOT NULL,
        root BLOB NOT NULL,
        name TEXT NOT NULL,
        identity TEXT,
        policy TEXT NOT NULL,
        restored_at REAL, -- put back from a backup, and not scanned to the end since
        on_delete TEXT NOT NULL DEFAULT 'ignore', -- 'soon': 'trash' from the next full scan on
        UNIQUE (kind, root)
    ) STRICT
    """,
    """
    CREATE TABLE file (
        folder INTEGER NOT NULL REFERENCES folder (id) ON DELETE CASCADE,
        dir BLOB NOT NULL,
        name BLOB NOT NULL,
        size INTEGER NOT NULL,
        mtime_ns INTEGER NOT NULL,
        inode INTEGER NOT NULL,
        ctime_ns INTEGER NOT NULL,
        sha1 BLOB,
        incomplete INTEGER NOT NULL,
        motion INTEGER NOT NULL,
        hold TEXT,
        note TEXT NOT NULL,
        arrived_at REAL NOT NULL,
        changed_at REAL NOT NULL,
        dismissed INTEGER NOT NULL DEFAULT 0,
        PRIMARY KEY (folder, dir, name)
    ) STRICT, WITHOUT ROWID
    """,
    """
    CREATE INDEX file_trouble ON file (changed_at)
    WHERE dismissed = 0 AND (hold IS NOT NULL OR incomplete = 1)
    """,
    """
    CREATE TABLE asset (
        account INTEGER NOT NULL REFERENCES account (id),
        sha1 BLOB NOT NULL,
        asset_id TEXT NOT NULL,
        origin TEXT NOT NULL,
        verified_at REAL,
        trashed_at REAL,
        removed_at REAL,
        proved_at REAL, -- since when it is there, proved, without having been trashed or gone
        PRIMARY KEY (account, sha1)
    ) STRICT, WITHOUT ROWID
    """,
    "CREATE INDEX asset_trashed ON asset (trashed_at) WHERE trashed_at IS NOT NULL",
    """
    CREATE TABLE sidecar (
        account INTEGER NOT NULL REFERENCES account (id),
        sha1 BLOB NOT NULL,
        name BLOB NOT NULL,
        sidecar BLOB NOT NULL,
        PRIMARY KEY (account, sha1, name)
    ) STRICT, WITHOUT ROWID
    """,
    """
    CREATE TABLE album (
        account INTEGER NOT NULL REFERENCES account (id),
        name TEXT NOT NULL,
        album_id TEXT NOT NULL,
        PRIMARY KEY (account, name)
    ) STRICT, WITHOUT ROWID
    """,
    """
    CREATE TABLE member (
        album_id TEXT NOT NULL,
        asset_id TEXT NOT NULL,
        PRIMARY KEY (album_id, asset_id)
    ) STRICT, WITHOUT ROWID
    """,
    """
    CREATE TABLE job (
        folder INTEGER NOT NULL REFERENCES folder (id) ON DELETE CASCADE,
        dir BLOB NOT NULL,
        name BLOB NOT NULL,
        priority INTEGER NOT NULL,
        due_at REAL NOT NULL,
        attempts INTEGER NOT NULL DEFAULT 0,
        error TEXT NOT NULL DEFAULT '',
        round INTEGER NOT NULL DEFAULT 0,
        failing_since REAL,
        size INTEGER,
        mtime_ns INTEGER,
        inode INTEGER,
        ctime_ns INTEGER,
        PRIMARY KEY (folder, dir, name)
    ) STRICT, WITHOUT ROWID
    """,
    "CREATE INDEX job_due ON job (folder, priority, due_at)",
    "CREATE INDEX job_failing ON job (failing_since) WHERE failing_since IS NOT NULL",
    # What our own cleanup took out of a folder: from the intent on, and for good. The sidecar and
    # the motion part that went along bear the same `unit` as their photo.
    """
    CREATE TABLE cleaned (
        id INTEGER PRIMARY KEY,
        unit INTEGER NOT NULL,
        folder INTEGER NOT NULL REFERENCES folder (id) ON DELETE CASCADE,
        dir BLOB NOT NULL,
        name BLOB NOT NULL,
        size INTEGER NOT NULL,
        mtime_ns INTEGER NOT NULL,
        inode INTEGER NOT NULL,
        ctime_ns INTEGER NOT NULL,
        sha1 BLOB NOT NULL,
        motion INTEGER NOT NULL,
        sidecar INTEGER NOT NULL,
        account INTEGER NOT NULL REFERENCES account (id),
        asset_sha1 BLOB NOT NULL,
        asset_id TEXT NOT NULL,
        state TEXT NOT NULL,
        at REAL NOT NULL,
        aside_root BLOB,
        aside BLOB,
        aside_disk TEXT NOT NULL DEFAULT '',
        asked_at REAL,
        note TEXT NOT NULL DEFAULT ''
    ) STRICT
    """,
    "CREATE INDEX cleaned_place ON cleaned (folder, dir, name)",
    "CREATE INDEX cleaned_unit ON cleaned (unit)",
    "CREATE INDEX cleaned_undone ON cleaned (folder, sha1) WHERE state = 'undone'",
    "CREATE INDEX cleaned_open ON cleaned (folder, at) WHERE state NOT IN ('deleted', 'undone')",
    # The wall clock as cleanup saw it last, and the jumps that it made: what a jump skipped was no
    # waiting.
    "CREATE TABLE clock_seen (id INTEGER PRIMARY KEY CHECK (id = 1), at REAL NOT NULL) STRICT",
    "CREATE TABLE clock_jump (at REAL NOT NULL, by REAL NOT NULL) STRICT",
    """
    CREATE TABLE activity (
        id INTEGER PRIMARY KEY,
        at REAL NOT NULL,
        event TEXT NOT NULL,
        folder INTEGER,
        dir BLOB,
        name BLOB,
        detail TEXT NOT NULL
    ) STRICT
    """,
    """
    CREATE TABLE told (
        channel TEXT NOT NULL, -- who was told, by a digest of the address
        what TEXT NOT NULL,
        subject TEXT NOT NULL,
        at REAL NOT NULL,
        weight INTEGER NOT NULL,
        sure INTEGER NOT NULL, -- 0 while it is being told
        PRIMARY KEY (channel, what, subject)
    ) STRICT, WITHOUT ROWID
    """,
    # Files that lay here and are gone, of folders whose deletions reach Immich.
    """
    CREATE TABLE departed (
        folder INTEGER NOT NULL REFERENCES folder (id) ON DELETE CASCADE,
        dir BLOB NOT NULL,
        name BLOB NOT NULL,
        sha1 BLOB NOT NULL,
        size INTEGER NOT NULL,
        motion INTEGER NOT NULL,
        at REAL NOT NULL,
        state TEXT NOT NULL,
        approved INTEGER NOT NULL DEFAULT 0,
        note TEXT NOT NULL DEFAULT '',
        PRIMARY KEY (folder, dir, name, sha1)
    ) STRICT, WITHOUT ROWID
    """,
    "CREATE INDEX departed_at ON departed (folder, at)",
    "CREATE INDEX departed_open ON departed (folder) WHERE state IN ('waiting', 'meant')",
    # Which asset the bytes had that lay at a path before.
    """
    CREATE TABLE superseded (
        folder INTEGER NOT NULL REFERENCES folder (id) ON DELETE CASCADE,
        dir BLOB NOT NULL,
        name BLOB NOT NULL,
        old BLOB NOT NULL,
        new BLOB NOT NULL,
        asset_id TEXT NOT NULL,
        at REAL NOT NULL,
        counted INTEGER NOT NULL,
        PRIMARY KEY (folder, dir, name, old, new)
    ) STRICT, WITHOUT ROWID
    """,
    "CREATE INDEX superseded_at ON superseded (folder, at)",
    # What is mounted within a folder, and since when it is away.
    """
    CREATE TABLE inner_mount (
        folder INTEGER NOT NULL REFERENCES folder (id) ON DELETE CASCADE,
        place BLOB NOT NULL,
        identity TEXT NOT NULL,
        since REAL,
        PRIMARY KEY (folder, place)
    ) STRICT, WITHOUT ROWID
    """,
    # What waits for a person's word about a whole folder, and since when.
    """
    CREATE TABLE breaker (
        folder INTEGER NOT NULL REFERENCES folder (id) ON DELETE CASCADE,
        kind TEXT NOT NULL,
        since REAL NOT NULL,
        why TEXT NOT NULL,
        approved INTEGER NOT NULL DEFAULT 0,
        PRIMARY KEY (folder, kind)
    ) STRICT, WITHOUT ROWID
    """,
)

STEPS: Sequence[Step] = (tables,)
"""Every step, oldest first."""


def migrations_of(steps: Sequence[Step]) -> Migrations:
    """The steps, to be applied within one IMMEDIATE transaction."""
    migrations = Migrations("immich_sync")
    for step in steps:
        migrations()(step)
    return migrations
