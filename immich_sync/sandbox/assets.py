"""What can be done to assets that are there: read, change, trash, restore, copy, count.

Its own module because these are the ordinary endpoints under `/assets` and `/trash`.
"""

from dataclasses import replace

from pydantic import Field
from starlette.responses import Response

from immich_sync.sandbox.auth import all_owned, owned, readable
from immich_sync.sandbox.call import Call, Dto, Id, Ids, nothing, reply
from immich_sync.sandbox.errors import ApiError, invalid
from immich_sync.sandbox.moments import parse_moment
from immich_sync.sandbox.records import Asset, Visibility
from immich_sync.sandbox.state import State, iso
from immich_sync.sandbox.upload import hide_motion_part
from immich_sync.sandbox.wire import asset_json


class Update(Dto):
    """What may be changed about an asset; what is left out stays."""

    description: str | None = None
    is_favorite: bool | None = None
    visibility: Visibility | None = None
    rating: int | None = Field(None, ge=-1, le=5)
    date_time_original: str | None = None
    latitude: float | None = Field(None, ge=-90, le=90)
    longitude: float | None = Field(None, ge=-180, le=180)
    live_photo_video_id: Id | None = None


class BulkUpdate(Update):
    """The same change to several assets."""

    ids: tuple[Id, ...]


class Delete(Ids):
    """Which assets go, and whether past the trash."""

    force: bool = False


class Copy(Dto):
    """What one asset is to take over from another."""

    source_id: Id
    target_id: Id
    albums: bool = True
    favorite: bool = True
    shared_links: bool = True
    sidecar: bool = True
    stack: bool = True


async def get(call: Call) -> Response:
    """One asset."""
    asset = readable(call.state, call.auth, call.id())
    if asset is None:
        raise ApiError(404, "Not Found")
    return reply(asset_json(call.state, asset))


async def update(call: Call) -> Response:
    """The asset is changed as asked."""
    change = await call.json(Update)
    (asset,) = all_owned(call.state, call.auth, (call.id(),), "asset.update")
    return reply(asset_json(call.state, _change(call, asset, change)))


async def update_many(call: Call) -> Response:
    """All of the assets are changed as asked."""
    change = await call.json(BulkUpdate)
    for asset in all_owned(call.state, call.auth, change.ids, "asset.update"):
        _change(call, asset, change)
    return nothing()


def _change(call: Call, asset: Asset, change: Update) -> Asset:
    given = change.model_fields_set
    if change.rating == 0 and call.state.modern:
        raise invalid("rating", "Invalid input: expected null, -1 or 1 to 5")
    if change.live_photo_video_id is not None:
        hide_motion_part(call, change.live_photo_video_id)
    taken = asset.date_time_original
    if change.date_time_original is not None:
        try:
            taken = iso(parse_moment(change.date_time_original, strict=call.state.modern))
        except ValueError as error:
            raise invalid("dateTimeOriginal", str(error)) from error
    favorite = asset.is_favorite if change.is_favorite is None else change.is_favorite
    return call.state.assets.put(
        replace(
            asset,
            description=asset.description if change.description is None else change.description,
            is_favorite=favorite,
            visibility=change.visibility or asset.visibility,
            rating=change.rating if "rating" in given else asset.rating,
            date_time_original=taken,
            latitude=change.latitude if "latitude" in given else asset.latitude,
            longitude=change.longitude if "longitude" in given else asset.longitude,
            live_photo_video_id=change.live_photo_video_id
            if "live_photo_video_id" in given
            else asset.live_photo_video_id,
            updated_at=call.state.stamp(),
        )
    )


async def delete(call: Call) -> Response:
    """The assets are in the trash, or gone for good with `force` or where there is no trash."""
    order = await call.json(Delete)
    for asset in all_owned(call.state, call.auth, order.ids, "asset.delete"):
        if order.force or not call.state.trash:
            call.state.erase(asset)
        else:
            _put_trashed(call.state, asset, trashed=True)
    return nothing()


async def restore(call: Call) -> Response:
    """The assets are out of the trash."""
    order = await call.json(Ids)
    found = all_owned(call.state, call.auth, order.ids, "asset.delete")
    trashed = [asset for asset in found if asset.trashed_at is not None]
    for asset in trashed:
        _put_trashed(call.state, asset, trashed=False)
    return reply({"count": len(trashed)})


async def restore_all(call: Call) -> Response:
    """The caller's trash is empty because all of it is back."""
    trashed = _trash(call)
    for asset in trashed:
        _put_trashed(call.state, asset, trashed=False)
    return reply({"count": len(trashed)})


async def empty_trash(call: Call) -> Response:
    """The caller's trash is empty because all of it is gone."""
    trashed = _trash(call)
    for asset in trashed:
        call.state.erase(asset)
    return reply({"count": len(trashed)})


def _trash(call: Call) -> list[Asset]:
    return [a for a in call.state.assets if a.owner_id == call.auth.user.id and a.trashed_at]


def _put_trashed(state: State, asset: Asset, *, trashed: bool) -> None:
    now = state.stamp()
    state.assets.put(replace(asset, trashed_at=now if trashed else None, updated_at=now))


async def statistics(call: Call) -> Response:
    """How many photos and videos the caller has."""
    favorite, trashed = call.flag("isFavorite"), call.flag("isTrashed")
    visibility = call.request.query_params.get("visibility")
    kinds = [
        a.kind
        for a in call.state.assets
        if a.owner_id == call.auth.user.id
        and (favorite is None or a.is_favorite == favorite)
        and (a.trashed_at is not None) == bool(trashed)
        and (visibility is None or a.visibility == visibility)
    ]
    images = kinds.count("IMAGE")
    return reply({"images": images, "videos": len(kinds) - images, "total": len(kinds)})


async def copy(call: Call) -> Response:
    """The target has what the source had, as far as asked (Immich 3.1: asset.service)."""
    order, state = await call.json(Copy), call.state
    source, target = (owned(state, call.auth, i) for i in (order.source_id, order.target_id))
    if source is None or target is None:
        raise ApiError(400, "Not found or no asset.copy access")
    if source.id == target.id:
        raise ApiError(400, "Source and target id must be distinct")
    if order.albums:
        for album_id in state.members.holding(source.id):
            state.members.add(album_id, target.id)
    if order.shared_links:
        for link_id in state.linked.holding(source.id):
            state.linked.add(link_id, target.id)
    sidecar = _copy_sidecar(state, source, target) if order.sidecar else target.sidecar
    state.assets.put(
        replace(
            target,
            is_favorite=source.is_favorite if order.favorite else target.is_favorite,
            sidecar=sidecar,
            stack_id=source.stack_id if order.stack and source.stack_id else target.stack_id,
            updated_at=state.stamp(),
        )
    )
    return nothing()


def _copy_sidecar(state: State, source: Asset, target: Asset) -> str | None:
    if source.sidecar is None:
        return target.sidecar
    path = f"{target.path}.xmp"
    (state.data / path).write_bytes((state.data / source.sidecar).read_bytes())
    return path
