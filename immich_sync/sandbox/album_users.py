"""Whom an album is shared with.

Its own module because it is the smaller half of albums, with roles as its subject.
"""

from dataclasses import replace

from starlette.responses import Response

from immich_sync.sandbox.albums import Member, demand, new_users
from immich_sync.sandbox.call import Call, Dto, nothing, reply
from immich_sync.sandbox.errors import ApiError
from immich_sync.sandbox.records import Role
from immich_sync.sandbox.wire import album_json


class Members(Dto):
    """Several of them."""

    album_users: tuple[Member, ...]


class MemberRole(Dto):
    """What somebody may do from now on."""

    role: Role


async def add_users(call: Call) -> Response:
    """The album is shared with these people as well."""
    order = await call.json(Members)
    album = demand(call, "albumUser.create", "owner")
    new = new_users(call.state, album.owner_id, order.album_users)
    known = {u.user_id for u in album.users}
    if any(u.user_id in known for u in new):
        raise ApiError(400, "User already added")
    album = call.state.albums.put(replace(album, users=(*album.users, *new)))
    return reply(album_json(call.state, album))


async def update_user(call: Call) -> Response:
    """The person has another role."""
    order = await call.json(MemberRole)
    album, user_id = demand(call, "albumUser.update", "owner"), call.id("user_id")
    users = tuple(replace(u, role=order.role) if u.user_id == user_id else u for u in album.users)
    call.state.albums.put(replace(album, users=users))
    return nothing()


async def remove_user(call: Call) -> Response:
    """The album is not shared with this person any more; `me` leaves it."""
    leaving = call.request.path_params["user_id"] == "me"
    user_id = call.auth.user.id if leaving else call.id("user_id")
    roles: tuple[Role, ...] = ("owner", "editor", "viewer") if leaving else ("owner",)
    album = demand(call, "albumUser.delete", *roles)
    users = tuple(u for u in album.users if u.user_id != user_id)
    if users == album.users:
        raise ApiError(400, "Album not shared with user")
    call.state.albums.put(replace(album, users=users))
    return nothing()
