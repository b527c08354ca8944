"""Albums: find, make, fill, share.

Its own module because an uploader's second promise is the right album.
"""

from dataclasses import dataclass, replace

from pydantic import Field
from starlette.responses import Response

from immich_sync.sandbox.auth import Auth, owned, readable
from immich_sync.sandbox.call import Call, Dto, Id, Ids, Json, nothing, reply
from immich_sync.sandbox.errors import ApiError
from immich_sync.sandbox.records import Album, AlbumUser, Role
from immich_sync.sandbox.state import State
from immich_sync.sandbox.wire import album_json


class Member(Dto):
    """Somebody to share with."""

    user_id: Id
    role: Role = "editor"


class Create(Dto):
    """A new album."""

    album_name: str
    description: str = ""
    asset_ids: tuple[Id, ...] = ()
    album_users: tuple[Member, ...] = ()


class Update(Dto):
    """What may be changed about an album."""

    album_name: str | None = None
    description: str | None = None


class AddMany(Dto):
    """Several assets into several albums."""

    album_ids: tuple[Id, ...] = Field(min_length=1)
    asset_ids: tuple[Id, ...] = Field(min_length=1)


@dataclass(frozen=True, slots=True)
class Seat:
    """An album and what the caller may do in it; through a shared link no more than look."""

    album: Album
    role: Role


def seat_of(state: State, auth: Auth, album_id: str) -> Seat | None:
    """The caller's place in the album, None for a stranger."""
    album = state.albums.get(album_id)
    if album is None:
        return None
    if auth.link is not None:
        return Seat(album, "viewer") if auth.link.album_id == album.id else None
    if album.owner_id == auth.user.id:
        return Seat(album, "owner")
    return next((Seat(album, u.role) for u in album.users if u.user_id == auth.user.id), None)


def demand(call: Call, permission: str, *roles: Role) -> Album:
    """The album in the path, in which the caller has one of these roles; else 400."""
    seat = seat_of(call.state, call.auth, call.id())
    if seat is None or seat.role not in roles:
        raise ApiError(400, f"Not found or no {permission} access")
    return seat.album


async def find(call: Call) -> Response:
    """The caller's albums, newest first.

    3.x lists owned and shared ones unless told otherwise; 2.x lists owned ones only, or with
    `shared` those that are shared (or not), whoever owns them (Immich 3.1: album.repository).
    """
    state, query = call.state, call.request.query_params
    asset_id = query.get("assetId")
    seats = [s for a in state.albums if (s := seat_of(state, call.auth, a.id))]
    if asset_id is not None:
        seats = [s for s in seats if state.members.has(s.album.id, asset_id)]
    elif state.modern:
        owned_only, shared_only = call.flag("isOwned"), call.flag("isShared")
        seats = [
            s
            for s in seats
            if (owned_only is None or (s.role == "owner") == owned_only)
            and (shared_only is None or _is_shared(state, s.album) == shared_only)
            and query.get("id", s.album.id) == s.album.id
            and query.get("name", s.album.name) == s.album.name
        ]
    else:
        shared = call.flag("shared")
        seats = [
            s
            for s in seats
            if (shared is None and s.role == "owner")
            or (shared is not None and _is_shared(state, s.album) == shared)
        ]
    seats.sort(key=lambda s: s.album.created_at, reverse=True)
    return reply([album_json(state, s.album) for s in seats])


def _is_shared(state: State, album: Album) -> bool:
    return bool(album.users) or any(link.album_id == album.id for link in state.links)


async def statistics(call: Call) -> Response:
    """How many albums the caller owns, shares, and keeps to themselves."""
    seats = [s for a in call.state.albums if (s := seat_of(call.state, call.auth, a.id))]
    mine = [s.album for s in seats if s.role == "owner"]
    shared = [s for s in seats if _is_shared(call.state, s.album)]
    alone = [a for a in mine if not _is_shared(call.state, a)]
    return reply({"owned": len(mine), "shared": len(shared), "notShared": len(alone)})


