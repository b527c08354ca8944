"""What a test wants to know about a sandbox, as plain values.

Its own module because tests must not depend on how the sandbox keeps things.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from immich_sync.sandbox.records import Asset, Kind, Visibility
from immich_sync.sandbox.state import Exchange, State


@dataclass(frozen=True, slots=True)
class StoredAsset:
    """One asset: `checksum` is SHA-1 in hex, `path` and `sidecar` are its files on disk."""

    id: str
    owner: str
    name: str
    checksum: str
    size: int
    kind: Kind
    path: Path
    sidecar: Path | None
    trashed: bool
    favorite: bool
    visibility: Visibility
    live_photo_video_id: str | None
    stack_id: str | None
    file_created_at: str
    file_modified_at: str
    albums: tuple[str, ...]
    tags: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class StoredAlbum:
    """One album: its owner's e-mail, its assets' ids and names, and whom it is shared with."""

    id: str
    owner: str
    name: str
    asset_ids: tuple[str, ...]
    asset_names: tuple[str, ...]
    shared_with: tuple[str, ...]


def stored_assets(state: State) -> list[StoredAsset]:
    """Every asset of every user, the trashed ones too, in the order of arrival."""
    return [_asset(state, asset) for asset in state.assets]


def _email(state: State, user_id: str) -> str:
    user = state.users.get(user_id)
    return "" if user is None else user.email


def _asset(state: State, asset: Asset) -> StoredAsset:
    albums = [a for i in state.members.holding(asset.id) if (a := state.albums.get(i))]
    tags = [t for i in state.tagged.holding(asset.id) if (t := state.tags.get(i))]
    return StoredAsset(
        id=asset.id,
        owner=_email(state, asset.owner_id),
        name=asset.original_file_name,
        checksum=asset.checksum,
        size=asset.size,
        kind=asset.kind,
        path=state.data / asset.path,
        sidecar=None if asset.sidecar is None else state.data / asset.sidecar,
        trashed=asset.trashed_at is not None,
        favorite=asset.is_favorite,
        visibility=asset.visibility,
        live_photo_video_id=asset.live_photo_video_id,
        stack_id=asset.stack_id,
        file_created_at=asset.file_created_at,
        file_modified_at=asset.file_modified_at,
        albums=tuple(a.name for a in albums),
        tags=tuple(t.value for t in tags),
    )


def stored_albums(state: State) -> list[StoredAlbum]:
    """Every album of every user, with all its assets, the trashed ones too."""
    return [
        StoredAlbum(
            id=album.id,
            owner=_email(state, album.owner_id),
            name=album.name,
            asset_ids=state.members.of(album.id),
            asset_names=tuple(
                a.original_file_name
                for i in state.members.of(album.id)
                if (a := state.assets.get(i))
            ),
            shared_with=tuple(_email(state, u.user_id) for u in album.users),
        )
        for album in state.albums
    ]


def stray_files(state: State) -> list[Path]:
    """Files in the data folder that belong to no asset: none, unless an upload is under way."""
    known = {state.data / p for a in state.assets for p in (a.path, a.sidecar) if p is not None}
    folders = (state.incoming, state.data / "upload")
    return [p for f in folders for p in f.rglob("*") if p.is_file() and p not in known]


def count(
    requests: Sequence[Exchange],
    method: str | None = None,
    path: str = "",
    status: int | None = None,
) -> int:
    """How many requests there were of this method, below this path, with this status."""
    return sum(
        1
        for r in requests
        if (method is None or r.method == method)
        and r.path.startswith(path)
        and (status is None or r.status == status)
    )
