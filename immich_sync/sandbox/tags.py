"""Tags and stacks: what groups assets beside albums.

Its own module because both are small and neither is an album.
"""

from dataclasses import replace

from pydantic import Field
from starlette.responses import Response

from immich_sync.sandbox.auth import all_owned, owned
from immich_sync.sandbox.call import Call, Dto, Id, Ids, Json, nothing, reply
from immich_sync.sandbox.errors import ApiError
from immich_sync.sandbox.records import Stack, Tag
from immich_sync.sandbox.wire import stack_json, tag_json


class Upsert(Dto):
    """Tags by their full values, such as `trips/italy`."""

    tags: tuple[str, ...]


class BulkTag(Dto):
    """Several tags onto several assets."""

    tag_ids: tuple[Id, ...]
    asset_ids: tuple[Id, ...]


class NewStack(Dto):
    """Assets to be shown as one, the primary one first."""

    asset_ids: tuple[Id, ...] = Field(min_length=2)


async def upsert_tags(call: Call) -> Response:
    """Every level of every value exists; the leaves are answered, in order."""
    order = await call.json(Upsert)
    return reply([tag_json(_upsert(call, value)) for value in order.tags])


def _upsert(call: Call, value: str) -> Tag:
    state, user_id = call.state, call.auth.user.id
    parts = [part for part in value.split("/") if part]
    if not parts:
        raise ApiError(400, "Validation failed")
    known = {tag.value: tag for tag in state.tags if tag.user_id == user_id}
    parent: Tag | None = None
    for depth in range(1, len(parts) + 1):
        path = "/".join(parts[:depth])
        tag = known.get(path) or state.tags.put(
            Tag(state.new_id(), user_id, path, parent.id if parent else None, state.stamp())
        )
        parent = tag
    assert parent is not None  # noqa: S101 (there was at least one part)
    return parent


async def list_tags(call: Call) -> Response:
    """The caller's tags."""
    return reply([tag_json(t) for t in call.state.tags if t.user_id == call.auth.user.id])


def _tag(call: Call, permission: str) -> Tag:
    tag = call.state.tags.get(call.id())
    if tag is None or tag.user_id != call.auth.user.id:
        raise ApiError(400, f"Not found or no {permission} access")
    return tag


async def get_tag(call: Call) -> Response:
    """One tag."""
    return reply(tag_json(_tag(call, "tag.read")))


async def delete_tag(call: Call) -> Response:
    """The tag and those below it are gone."""
    tag = _tag(call, "tag.delete")
    for other in call.state.tags:
        below = other.value == tag.value or other.value.startswith(f"{tag.value}/")
        if below and other.user_id == tag.user_id:
            call.state.tagged.forget(other.id)
            call.state.tags.drop(other.id)
    return nothing()


async def tag_assets(call: Call) -> Response:
    """Every one of the caller's assets has every tag; answers how many pairs are new."""
    order, state = await call.json(BulkTag), call.state
    mine = {t.id for t in state.tags if t.user_id == call.auth.user.id}
    assets = [i for i in order.asset_ids if owned(state, call.auth, i)]
    pairs = [(t, a) for t in order.tag_ids if t in mine for a in assets]
    return reply({"count": sum(state.tagged.add(t, a) for t, a in pairs)})


async def add_tag(call: Call) -> Response:
    """The assets have this tag; each has its own line."""
    order, tag = await call.json(Ids), _tag(call, "tag.update")

    def add(asset_id: str) -> Json:
        if owned(call.state, call.auth, asset_id) is None:
            return {"id": asset_id, "success": False, "error": "no_permission"}
        if not call.state.tagged.add(tag.id, asset_id):
            return {"id": asset_id, "success": False, "error": "duplicate"}
        return {"id": asset_id, "success": True}

    return reply([add(i) for i in order.ids])


async def create_stack(call: Call) -> Response:
    """A stack of these assets; stacks whose primary asset is among them are merged into it.

    Source: Immich 3.1, stack.repository.
    """
    order, state = await call.json(NewStack), call.state
    members = {a.id: a for a in all_owned(state, call.auth, order.asset_ids, "asset.update")}
    for old in state.stacks:
        if old.primary_id in members:
            members |= {a.id: a for a in state.dissolve(old)}
    stack = state.stacks.put(Stack(state.new_id(), call.auth.user.id, order.asset_ids[0]))
    for asset in members.values():
        state.assets.put(replace(asset, stack_id=stack.id, updated_at=state.stamp()))
    return reply(stack_json(state, stack), 201)


async def list_stacks(call: Call) -> Response:
    """The caller's stacks."""
    mine = [s for s in call.state.stacks if s.owner_id == call.auth.user.id]
    return reply([stack_json(call.state, s) for s in mine])


def _stack(call: Call, permission: str) -> Stack:
    stack = call.state.stacks.get(call.id())
    if stack is None or stack.owner_id != call.auth.user.id:
        raise ApiError(400, f"Not found or no {permission} access")
    return stack


async def get_stack(call: Call) -> Response:
    """One stack."""
    return reply(stack_json(call.state, _stack(call, "stack.read")))


async def delete_stack(call: Call) -> Response:
    """The stack is gone, its assets are free."""
    call.state.dissolve(_stack(call, "stack.delete"))
    return nothing()
