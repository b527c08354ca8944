"""An upload's body: the right parts in order, and no closing boundary behind wrong bytes."""

import email.policy
from collections.abc import Callable
from datetime import datetime
from email.parser import BytesParser
from typing import ParamSpec, TypeVar, cast

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from immich_sync.core.errors import FileChanged, FileUnreadable
from immich_sync.core.ports import Lane
from immich_sync.immich.body import BLOCK, Announced, Body
from tests.immich.scene import LANE, LIMITS, Memory, inline, photo, sha1

T = TypeVar("T")
P = ParamSpec("P")


def body_of(file: Memory, announced: Announced, sidecar: bytes | None = None) -> Body:
    """The body for `file`, watched by nobody."""
    return Body(announced, file, sidecar, inline, LANE, LIMITS, lambda _: None)


async def sent(body: Body) -> bytes:
    """All of it."""
    return b"".join([piece async for piece in body])


async def collect(body: Body, pieces: list[bytes]) -> None:
    """All of it, piece by piece, as far as it goes."""
    async for piece in body:
        pieces.append(piece)  # noqa: PERF401 - a comprehension would lose them at an exception


def parts_of(body: Body, raw: bytes) -> list[tuple[str, str | None, bytes]]:
    """Name, file name and content of each part, as Python's own parser sees them."""
    head = f"Content-Type: {body.content_type}\r\n\r\n".encode()
    message = BytesParser(policy=email.policy.HTTP).parsebytes(head + raw)
    assert message.defects == []
    return [
        (
            str(part.get_param("name", header="content-disposition")),
            part.get_filename(),
            cast("bytes", part.get_payload(decode=True)),
        )
        for part in message.iter_parts()
    ]


def closing(body: Body) -> bytes:
    """What ends a whole body."""
    return f"--{body.content_type.partition('boundary=')[2]}--\r\n".encode()


@pytest.mark.anyio
@pytest.mark.parametrize("size", [5, 300_000, BLOCK, BLOCK + 1, 3 * BLOCK + 7])
async def test_parts(size: int) -> None:
    """Fields first, then the file, the sidecar, and the name last; exactly the announced length."""
    file = photo(size)
    body = body_of(file, file.announced('a "b" c.jpg'), b"<x:xmpmeta/>")
    raw = await sent(body)

    assert len(raw) == body.length
    assert raw.endswith(closing(body))
    assert parts_of(body, raw) == [
        ("deviceAssetId", None, sha1(file.content).hex().encode()),
        ("deviceId", None, b"immich-sync"),
        ("fileCreatedAt", None, b"2023-11-14T22:13:20.123Z"),
        ("fileModifiedAt", None, b"2023-11-14T22:13:20.123Z"),
        ("assetData", 'a "b" c.jpg', file.content),
        ("sidecarData", "sidecar.xmp", b"<x:xmpmeta/>"),
        ("filename", None, b'a "b" c.jpg'),
    ]


@pytest.mark.anyio
@pytest.mark.parametrize("sidecar", [None, b""])
async def test_no_empty_sidecar(sidecar: bytes | None) -> None:
    """An empty sidecar would cost the whole upload on 3.x: it is left out."""
    file = photo(100)
    body = body_of(file, file.announced(), sidecar)
    raw = await sent(body)

    assert [name for name, _, _ in parts_of(body, raw)][-2:] == ["assetData", "filename"]
    assert len(raw) == body.length


@pytest.mark.anyio
async def test_any_name_travels_in_the_last_field() -> None:
    """Line ends and slashes stay out of the part's header, and whole in the `filename` field."""
    file, name = photo(100), "a\r\nX-Evil: 1/ü\\漢🎉.jpg"
    body = body_of(file, file.announced(name))
    raw = await sent(body)

    assert 'filename="a__X-Evil: 1_ü_漢🎉.jpg"'.encode() in raw
    assert raw.endswith(f'name="filename"\r\n\r\n{name}\r\n'.encode() + closing(body))


@pytest.mark.anyio
async def test_a_sidecar_cannot_forge_parts() -> None:
    """The boundary depends on what it separates, and differs when any of it does."""
    file = photo(100)
    plain = body_of(file, file.announced(), b"<x/>")
    boundary = plain.content_type.partition("boundary=")[2]
    forged = body_of(file, file.announced(), f"\r\n--{boundary}--\r\n".encode())

    assert forged.content_type != plain.content_type
    assert boundary not in forged.content_type
    assert body_of(file, file.announced(), b"<x/>").content_type == plain.content_type


