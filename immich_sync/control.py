"""The running daemon's door: a Unix socket in the state folder, one JSON line each way.

Its own module because both ends live here: `serve` in the daemon, `ask` in the commands.
"""

import contextlib
import json
import os
import socket
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import asdict, dataclass, is_dataclass
from pathlib import Path
from typing import Self

import anyio
import structlog
from anyio.abc import SocketListener, SocketStream, TaskStatus

from immich_sync.core.errors import Misconfigured, NotImmich, Refused, SyncTrouble, Untrusted

SOCKET = "control.sock"
"""The socket's name in the state folder."""

PING = "ping"
"""Answered by the socket itself, at once: who gets an answer knows that the loop turns."""

COMMANDS = frozenset(
    {
        PING,
        "alive",
        "status",
        "retry",
        "dismiss",
        "explain",
        "approve",
        "scan",
        "pause",
        "resume",
        "reload",
        "undo",
    }
)

_LONGEST = 1 << 20  # bytes of a request: a few thousand paths
_CLIENTS = 16  # at once
_PATIENCE = 10.0  # seconds for a client to speak, and to listen
_PATH_ROOM = 107  # bytes of a socket's path (unix(7): 108 with its end)

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Request:
    """What a command asks of the daemon. Paths may hold bytes that are no UTF-8, as surrogates."""

    command: str
    paths: tuple[str, ...] | None = None  # None: all
    folder: str | None = None  # None: all
    force: bool = False  # `retry`: also what is gone from Immich
    removed: bool = False  # `approve`: what the server lost was removed on purpose
    since: float | None = None  # `undo`: what was cleaned since then, wall-clock seconds


class NoDaemon(Exception):
    """Nobody answers at the socket: no daemon runs on this state."""


class Declined(Exception):
    """The daemon answered with a sentence instead of a result, and said of which `kind` it is."""

    def __init__(self, sentence: str, kind: str = "") -> None:
        super().__init__(sentence)
        self.kind = kind  # misconfigured | refused | ""


Handle = Callable[[Request], Awaitable[object]]
"""Answers a request with a dataclass or plain JSON values; trouble it raises is told the client."""


async def serve(
    path: Path, handle: Handle, *, task_status: TaskStatus[None] = anyio.TASK_STATUS_IGNORED
) -> None:
    """Answer at `path` until cancelled; nobody but this user (and root) can connect.

    A socket that lies there is taken to be a dead daemon's: the caller holds the state's lock.
    Raises Misconfigured if the path cannot be bound.
    """
    listener = await SocketListener.from_socket(_bound(path))
    room = anyio.Semaphore(_CLIENTS)

    async def answer(client: SocketStream) -> None:
        async with client:
            try:
                await _answer(client, handle)
            finally:
                room.release()

    try:
        async with listener, anyio.create_task_group() as clients:
            task_status.started()
            while True:
                await room.acquire()
                clients.start_soon(answer, await _accepted(listener))
    finally:
        with contextlib.suppress(OSError):  # its disk lets nobody write: the next start removes it
            _remove(path)


def ask(path: Path, request: Request, timeout: float = 30.0) -> object:
    """The daemon's result for `request`, waiting at most `timeout` seconds for each step.

    Raises NoDaemon if none answers, Declined with its sentence.
    """
    try:
        with _Door(path) as door, socket.socket(socket.AF_UNIX) as client:
            client.settimeout(timeout)
            client.connect(door.name)
            client.sendall(_encoded(asdict(request)))
            with client.makefile("rb") as answer:
                said = json.loads(answer.readline())
    except TimeoutError:
        raise Declined(f"The daemon did not answer within {timeout:g} seconds.") from None
    except (OSError, ValueError) as error:
        raise NoDaemon(f"No daemon answers at {path}.") from error
    if not isinstance(said, dict) or said.get("ok") is not True:
        sentence = said.get("error") if isinstance(said, dict) else None
        kind = str(said.get("kind", "")) if isinstance(said, dict) else ""
        unclear = "The daemon answered something that is not understood."
        raise Declined(str(sentence or unclear), kind)
    return said.get("result")


