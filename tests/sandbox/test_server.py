"""The sandbox as a guest of somebody else's event loop."""

import asyncio
import hashlib
import signal
import socket
from pathlib import Path

import anyio
import httpx
import pytest

from immich_sync.sandbox import Sandbox, serve
from tests.sandbox.conftest import Connect, new_bytes

pytestmark = pytest.mark.anyio


async def raw(sandbox: Sandbox, request: bytes, *, until: bytes) -> bytes:
    """What comes back over a bare connection, up to and including `until`."""
    async with await anyio.connect_tcp("127.0.0.1", sandbox.port) as stream:
        await stream.send(request)
        answer = b""
        with anyio.fail_after(10):
            while until not in answer:
                answer += await stream.receive()
        return answer


async def test_signals_are_left_alone() -> None:
    """Starting and stopping changes no signal handler."""
    before = [signal.getsignal(s) for s in (signal.SIGINT, signal.SIGTERM)]
    async with Sandbox():
        during = [signal.getsignal(s) for s in (signal.SIGINT, signal.SIGTERM)]
    after = [signal.getsignal(s) for s in (signal.SIGINT, signal.SIGTERM)]

    assert before == during == after


async def test_temporary_folder_is_taken_away() -> None:
    """Without a data folder nothing is left behind."""
    async with Sandbox() as sandbox:
        folder = sandbox.data
        assert folder.is_dir()

    assert not folder.exists()


async def test_port_is_free_again() -> None:
    """After the end, nobody listens; the next one may take the same port."""
    async with Sandbox() as sandbox:
        port = sandbox.port
    async with Sandbox(port=port) as again:
        assert again.port == port
    with socket.socket() as probe:
        assert probe.connect_ex(("127.0.0.1", port)) != 0


async def test_port_that_is_taken() -> None:
    """A port that somebody else has is an OSError."""
    async with Sandbox() as sandbox:
        with pytest.raises(OSError, match="in use"):
            async with Sandbox(port=sandbox.port):
                pytest.fail("two servers share a port")


async def test_serve_until_cancelled(tmp_path: Path) -> None:
    """`serve` says when it is ready, serves, and leaves cleanly when cancelled."""
    ready: asyncio.Future[tuple[str, str]] = asyncio.get_running_loop().create_future()
    async with anyio.create_task_group() as tasks:

        async def run() -> None:
            await serve(
                ready=lambda url, key: ready.set_result((url, key)),
                port=0,
                data=tmp_path,
                server_version="2.7.5",
                api_key="mine",
            )

        tasks.start_soon(run)
        url, key = await ready
        async with httpx.AsyncClient(headers={"x-api-key": key}) as http:
            version = (await http.get(f"{url}/api/server/version")).json()
        tasks.cancel_scope.cancel()

    assert key == "mine"
    assert version["major"] == 2
    with pytest.raises(OSError, match="failed"):
        await anyio.connect_tcp("127.0.0.1", int(url.rpartition(":")[2]))


async def test_stop_in_the_middle_of_an_upload() -> None:
    """Stopping does not wait for an upload that never ends, and leaves nothing of it."""
    async with Sandbox() as sandbox:
        head = (
            "POST /api/assets HTTP/1.1\r\nHost: x\r\n"
            f"x-api-key: {sandbox.api_key}\r\nContent-Length: 1000\r\n"
            "Content-Type: multipart/form-data; boundary=b\r\n\r\n"
            '--b\r\nContent-Disposition: form-data; name="assetData"; filename="a.jpg"\r\n\r\nabc'
        )
        stream = await anyio.connect_tcp("127.0.0.1", sandbox.port)
        await stream.send(head.encode())
        with anyio.fail_after(5):
            while not sandbox.stray_files():  # noqa: ASYNC110 (the server has no event for this)
                await anyio.sleep(0.005)
        incoming = sandbox.state.incoming
        with anyio.fail_after(5):
            await sandbox.stop()
        left = list(incoming.iterdir()) if incoming.exists() else []
        await stream.aclose()

    assert left == []


