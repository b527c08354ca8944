"""One account's connection to its Immich: every request goes through here.

Its own module because the limits of an exchange stand here once: the key, the deadline, the size
of an answer, the gate, the translation of trouble.
"""

import re
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from json import dumps
from typing import TypeVar, cast

import anyio
import httpx
from pydantic import TypeAdapter

from immich_sync.core.errors import Misconfigured, NotImmich, Refused, ServerTrouble
from immich_sync.core.folder import Account, Limits
from immich_sync.core.ports import Clock
from immich_sync.core.types import Secret
from immich_sync.immich import wire
from immich_sync.immich.about import Me, MediaTypes, Version
from immich_sync.immich.gate import Gate
from immich_sync.immich.transport import AnyTransport, Transport, trust
from immich_sync.immich.trouble import BREAKS, STALE, Answer, Route, from_break, from_status, read

T = TypeVar("T")

SMALL_CALL = 30.0
"""Seconds for a whole small call, however slowly its answer drips."""
ANSWER_CAP = 8 * 1024 * 1024
"""Bytes of an answer; more than this is not Immich's."""
_KEY = re.compile(r"[!-~]+")
_SPARE_CONNECTIONS = 4  # kept beside those of the uploads, for small calls


@dataclass(frozen=True, slots=True)
class Call:
    """A small call; `what` says for people what is being done ("asking for …")."""

    method: str
    path: str
    what: str
    json: object = field(default=None, repr=False)  # a link's password may be in it
    params: Mapping[str, str] | None = field(default=None, repr=False)  # or its key
    idempotent: bool = True  # may be sent again if the connection turns out to be dead
    cap: int = ANSWER_CAP  # bytes of its answer
    headers: Mapping[str, str] | None = field(default=None, repr=False)  # beside our own