@settings(deadline=None)
@given(st.integers(-(2**63), 2**63 - 1))
def test_any_time_is_a_valid_one(mtime_ns: int) -> None:
    """Any mtime becomes a date with milliseconds and Z between 1970 and 9999."""
    file = Memory(b"x", mtime_ns=mtime_ns)
    head = body_of(file, file.announced())._head.decode()
    moment = head.partition('name="fileCreatedAt"\r\n\r\n')[2].partition("\r\n")[0]

    assert len(moment) == len("2023-11-14T22:13:20.123Z")
    assert moment.endswith("Z")
    assert 1970 <= datetime.fromisoformat(moment).year <= 9999


def rewrite(file: Memory) -> None:
    """Other bytes, same stamp: what a bad clock or `touch -r` leaves."""
    file.content = b"X" * len(file.content)


def touch(file: Memory) -> None:
    """The same bytes, and a moved ctime."""
    file.ctime_ns += 1


def shrink(file: Memory) -> None:
    """Half of it is gone."""
    file.content = file.content[: len(file.content) // 2]


def grow(file: Memory) -> None:
    """More has come."""
    file.content += b"more"


CHANGES = [rewrite, touch, shrink, grow]


@pytest.mark.anyio
@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize(("size", "at"), [(300_000, 0), (2 * BLOCK, BLOCK), (2 * BLOCK, 0)])
async def test_changed_near_the_end(change: Callable[[Memory], None], size: int, at: int) -> None:
    """A changed file is filled up to the announced length, without a closing boundary."""
    file = photo(size)
    announced = file.announced()
    file.before_read = lambda offset: change(file) if offset == at else None
    body = body_of(file, announced)
    raw = await sent(body)

    assert body.changed
    assert len(raw) == body.length
    assert closing(body) not in raw


@pytest.mark.anyio
@pytest.mark.parametrize("change", [touch, shrink, grow])
async def test_changed_far_from_the_end(change: Callable[[Memory], None]) -> None:
    """With much still to send, a changed file ends the body at once."""
    file = photo(4 * BLOCK)
    announced = file.announced()
    file.before_read = lambda offset: change(file) if offset == BLOCK else None
    body = body_of(file, announced)
    pieces: list[bytes] = []
    with pytest.raises(FileChanged, match=r"photo\.jpg changed while it was being uploaded"):
        await collect(body, pieces)

    assert body.changed
    assert len(b"".join(pieces)) < 2 * BLOCK


@pytest.mark.anyio
async def test_wrong_from_the_start() -> None:
    """A file that never was the announced one is not sent as it either."""
    file = photo(1000)
    body = body_of(file, Announced("a.jpg", sha1(b"other"), file.stamp()))
    raw = await sent(body)

    assert body.changed
    assert closing(body) not in raw
    assert len(raw) == body.length


@pytest.mark.anyio
async def test_an_empty_file() -> None:
    """A file without bytes makes a body without bytes in it; the server says what it thinks."""
    file = Memory(b"")
    body = body_of(file, file.announced())
    raw = await sent(body)

    assert ("assetData", "photo.jpg", b"") in parts_of(body, raw)


@pytest.mark.anyio
async def test_the_disks_own_error_passes_through() -> None:
    """What the disk says about a file is not taken for trouble with the network."""
    file = photo(2 * BLOCK)
    announced = file.announced()

    def fail(offset: int) -> None:
        if offset:
            raise FileUnreadable("photo.jpg: input/output error")

    file.before_read = fail
    with pytest.raises(FileUnreadable):
        await sent(body_of(file, announced))


@pytest.mark.anyio
async def test_reads_are_one_hop_each() -> None:
    """A file of a megabyte is read, hashed and looked at in one blocking call; none is larger."""
    hops: list[str] = []

    async def counting(
        lane: Lane, function: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs
    ) -> T:
        hops.append(lane.name)
        return await inline(lane, function, *args, **kwargs)

    for size, expected in ((BLOCK, 1), (BLOCK + 1, 2)):
        file = photo(size)
        hops.clear()
        await sent(Body(file.announced(), file, None, counting, LANE, LIMITS, lambda _: None))
        assert hops == [LANE.name] * expected