async def test_client_that_leaves(connect: Connect) -> None:
    """A connection that goes in the middle of a file leaves nothing, and is logged unanswered."""
    async with Sandbox() as sandbox:
        head = (
            "POST /api/assets HTTP/1.1\r\nHost: x\r\n"
            f"x-api-key: {sandbox.api_key}\r\nContent-Length: 1000\r\n"
            "Content-Type: multipart/form-data; boundary=b\r\n\r\n"
            '--b\r\nContent-Disposition: form-data; name="assetData"; filename="a.jpg"\r\n\r\nabc'
        )
        async with await anyio.connect_tcp("127.0.0.1", sandbox.port) as stream:
            await stream.send(head.encode())
        with anyio.fail_after(5):
            while not sandbox.requests:  # noqa: ASYNC110 (the server has no event for this)
                await anyio.sleep(0.005)
        async with connect(sandbox).http as http:
            statistics = (await http.get("/assets/statistics")).json()

        assert sandbox.stray_files() == []
        assert statistics["total"] == 0


async def test_expect_continue_is_answered_at_once(connect: Connect) -> None:
    """A known checksum under `Expect: 100-continue` gets its 200 without an invitation."""
    async with Sandbox() as sandbox:
        client = connect(sandbox)
        content = new_bytes()
        async with client.http:
            await client.upload(content)
        head = (
            "POST /api/assets HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\n"
            f"x-api-key: {sandbox.api_key}\r\nContent-Length: 1000\r\n"
            f"x-immich-checksum: {hashlib.sha1(content, usedforsecurity=False).hexdigest()}\r\n"
            "Content-Type: multipart/form-data; boundary=b\r\n\r\n"
        )
        answer = await raw(sandbox, head.encode(), until=b"duplicate")

        assert answer.startswith(b"HTTP/1.1 200")


async def test_early_answer_keeps_the_connection(connect: Connect) -> None:
    """After an early 200 and the rest of the body, the same connection serves the next request."""
    async with Sandbox() as sandbox:
        client = connect(sandbox)
        content = new_bytes()
        async with client.http:
            await client.upload(content)
        checksum = hashlib.sha1(content, usedforsecurity=False).hexdigest()
        upload = (
            "POST /api/assets HTTP/1.1\r\nHost: x\r\n"
            f"x-api-key: {sandbox.api_key}\r\nContent-Length: 10\r\n"
            f"x-immich-checksum: {checksum}\r\n"
            "Content-Type: multipart/form-data; boundary=b\r\n\r\n0123456789"
        )
        ping = "GET /api/server/ping HTTP/1.1\r\nHost: x\r\n\r\n"
        answer = await raw(sandbox, (upload + ping).encode(), until=b"pong")

        assert answer.count(b"HTTP/1.1 200") == 2


async def test_empty_trash_leaves_no_file(connect: Connect) -> None:
    """Emptying the trash takes the bytes off the disk."""
    async with Sandbox() as sandbox:
        client = connect(sandbox)
        async with client.http as http:
            asset_id = (await client.upload(new_bytes())).json()["id"]
            (stored,) = sandbox.assets()
            await http.request("DELETE", "/assets", json={"ids": [asset_id]})
            trashed = sandbox.assets()[0].trashed
            response = await http.post("/trash/empty")

        assert trashed is True
        assert response.json() == {"count": 1}
        assert sandbox.assets() == []
        assert not stored.path.exists()


async def test_server_without_a_trash(connect: Connect) -> None:
    """Where there is no trash, a delete is final, and the features say so."""
    async with Sandbox(trash=False) as sandbox:
        client = connect(sandbox)
        async with client.http as http:
            asset_id = (await client.upload(new_bytes())).json()["id"]
            features = (await http.get("/server/features")).json()
            await http.request("DELETE", "/assets", json={"ids": [asset_id]})

        assert features["trash"] is False
        assert sandbox.assets() == []


async def test_secrets_stay_out_of_reprs() -> None:
    """Neither a key nor a password shows when a record is printed."""
    async with Sandbox(api_key="s3cret-key") as sandbox:
        shown = f"{list(sandbox.state.api_keys)} {list(sandbox.state.users)}"

        assert "s3cret-key" not in shown
        assert "'password'" not in shown
