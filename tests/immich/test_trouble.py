"""Everything httpx, the socket and the server can say has its place in the tree of trouble."""

import inspect
import json
import socket
import ssl
from datetime import UTC, datetime
from email.utils import format_datetime

import anyio
import h11
import httpcore
import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import TypeAdapter

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
from immich_sync.immich import wire
from immich_sync.immich.trouble import (
    BREAKS,
    Answer,
    Route,
    from_break,
    from_status,
    read,
    retry_after,
)
from tests.immich.scene import KEY

ROUTE = Route("http://nas:2283", Secret(KEY))
NOW = 1_700_000_000.0
JSON = "application/json; charset=utf-8"
OURS_TO_MEND = {
    httpx.CookieConflict,  # there is no cookie jar
    httpx.HTTPStatusError,  # raised by `raise_for_status` only, which is not used
    httpcore.ConnectionNotAvailable,  # the pool's own, never leaves it
}


def exceptions_of(module: object) -> list[type[Exception]]:
    """Every exception class that the module shows."""
    return [
        member
        for _, member in inspect.getmembers(module, inspect.isclass)
        if issubclass(member, Exception)
        and not issubclass(member, httpx.StreamError)  # a stream used wrongly: a bug of ours
        and member not in OURS_TO_MEND
    ]


def raised(kind: type[Exception]) -> Exception:
    """One of this kind, with the key in its text as if a server had echoed it."""
    text = f"broken {KEY}"
    return kind(text) if kind is not httpx.InvalidURL else httpx.InvalidURL(text)


def answer(status: int, body: object = None, kind: str = JSON, **headers: str) -> Answer:
    """An answer with a JSON body, or with `body` as it is if that is bytes."""
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    names = {name.replace("_", "-"): value for name, value in headers.items()}
    return Answer(status, httpx.Headers({"content-type": kind, **names}), raw)


@pytest.mark.parametrize("kind", [*exceptions_of(httpx), *exceptions_of(httpcore)])
def test_every_exception_is_mapped(kind: type[Exception]) -> None:
    """Whatever httpx and httpcore can raise is caught, becomes ServerTrouble, and hides the key."""
    error = raised(kind)
    trouble = from_break(error, ROUTE, "uploading a.jpg")

    assert isinstance(error, BREAKS)
    assert isinstance(trouble, ServerTrouble)
    assert "uploading a.jpg" in str(trouble)
    assert KEY not in str(trouble) + repr(trouble)


@pytest.mark.parametrize(
    ("error", "leaf"),
    [
        (httpx.ConnectTimeout("x"), Unreachable),
        (httpx.ConnectError("x"), Unreachable),
        (httpcore.ReadError("x"), Unreachable),
        (httpx.RemoteProtocolError("x"), Unreachable),
        (h11.LocalProtocolError("Too little data for declared Content-Length"), Unreachable),
        (TimeoutError(), Unreachable),
        (ConnectionResetError(104, "Connection reset by peer"), Unreachable),
        (anyio.BrokenResourceError(), Unreachable),
        (httpx.UnsupportedProtocol("x"), NotImmich),
        (httpx.TooManyRedirects("x"), NotImmich),
        (ssl.SSLCertVerificationError(1, "self-signed"), Untrusted),
        (ssl.SSLError(1, "wrong version number"), Untrusted),
        (ssl.SSLEOFError(8, "EOF occurred"), Unreachable),
    ],
)
def test_leaf_of_a_break(error: Exception, leaf: type[ServerTrouble]) -> None:
    """A broken exchange becomes the leaf at which one can act."""
    assert isinstance(error, BREAKS)
    assert type(from_break(error, ROUTE, "asking")) is leaf


def test_no_python_is_seen_in_a_refused_connection() -> None:
    """What asyncio says of an address is the system's word for it, also of several addresses."""
    refused = ConnectionRefusedError(111, "Connect call failed ('127.0.0.1', 22283)")
    error = httpcore.ConnectError("All connection attempts failed")
    error.__cause__ = OSError("All connection attempts failed")
    error.__cause__.__cause__ = ExceptionGroup("several", [OSError(101, "x"), refused])

    for one in (refused, error):
        said = str(from_break(one, ROUTE, "asking"))
        assert said.endswith(" (Connection refused).")


def test_a_break_names_the_systems_reason() -> None:
    """The innermost reason of the system stands in the sentence, with address and doing."""
    error = httpcore.ConnectError("All connection attempts failed")
    error.__cause__ = socket.gaierror(-2, "Name or service not known")

    assert str(from_break(error, ROUTE, "asking for its version")) == (
        "http://nas:2283 could not be reached while asking for its version:"
        " no connection (Name or service not known)."
    )


@pytest.mark.parametrize(
    ("given_answer", "leaf"),
    [
        (answer(401, {"message": "Invalid API key"}), Refused),
        (answer(403, {"message": "Missing required permission: asset.upload"}), Refused),
        (answer(403, {"message": "Forbidden"}), Refused),
        (answer(403, b"<html>Blocked</html>", "text/html"), NotImmich),
        (answer(301, location="https://nas/"), NotImmich),
        (answer(302, location="https://sso/login"), NotImmich),
        (answer(304), NotImmich),
        (answer(400, {"message": "Validation failed"}), NotImmich),
        (answer(400, {"message": "Quota has been exceeded!"}), Full),
        (answer(400, {"message": ["Quota has been exceeded!"]}), Full),
        (answer(404, b"<html>", "text/html"), NotImmich),
        (answer(405, b""), NotImmich),
        (answer(407, b""), NotImmich),
        (answer(413, b"<html>", "text/html"), TooLarge),
        (answer(507, b""), Full),
        (answer(503, {"message": "Server is in maintenance mode"}), Maintenance),
        (answer(511, b"<html>", "text/html"), NotImmich),
        *((answer(s, b""), Overloaded) for s in (408, 429, 500, 502, 503, 504, 520, 522, 524)),
    ],
    ids=lambda value: str(value.status) if isinstance(value, Answer) else value.__name__,
)
def test_leaf_of_a_status(given_answer: Answer, leaf: type[SyncTrouble]) -> None:
    """A status, with what Immich says beside it, becomes the leaf at which one can act."""
    assert type(from_status(given_answer, ROUTE, "asking", NOW)) is leaf


