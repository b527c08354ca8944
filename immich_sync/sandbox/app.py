"""The application: every endpoint with its method, path and permission, in one table.

Its own module because this table is the sandbox's whole surface, and a reader's way in.
"""

from collections.abc import Callable
from typing import NamedTuple

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from immich_sync.sandbox import (
    about,
    album_users,
    albums,
    assets,
    download,
    links,
    media,
    metadata,
    search,
    tags,
    upload,
    users,
)
from immich_sync.sandbox.call import Endpoint, Handler, Json, endpoint, refusal, reply
from immich_sync.sandbox.errors import ApiError
from immich_sync.sandbox.state import Exchange, State


class Entry(NamedTuple):
    """One endpoint; `permission` is what a key needs, `shared` whether a shared link is enough."""

    method: str
    path: str
    permission: str | None
    handler: Handler
    shared: bool = False


PUBLIC: dict[str, Callable[[State], Json]] = {
    "/server/ping": about.ping,
    "/server/version": about.version,
    "/server/media-types": about.media_types,
    "/server/features": about.features,
    "/server/config": about.config,
}

TABLE = (
    Entry("GET", "/server/about", "server.about", about.about),
    Entry("GET", "/server/storage", "server.storage", about.storage),
    Entry("GET", "/users/me", "user.read", users.me),
    Entry("GET", "/users", "user.read", users.list_users),
    Entry("GET", "/admin/users", "adminUser.read", users.admin_list),
    Entry("POST", "/admin/users", "adminUser.create", users.admin_create),
    Entry("DELETE", "/admin/users/{id}", "adminUser.delete", users.admin_delete),
    Entry("GET", "/api-keys/me", None, users.my_key),
    Entry("GET", "/api-keys", "apiKey.read", users.list_keys),
    Entry("POST", "/api-keys", "apiKey.create", users.create_key),
    Entry("GET", "/api-keys/{id}", "apiKey.read", users.get_key),
    Entry("DELETE", "/api-keys/{id}", "apiKey.delete", users.delete_key),
    Entry("POST", "/assets", "asset.upload", upload.upload, shared=True),
    Entry("POST", "/assets/bulk-upload-check", "asset.upload", upload.bulk_check),
    Entry("PUT", "/assets", "asset.update", assets.update_many),
    Entry("DELETE", "/assets", "asset.delete", assets.delete),
    Entry("PUT", "/assets/copy", "asset.copy", assets.copy),
    Entry("GET", "/assets/statistics", "asset.statistics", assets.statistics),
    Entry("PUT", "/assets/metadata", "asset.update", metadata.upsert_many),
    Entry("DELETE", "/assets/metadata", "asset.update", metadata.delete_many),
    Entry("GET", "/assets/{id}", "asset.read", assets.get, shared=True),
    Entry("PUT", "/assets/{id}", "asset.update", assets.update),
    Entry("GET", "/assets/{id}/metadata", "asset.read", metadata.get_all),
    Entry("PUT", "/assets/{id}/metadata", "asset.update", metadata.upsert),
    Entry("GET", "/assets/{id}/metadata/{key}", "asset.read", metadata.get_one),
    Entry("DELETE", "/assets/{id}/metadata/{key}", "asset.update", metadata.delete_one),
    Entry("GET", "/assets/{id}/original", "asset.download", media.original, shared=True),
    Entry("GET", "/assets/{id}/thumbnail", "asset.view", media.thumbnail, shared=True),
    Entry("GET", "/assets/{id}/video/playback", "asset.view", media.playback, shared=True),
    Entry("POST", "/trash/restore/assets", "asset.delete", assets.restore),
    Entry("POST", "/trash/restore", "asset.delete", assets.restore_all),
    Entry("POST", "/trash/empty", "asset.delete", assets.empty_trash),
    Entry("GET", "/albums", "album.read", albums.find),
    Entry("POST", "/albums", "album.create", albums.create),
    Entry("GET", "/albums/statistics", "album.statistics", albums.statistics),
    Entry("PUT", "/albums/assets", "albumAsset.create", albums.add_many),
    Entry("GET", "/albums/{id}", "album.read", albums.get, shared=True),
    Entry("PATCH", "/albums/{id}", "album.update", albums.update),
    Entry("DELETE", "/albums/{id}", "album.delete", albums.delete),
    Entry("PUT", "/albums/{id}/assets", "albumAsset.create", albums.add_assets),
    Entry("DELETE", "/albums/{id}/assets", "albumAsset.delete", albums.remove_assets),
    Entry("PUT", "/albums/{id}/users", "albumUser.create", album_users.add_users),
    Entry("PUT", "/albums/{id}/user/{user_id}", "albumUser.update", album_users.update_user),
    Entry("DELETE", "/albums/{id}/user/{user_id}", "albumUser.delete", album_users.remove_user),
    Entry("GET", "/tags", "tag.read", tags.list_tags),
    Entry("PUT", "/tags", "tag.create", tags.upsert_tags),
    Entry("PUT", "/tags/assets", "tag.asset", tags.tag_assets),
    Entry("GET", "/tags/{id}", "tag.read", tags.get_tag),
    Entry("DELETE", "/tags/{id}", "tag.delete", tags.delete_tag),
    Entry("PUT", "/tags/{id}/assets", "tag.asset", tags.add_tag),
    Entry("GET", "/stacks", "stack.read", tags.list_stacks),
    Entry("POST", "/stacks", "stack.create", tags.create_stack),
    Entry("GET", "/stacks/{id}", "stack.read", tags.get_stack),
    Entry("DELETE", "/stacks/{id}", "stack.delete", tags.delete_stack),
    Entry("POST", "/search/metadata", "asset.read", search.by_metadata),
    Entry("POST", "/download/info", "asset.download", download.info, shared=True),
    Entry("POST", "/download/archive", "asset.download", download.archive, shared=True),
    Entry("GET", "/shared-links", "sharedLink.read", links.list_all),
    Entry("POST", "/shared-links", "sharedLink.create", links.create),
    Entry("GET", "/shared-links/me", None, links.mine, shared=True),
    Entry("POST", "/shared-links/login", None, links.login, shared=True),
    Entry("GET", "/shared-links/{id}", "sharedLink.read", links.get),
    Entry("DELETE", "/shared-links/{id}", "sharedLink.delete", links.delete),
)