class _Door:
    """A name for `path` that is short enough for a socket's address, while entered.

    Linux reaches a folder through an open descriptor of it, however long its own path is.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._folder: int | None = None
        self.name = os.fsencode(path)

    def __enter__(self) -> Self:
        if len(self.name) > _PATH_ROOM and Path("/proc/self/fd").exists():
            self._folder = os.open(self._path.parent, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
            self.name = b"/proc/self/fd/%d/%s" % (self._folder, os.fsencode(self._path.name))
        return self

    def __exit__(self, *_: object) -> None:
        if self._folder is not None:
            os.close(self._folder)


def _remove(path: Path) -> None:
    path.unlink(missing_ok=True)


def _bound(path: Path) -> socket.socket:
    """A listening socket at `path`, in place of one that lies there."""
    raw = socket.socket(socket.AF_UNIX)
    try:
        os.fchmod(raw.fileno(), 0o600)  # on Linux it is then never open to others, not for a moment
        _remove(path)
        with _Door(path) as door:
            raw.bind(door.name)
        path.chmod(0o600)
        raw.listen(_CLIENTS)
    except OSError as error:
        raw.close()
        too_long = len(os.fsencode(path)) > _PATH_ROOM and error.errno is None
        why = f"its path is longer than {_PATH_ROOM} bytes" if too_long else error.strerror
        raise Misconfigured(f"The control socket {path} cannot be made: {why}.") from None
    return raw


async def _accepted(listener: SocketListener) -> SocketStream:
    """The next client; while the process is out of descriptors, nobody is let in."""
    while True:
        try:
            return await listener.accept()
        except OSError as error:
            log.warning("control_client_missed", error=str(error))
            await anyio.sleep(1.0)


async def _answer(client: SocketStream, handle: Handle) -> None:
    """One request, one answer; what the client does wrong stays its own trouble."""
    try:
        with anyio.fail_after(_PATIENCE):
            line = await _line_from(client)
        try:
            request = _request(line)
            answer = _result("pong" if request.command == PING else await handle(request))
        except (SyncTrouble, Misconfigured) as error:
            answer = _encoded({"ok": False, "error": str(error), "kind": _kind(error)})
        with anyio.fail_after(_PATIENCE):
            await client.send(answer)
    except (TimeoutError, OSError, anyio.BrokenResourceError, anyio.ClosedResourceError):
        log.info("control_client_left")
    except Exception:
        log.exception("control_request_failed")
        with anyio.move_on_after(_PATIENCE), contextlib.suppress(anyio.BrokenResourceError):
            await client.send(
                _encoded({"ok": False, "error": "The daemon failed at this; see its log."})
            )


async def _line_from(client: SocketStream) -> bytes:
    """The first line, at most `_LONGEST` bytes of it."""
    received = bytearray()
    while b"\n" not in received and len(received) <= _LONGEST:
        try:
            received += await client.receive()
        except anyio.EndOfStream:
            break
    return bytes(received.partition(b"\n")[0])


def _request(line: bytes) -> Request:
    """The request in a line. Raises Misconfigured, the client's way of being told."""
    try:
        said: object = json.loads(line) if len(line) <= _LONGEST else None
    except (ValueError, RecursionError):
        said = None
    match said:
        case {"command": str(command), **fields} if command in COMMANDS:
            paths, folder = fields.get("paths"), fields.get("folder")
            force, removed = fields.get("force") is True, fields.get("removed") is True
            since = fields.get("since")
        case {"command": str(command)}:
            raise Misconfigured(f"The daemon knows no command {command[:40]!r}.")
        case _:
            raise Misconfigured("The request is no line of JSON with a command, or it is too long.")
    if not isinstance(folder, str | None):
        raise Misconfigured("A folder is given by its name.")
    if not isinstance(since, float | int | None):
        raise Misconfigured("A time is given in seconds.")
    if paths is None:
        return Request(command, None, folder, force, removed, since)
    if not isinstance(paths, list) or not all(isinstance(one, str) for one in paths):
        raise Misconfigured("Paths are given as a list of texts.")
    return Request(command, tuple(paths), folder, force, removed, since)


def _kind(error: SyncTrouble | Misconfigured) -> str:
    match error:
        case Misconfigured():
            return "misconfigured"
        case Refused() | NotImmich() | Untrusted():
            return "refused"
        case _:
            return ""


def _result(value: object) -> bytes:
    plain = asdict(value) if is_dataclass(value) and not isinstance(value, type) else value
    return _encoded({"ok": True, "result": plain})


def _encoded(message: Mapping[str, object]) -> bytes:
    return json.dumps(message).encode() + b"\n"
