"""Shared links: made and listed by their owner, opened by anyone who has the key or slug.

Its own module because they are the one way in without an account.
"""

from dataclasses import replace
from urllib.parse import quote

from starlette.responses import Response

from immich_sync.sandbox.albums import seat_of
from immich_sync.sandbox.auth import LINK_COOKIE, LINK_DAY, all_owned, link_token, link_tokens
from immich_sync.sandbox.call import Call, Dto, Id, nothing, reply
from immich_sync.sandbox.errors import ApiError, invalid
from immich_sync.sandbox.moments import parse_moment
from immich_sync.sandbox.records import LinkType, SharedLink
from immich_sync.sandbox.state import iso
from immich_sync.sandbox.wire import link_json


class Create(Dto):
    """A new link, to one album or to single assets."""

    type: LinkType
    album_id: Id | None = None
    asset_ids: tuple[Id, ...] = ()
    description: str | None = None
    password: str | None = None
    slug: str | None = None
    expires_at: str | None = None
    allow_download: bool = True
    allow_upload: bool = False
    show_metadata: bool = True


class Login(Dto):
    """The link's password."""

    password: str


async def create(call: Call) -> Response:
    """The link works from now on."""
    order, state = await call.json(Create), call.state
    if order.type == "ALBUM":
        seat = seat_of(state, call.auth, order.album_id or "")
        if seat is None or seat.role != "owner":
            raise ApiError(400, "Not found or no album.share access")
    elif order.asset_ids:
        all_owned(state, call.auth, order.asset_ids, "asset.share")
    else:
        raise ApiError(400, "Invalid assetIds")
    if order.slug and any(link.slug == order.slug for link in state.links):
        raise ApiError(400, "Failed to create shared link")
    link = state.links.put(
        SharedLink(
            id=state.new_id(),
            user_id=call.auth.user.id,
            type=order.type,
            key=state.new_secret(),
            slug=order.slug or None,
            password=order.password or None,
            album_id=order.album_id if order.type == "ALBUM" else None,
            description=order.description,
            expires_at=_moment(order.expires_at, strict=state.modern),
            allow_download=order.allow_download,
            allow_upload=order.allow_upload,
            show_metadata=order.show_metadata,
            created_at=state.stamp(),
        )
    )
    if order.type == "INDIVIDUAL":
        for asset_id in order.asset_ids:
            state.linked.add(link.id, asset_id)
    return reply(link_json(state, link), 201)


def _moment(text: str | None, *, strict: bool) -> str | None:
    try:
        return None if text is None else iso(parse_moment(text, strict=strict))
    except ValueError as error:
        raise invalid("expiresAt", str(error)) from error


async def list_all(call: Call) -> Response:
    """The caller's links."""
    mine = [link for link in call.state.links if link.user_id == call.auth.user.id]
    return reply([link_json(call.state, link) for link in mine])


async def mine(call: Call) -> Response:
    """The link the caller came through, its password not shown."""
    if call.auth.link is None:
        raise ApiError(403, "Forbidden")
    return reply(link_json(call.state, replace(call.auth.link, password=None)))


async def login(call: Call) -> Response:
    """With the right password: a cookie that opens the link."""
    link = call.auth.link
    if link is None:
        raise ApiError(403, "Forbidden")
    if link.password is None:
        raise ApiError(400, "Shared link is not password protected")
    if (await call.json(Login)).password != link.password:
        raise ApiError(401, "Invalid password")
    answer = reply(link_json(call.state, replace(link, password=None)), 201)
    tokens = dict.fromkeys([*link_tokens(call.request), link_token(link)])
    cookie = quote(",".join(tokens), safe="")
    answer.set_cookie(LINK_COOKIE, cookie, httponly=True, samesite="lax", max_age=LINK_DAY)
    return answer


async def get(call: Call) -> Response:
    """One of the caller's links."""
    return reply(link_json(call.state, _own(call)))


async def delete(call: Call) -> Response:
    """The link opens nothing any more."""
    link = _own(call)
    call.state.linked.forget(link.id)
    call.state.links.drop(link.id)
    return nothing()


def _own(call: Call) -> SharedLink:
    link = call.state.links.get(call.id())
    if link is None or link.user_id != call.auth.user.id:
        raise ApiError(400, "Shared link not found")
    return link
