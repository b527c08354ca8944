"""One file goes up, or it is known that it did not, or it is known that nobody knows."""

import asyncio
import hashlib
import json
import traceback
import tracemalloc
from collections.abc import Callable
from dataclasses import dataclass, replace

import anyio
import pytest

from immich_sync.core.errors import (
    FileChanged,
    Full,
    NotImmich,
    OutcomeUnknown,
    Overloaded,
    Refused,
    Rejected,
    SyncTrouble,
    TooLarge,
    Unreachable,
)
from immich_sync.core.types import Checksum, Stamp
from immich_sync.immich.body import BLOCK
from immich_sync.immich.check import Presence, bulk_check
from immich_sync.immich.client import Immich
from immich_sync.immich.upload import Announced, Uploaded, upload
from immich_sync.sandbox import EarlyAnswer, Html, LostAnswer, Quota, ResetRequest, Sandbox, Status
from immich_sync.sandbox import TooLarge as BodyLimit
from tests.immich.scene import (
    ASSET,
    KEY,
    LANE,
    LIMITS,
    Handler,
    Memory,
    always,
    answer,
    connected,
    head_of,
    inline,
    photo,
    raw_server,
    request_of,
    reset,
    sha1,
)

VERSIONS = pytest.mark.parametrize("version", ["3.1.0", "2.7.5"])
BIG = photo(20_000_000).content
CREATED = json.dumps({"id": ASSET, "status": "created"}).encode()


async def send(
    immich: Immich, file: Memory, name: str = "photo.jpg", sidecar: bytes | None = None
) -> Uploaded:
    """The file, as it is now, on its way."""
    return await upload(immich, file.announced(name), file, sidecar, inline, LANE)


@pytest.mark.anyio
@VERSIONS
@pytest.mark.parametrize("size", [100, 230_000, 3_000_000])
async def test_created_then_duplicate(version: str, size: int) -> None:
    """The bytes, the name, the times and the sidecar arrive; a second time finds the first."""
    file, name = photo(size), 'IMG "1" 🎉\nü.jpg'
    async with (
        Sandbox(version=version) as sandbox,
        connected(sandbox.url, key=sandbox.api_key) as immich,
    ):
        first = await send(immich, file, name, b"<x:xmpmeta/>")
        second = await send(immich, file, "other.jpg")
        (asset,) = sandbox.assets()
        assert asset.path.read_bytes() == file.content
        assert asset.sidecar is not None
        assert asset.sidecar.read_bytes() == b"<x:xmpmeta/>"

    assert (first.duplicate, second.duplicate) == (False, True)
    assert first.asset_id == second.asset_id == asset.id
    assert asset.name == name
    assert asset.file_created_at == asset.file_modified_at == "2023-11-14T22:13:20.123Z"


@pytest.mark.anyio
@VERSIONS
async def test_refusals_of_a_file(version: str) -> None:
    """What Immich never takes is Rejected, with its own words and the file's name."""
    async with (
        Sandbox(version=version) as sandbox,
        connected(sandbox.url, key=sandbox.api_key) as immich,
    ):
        with pytest.raises(Rejected, match=r"e\.txt is refused .*Unsupported file type"):
            await send(immich, photo(100), "e.txt")
        with pytest.raises(Rejected, match=r"e\.jpg is refused .*File is empty"):
            await send(immich, Memory(b""), "e.jpg")
        assert sandbox.assets() == []
        assert sandbox.stray_files() == []


@pytest.mark.anyio
async def test_a_used_up_quota() -> None:
    """The quota concerns the account, not the file."""
    async with (
        Sandbox() as sandbox,
        connected(sandbox.url, key=sandbox.api_key) as immich,
    ):
        sandbox.faults.add(Quota())
        with pytest.raises(Full):
            await send(immich, photo(100))


