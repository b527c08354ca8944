"""Free keys and values on assets.

Its own module because it is a store of its own, with its own endpoints.
"""

from dataclasses import replace

from starlette.responses import Response

from immich_sync.sandbox.auth import all_owned, readable
from immich_sync.sandbox.call import Call, Dto, Id, as_text, nothing, reply
from immich_sync.sandbox.errors import ApiError
from immich_sync.sandbox.records import Asset, MetadataItem
from immich_sync.sandbox.wire import metadata_json


class Item(Dto):
    """A key and its value, any JSON."""

    key: str
    value: object


class Upsert(Dto):
    """Items to set on one asset."""

    items: tuple[Item, ...]


class AssetItem(Item):
    """An item, and the asset it is for."""

    asset_id: Id


class BulkUpsert(Dto):
    """Items to set on several assets."""

    items: tuple[AssetItem, ...]


class AssetKey(Dto):
    """A key, and the asset it is to leave."""

    asset_id: Id
    key: str


class BulkDelete(Dto):
    """Keys to take from several assets."""

    items: tuple[AssetKey, ...]


def _readable(call: Call) -> Asset:
    asset = readable(call.state, call.auth, call.id())
    if asset is None:
        raise ApiError(404, "Not Found")
    return asset


async def get_all(call: Call) -> Response:
    """All keys and values of the asset."""
    return reply(metadata_json(_readable(call)))


async def get_one(call: Call) -> Response:
    """One key and its value."""
    key = call.request.path_params["key"]
    found = [item for item in metadata_json(_readable(call)) if item["key"] == key]
    if not found:
        raise ApiError(404, "Not Found")
    return reply(found[0])


async def upsert(call: Call) -> Response:
    """The asset has these values, and keeps those under other keys."""
    order = await call.json(Upsert)
    (asset,) = all_owned(call.state, call.auth, (call.id(),), "asset.update")
    for item in order.items:
        asset = _set(call, asset, item)
    return reply(metadata_json(asset))


async def upsert_many(call: Call) -> Response:
    """The assets have these values."""
    order = await call.json(BulkUpsert)
    answer: list[dict[str, object]] = []
    for item in order.items:
        (asset,) = all_owned(call.state, call.auth, (item.asset_id,), "asset.update")
        changed = _set(call, asset, item)
        answer += [
            {**m, "assetId": asset.id} for m in metadata_json(changed) if m["key"] == item.key
        ]
    return reply(answer)


async def delete_one(call: Call) -> Response:
    """The key is gone."""
    (asset,) = all_owned(call.state, call.auth, (call.id(),), "asset.update")
    _unset(call, asset, call.request.path_params["key"])
    return nothing()


async def delete_many(call: Call) -> Response:
    """The keys are gone."""
    for item in (await call.json(BulkDelete)).items:
        (asset,) = all_owned(call.state, call.auth, (item.asset_id,), "asset.update")
        _unset(call, asset, item.key)
    return nothing()


def _set(call: Call, asset: Asset, item: Item) -> Asset:
    rest = tuple(m for m in asset.metadata if m.key != item.key)
    new = MetadataItem(item.key, as_text(item.value), call.state.stamp())
    return call.state.assets.put(replace(asset, metadata=(*rest, new)))


def _unset(call: Call, asset: Asset, key: str) -> None:
    rest = tuple(m for m in asset.metadata if m.key != key)
    call.state.assets.put(replace(asset, metadata=rest))
