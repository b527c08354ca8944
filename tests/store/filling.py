"""Fills a state with some of everything that its tables hold.

Its own module because fixtures cannot be shared with the generator of released states.
"""

from immich_sync.core.types import (
    Activity,
    AlbumId,
    Arrival,
    Asset,
    AssetId,
    Checksum,
    File,
    FolderId,
    Held,
    Hold,
    KnownAlbum,
    Member,
    Origin,
    Place,
    Priority,
    SidecarSent,
    Stamp,
)
from immich_sync.store import accounts, ledger, queue
from immich_sync.store.database import Database

DIRECTORIES = 3


def fill(database: Database, files: int = 40) -> FolderId:
    """An account, a watched folder, and so many files: each known, proved, due, and one held."""
    account = accounts.ensure_account(database, "http://nas", "anna")
    folder = accounts.ensure_folder(
        database, name="p", root=b"/p", kind=accounts.Kind.WATCHED, policy="", now=0.0
    ).id
    accounts.assign(database, folder, account, now=0.0)
    accounts.set_identity(database, folder, "disk")
    directories = [b"dir%d" % (n % DIRECTORIES) for n in range(files)]
    places = [Place(folder, one, b"IMG_%03d.jpg" % n) for n, one in enumerate(directories)]
    album = AlbumId("album")
    ledger.apply(database, [KnownAlbum(account, "Alps", album)], now=1.0)
    for n, place in enumerate(places):
        checksum, asset = Checksum(n.to_bytes(20, "big")), AssetId(f"asset-{n}")
        ledger.apply(
            database,
            [
                File(place, Stamp(n, n, n, n), checksum),
                Asset(account, checksum, asset, Origin.FOUND, verified_at=1.0),
                Member(album, asset),
                SidecarSent(account, checksum, b"a.xmp", checksum),
                Activity(1.0, "uploaded", place),
            ],
            now=1.0,
        )
    queue.put(database, [Arrival(place, Priority.BACKLOG) for place in places], now=1.0)
    held = [Held(place, Hold.TOO_LARGE, "It is too large.") for place in places[:1]]
    ledger.apply(database, held, now=1.0)
    return folder