@pytest.mark.anyio
async def test_a_key_that_may_not_upload() -> None:
    """The missing permission is named."""
    async with Sandbox() as sandbox:
        key = sandbox.add_key("album.read")
        async with connected(sandbox.url, key=key) as immich:
            with pytest.raises(Refused) as caught:
                await send(immich, photo(100))

    assert caught.value.permission == "asset.upload"


def rewritten(file: Memory) -> None:
    """Other bytes, the same stamp."""
    file.content = b"X" * len(file.content)


def shrunk(file: Memory) -> None:
    """Half of it is gone."""
    file.content = file.content[: len(file.content) // 2]


def touched(file: Memory) -> None:
    """Only its ctime moved."""
    file.ctime_ns += 1


@pytest.mark.anyio
@VERSIONS
@pytest.mark.parametrize("change", [rewritten, shrunk, touched])
@pytest.mark.parametrize("size", [230_000, 2 * BLOCK, 6 * BLOCK])
async def test_no_torn_asset(version: str, change: Callable[[Memory], None], size: int) -> None:
    """A file that changes while it goes up leaves nothing on the server, and then goes up whole."""
    file = photo(size)
    middle = size // 2 // BLOCK * BLOCK
    announced = file.announced()
    file.before_read = lambda offset: change(file) if offset == middle else None
    async with (
        Sandbox(version=version) as sandbox,
        connected(sandbox.url, key=sandbox.api_key) as immich,
    ):
        with pytest.raises(FileChanged, match=r"photo\.jpg changed"):
            await upload(immich, announced, file, None, inline, LANE)
        assert sandbox.assets() == []
        file.before_read = lambda _: None
        await send(immich, file)
        (asset,) = sandbox.assets()
        assert sandbox.stray_files() == []

    assert asset.checksum == sha1(file.content).hex()


@pytest.mark.anyio
async def test_a_changed_file_keeps_the_connection() -> None:
    """The filler gets a definite 400, and the next request goes over the same connection."""
    connections = 0
    requests: list[bytes] = []

    async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal connections
        connections += 1
        while True:
            _, body = await request_of(reader)
            requests.append(body)
            whole = body.endswith(b"--\r\n")
            writer.write(answer(201, CREATED) if whole else answer(400, b'{"message":"cut"}'))
            await writer.drain()

    file = photo(1000)
    announced = file.announced()
    touched(file)
    async with raw_server(handler) as url, connected(url) as immich:
        with pytest.raises(FileChanged):
            await upload(immich, announced, file, None, inline, LANE)
        await send(immich, file)

    assert connections == 1
    assert [body.endswith(b"--\r\n") for body in requests] == [False, True]


@pytest.mark.anyio
async def test_what_is_sent() -> None:
    """One header announces the checksum; the key is in one header and not in the URL or body."""
    seen: list[tuple[bytes, bytes]] = []

    async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        seen.append(await request_of(reader))
        writer.write(answer(201, CREATED))
        await writer.drain()

    file = photo(1000)
    async with raw_server(handler) as url, connected(url) as immich:
        assert await send(immich, file) == Uploaded(ASSET, duplicate=False)  # type: ignore[arg-type]  # a plain id will do
    ((head, body),) = seen
    lines = head.decode().split("\r\n")

    assert lines[0] == "POST /api/assets HTTP/1.1"
    assert f"x-immich-checksum: {sha1(file.content).hex()}" in lines
    assert f"host: {url.removeprefix('http://')}" in lines
    assert f"content-length: {len(body)}" in lines
    assert sum(KEY in line for line in lines) == 1
    assert KEY.encode() not in body


def replying(reply: bytes, *, after: int = 0, then: str = "close") -> Handler:
    """Answers after so many bytes of the body, and then closes, resets or swallows the rest."""

    async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await head_of(reader)
        await reader.readexactly(after)
        if reply:
            writer.write(reply)
            await writer.drain()
        if then == "reset":
            reset(writer)
        while then == "swallow" and await reader.read(65_536):
            pass
        if then == "wait":
            await asyncio.sleep(60)

    return handler


def closing(reply: bytes) -> Handler:
    """Takes the body, answers and hangs up."""

    async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await request_of(reader)
        writer.write(reply)
        await writer.drain()

    return handler


async def dripping(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Takes the body and answers byte by byte, for ever."""
    await request_of(reader)
    writer.write(answer(201, b" " * 10_000)[:-9_990])
    while True:
        writer.write(b" ")
        await writer.drain()
        await asyncio.sleep(0.01)


async def taking(reader: asyncio.StreamReader, _writer: asyncio.StreamWriter) -> None:
    """Takes the body and says nothing."""
    await request_of(reader)
    await asyncio.sleep(60)


def json_of(status: int, message: str) -> bytes:
    """Immich's way of saying no."""
    return answer(status, json.dumps({"message": message}).encode())


@dataclass(frozen=True)
class Fault:
    """What a server does to an upload of 20 MB, and what may come of it."""

    handler: Handler
    leaves: tuple[type[SyncTrouble], ...]


HTML = "text/html"
FAULTS = {
    "reset in the body": Fault(replying(b"", after=100_000, then="reset"), (OutcomeUnknown,)),
    "closed in the body": Fault(replying(b"", after=100_000), (OutcomeUnknown,)),
    "reset at once": Fault(replying(b"", then="reset"), (OutcomeUnknown,)),
    "stalled": Fault(replying(b"", after=100_000, then="wait"), (OutcomeUnknown,)),
    "no answer": Fault(taking, (OutcomeUnknown,)),
    "dripping answer": Fault(dripping, (OutcomeUnknown,)),
    # What a peer sends before it hangs up may be lost with the connection: then nobody knows.
    "early 413, closed": Fault(
        replying(answer(413, b"<html>", kind=HTML)), (TooLarge, OutcomeUnknown)
    ),
    "early 401, reset": Fault(
        replying(json_of(401, "Invalid API key"), then="reset"), (Refused, OutcomeUnknown)
    ),
    "early 413": Fault(replying(answer(413, b"<html>", kind=HTML), then="swallow"), (TooLarge,)),
    "early 413, not reading": Fault(
        replying(answer(413, b"<html>", kind=HTML), then="wait"), (TooLarge, OutcomeUnknown)
    ),
    "early 401": Fault(replying(json_of(401, f"Bad {KEY}"), then="swallow"), (Refused,)),
    "early 503": Fault(replying(answer(503), after=100_000, then="swallow"), (Overloaded,)),
    "cut JSON": Fault(always(answer(201, CREATED[:-5])), (OutcomeUnknown,)),
    "no UUID": Fault(always(answer(201, b'{"id":"1","status":"created"}')), (OutcomeUnknown,)),
    "cut answer": Fault(closing(answer(201, CREATED + b" ")[:-1]), (OutcomeUnknown,)),
    "endless answer": Fault(always(answer(201, b" " * 9_000_000)), (OutcomeUnknown,)),
    "login page": Fault(always(answer(200, b"<html>", kind=HTML)), (NotImmich,)),
    "redirect": Fault(always(answer(301, b"", "Location: https://nas/")), (NotImmich,)),
    "404 page": Fault(always(answer(404, b"<html>", kind=HTML)), (NotImmich,)),
    "firewall": Fault(always(answer(403, b"<html>", kind=HTML)), (OutcomeUnknown,)),
    "proxy's 400": Fault(always(answer(400, b"<html>", kind=HTML)), (OutcomeUnknown,)),
    "body lost": Fault(always(json_of(400, "Unexpected end of form")), (OutcomeUnknown,)),
    "500": Fault(always(json_of(500, "Internal server error")), (OutcomeUnknown,)),
    "502": Fault(always(answer(502, b"<html>", kind=HTML)), (Overloaded,)),
    "507": Fault(always(answer(507)), (Full,)),
    "403": Fault(always(json_of(403, "Forbidden")), (Refused,)),
    "429": Fault(always(answer(429, b"", "Retry-After: 7")), (Overloaded,)),
}


@pytest.mark.anyio
@pytest.mark.parametrize("name", FAULTS)
async def test_faults(name: str) -> None:
    """Whatever a server does to a large upload, it ends soon, as what it is, without the key."""
    fault = FAULTS[name]
    limits = replace(LIMITS, stall_timeout=1.0, answer_timeout=1.0)
    file = Memory(BIG)
    async with raw_server(fault.handler) as url, connected(url, limits=limits) as immich:
        with anyio.fail_after(10), pytest.raises(fault.leaves) as caught:
            await send(immich, file)

    shown = "".join(traceback.format_exception(caught.value))
    assert type(caught.value) in fault.leaves
    assert KEY not in shown + repr(caught.value)


@pytest.mark.anyio
async def test_too_large_says_what_to_do() -> None:
    """A 413 names the file, its size and the settings that cause it."""
    page = answer(413, b"<html>", kind=HTML)
    async with raw_server(always(page)) as url, connected(url) as immich:
        with pytest.raises(TooLarge) as caught:
            await send(immich, photo(3_000_000), "film.mp4")

    assert "film.mp4 (3.0 MB)" in str(caught.value)
    assert "client_max_body_size" in str(caught.value)


@pytest.mark.anyio
async def test_nobody_there() -> None:
    """Without a connection nothing was sent, so nothing is unknown."""
    async with raw_server(taking) as url:
        pass
    async with connected(url) as immich:
        with pytest.raises(Unreachable):
            await send(immich, photo(100))


@pytest.mark.anyio
async def test_a_closed_gate_sends_nothing() -> None:
    """While the gate is closed, no upload begins and no file is read."""
    file = photo(100)
    announced = file.announced()
    offsets: list[int] = []
    file.before_read = offsets.append
    async with connected("http://127.0.0.1:9") as immich:
        immich.gate.close(Overloaded("busy", 5.0))
        with pytest.raises(Overloaded, match="busy"):
            await upload(immich, announced, file, None, inline, LANE)

    assert offsets == []


@pytest.mark.anyio
async def test_an_early_duplicate_saves_the_body() -> None:
    """A server that has the bytes already says so before it takes them: most are not sent."""
    taken = 0

    async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal taken
        await head_of(reader)
        writer.write(answer(200, CREATED.replace(b"created", b"duplicate")))
        await writer.drain()
        while block := await reader.read(65_536):
            taken += len(block)

    async with raw_server(handler) as url, connected(url) as immich:
        uploaded = await send(immich, photo(50_000_000))

    assert uploaded == Uploaded(ASSET, duplicate=True)  # type: ignore[arg-type]  # a plain id will do
    assert taken < 25_000_000


@pytest.mark.anyio
async def test_a_lost_answer_is_settled_by_asking() -> None:
    """The server stored it and its answer was lost: unknown, and one check knows."""
    file = photo(230_000)
    async with (
        Sandbox(relay=True) as sandbox,
        connected(sandbox.url, key=sandbox.api_key) as immich,
    ):
        rule = sandbox.faults.add(LostAnswer(), method="POST", path="/api/assets", times=1)
        with pytest.raises(OutcomeUnknown):
            await send(immich, file)
        (found,) = await bulk_check(immich, [sha1(file.content)])
        (asset,) = sandbox.assets()

    assert rule.fired == 1
    assert found == Presence(asset.id)  # type: ignore[arg-type]  # a plain id will do


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("fault", "leaves"),
    [
        (ResetRequest(after=100_000), (OutcomeUnknown,)),
        (EarlyAnswer(413), (TooLarge, OutcomeUnknown)),
        (BodyLimit(1000), (TooLarge, OutcomeUnknown)),
        (Html(), (NotImmich,)),
        (Status(500), (OutcomeUnknown,)),
        (Status(503, "9"), (Overloaded,)),
    ],
)
async def test_faults_of_the_sandbox(
    fault: ResetRequest, leaves: tuple[type[SyncTrouble], ...]
) -> None:
    """What the sandbox does on demand is told apart, and leaves nothing behind."""
    file = photo(3_000_000)
    async with (
        Sandbox(relay=True) as sandbox,
        connected(sandbox.url, key=sandbox.api_key) as immich,
    ):
        rule = sandbox.faults.add(fault, method="POST", path="/api/assets", times=1)
        with pytest.raises(leaves):
            await send(immich, file)
        assert rule.fired == 1
        assert sandbox.assets() == []
        await send(immich, file)
        (asset,) = sandbox.assets()
        assert sandbox.stray_files() == []

    assert asset.checksum == sha1(file.content).hex()


@pytest.mark.anyio
async def test_a_cancelled_upload_leaves_nothing() -> None:
    """Cut off in the middle, the connection is dropped and no asset appears."""
    file = photo(8 * BLOCK)
    announced = file.announced()
    async with (
        Sandbox() as sandbox,
        connected(sandbox.url, key=sandbox.api_key) as immich,
    ):
        with anyio.CancelScope() as scope:
            file.before_read = lambda offset: scope.cancel() if offset == 4 * BLOCK else None
            await upload(immich, announced, file, None, inline, LANE)
        assert scope.cancelled_caught
        await immich.ping()
        assert sandbox.assets() == []


@pytest.mark.anyio
async def test_slow_is_not_stalled() -> None:
    """An upload that takes much longer than the stall limit, but moves, arrives."""

    async def slow(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await head_of(reader)
        taken = 0
        while not (block := await reader.read(1 << 18)).endswith(b"--\r\n"):
            taken += len(block)
            await asyncio.sleep(0.03)
        writer.write(answer(201, CREATED))
        await writer.drain()

    limits = replace(LIMITS, stall_timeout=1.0)
    begun = anyio.current_time()
    async with raw_server(slow) as url, connected(url, limits=limits) as immich:
        await send(immich, photo(20_000_000))

    assert anyio.current_time() - begun > 2 * limits.stall_timeout


@pytest.mark.anyio
async def test_a_slow_disk_is_not_a_stall() -> None:
    """Waiting for one's own disk is not the network's fault, however long it takes."""
    file = photo(2 * BLOCK)

    async def slow_disk(*args: object, **kwargs: object) -> object:
        await asyncio.sleep(0.5)
        return await inline(*args, **kwargs)  # type: ignore[arg-type]  # passed on

    limits = replace(LIMITS, stall_timeout=0.25)
    async with (
        raw_server(always(answer(201, CREATED))) as url,
        connected(url, limits=limits) as immich,
    ):
        await upload(immich, file.announced(), file, None, slow_disk, LANE)  # type: ignore[arg-type]  # wider than the port


class Zeros:
    """A sparse file."""

    def __init__(self, size: int) -> None:
        self._size = size

    def stamp(self) -> Stamp:
        """Never changes."""
        return Stamp(self._size, 10**18, 7, 1)

    def read_at(self, offset: int, length: int) -> bytes:
        """Zeros, as many as there are."""
        return bytes(max(0, min(length, self._size - offset)))

    def close(self) -> None:
        """Nothing to give back."""


@pytest.mark.anyio
async def test_memory_stays_flat() -> None:
    """300 MB go up in less than 16 MB of memory, the receiving server's included."""
    size = 300_000_000
    digest = hashlib.sha1(usedforsecurity=False)
    for _ in range(300):
        digest.update(bytes(1_000_000))
    file = Zeros(size)

    async def sink(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await head_of(reader)
        while not (await reader.read(1 << 18)).endswith(b"--\r\n"):
            pass
        writer.write(answer(201, CREATED))
        await writer.drain()

    async with raw_server(sink) as url, connected(url) as immich:
        announced = Announced("film.mp4", Checksum(digest.digest()), file.stamp())
        tracemalloc.start()
        try:
            await upload(immich, announced, file, None, inline, LANE)
            _, peak = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()

    assert peak < 16_000_000
