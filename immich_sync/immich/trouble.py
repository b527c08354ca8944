"""From whatever httpx, the socket or the server says to the tree of trouble.

Its own module because this is the one translation point: nothing above it knows httpx's exceptions
or a status code's meaning, and no sentence made here can hold the API key.
"""

import os
import ssl
from dataclasses import dataclass, field
from email.utils import parsedate_to_datetime
from typing import TypeVar

import anyio
import h11
import httpcore
import httpx
from pydantic import TypeAdapter, ValidationError

from immich_sync.core.errors import (
    Full,
    Maintenance,
    NotImmich,
    Overloaded,
    Refused,
    ServerTrouble,
    SyncTrouble,
    TooLarge,
    Unreachable,
    Untrusted,
)
from immich_sync.core.types import Secret
from immich_sync.immich.wire import ERROR_BODY

T = TypeVar("T")

LONGEST_WISH = 3600.0
"""Seconds: a server that asks for more patience than this is asked again after an hour."""
_LONGEST_QUOTE = 300
_BUSY = frozenset({408, 429, 502, 503, 504, *range(520, 525)})
_PLAIN = frozenset({"WRONG_VERSION_NUMBER", "RECORD_LAYER_FAILURE", "HTTP_REQUEST"})
"""OpenSSL's reasons where no TLS came back at all (its versions 1.1, 3.0 and 3.2)."""
_SHOW = (
    "A server that asks for a client certificate is shown client_cert and client_key; see that they"
    " are the ones it knows."
)
_WANTS_CERTIFICATE = b"SSL certificate"  # nginx: "No required SSL certificate was sent", and others
_PERMISSION = "Missing required permission: "

BREAKS = (
    httpx.HTTPError,
    httpx.InvalidURL,
    httpcore.TimeoutException,
    httpcore.NetworkError,
    httpcore.ProtocolError,
    httpcore.ProxyError,
    httpcore.UnsupportedProtocol,
    h11.ProtocolError,
    anyio.BrokenResourceError,
    anyio.ClosedResourceError,
    anyio.EndOfStream,
    OSError,  # TimeoutError and ssl.SSLError with it
)
"""What an exchange may raise beyond our own errors; `from_break` takes any of them."""

STALE = (
    *(httpx.ReadError, httpx.WriteError, httpx.RemoteProtocolError),
    *(httpcore.ReadError, httpcore.WriteError, httpcore.RemoteProtocolError),
)
"""How a connection shows itself that the server closed while nobody looked."""

_REASONS: tuple[tuple[tuple[type[Exception], ...], type[ServerTrouble], str], ...] = (
    (
        (httpx.ConnectTimeout, httpcore.ConnectTimeout),
        Unreachable,
        "it accepted no connection in time",
    ),
    (
        (httpx.TimeoutException, httpcore.TimeoutException, TimeoutError),
        Unreachable,
        "it did not answer in time",
    ),
    (
        (httpx.UnsupportedProtocol, httpcore.UnsupportedProtocol, httpx.InvalidURL),
        NotImmich,
        "the address is no http:// or https:// URL",
    ),
    ((httpx.ProxyError, httpcore.ProxyError), Unreachable, "the proxy refused"),
    (
        (httpx.DecodingError, httpx.TooManyRedirects),
        NotImmich,
        "its answer makes no sense; is this address Immich's?",
    ),
    (
        (httpx.ConnectError, httpcore.ConnectError),
        Unreachable,
        "no connection",
    ),
    (
        (httpx.ProtocolError, httpcore.ProtocolError, h11.ProtocolError),
        Unreachable,
        "its answer broke off or is no HTTP",
    ),
    ((Exception,), Unreachable, "the connection broke"),
)


