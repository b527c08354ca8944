"""How values stand in rows: numbers and text that SQLite can keep, and rows read back as values.

Its own module because the queue and the ledger read the same columns.
"""

from typing import Any

from immich_sync.core.types import (
    AccountId,
    Asset,
    AssetId,
    Checksum,
    File,
    Hold,
    Origin,
    Place,
    Stamp,
)

Row = tuple[Any, ...]
Key = tuple[int, bytes, bytes]

UNSIGNED = 0xFFFF_FFFF_FFFF_FFFF
_HALF = 1 << 63


def integer(number: int) -> int:
    """The number as SQLite keeps it, in 64 bits with a sign.

    Inode numbers of FUSE and CIFS use all 64 bits without one; times after the year 2262 need
    more than 63. Both must not break a transaction.
    """
    return number if -_HALF <= number < _HALF else ((number + _HALF) & UNSIGNED) - _HALF


def text(words: str) -> str:
    """The text with what UTF-8 cannot hold (a name's odd bytes) replaced."""
    return words.encode("utf-8", "replace").decode("utf-8")


def key(place: Place) -> Key:
    """A place as the first columns of `file` and `job`."""
    return place.folder, place.directory, place.name


def stamp_columns(stamp: Stamp | None) -> Row:
    """As size, mtime_ns, inode, ctime_ns; all None for no stamp."""
    return (None,) * 4 if stamp is None else tuple(map(integer, stamp))


def stamp_of(row: Row) -> Stamp:
    """From size, mtime_ns, inode, ctime_ns."""
    size, mtime_ns, inode, ctime_ns = row
    return Stamp(size, mtime_ns, inode & UNSIGNED, ctime_ns)


def file_of(place: Place, row: Row) -> File | None:
    """From size, mtime_ns, inode, ctime_ns, sha1, incomplete, motion, hold, note."""
    sha1, incomplete, motion, hold, note = row[4:]
    if note is None:  # no row was joined
        return None
    return File(
        place,
        stamp_of(row[:4]),
        None if sha1 is None else Checksum(sha1),
        incomplete=bool(incomplete),
        motion=bool(motion),
        hold=None if hold is None else Hold(hold),
        note=note,
    )


def asset_of(row: Row) -> Asset | None:
    """From account, sha1, asset_id, origin, verified_at, trashed_at, removed_at."""
    account, sha1, asset_id, origin, verified_at, trashed_at, removed_at = row
    if account is None:
        return None
    return Asset(
        AccountId(account),
        Checksum(sha1),
        AssetId(asset_id),
        Origin(origin),
        verified_at=verified_at,
        trashed_at=trashed_at,
        removed_at=removed_at,
    )
