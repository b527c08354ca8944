"""The control socket, over real sockets."""

import json
import socket
import stat
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import asdict
from functools import partial
from pathlib import Path

import anyio
import anyio.to_thread
import pytest

from immich_sync.control import Declined, Handle, NoDaemon, Request, ask, serve
from immich_sync.core.errors import Misconfigured, StateTrouble

pytestmark = pytest.mark.anyio


async def echo(request: Request) -> object:
    """Answers with the request, which is a dataclass as answers are."""
    return request


@asynccontextmanager
async def door(path: Path, handle: Handle = echo) -> AsyncIterator[None]:
    """A served socket."""
    async with anyio.create_task_group() as tasks:
        await tasks.start(serve, path, handle)
        yield
        tasks.cancel_scope.cancel()


async def asked(path: Path, request: Request, patience: float = 10) -> object:
    """The client, which blocks, beside the server."""
    return await anyio.to_thread.run_sync(partial(ask, path, request, patience))


def said(path: Path, *pieces: bytes) -> bytes:
    """What the daemon answers to raw bytes."""
    with socket.socket(socket.AF_UNIX) as client:
        client.settimeout(20)
        client.connect(str(path))
        for piece in pieces:
            client.sendall(piece)
        client.shutdown(socket.SHUT_WR)
        with client.makefile("rb") as answer:
            return answer.read()


@pytest.mark.parametrize(
    "request_",
    [
        Request("status"),
        Request("retry", ("/photos/a.jpg", "/photos/caf\udce9 \n.jpg")),
        Request("approve", folder="Trips", removed=True),
        Request("retry", ("/photos/a.jpg",), force=True),
        Request("retry", tuple(f"/photos/{number:04}.jpg" for number in range(5000))),
    ],
    ids=["status", "names that are no text", "folder", "force", "many paths"],
)
async def test_a_request_arrives_and_its_answer_returns(tmp_path: Path, request_: Request) -> None:
    """Every field arrives as it was sent; a dataclass returns as an object."""
    path = tmp_path / "control.sock"
    async with door(path):
        answer = await asked(path, request_)

    paths = None if request_.paths is None else list(request_.paths)
    assert answer == {**asdict(request_), "paths": paths}


async def test_only_this_user_may_ask(tmp_path: Path) -> None:
    """The socket's mode is 0600."""
    async with door(tmp_path / "control.sock"):
        mode = stat.S_IMODE((tmp_path / "control.sock").stat().st_mode)

    assert mode == 0o600


async def test_a_dead_daemons_socket_is_replaced(tmp_path: Path) -> None:
    """What a killed daemon left behind stops nobody, and an ended one leaves nothing."""
    path = tmp_path / "control.sock"
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(path))
    with pytest.raises(NoDaemon):
        ask(path, Request("status"))

    async with door(path):
        answer = await asked(path, Request("scan"))

    assert answer == asdict(Request("scan"))
    assert not path.exists()


async def test_a_long_path_is_reached(tmp_path: Path) -> None:
    """A socket's address has room for 107 bytes; a state folder may lie deeper."""
    folder = tmp_path / ("d" * 100) / ("e" * 100)
    folder.mkdir(parents=True)
    async with door(folder / "control.sock"):
        answer = await asked(folder / "control.sock", Request("scan"))

    assert answer == asdict(Request("scan"))


async def test_a_socket_that_cannot_be_made_is_one_sentence(tmp_path: Path) -> None:
    """A missing folder is named."""
    with pytest.raises(Misconfigured, match=r"no/control.sock cannot be made: No such file"):
        await serve(tmp_path / "no" / "control.sock", echo)


async def test_trouble_is_told_to_the_client(tmp_path: Path) -> None:
    """A sentence raised by the handler is the client's answer; the daemon goes on."""

    async def troubled(request: Request) -> object:
        if request.command == "retry":
            raise StateTrouble("The disk is full.")
        return "fine"

    path = tmp_path / "control.sock"
    async with door(path, troubled):
        with pytest.raises(Declined, match=r"^The disk is full\.$"):
            await asked(path, Request("retry"))
        afterwards = await asked(path, Request("status"))

    assert afterwards == "fine"


