"""Who is asking, and may they: keys, sessions and shared links.

Its own module because every endpoint asks the same two questions, in the server's own order and
with its own words.
"""

from base64 import b64encode
from dataclasses import dataclass
from hashlib import sha256
from urllib.parse import unquote

from starlette.requests import HTTPConnection

from immich_sync.sandbox.errors import ApiError
from immich_sync.sandbox.records import ApiKey, Asset, SharedLink, User
from immich_sync.sandbox.state import State, iso

LINK_COOKIE = "immich_shared_link_token"
LINK_DAY = 24 * 60 * 60
"""Seconds for which a link stays open (Immich 3.1: utils/response)."""


@dataclass(frozen=True, slots=True)
class Auth:
    """Somebody: a user, by session, by `key`, or through a shared `link` of theirs."""

    user: User
    key: ApiKey | None = None
    link: SharedLink | None = None

    def allows(self, permission: str) -> bool:
        """Whether a key with limited permissions has this one; others have all."""
        return self.key is None or not {"all", permission}.isdisjoint(self.key.permissions)

    def demand(self, permission: str) -> None:
        """The permission is there, or 403 with its name (Immich 3.1: auth.service)."""
        if not self.allows(permission):
            raise ApiError(403, f"Missing required permission: {permission}")


def authenticate(state: State, request: HTTPConnection) -> Auth:
    """Somebody the server knows, else 401.

    The order is the server's: share key, slug, session, API key; a stray share key wins over an
    API key (Immich 3.1: auth.service).
    """
    headers, query = request.headers, request.query_params
    if key := headers.get("x-immich-share-key") or query.get("key"):
        return _by_link(state, request, "key", key)
    if slug := headers.get("x-immich-share-slug") or query.get("slug"):
        return _by_link(state, request, "slug", slug)
    bearer = headers.get("authorization", "").partition(" ")
    token = (
        headers.get("x-immich-user-token")
        or headers.get("x-immich-session-token")
        or query.get("sessionKey")
        or (bearer[2] if bearer[0].lower() == "bearer" else "")
        or request.cookies.get("immich_access_token")
    )
    if token:
        session = next((s for s in state.sessions if s.token == token), None)
        user = state.users.get(session.user_id) if session else None
        if user is None:
            raise ApiError(401, "Invalid user token")
        return Auth(user)
    if secret := headers.get("x-api-key") or query.get("apiKey"):
        api_key = state.key_of(secret)
        user = state.users.get(api_key.user_id) if api_key else None
        if user is None:
            raise ApiError(401, "Invalid API key")
        return Auth(user, key=api_key)
    raise ApiError(401, "Authentication required")


def _by_link(state: State, request: HTTPConnection, field: str, value: str) -> Auth:
    link = next(
        (k for k in state.links if value == (k.key if field == "key" else k.slug)),
        None,
    )
    user = state.users.get(link.user_id) if link else None
    if link is None or user is None or (link.expires_at and link.expires_at <= iso(state.now())):
        raise ApiError(401, f"Invalid share {field}")
    logging_in = request.url.path.endswith("/shared-links/login")
    if link.password and not logging_in and link_token(link) not in link_tokens(request):
        raise ApiError(401, "Password required")
    return Auth(user, link=link)


def link_token(link: SharedLink) -> str:
    """What the cookie holds after the link's password was given."""
    return b64encode(sha256(f"{link.id}:{link.password}".encode()).digest()).decode()


def link_tokens(request: HTTPConnection) -> list[str]:
    """The tokens in the cookie: of every link that was logged in to."""
    return [token for token in unquote(request.cookies.get(LINK_COOKIE, "")).split(",") if token]


def readable(state: State, auth: Auth, asset_id: str) -> Asset | None:
    """The asset, if the caller may look at it: their own, in an album of theirs, or linked.

    A live photo opens its motion part as well.
    """
    asset = state.assets.get(asset_id)
    if asset is None or _opened(state, auth, asset):
        return asset
    if asset.visibility != "hidden":
        return None
    stills = (a for a in state.assets if a.live_photo_video_id == asset.id)
    return asset if any(_opened(state, auth, still) for still in stills) else None


def _opened(state: State, auth: Auth, asset: Asset) -> bool:
    albums = state.members.holding(asset.id)
    if auth.link is not None:
        linked = state.linked.has(auth.link.id, asset.id) or auth.link.album_id in albums
        return linked and asset.trashed_at is None
    if asset.owner_id == auth.user.id:
        return True
    return asset.trashed_at is None and any(_in_album(state, auth, a) for a in albums)


def _in_album(state: State, auth: Auth, album_id: str) -> bool:
    album = state.albums.get(album_id)
    if album is None:
        return False
    return auth.user.id in {album.owner_id, *(u.user_id for u in album.users)}


def owned(state: State, auth: Auth, asset_id: str) -> Asset | None:
    """The asset, if it belongs to the caller."""
    asset = state.assets.get(asset_id)
    return asset if asset is not None and asset.owner_id == auth.user.id else None


def all_owned(state: State, auth: Auth, asset_ids: tuple[str, ...], permission: str) -> list[Asset]:
    """The assets, every one the caller's own, else 400."""
    found = [asset for i in asset_ids if (asset := owned(state, auth, i)) is not None]
    if len(found) != len(asset_ids):
        raise ApiError(400, f"Not found or no {permission} access")
    return found