@dataclass(frozen=True, slots=True)
class Route:
    """The way to one server: what sentences name, and what they must never repeat."""

    url: str
    key: Secret

    def quote(self, text: str) -> str:
        """A foreign text made fit for a sentence: short, on one line, without the key."""
        key = self.key.reveal()
        safe = text.replace(key, "…") if key else text
        line = " ".join("".join(c if c.isprintable() else " " for c in safe).split())
        return line if len(line) <= _LONGEST_QUOTE else line[:_LONGEST_QUOTE] + "…"


@dataclass(frozen=True, slots=True)
class Answer:
    """A whole answer; its body is not decoded and no longer than was allowed."""

    status: int
    headers: httpx.Headers = field(repr=False)
    body: bytes = field(repr=False)

    @property
    def is_json(self) -> bool:
        """Whether it says that it is JSON, and in plain bytes."""
        kind: str = self.headers.get("content-type", "").partition(";")[0].strip().lower()
        coding: str = self.headers.get("content-encoding", "identity").strip().lower()
        return coding == "identity" and kind == "application/json"

    @property
    def message(self) -> str:
        """What Immich says went wrong; "" if this is no word of Immich's."""
        if not self.is_json:
            return ""
        try:
            message = ERROR_BODY.validate_json(self.body).message
        except ValidationError:
            return ""
        return message if isinstance(message, str) else "; ".join(message)


_BY_DATE = (9, 10)  # not yet valid, expired: openssl/x509_vfy.h, X509_V_ERR_CERT_…


def from_break(error: Exception, route: Route, what: str) -> ServerTrouble:
    """The trouble behind an exchange that came to no answer; `what` says what was being done."""
    links = _chain(error)
    for link in links:
        if isinstance(link, ssl.SSLError) and getattr(link, "reason", "") in _PLAIN:
            plain = route.url.replace("https://", "http://", 1)
            return NotImmich(
                f"{route.url} is not usable for {what}: this address speaks http, not https."
                f" Configure {plain}."
            )
        # Its other kinds are breaks in the middle of TLS, or TLS waiting for the network.
        if isinstance(link, ssl.SSLError) and _is_refusal(getattr(link, "reason", None) or ""):
            return Untrusted(
                f"{route.url} did not trust us while {what}: {route.quote(_tls_reason(link))}."
                f" {_SHOW}"
            )
        if isinstance(link, ssl.SSLCertVerificationError) or type(link) is ssl.SSLError:
            by_date = getattr(link, "verify_code", 0) in _BY_DATE
            remedy = (
                "Renew the certificate, or set this machine's clock right"
                if by_date
                else "Mend the certificate, or name its authority's as ca_file"
            )
            return Untrusted(
                f"{route.url} could not be trusted while {what}:"
                f" {route.quote(_tls_reason(link))}. {remedy}.",
                by_date=by_date,
            )
    leaf, reason = next(
        (leaf, reason) for kinds, leaf, reason in _REASONS if isinstance(error, kinds)
    )
    said = [words for link in links if isinstance(link, OSError) and (words := _words(link))]
    system = said[-1] if said else ""
    detail = f" ({route.quote(system)})" if system else ""
    if leaf is NotImmich:
        return NotImmich(f"{route.url} is not usable for {what}: {reason}{detail}.")
    return leaf(f"{route.url} could not be reached while {what}: {reason}{detail}.")


