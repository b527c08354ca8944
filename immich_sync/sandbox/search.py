"""`POST /search/metadata`: assets by album, checksum, name and a few other facts.

Its own module because it is how a 3.x server tells which assets an album holds.
"""

from pydantic import Field
from starlette.responses import Response

from immich_sync.sandbox.auth import readable
from immich_sync.sandbox.call import Call, Dto, Id, reply
from immich_sync.sandbox.records import Asset, Kind, Visibility
from immich_sync.sandbox.upload import decode_checksum
from immich_sync.sandbox.wire import asset_json


class Search(Dto):
    """What an asset must be; what is left out does not matter."""

    album_ids: tuple[Id, ...] = ()
    tag_ids: tuple[Id, ...] | None = ()
    id: Id | None = None
    checksum: str | None = None
    original_file_name: str | None = None
    original_path: str | None = None
    library_id: Id | None = None
    type: Kind | None = None
    is_favorite: bool | None = None
    visibility: Visibility | None = None
    with_deleted: bool = False
    page: int = Field(1, ge=1)
    size: int = Field(250, ge=1, le=1000)


async def by_metadata(call: Call) -> Response:
    """One page of what matches, latest first; `nextPage` is text, or null on the last one."""
    wanted = await call.json(Search)
    found = [a for a in _candidates(call, wanted) if _matches(call, a, wanted)]
    found.sort(key=lambda a: a.file_created_at, reverse=True)
    start = (wanted.page - 1) * wanted.size
    page = found[start : start + wanted.size]
    more = start + wanted.size < len(found)
    return reply(
        {
            "albums": {"count": 0, "facets": [], "items": [], "total": 0},
            "assets": {
                "count": len(page),
                "facets": [],
                "items": [asset_json(call.state, a) for a in page],
                "nextPage": str(wanted.page + 1) if more else None,
                "total": len(page),
            },
        }
    )


def _candidates(call: Call, wanted: Search) -> list[Asset]:
    state = call.state
    if not wanted.album_ids:
        return [a for a in state.assets if a.owner_id == call.auth.user.id]
    ids = [i for album_id in wanted.album_ids for i in state.members.of(album_id)]
    return [a for i in dict.fromkeys(ids) if (a := readable(state, call.auth, i))]


def _matches(call: Call, asset: Asset, wanted: Search) -> bool:
    name = wanted.original_file_name
    checks = (
        wanted.with_deleted or asset.trashed_at is None,
        wanted.id in {None, asset.id},
        wanted.checksum is None or decode_checksum(wanted.checksum) == asset.checksum,
        name is None or name.lower() in asset.original_file_name.lower(),
        wanted.original_path is None or wanted.original_path.lower() in _path(asset).lower(),
        wanted.library_id in {None, asset.library_id},
        wanted.type in {None, asset.kind},
        wanted.is_favorite in {None, asset.is_favorite},
        asset.visibility not in {"hidden", "locked"}
        if wanted.visibility is None
        else asset.visibility == wanted.visibility,
        all(call.state.tagged.has(tag_id, asset.id) for tag_id in wanted.tag_ids or ()),
    )
    return all(checks)


def _path(asset: Asset) -> str:
    return asset.path if asset.library_id else f"/data/{asset.path}"