async def create(call: Call) -> Response:
    """A new album, even if there is one of that name; foreign assets are left out silently."""
    order, state = await call.json(Create), call.state
    now = state.stamp()
    users = new_users(state, call.auth.user.id, order.album_users)
    album = state.albums.put(
        Album(
            id=state.new_id(),
            owner_id=call.auth.user.id,
            name=order.album_name,
            description=order.description,
            users=users,
            created_at=now,
            updated_at=now,
        )
    )
    for asset_id in order.asset_ids:
        if owned(state, call.auth, asset_id) is not None:
            state.members.add(album.id, asset_id)
    return reply(album_json(state, album, with_assets=True), 201)


def new_users(state: State, owner_id: str, members: tuple[Member, ...]) -> tuple[AlbumUser, ...]:
    """Whom to share with, the owner left out; 400 if somebody does not exist."""
    if any(state.users.get(m.user_id) is None for m in members):
        raise ApiError(400, "User not found")
    return tuple(AlbumUser(m.user_id, m.role) for m in members if m.user_id != owner_id)


async def get(call: Call) -> Response:
    """One album."""
    album = demand(call, "album.read", "owner", "editor", "viewer")
    full = call.flag("withoutAssets") is not True
    return reply(album_json(call.state, album, with_assets=full))


async def update(call: Call) -> Response:
    """The album has its new name or description."""
    change = await call.json(Update)
    album = demand(call, "album.update", "owner", "editor")
    album = call.state.albums.put(
        replace(
            album,
            name=album.name if change.album_name is None else change.album_name,
            description=album.description if change.description is None else change.description,
            updated_at=call.state.stamp(),
        )
    )
    return reply(album_json(call.state, album))


async def delete(call: Call) -> Response:
    """The album is gone, its assets are not."""
    album = demand(call, "album.delete", "owner")
    call.state.members.forget(album.id)
    for link in call.state.links:
        if link.album_id == album.id:
            call.state.links.drop(link.id)
    call.state.albums.drop(album.id)
    return nothing()


async def add_assets(call: Call) -> Response:
    """Each asset is in the album, or its own line says why not; the status is 200 all the same.

    A trashed asset is taken and not shown; a locked or foreign one is `no_permission`.
    """
    order = await call.json(Ids)
    if call.state.albums.get(call.id()) is None:
        raise ApiError(400, "Album not found")
    album = demand(call, "albumAsset.create", "owner", "editor")
    return reply([_add(call, album, asset_id) for asset_id in order.ids])


def _add(call: Call, album: Album, asset_id: str) -> Json:
    if call.state.members.has(album.id, asset_id):
        return {"id": asset_id, "success": False, "error": "duplicate"}
    asset = readable(call.state, call.auth, asset_id)
    if asset is None or asset.visibility == "locked":
        return {"id": asset_id, "success": False, "error": "no_permission"}
    call.state.members.add(album.id, asset_id)
    call.state.albums.put(replace(album, updated_at=call.state.stamp()))
    return {"id": asset_id, "success": True}


async def add_many(call: Call) -> Response:
    """Every asset is in every album; one answer for all."""
    order = await call.json(AddMany)
    seats = [seat_of(call.state, call.auth, i) for i in order.album_ids]
    results = [
        _add(call, seat.album, asset_id)
        for seat in seats
        if seat is not None and seat.role != "viewer"
        for asset_id in order.asset_ids
    ]
    if any(r["success"] for r in results):
        return reply({"success": True})
    errors = {r.get("error") for r in results} or {"no_permission"}
    return reply(
        {"success": False, "error": "duplicate" if "duplicate" in errors else "no_permission"}
    )


async def remove_assets(call: Call) -> Response:
    """The assets are out of the album; each has its own line."""
    order = await call.json(Ids)
    album = demand(call, "albumAsset.delete", "owner", "editor")
    return reply(
        [
            {"id": i, "success": True}
            if call.state.members.remove(album.id, i)
            else {"id": i, "success": False, "error": "not_found"}
            for i in order.ids
        ]
    )
