"""Does to the server what people do in Immich, and what befalls it as a whole.

Its own module because a server has a life without us: the witness is told, the daemon is not.
"""

from dataclasses import dataclass, replace
from hashlib import sha1

from immich_sync.sandbox import State
from immich_sync.sandbox.records import Album, Asset
from immich_sync.sandbox.state import iso
from tests.faults.deeds import Person, bytes_of
from tests.faults.stage import Stage
from tests.faults.witness import Witness


def act(server: State, witness: Witness, deed: Person) -> None:
    """A person does something in Immich, if there is anything to do it to."""
    assets, stamp = list(server.assets), iso(server.now())
    albums = [album for album in server.albums if album.id not in witness.foreign]
    one = assets[deed.which % len(assets)] if assets else None
    album = albums[deed.which % len(albums)] if albums else None
    match deed.does:
        case "upload":
            asset_id = _upload(server, bytes_of(b".raw", deed.which)).id
            if asset_id not in witness.created:
                witness.created.add(asset_id)
                witness.others.add(asset_id)
        case "trash" if one is not None and one.trashed_at is None:
            witness.touched.add(one.checksum)
            witness.trashed_by_person.add(one.id)
            server.assets.put(replace(one, trashed_at=stamp))
        case "restore" if one is not None:
            server.assets.put(replace(one, trashed_at=None))
        case "purge" if one is not None:
            _purge(server, witness, one)
        case "take_out" if album is not None and server.members.of(album.id):
            members = server.members.of(album.id)
            asset_id = members[deed.which % len(members)]
            witness.takes_out(album.id, asset_id)
            server.members.remove(album.id, asset_id)
        case "drop_album" if album is not None:
            _drop(server, witness, album)
        case "wipe":
            for each in assets:
                _purge(server, witness, each)
            for gone in albums:
                _drop(server, witness, gone)
        case _:
            pass


def turn_key(stage: Stage, *, works: bool) -> None:
    """The key that the daemon is configured with works, or does not."""
    known = stage.server.key_of(stage.key)
    if works and known is None:
        stage.server.add_key(stage.server.admin.id, "again", ("all",), stage.key)
    elif not works and known is not None:
        stage.server.drop_key(known)


@dataclass(frozen=True, slots=True)
class ServerCopy:
    """What a server had."""

    assets: tuple[Asset, ...]
    albums: tuple[Album, ...]
    members: frozenset[tuple[str, str]]


def copy_of(server: State) -> ServerCopy:
    """What it has."""
    pairs = {(a.id, one) for a in server.albums for one in server.members.of(a.id)}
    return ServerCopy(tuple(server.assets), tuple(server.albums), frozenset(pairs))


def put_back(server: State, witness: Witness, copy: ServerCopy) -> None:
    """It has what it had then, and nothing else."""
    then = {one.id for one in copy.assets}
    for asset in server.assets:
        if asset.id not in then:
            _purge(server, witness, asset)
    for album in server.albums:
        if album not in copy.albums:
            _drop(server, witness, album)
    for asset in copy.assets:
        witness.created.add(asset.id)
        witness.touched.add(asset.checksum)
        server.add_asset(asset)
    for album in copy.albums:
        witness.dropped.add(album.name)
        server.albums.put(album)
    for album_id, asset_id in sorted(copy.members):
        witness.taken_out.discard((album_id, asset_id))
        server.members.add(album_id, asset_id)


def _upload(server: State, data: bytes) -> Asset:
    """By another way than ours: from the phone, say."""
    checksum = sha1(data, usedforsecurity=False).hexdigest()
    if known := server.asset_of(server.admin.id, checksum):
        return known
    owner, at = server.admin.id, server.stamp()
    return server.add_asset(
        Asset(server.new_id(), owner, checksum, len(data), "IMAGE", "x.raw", "-", at, at, at, at)
    )


def _purge(server: State, witness: Witness, asset: Asset) -> None:
    witness.purges(asset)
    server.erase(asset)


def _drop(server: State, witness: Witness, album: Album) -> None:
    witness.dropped.add(album.name)
    server.members.forget(album.id)
    server.albums.drop(album.id)