class Immich:
    """One account on one server; made by `connect`.

    It speaks to httpx's transport without httpx's client: no cookie jar (a session cookie would win
    over the key), no redirects, no proxies or credentials from the environment, no decoding.
    """

    def __init__(
        self,
        transport: AnyTransport,
        account: Account,
        limits: Limits,
        clock: Clock,
        deadline: float = SMALL_CALL,
    ) -> None:
        self.gate = Gate(limits.probe_every, clock)
        self.limits = limits
        self._transport = transport
        self._route = Route(account.url, account.api_key)
        self._headers = {
            "host": httpx.URL(account.url).netloc.decode("ascii"),
            "accept": "application/json",
            "accept-encoding": "identity",
            "user-agent": "immich-sync",
        }
        if key := account.api_key.reveal():  # without one, only public links open anything
            self._headers["x-api-key"] = key
        self._clock = clock
        self._deadline = deadline
        self._version: Version | None = None
        self._me: Me | None = None

    async def ask(self, call: Call, expect: TypeAdapter[T]) -> T:
        """A small call's parsed answer.

        Raises ServerTrouble (or TooLarge, where a proxy refuses the request's size).
        """
        return self.read(await self.send(call), expect, call.what)

    async def send(self, call: Call, *, probing: bool = False) -> Answer:
        """A small call's answer of any status. Raises ServerTrouble if there is none."""
        if not probing:
            self.gate.check()
        request = self._request(call, {})
        try:
            with anyio.fail_after(self._deadline):
                return await self.exchange(request, again=call.idempotent, cap=call.cap)
        except BREAKS as error:
            # No cause is kept: its text may hold what a broken server echoed.
            raise from_break(error, self._route, call.what) from None

    def read(self, answer: Answer, expect: TypeAdapter[T], what: str) -> T:
        """The parsed body of a good answer; raises what any other one stands for."""
        trouble = from_status(answer, self._route, what, self._clock.now())
        if trouble is not None:
            raise trouble
        parsed = read(answer, expect, self._route, what)
        self.gate.succeeded()
        return parsed

    @asynccontextmanager
    async def answering(
        self, call: Call, headers: Mapping[str, str]
    ) -> AsyncIterator[httpx.Response]:
        """The answer to a call whose body is for the caller to read, in its own time.

        Raises ServerTrouble if there is none, and `BREAKS` as they come while it is read.
        """
        request = self._request(call, {"accept": "*/*", **headers})
        try:
            with anyio.fail_after(self._deadline):
                response = await self._begin(request, again=call.idempotent)
        except BREAKS as error:
            raise from_break(error, self._route, call.what) from None
        try:
            yield response
        finally:
            await response.aclose()

    def refuse(self, answer: Answer, what: str) -> Exception:
        """What an answer that is no file stands for."""
        trouble = from_status(answer, self._route, what, self._clock.now())
        return trouble or NotImmich(f"{self._route.url} sent something else than a file, {what}.")

    def _request(self, call: Call, headers: Mapping[str, str]) -> httpx.Request:
        content = None if call.json is None else dumps(call.json).encode()
        kind = {} if content is None else {"content-type": "application/json"}
        return httpx.Request(
            call.method,
            self._route.url + "/api" + call.path,
            params=call.params,
            headers={**self._headers, **kind, **_lowered(call.headers), **headers},
            content=content,
            extensions=self._timeouts(),
        )

    def upload_request(
        self, path: str, headers: Mapping[str, str], body: httpx.AsyncByteStream
    ) -> httpx.Request:
        """A POST with a body that streams; its time limits are the caller's to watch."""
        return httpx.Request(
            "POST",
            self._route.url + "/api" + path,
            headers={**self._headers, **headers},
            stream=body,
            extensions=self._timeouts(),
        )

    async def exchange(
        self, request: httpx.Request, *, again: bool = False, cap: int = ANSWER_CAP
    ) -> Answer:
        """The whole answer. Raises NotImmich if it is too long, and `BREAKS` as they come."""
        response = await self._begin(request, again=again)
        body = bytearray()
        try:
            async for piece in cast("httpx.AsyncByteStream", response.stream):  # as it came
                body += piece
                if len(body) > cap:
                    raise NotImmich(
                        f"{self._route.url} sent an answer of more than {cap >> 20} MiB. Is this"
                        " the address of Immich itself?"
                    )
        finally:
            await response.aclose()
        return Answer(response.status_code, response.headers, bytes(body))

    async def _begin(self, request: httpx.Request, *, again: bool) -> httpx.Response:
        """The head of the answer; `again`: a dead connection is tried once more."""
        try:
            return await self._transport.handle_async_request(request)
        except STALE:
            if not again:
                raise
            return await self._transport.handle_async_request(request)

    def _timeouts(self) -> dict[str, object]:
        """Connecting is limited here; everything after it by whoever asks, as a whole."""
        return {"timeout": httpx.Timeout(None, connect=self.limits.connect_timeout).as_dict()}

    def broken(self, error: Exception, what: str) -> ServerTrouble:
        """The trouble behind one of `BREAKS`, for exchanges that are not small calls."""
        return from_break(error, self._route, what)

    def quote(self, text: str) -> str:
        """A foreign text made fit for a sentence."""
        return self._route.quote(text)

    async def ping(self) -> None:
        """The server is Immich, is up, and takes the key; asks even while the gate is closed."""
        self._version = self._me = None  # it may come back as another version
        ping = Call("GET", "/server/ping", "asking whether it is there")
        self.read(await self.send(ping, probing=True), wire.PONG, ping.what)
        await self._api_key()

    async def version(self, *, anew: bool = False) -> Version:
        """The server's version, asked once, or `anew`."""
        if self._version is None or anew:
            call = Call("GET", "/server/version", "asking for its version")
            found = await self.ask(call, wire.SERVER_VERSION)
            self._version = Version(found.major, found.minor, found.patch)
        return self._version

    async def whoami(self) -> Me:
        """Whose key this is and what it may do, asked once. Raises Refused if it is not accepted.

        `GET /api-keys/me` needs no permission (Immich 3.1: api-key.controller).
        """
        if self._me is None:
            key = await self._api_key()
            try:
                call = Call("GET", "/users/me", "asking whose key this is")
                user: str | None = (await self.ask(call, wire.USER)).id
            except Refused as refusal:
                if refusal.permission is None:
                    raise
                user = None
            self._me = Me(user, key.id, frozenset(key.permissions))
        return self._me

    async def media_types(self) -> MediaTypes:
        """What the server takes, by extension."""
        call = Call("GET", "/server/media-types", "asking which files it takes")
        found = await self.ask(call, wire.MEDIA_TYPES)
        image, video, sidecar = (
            frozenset(extension.lower() for extension in extensions)
            for extensions in (found.image, found.video, found.sidecar)
        )
        return MediaTypes(image, video, sidecar)

    async def _api_key(self) -> wire.ApiKey:
        call = Call("GET", "/api-keys/me", "asking whether it accepts the key")
        return self.read(await self.send(call, probing=True), wire.API_KEY, call.what)


def _lowered(headers: Mapping[str, str] | None) -> dict[str, str]:
    return {name.lower(): value for name, value in (headers or {}).items()}


@asynccontextmanager
async def connect(
    account: Account,
    limits: Limits,
    clock: Clock,
    transport: AnyTransport | None = None,
    *,
    deadline: float = SMALL_CALL,
    public: bool = False,
) -> AsyncIterator[Immich]:
    """An account's Immich, for as long as the block lasts; nothing is asked yet.

    `deadline` is the seconds a whole small call may take. With `public` the account's key is left
    out of everything: for what a shared link opens.

    Raises Misconfigured if the key could not stand in a header (the text does not repeat it), or
    if a file of the account's TLS is of no use.
    """
    if public:
        account = replace(account, api_key=Secret(""))
    elif not _KEY.fullmatch(account.api_key.reveal()):
        raise Misconfigured(
            f"The API key of {account.name} is empty, or holds spaces, line ends or characters that"
            " no Immich key has; copy it again."
        )
    try:
        httpx.URL(account.url)
    except httpx.InvalidURL as error:
        raise Misconfigured(f"The address of {account.name} is no usable URL: {error}") from None
    if transport is None:
        tls = trust(account.tls) if account.url.startswith("https:") else None
        transport = Transport(tls=tls, keep=limits.uploads + _SPARE_CONNECTIONS)
    async with transport:
        yield Immich(transport, account, limits, clock, deadline)
