"""The disks that lie within a folder: where, which, and since when they are away.

Its own module because a restart while a disk is away must not take its files for deleted.
"""

from collections.abc import Collection
from dataclasses import dataclass
from itertools import islice

from immich_sync.core.inner import hides
from immich_sync.core.types import FolderId
from immich_sync.store.database import Database
from immich_sync.store.ledger import Known
from immich_sync.store.rows import stamp_of, text


@dataclass(frozen=True, slots=True)
class Inner:
    """An inner mount as it was last believed."""

    place: bytes  # below the folder's root
    identity: str  # of the file system that the known files were on; "": nobody knows
    since: float | None = None  # when it was found away, wall-clock seconds; None: it is there


def remembered(database: Database, folder: FolderId) -> list[Inner]:
    """All of the folder. Raises StateTrouble."""
    with database.reading() as connection:
        rows = connection.execute(_REMEMBERED, (folder,)).fetchall()
        return [Inner(*row) for row in rows]


def remember(database: Database, folder: FolderId, inner: Inner, *, partial: bool = False) -> None:
    """It is like this from now on. Raises StateTrouble.

    `partial`: what it lacks was not deleted, for it may never have had it; only what goes after
    the next full scan was.
    """
    with database.writing() as connection:
        row = (folder, inner.place, text(inner.identity), inner.since)
        connection.execute(_REMEMBER, row)
        if partial:
            connection.execute(_PARTIAL, (folder,))


def is_known(database: Database, folder: FolderId, place: bytes) -> bool:
    """Whether a file is known at or below the place. Raises StateTrouble."""
    with database.reading() as connection:
        return connection.execute(_IS_KNOWN, _below(folder, place)).fetchone() is not None


def is_newer(database: Database, folder: FolderId, place: bytes, since: float) -> bool:
    """Whether a file below the place became known, or another one, after `since`.

    Raises StateTrouble.
    """
    with database.reading() as connection:
        wanted = {**_below(folder, place), "since": since}
        return connection.execute(_IS_NEWER, wanted).fetchone() is not None


def sample(
    database: Database, folder: FolderId, inner: Inner, within: Collection[bytes], size: int
) -> list[Known]:
    """At most `size` files known there before it went away, evenly spread. Raises StateTrouble.

    What lies on a mount `within` this one says nothing of it, and neither does what became another
    file meanwhile: every camera counts from `IMG_0001.JPG`.
    """
    wanted = {**_below(folder, inner.place), "since": inner.since}
    found: list[Known] = []
    with database.reading() as connection:
        counted = connection.execute(_COUNTED, wanted).fetchall()
        held = [(directory, files) for directory, files in counted if not hides(within, directory)]
        every = max(1, -(-sum(files for _, files in held) // size))
        passed = 0
        for directory, files in held:
            if (first := -passed % every) < files:
                rows = connection.execute(_IN_ORDER, {**wanted, "dir": directory})
                picked = islice(rows, first, None, every)
                found += (Known(directory, row[0], stamp_of(row[1:])) for row in picked)
            passed += files
    return found


def take_away(database: Database, folder: FolderId, places: Collection[bytes]) -> int:
    """These were taken away for good; how many files are forgotten, none of them as deleted.

    Raises StateTrouble.
    """
    with database.writing() as connection:
        forgotten = 0
        for place in places:
            forgotten += connection.execute(_FORGET, _below(folder, place)).rowcount
            connection.execute(_TAKE_AWAY, (folder, place))
        return forgotten


def _below(folder: FolderId, place: bytes) -> dict[str, object]:
    # "0" is the byte behind "/": between the two lies exactly what is below the place. Siblings
    # such as "place-1" lie between the place and its "/".
    return {"folder": folder, "place": place, "below": place + b"/", "last": place + b"0"}


_REMEMBERED = "SELECT place, identity, since FROM inner_mount WHERE folder = ? ORDER BY place"

_REMEMBER = """
INSERT INTO inner_mount (folder, place, identity, since) VALUES (?, ?, ?, ?)
ON CONFLICT DO UPDATE SET identity = excluded.identity, since = excluded.since
"""

_PARTIAL = "UPDATE folder SET on_delete = 'soon' WHERE id = ? AND on_delete = 'trash'"

_TAKE_AWAY = "DELETE FROM inner_mount WHERE folder = ? AND place = ?"

_FILES = """
FROM file
WHERE folder = :folder AND dir >= :place AND dir < :last AND (dir = :place OR dir >= :below)
"""

# Asked twice a minute of each mount: two looks into the index, and none at a sibling.
_IS_KNOWN = """
SELECT 1 FROM file WHERE folder = :folder AND dir = :place
UNION ALL SELECT 1 FROM file WHERE folder = :folder AND dir >= :below AND dir < :last LIMIT 1
"""

_IS_NEWER = f"SELECT 1 {_FILES} AND changed_at > :since LIMIT 1"

# Directory by directory: of a folder's 500,000 files few are to become values.
_COUNTED = f"""
SELECT dir, count(*) {_FILES} AND (:since IS NULL OR changed_at <= :since) GROUP BY dir ORDER BY dir
"""

_IN_ORDER = """
SELECT name, size, mtime_ns, inode, ctime_ns FROM file
WHERE folder = :folder AND dir = :dir AND (:since IS NULL OR changed_at <= :since) ORDER BY name
"""

_FORGET = f"DELETE {_FILES}"