async def test_a_broken_handler_does_not_end_the_daemon(tmp_path: Path) -> None:
    """An error of ours is told without its text, and the next question is answered."""

    async def broken(request: Request) -> object:
        if request.command == "retry":
            raise ZeroDivisionError("details of ours")
        return "fine"

    path = tmp_path / "control.sock"
    async with door(path, broken):
        with pytest.raises(Declined, match="The daemon failed at this"):
            await asked(path, Request("retry"))
        afterwards = await asked(path, Request("status"))

    assert afterwards == "fine"


@pytest.mark.parametrize(
    ("line", "error"),
    [
        (b"\n", "no line of JSON with a command"),
        (b"status\n", "no line of JSON with a command"),
        (b"[" * 100_000 + b"\n", "no line of JSON with a command"),
        (b'{"command": "format"}\n', "knows no command 'format'"),
        (b'{"command": "retry", "paths": "a"}\n', "a list of texts"),
        (b'{"command": "retry", "paths": [1]}\n', "a list of texts"),
        (b'{"command": "scan", "folder": 1}\n', "by its name"),
        (b'{"command": "scan"', "no line of JSON with a command"),
        (b"\xff\xfe\n", "no line of JSON with a command"),
    ],
)
async def test_nonsense_is_answered_with_a_sentence(
    tmp_path: Path, line: bytes, error: str
) -> None:
    """Whatever somebody sends, the answer is JSON that says what is wrong."""
    path = tmp_path / "control.sock"
    async with door(path):
        answer = json.loads(await anyio.to_thread.run_sync(said, path, line))

    assert answer["ok"] is False
    assert error in answer["error"]


def never_ends(path: Path) -> None:
    """Sends more than a request may hold; the daemon stops listening to it."""
    with socket.socket(socket.AF_UNIX) as client:
        client.connect(str(path))
        client.settimeout(20)
        with pytest.raises(OSError, match=r"Broken pipe|reset"):
            client.sendall(b"x" * (64 << 20))


def hangs_up(path: Path) -> None:
    """Asks and does not wait for the answer."""
    with socket.socket(socket.AF_UNIX) as client:
        client.connect(str(path))
        client.sendall(b'{"command": "status"}\n')


def says_nothing(path: Path) -> None:
    """Connects and leaves."""
    with socket.socket(socket.AF_UNIX) as client:
        client.connect(str(path))


@pytest.mark.parametrize("client", [never_ends, hangs_up, says_nothing])
async def test_a_broken_client_hurts_nobody(tmp_path: Path, client: Callable[[Path], None]) -> None:
    """The next one is answered, also after many of them."""
    path = tmp_path / "control.sock"
    async with door(path):
        for _ in range(20):
            await anyio.to_thread.run_sync(client, path)
        answer = await asked(path, Request("scan"))

    assert answer == asdict(Request("scan"))


async def test_a_silent_client_does_not_hold_up_others(tmp_path: Path) -> None:
    """One that connects and says nothing waits by itself."""
    path = tmp_path / "control.sock"
    async with door(path):
        with socket.socket(socket.AF_UNIX) as silent:
            silent.connect(str(path))
            answer = await asked(path, Request("scan"))

    assert answer == asdict(Request("scan"))


async def test_a_daemon_that_does_not_answer_is_named(tmp_path: Path) -> None:
    """The client waits as long as it was told, and says so."""

    async def stuck(_request: Request) -> object:
        await anyio.sleep_forever()
        return None

    path = tmp_path / "control.sock"
    async with door(path, stuck):
        with pytest.raises(Declined, match=r"did not answer within 0\.2 seconds"):
            await asked(path, Request("status"), patience=0.2)


async def test_a_ping_needs_no_handler(tmp_path: Path) -> None:
    """It tells that the loop turns, however long other answers take."""

    async def stuck(_request: Request) -> object:
        await anyio.sleep_forever()
        return None

    path = tmp_path / "control.sock"
    async with door(path, stuck):
        answer = await asked(path, Request("ping"))

    assert answer == "pong"


async def test_where_no_daemon_runs_nobody_answers(tmp_path: Path) -> None:
    """No socket, and something that is none."""
    (tmp_path / "file").write_text("")
    for path in (tmp_path / "control.sock", tmp_path / "file", tmp_path / "no" / "control.sock"):
        with pytest.raises(NoDaemon, match="No daemon answers at"):
            ask(path, Request("status"))
