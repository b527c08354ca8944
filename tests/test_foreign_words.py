"""Whatever others write is understood or refused, in the one way that is documented, and soon.

EXAMPLES=n tries n examples of each instead of a few. What parses files, tables and lines of a
kind of its own is tried in the tests of that module.
"""

import os
import time
from contextlib import suppress
from pathlib import PurePosixPath

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from immich_sync.control import _request
from immich_sync.core import complete
from immich_sync.core.errors import Misconfigured, NotImmich, ServerTrouble, SyncTrouble
from immich_sync.core.filenames import by_server
from immich_sync.core.folder import Account, Limits
from immich_sync.core.patterns import compile_ignore
from immich_sync.core.tombstones import read, standing
from immich_sync.core.types import AssetId, Completeness, Secret
from immich_sync.filesystem.mounts import parse_mountinfo
from immich_sync.immich import wire
from immich_sync.immich.client import connect
from immich_sync.immich.download import opened, original
from immich_sync.immich.public import Link
from immich_sync.immich.trouble import Answer, Route, from_status, retry_after
from immich_sync.immich.trouble import read as read_answer
from tests.immich.scene import ASSET, KEY, SteadyClock

CALL = original(AssetId(ASSET), Link())
EXAMPLES = int(os.environ.get("EXAMPLES", "60"))
SOON = 1.0
"""Seconds that no answer here may take; it takes some thousandths."""
ROUTE = Route("http://nas", Secret(KEY))
MODELS = {
    name: value for name, value in vars(wire).items() if isinstance(value, TypeAdapter)
}  # fmt: skip
few = settings(max_examples=EXAMPLES, deadline=SOON * 1000)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
)
NAMES = st.sampled_from([b"a.jpg", b"a.heic", b"a.mp4", b"a.mov", b"a.png", b"a.webp", b"a.dng"])
HEADS = st.sampled_from(
    [b"\xff\xd8\xff", b"\0\0\0\x18ftypheic", b"\x89PNG\r\n\x1a\n", b"RIFF", b""]
)


@few
@given(name=NAMES, head=HEADS, rest=st.binary(max_size=400))
def test_any_file(name: bytes, head: bytes, rest: bytes) -> None:
    """Its container is judged, whatever lies in it."""
    data = head + rest

    def at(offset: int, length: int) -> bytes:
        return data[offset : offset + length]

    assert complete.judge(at, len(data), name) in Completeness
    assert isinstance(complete.content_identifier(at, len(data), name), str | None)


@few
@given(text=st.text() | st.from_regex(r"[0-9\u0660-\u0669]{1,5000}", fullmatch=True))
def test_any_retry_after(text: str) -> None:
    """It is a wait of at most an hour, or none."""
    wait = retry_after(text, 0.0)

    assert wait is None or 0 <= wait <= 3600


@few
@given(text=st.text() | st.from_regex(r"(inline|attachment); filename\*?=.{0,200}"))
def test_any_content_disposition(text: str) -> None:
    """It gives a plain name or none; never a path."""
    name = by_server(text)

    assert name is None or (name == PurePosixPath(name).name and name not in {"", ".", ".."})


class _One(httpx.AsyncBaseTransport):
    """Always gives the same answer."""

    def __init__(self, answer: httpx.Response) -> None:
        self._answer = answer

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """The answer, whatever was asked."""
        del request
        return self._answer


@pytest.mark.anyio
@few
@given(
    status=st.sampled_from([200, 206, 302, 404, 416]),
    span=st.text(st.characters(min_codepoint=32, max_codepoint=255))
    | st.from_regex(r"\Abytes [0-9]{1,5000}-[0-9]{1,9}/[0-9]{1,5000}\Z"),
    length=st.from_regex(r"\A[0-9]{0,5000}\Z") | st.just("²"),
)
async def test_any_head_of_a_download(status: int, span: str, length: str) -> None:
    """It is taken, or it is trouble of ours."""
    headers = [(b"content-type", b"image/jpeg"), (b"etag", b'"x"')]
    headers += [(b"content-range", span.encode("latin-1")), (b"location", span.encode("latin-1"))]
    headers += [(b"content-length", length.encode("latin-1"))]
    answer = httpx.Response(status, headers=headers, stream=httpx.ByteStream(b"x"))
    account = Account("test", "http://nas", Secret(KEY))
    async with connect(account, Limits(), SteadyClock(), _One(answer)) as immich:
        try:
            async with opened(immich, CALL, start=5, validator='"x"') as part:
                assert part.total is None or part.total >= 0
        except SyncTrouble as trouble:
            assert KEY not in str(trouble)  # noqa: PT017 - that it is trouble is fine as well


