"""The sandbox's pure parts: checksums, dates, ranges and part headers."""

import base64
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from immich_sync.sandbox.media_types import mime_type
from immich_sync.sandbox.moments import parse_moment
from immich_sync.sandbox.multipart import Multipart, disposition
from immich_sync.sandbox.permissions import PERMISSIONS
from immich_sync.sandbox.ranges import select, validators
from immich_sync.sandbox.upload import decode_checksum

KNOWN = validators(1000, datetime(2024, 1, 1, tzinfo=UTC))


@given(st.binary(min_size=20, max_size=20))
def test_checksums_decode_from_both_encodings(digest: bytes) -> None:
    """Hex in either case and base64 mean the same digest."""
    texts = (digest.hex(), digest.hex().upper(), base64.b64encode(digest).decode())

    assert {decode_checksum(text) for text in texts} == {digest.hex()}


@given(st.text())
def test_any_text_decodes(text: str) -> None:
    """No checksum is an error: what is malformed decodes to something short."""
    assert len(decode_checksum(text)) % 2 == 0


@pytest.mark.parametrize(
    ("text", "strict", "naive"),
    [
        ("2024-01-02T03:04:05.678Z", True, True),
        ("2024-01-02T03:04:05+02:00", True, True),
        ("2024-01-02T03:04:05", False, True),
        ("2024-01-02", False, True),
        ("now", False, False),
        ("", False, False),
        ("1700000000", False, False),
    ],
)
def test_dates(text: str, *, strict: bool, naive: bool) -> None:
    """3.x wants a zone, 2.7 does without."""

    def passes(*, modern: bool) -> bool:
        try:
            return parse_moment(text, strict=modern).tzinfo is UTC
        except ValueError:
            return False

    assert passes(modern=True) is strict
    assert passes(modern=False) is naive


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        ({}, (0, 1000, False)),
        ({"range": "bytes=0-0"}, (0, 1, True)),
        ({"range": "bytes=999-"}, (999, 1000, True)),
        ({"range": "bytes=-5000"}, (0, 1000, True)),
        ({"range": "bytes=1000-"}, None),
        ({"range": "bytes=-0"}, None),
        ({"range": "bytes=0-1,5-6"}, (0, 1000, False)),
        ({"range": "pages=1-2"}, (0, 1000, False)),
        ({"range": "bytes=5-", "if-range": KNOWN.etag}, (5, 1000, True)),
        ({"range": "bytes=5-", "if-range": KNOWN.last_modified}, (5, 1000, True)),
        ({"range": "bytes=5-", "if-range": '"other"'}, (0, 1000, False)),
        ({"range": "bytes=5000-", "if-range": '"other"'}, (0, 1000, False)),
        ({"range": "bytes=5-", "if-range": "nonsense"}, (0, 1000, False)),
    ],
)
def test_ranges(asked: dict[str, str], expected: tuple[int, int, bool] | None) -> None:
    """Which bytes a request gets."""
    span = select(asked, 1000, KNOWN)

    assert (None if span is None else (span.start, span.stop, span.partial)) == expected


def test_part_header() -> None:
    r"""Only `\"` and `\\` are escapes, and paths are cut off."""
    header = 'form-data; name="assetData"; filename="C:\\\\x\\\\a \\"b\\" %22;=.jpg"'

    assert disposition(header) == {"name": "assetData", "filename": 'a "b" %22;=.jpg'}


@given(st.data())
def test_body_may_come_in_any_pieces(data: st.DataObject) -> None:
    """However the network cuts a body up, the same fields come out of it."""
    value = data.draw(st.text(alphabet="a-\r\n b", max_size=30))
    body = (
        f'--b\r\nContent-Disposition: form-data; name="x"\r\n\r\n{value}\r\n'
        f'--b\r\nContent-Disposition: form-data; name="y"\r\n\r\n2\r\n--b--\r\n'
    ).encode()
    cuts = sorted(data.draw(st.lists(st.integers(0, len(body)), max_size=5)))
    received = Multipart("multipart/form-data; boundary=b", _no_file, lambda *_: None)
    for start, stop in zip([0, *cuts], [*cuts, len(body)], strict=True):
        received.feed(body[start:stop])

    assert received.complete is True
    if "\r\n--b" not in f"\r\n{value}":
        assert received.fields == {"x": value, "y": "2"}


def _no_file() -> Path:
    pytest.fail("there is no file in this body")


def test_permissions() -> None:
    """The table unfolds to the names that the API uses."""
    names = {"all", "asset.upload", "asset.edit.get", "albumAsset.create", "maintenance"}

    assert names <= PERMISSIONS


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("a.JPG", "image/jpeg"),
        ("a.heic", "image/heic"),
        ("a.dng", "image/x-dng"),
        ("a.mov", "video/quicktime"),
        ("a.mp4", "video/mp4"),
    ],
)
def test_mime_types(name: str, expected: str) -> None:
    """The MIME type follows from the extension, in any case."""
    assert mime_type(name) == expected
