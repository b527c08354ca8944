"""One request on its way through an endpoint, and what all endpoints share.

Its own module because endpoints are plain functions of a `Call`; reading JSON, checking ids and
wording errors happen here once.
"""

import json
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import Annotated, TypeVar
from uuid import UUID

from pydantic import AfterValidator, BaseModel, ConfigDict, ValidationError
from pydantic.alias_generators import to_camel
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from immich_sync.sandbox.auth import Auth, authenticate
from immich_sync.sandbox.errors import ApiError, Issue, invalid
from immich_sync.sandbox.state import State

JSON_LIMIT = 10 * 1024 * 1024  # Immich 3.1: app.common

Json = Mapping[str, object]


def checked_id(text: str) -> str:
    """The text, if it is a UUID as the server writes them; else ValueError."""
    if len(text) != 36:  # noqa: PLR2004 (a UUID with its hyphens)
        raise ValueError("Invalid UUID")
    return str(UUID(text))


Id = Annotated[str, AfterValidator(checked_id)]


class Dto(BaseModel):
    """The body of a request: camel case on the wire, unknown fields ignored."""

    model_config = ConfigDict(alias_generator=to_camel, frozen=True, strict=False)


class Ids(Dto):
    """A list of ids."""

    ids: tuple[Id, ...]


DtoT = TypeVar("DtoT", bound=Dto)


async def read_json(request: Request, kind: type[DtoT]) -> DtoT:
    """The body, read as `kind`, else 400 (or 413 above the server's limit of 10 MB)."""
    body = bytearray()
    async for block in request.stream():
        body += block
        if len(body) > JSON_LIMIT:
            raise ApiError(413, "request entity too large")
    try:
        return kind.model_validate_json(bytes(body) or b"{}")
    except ValidationError as error:
        issues = tuple(Issue(e["loc"], e["msg"]) for e in error.errors(include_url=False))
        raise ApiError(400, "Validation failed", issues) from error


@dataclass(frozen=True, slots=True)
class Call:
    """A request, the state it meets, and who sent it."""

    state: State
    request: Request
    auth: Auth

    def id(self, name: str = "id") -> str:
        """The id in the path, else 400."""
        try:
            return checked_id(str(self.request.path_params[name]))
        except ValueError as error:
            raise invalid(name, "Invalid UUID") from error

    def flag(self, name: str) -> bool | None:
        """A boolean of the query, None when it is not there."""
        value = self.request.query_params.get(name)
        if value not in {None, "true", "false"}:
            raise invalid(name, "Invalid option: expected one of true|false")
        return None if value is None else value == "true"

    async def json(self, kind: type[DtoT]) -> DtoT:
        """The body, read as `kind`; see `read_json`."""
        return await read_json(self.request, kind)


Handler = Callable[[Call], Awaitable[Response]]
Endpoint = Callable[[Request], Awaitable[Response]]


def endpoint(state: State, handler: Handler, permission: str | None, *, shared: bool) -> Endpoint:
    """The handler behind its guard: a caller who is known and may do it."""

    async def answer(request: Request) -> Response:
        auth = authenticate(state, request)
        if auth.link is not None and not shared:
            raise ApiError(403, "Forbidden")
        if permission is not None:
            auth.demand(permission)
        return await handler(Call(state, request, auth))

    return answer


def reply(body: Json | Sequence[Json], status: int = 200) -> Response:
    """An answer in JSON."""
    return JSONResponse(body, status)


def nothing() -> Response:
    """Done, and nothing to say: 204."""
    return Response(status_code=204)


def refusal(state: State, error: ApiError) -> Response:
    """The error as this server words it (3.x: zod, 2.x: class-validator)."""
    correlation = state.new_id()
    headers = {"X-Correlation-ID": correlation}
    issues = [{"path": list(i.path), "message": i.message} for i in error.issues]
    if state.modern:
        body: dict[str, object] = {"message": error.message}
        return JSONResponse(body | ({"errors": issues} if issues else {}), error.status, headers)
    wording = [f"{'.'.join(map(str, i.path))}: {i.message}" for i in error.issues]
    body = {
        "message": wording or error.message,
        "error": HTTPStatus(error.status).phrase,
        "statusCode": error.status,
        "correlationId": correlation,
    }
    return JSONResponse(body, error.status, headers)


def as_text(value: object) -> str:
    """A JSON value as text that can be kept in a record."""
    return json.dumps(value, sort_keys=True)
