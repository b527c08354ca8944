"""An application that misbehaves on demand: what can be done above HTTP.

Its own module because the sandbox itself stays truthful; this stands in front of it.
"""

import anyio
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send

from immich_sync.sandbox.faults import (
    APP_FAULTS,
    AppFault,
    Delay,
    Faults,
    Html,
    Maintenance,
    Quota,
    Status,
    TooLarge,
)
from immich_sync.sandbox.state import Exchange, State

PORTAL = "<!doctype html><html><title>Log in</title><form>Log in to this network</form></html>"
NGINX_413 = "<html><head><title>413 Request Entity Too Large</title></head></html>"
_OPEN = ("/api/server/ping", "/api/server/config")


def with_faults(app: ASGIApp, faults: Faults, state: State) -> ASGIApp:
    """The application behind these faults; refused requests are in `state.requests` as well."""

    async def faulty(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await app(scope, receive, send)
            return
        request = Request(scope, receive)
        size = int(request.headers.get("content-length", 0))
        fault = faults.take(APP_FAULTS, request.method, request.url.path, size)
        if isinstance(fault, Delay):
            await anyio.sleep(fault.seconds)
        state.maintenance = isinstance(fault, Maintenance)
        response = None if fault is None else await _answer(fault, request)
        if response is None:
            await app(scope, receive, send)
            return
        state.requests.append(Exchange(request.method, request.url.path, response.status_code))
        await response(scope, receive, send)

    return faulty


async def _answer(fault: AppFault, request: Request) -> Response | None:
    match fault:
        case Status():
            if fault.read_body:
                await _drain(request)
            headers = {} if fault.retry_after is None else {"retry-after": fault.retry_after}
            return JSONResponse({"message": fault.message}, fault.status, headers)
        case Maintenance():
            if request.url.path in _OPEN:
                return None
            return JSONResponse({"message": "Server is in maintenance mode"}, 503)
        case Quota():
            await _drain(request)
            return JSONResponse({"message": "Quota has been exceeded!"}, 400)
        case TooLarge():
            return HTMLResponse(NGINX_413, 413)
        case Html():
            return HTMLResponse(PORTAL)
        case Delay():
            return None


async def _drain(request: Request) -> None:
    async for _ in request.stream():
        pass