@pytest.mark.parametrize("status", [200, 201, 204])
def test_success_is_no_trouble(status: int) -> None:
    """2xx stands for no trouble."""
    assert from_status(answer(status), ROUTE, "asking", NOW) is None


def test_the_missing_permission_is_named() -> None:
    """A key that lacks a permission: which one is a value, not only a word in a sentence."""
    refusal = answer(403, {"message": "Missing required permission: album.create"})
    trouble = from_status(refusal, ROUTE, "making an album", NOW)

    assert isinstance(trouble, Refused)
    assert trouble.permission == "album.create"


def test_a_redirect_names_its_target() -> None:
    """The sentence says which address to configure instead."""
    trouble = from_status(answer(301, location="https://photos.nas/"), ROUTE, "asking", NOW)

    assert "redirects to https://photos.nas/" in str(trouble)


def test_a_wish_for_patience_is_kept() -> None:
    """429 with Retry-After: the seconds travel with the trouble."""
    trouble = from_status(answer(429, b"", retry_after="120"), ROUTE, "asking", NOW)

    assert isinstance(trouble, Overloaded)
    assert trouble.retry_after == 120.0


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("0", 0.0),
        (" 30 ", 30.0),
        ("86400", 3600.0),
        ("9" * 500, 3600.0),
        (format_datetime(datetime.fromtimestamp(NOW + 90, UTC), usegmt=True), 90.0),
        (format_datetime(datetime.fromtimestamp(NOW - 90, UTC), usegmt=True), 0.0),
        ("Fri, 31 Dec 9999 23:59:59 GMT", 3600.0),
        ("-5", None),
        ("soon", None),
        ("", None),
    ],
)
def test_retry_after(text: str, seconds: float | None) -> None:
    """Seconds and dates are understood, an hour is the most, nonsense is nothing."""
    assert retry_after(text, NOW) == seconds


@settings(deadline=None)
@given(st.text() | st.from_regex(r"\w{3}, \d+ \w{3} -?\d+ \d+:\d+:\d+ (GMT|[+-]\d+)"))
def test_retry_after_takes_any_text(text: str) -> None:
    """Whatever a server sends, it is nothing or between no time and an hour."""
    seconds = retry_after(text, NOW)

    assert seconds is None or 0 <= seconds <= 3600


@pytest.mark.parametrize(
    "given_answer",
    [
        answer(200, b"<html>log in</html>", "text/html"),
        answer(200, {"res": "ping"}),
        answer(200, {"other": 1}),
        answer(200, b'{"res": "po'),
        answer(200, b""),
        answer(200, [1]),
        answer(200, {"res": "pong"}, content_encoding="gzip"),
        answer(200, {"res": "pong"}, "text/plain"),
    ],
)
def test_what_immich_would_not_send(given_answer: Answer) -> None:
    """A good status with anything else than the expected JSON is NotImmich."""
    with pytest.raises(NotImmich):
        read(given_answer, wire.PONG, ROUTE, "asking")


@pytest.mark.parametrize(
    ("id_", "ok"),
    [
        ("99fa71fc-e605-4744-bfe3-60069d6b4995", True),
        ("99FA71FC-E605-4744-BFE3-60069D6B4995", True),
        ("99fa71fc-e605-4744-bfe3-60069d6b4995\n", False),
        ("../../server/ping?a=99fa71fce605", False),
        ("", False),
    ],
)
def test_ids_are_uuids(id_: str, ok: bool) -> None:  # noqa: FBT001 - a column of the table
    """An id that could steer a URL is not taken."""
    users: TypeAdapter[wire.User] = wire.USER
    given_answer = answer(200, {"id": id_})
    if ok:
        assert read(given_answer, users, ROUTE, "asking").id == id_
    else:
        with pytest.raises(NotImmich):
            read(given_answer, users, ROUTE, "asking")


@settings(deadline=None)
@given(st.text(max_size=400), st.text(max_size=400))
def test_quoted_texts_are_safe(before: str, after: str) -> None:
    """A quoted text has one line, a bounded length, nothing unprintable, and never the key."""
    quoted = ROUTE.quote(before + KEY + after)

    assert KEY not in quoted
    assert len(quoted) <= 301
    assert quoted.isprintable()


@pytest.mark.parametrize("status", [200, 301, 400, 401, 403, 404, 413, 429, 500, 503])
def test_an_echoed_key_is_not_repeated(status: int) -> None:
    """A server that echoes the key in headers, message and body does not get it into a sentence."""
    echo = answer(status, {"message": f"got {KEY}"}, location=f"http://x/?{KEY}")
    texts = [repr(echo), repr(ROUTE)]
    trouble = from_status(echo, ROUTE, "asking", NOW)
    if trouble is None:
        strange = answer(status, {KEY: KEY}, f"text/{KEY}")
        with pytest.raises(NotImmich) as caught:
            read(strange, wire.PONG, ROUTE, "asking")
        trouble = caught.value
    texts += [str(trouble), repr(trouble)]

    assert [text for text in texts if KEY in text] == []