def from_status(answer: Answer, route: Route, what: str, now: float) -> SyncTrouble | None:
    """The trouble that an answer's status stands for; None for 2xx. `now` is wall-clock seconds."""
    status, message = answer.status, route.quote(answer.message)
    said = f": {message}" if message else ""
    where = f"{route.url} answered {status} while {what}{said}."
    if 200 <= status < 300:  # noqa: PLR2004 - the statuses of success
        return None
    if 300 <= status < 400:  # noqa: PLR2004 - the statuses of redirection
        target = route.quote(answer.headers.get("location", "somewhere else"))
        return NotImmich(
            f"{route.url} redirects to {target} while {what}; configure that address instead."
        )
    if status == 401:  # noqa: PLR2004 - Unauthorized
        return Refused(f"{where} The key is not accepted; make a new one in Immich's settings.")
    if status == 403 and message.startswith(_PERMISSION):  # noqa: PLR2004 - Forbidden
        permission = message.removeprefix(_PERMISSION)
        return Refused(f"{where} Give the key the permission {permission}.", permission)
    if status == 403 and message:  # noqa: PLR2004 - Forbidden
        return Refused(f"{where} The key may not do that.")
    if status == 413:  # noqa: PLR2004 - Content Too Large
        return TooLarge(f"{where} A proxy in front of Immich limits the size of requests.")
    if status == 507 or (status == 400 and "quota" in message.lower()):  # noqa: PLR2004 - Full
        return Full(f"{where} Free some space there, or raise the user's quota.")
    if status == 503 and b"maintenance" in answer.body.lower():  # noqa: PLR2004 - Unavailable
        return Maintenance(f"{where} It is being maintained.")
    if status in _BUSY or (status >= 500 and status != 511):  # noqa: PLR2004 - server errors
        wish = retry_after(answer.headers.get("retry-after", ""), now)
        return Overloaded(f"{where} It is asked again later.", wish)
    if _WANTS_CERTIFICATE in answer.body:
        return Untrusted(f"{where} {_SHOW}")
    return NotImmich(
        f"{where} Is this the address of Immich itself, version 2.7 or later, without a login page"
        " or a firewall in between?"
    )


def read(answer: Answer, expect: TypeAdapter[T], route: Route, what: str) -> T:
    """The body of a good answer. Raises NotImmich for anything else than what Immich sends."""
    if not answer.is_json:
        kind = route.quote(answer.headers.get("content-type", "nothing known"))
        raise NotImmich(
            f"{route.url} answered with {kind} instead of JSON while {what}. Is this the address"
            " of Immich itself, without a login page in between?"
        )
    try:
        return expect.validate_json(answer.body)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False, include_context=False)[0]
        place = ".".join(map(str, first["loc"]))
        raise NotImmich(
            f"{route.url} answered with JSON that Immich would not send while {what}"
            f" ({route.quote(place + ' ' + first['msg'])})."
        ) from None


def retry_after(text: str, now: float) -> float | None:
    """Seconds to wait by a `Retry-After` header, at most an hour; None if it says nothing.

    Both forms of RFC 9110, section 10.2.3: seconds, or a date.
    """
    text = text.strip()
    if text.isdecimal():
        return min(float(text), LONGEST_WISH)
    try:
        moment = parsedate_to_datetime(text).timestamp()
    except (ValueError, TypeError, OverflowError, IndexError):
        return None
    return min(max(moment - now, 0.0), LONGEST_WISH)


def _chain(error: BaseException) -> list[BaseException]:
    """The error and what caused it, nearest first."""
    links: list[BaseException] = []
    link: BaseException | None = error
    while link is not None and link not in links:
        links.append(link)
        if isinstance(link, BaseExceptionGroup):  # one for each address that a name stands for
            link = link.exceptions[-1]
        else:
            link = link.__cause__ or link.__context__
    return links


def _words(error: OSError) -> str:
    """What the system says, and not what asyncio makes of it."""
    said = error.strerror or ""
    if error.errno and said.startswith("Connect call failed"):
        said = os.strerror(error.errno)
    return said


def _is_refusal(reason: str) -> bool:
    """Whether the server did not like us: RFC 8446, section 6.2, as OpenSSL names it."""
    return "ALERT" in reason and any(
        word in reason for word in ("CERTIFICATE", "UNKNOWN_CA", "HANDSHAKE_FAILURE")
    )


def _tls_reason(error: ssl.SSLError) -> str:
    words = getattr(error, "verify_message", "") or getattr(error, "reason", "") or error.strerror
    return str(words or "TLS failed").replace("_", " ").lower()