@few
@given(value=JSON, name=st.sampled_from(sorted(MODELS)))
def test_any_json(value: object, name: str) -> None:
    """It is of the expected shape, or it is not Immich's."""
    body = TypeAdapter(object).dump_json(value)
    answer = Answer(200, httpx.Headers({"content-type": "application/json"}), body)
    try:
        read_answer(answer, MODELS[name], ROUTE, "asking")
    except NotImmich:
        with pytest.raises(ValidationError):
            MODELS[name].validate_json(body)


@few
@given(status=st.integers(100, 599), body=st.binary(max_size=300), kind=st.text(max_size=30))
def test_any_answer(status: int, body: bytes, kind: str) -> None:
    """It is trouble or it is none, and what it quotes is one line without the key."""
    kind = kind.encode("ascii", "ignore").decode()
    headers = httpx.Headers({"content-type": kind, "location": kind + KEY, "retry-after": kind})
    trouble = from_status(Answer(status, headers, body + KEY.encode()), ROUTE, "asking", 0.0)

    assert trouble is None or isinstance(trouble, ServerTrouble | SyncTrouble)
    assert KEY not in str(trouble)
    assert "\n" not in str(trouble)


@few
@given(line=st.binary(max_size=300) | JSON.map(lambda one: TypeAdapter(object).dump_json(one)))
def test_any_request_to_the_daemon(line: bytes) -> None:
    """Who may open the socket may still not break it."""
    try:
        _request(line)
    except Misconfigured as error:
        assert len(str(error)) < 200  # noqa: PT017 - that it is refused is fine as well


@few
@given(lines=st.lists(st.binary(max_size=200), max_size=8))
def test_any_tombstones(lines: list[bytes]) -> None:
    """Lines that are none are passed over."""
    assert standing(read(lines), "nobody") == {}


@few
@given(table=st.binary(max_size=500) | st.just(b"9" * 5000 + b" 1 0:1 / / rw - ext4 x rw"))
def test_any_mount_table(table: bytes) -> None:
    """Lines that are none are passed over."""
    for mount in parse_mountinfo(table):
        assert mount.number >= 0


@few
@given(pattern=st.text("ab*?[]!/\\-.", max_size=40), name=st.text("ab/.", min_size=1, max_size=250))
def test_any_pattern(pattern: str, name: str) -> None:
    """It is one or it is refused; and it is asked in no time, of any name."""
    began = time.perf_counter()
    with suppress(ValueError):
        compile_ignore([pattern]).matches(name.encode(), directory=False)
    assert time.perf_counter() - began < SOON


def test_many_stars_take_no_time() -> None:
    """A pattern that asks for every way to spread its stars over a long name would hang a scan."""
    pattern = compile_ignore(["*a" * 30 + "*b", "**/" * 12 + "*a*a*a*a*c"])
    began = time.perf_counter()

    assert pattern.matches(b"a" * 255, directory=False) is None
    assert pattern.matches(b"/".join([b"a" * 20] * 60), directory=False) is None
    assert time.perf_counter() - began < SOON


@few
@given(pattern=st.text("ab*", min_size=1, max_size=8), name=st.text("ab", min_size=1, max_size=12))
def test_stars_mean_what_they_meant(pattern: str, name: str) -> None:
    """Bounding their time changes nothing about what they match."""
    from fnmatch import fnmatchcase  # noqa: PLC0415 - the language of one name, as a model

    assert bool(compile_ignore([pattern]).matches(name.encode(), directory=False)) == fnmatchcase(
        name, pattern
    )