def create_app(state: State) -> ASGIApp:
    """The server over this state, as an ASGI application that uses no thread.

    Every request, answered or not, is appended to `state.requests`.
    """
    routes = [
        Route(f"/api{path}", _public(state, answer), methods=["GET"])
        for path, answer in PUBLIC.items()
    ]
    routes.append(Route("/.well-known/immich", _public(state, about.well_known), methods=["GET"]))
    routes.append(Route("/api/auth/login", _login(state), methods=["POST"]))
    for entry in TABLE:
        guarded = endpoint(state, entry.handler, entry.permission, shared=entry.shared)
        routes.append(Route(f"/api{entry.path}", guarded, methods=[entry.method]))

    async def refuse(_request: Request, error: Exception) -> Response:
        if isinstance(error, ApiError):
            return refusal(state, error)
        return refusal(state, ApiError(500, "Internal server error"))

    async def unknown(request: Request, error: Exception) -> Response:
        status = error.status_code if isinstance(error, HTTPException) else 404
        message = f"Cannot {request.method} {request.url.path}"
        return refusal(state, ApiError(404 if status == 405 else status, message))  # noqa: PLR2004 (the server knows no 405)

    handlers = {ApiError: refuse, HTTPException: unknown}
    return _logged(state, Starlette(routes=routes, exception_handlers=dict(handlers)))


def _public(state: State, answer: Callable[[State], Json]) -> Endpoint:
    async def respond(_request: Request) -> Response:
        return reply(answer(state))

    return respond


def _login(state: State) -> Endpoint:
    async def respond(request: Request) -> Response:
        return await users.login(state, request)

    return respond


def _logged(state: State, app: ASGIApp) -> ASGIApp:
    async def logged(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await app(scope, receive, send)
            return
        status: int | None = None

        async def remember(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await app(scope, receive, remember)
        finally:
            state.requests.append(Exchange(scope["method"], scope["path"], status))

    return logged
