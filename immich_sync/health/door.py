"""The door: a socket, a few clients at once, one request each, and no patience with the slow.

Its own module because whoever can reach it is a stranger: what strangers may do is decided here.
h11 and nothing larger, since a server for the world brings signal handlers, keeps connections and
waits for those who dawdle.
"""

import errno
import socket
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from email.utils import formatdate
from ipaddress import ip_address

import anyio
import h11
import structlog
from anyio.abc import SocketListener, SocketStream, TaskStatus

from immich_sync.core.errors import Misconfigured
from immich_sync.core.folder import Health

CLIENTS = 32
"""Connections at once; others wait until one of these has ended."""
LONGEST_HEAD = 16_384
"""Bytes of a request."""
_LOOPBACK = ("localhost", "127.0.0.1", "::1")
_READ = 4096

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Asked:
    """A request for a page, by GET or HEAD."""

    path: str  # without a query
    accept: str


@dataclass(frozen=True, slots=True)
class Page:
    """An answer."""

    status: int
    body: bytes
    content_type: str = "text/plain; charset=utf-8"
    headers: Sequence[tuple[str, str]] = ()


@dataclass(frozen=True, slots=True)
class Patience:
    """Seconds that a client has to say what it wants, and to take the answer."""

    to_hear: float = 5.0
    to_send: float = 10.0


Answer = Callable[[Asked], Awaitable[Page]]


def bind(health: Health) -> socket.socket:
    """A socket that listens there. Raises Misconfigured with the reason if that cannot be."""
    host = "127.0.0.1" if health.host == "localhost" else health.host
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    bound = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        bound.bind((host, health.port))
        bound.listen(CLIENTS)
    except OSError as error:
        bound.close()
        where = f"[health], listen: {health.host} port {health.port}"
        if error.errno == errno.EADDRINUSE:
            raise Misconfigured(
                f"{where} is taken by another program; choose another port, or end that program."
            ) from None
        raise Misconfigured(f"{where} cannot be listened at: {error.strerror}.") from None
    return bound


async def serve(
    bound: socket.socket,
    health: Health,
    answer: Answer,
    patience: Patience = Patience(),
    *,
    task_status: TaskStatus[None] = anyio.TASK_STATUS_IGNORED,
) -> None:
    """Answer at `bound` until cancelled; it is closed then."""
    room = anyio.Semaphore(CLIENTS)

    async def attend(client: SocketStream) -> None:
        try:
            async with client:
                await _attend(client, health, answer, patience)
        finally:
            room.release()

    async with (
        await SocketListener.from_socket(bound) as listener,
        anyio.create_task_group() as clients,
    ):
        host, port = bound.getsockname()[:2]
        log.info("health_listening", host=host, port=port)
        task_status.started()
        while True:
            await room.acquire()
            clients.start_soon(attend, await _accepted(listener))


def is_addressed_to_us(host: str, health: Health) -> bool:
    """Whether a Host header names us.

    A page in somebody's browser may lead a name of its own to our address and so read what is
    answered there (DNS rebinding); but then the browser says that name. An address is no such name.
    """
    name = host.strip().lower()
    if name.startswith("["):
        name = name[1:].partition("]")[0]
    elif name.count(":") <= 1:
        name = name.partition(":")[0]
    name = name.rstrip(".")
    if name in {*_LOOPBACK, health.host, *health.hosts}:
        return True
    return health.host not in _LOOPBACK and _is_address(name)


def _is_address(name: str) -> bool:
    try:
        ip_address(name)
    except ValueError:
        return False
    return True


async def _accepted(listener: SocketListener) -> SocketStream:
    """The next client; while the process is out of descriptors, nobody is let in."""
    while True:
        try:
            return await listener.accept()
        except OSError as error:
            log.warning("health_client_missed", error=str(error))
            await anyio.sleep(1.0)


async def _attend(client: SocketStream, health: Health, answer: Answer, patience: Patience) -> None:
    """One request, one answer, and good-bye; what the client does wrong stays its own trouble."""
    connection = h11.Connection(h11.SERVER, max_incomplete_event_size=LONGEST_HEAD)
    whole = True
    try:
        try:
            with anyio.fail_after(patience.to_hear):
                request = await _request(client, connection)
            whole = request.method != b"HEAD"
            page = await _page(request, health, answer)
        except h11.RemoteProtocolError as error:
            page = Page(error.error_status_hint, b"This is no request.\n")
        with anyio.fail_after(patience.to_send):
            await client.send(_spoken(connection, page, whole=whole))
    except (TimeoutError, EOFError, OSError, anyio.BrokenResourceError, anyio.ClosedResourceError):
        log.debug("health_client_left")


async def _request(client: SocketStream, connection: h11.Connection) -> h11.Request:
    while True:
        event = connection.next_event()
        if isinstance(event, h11.Request):
            return event
        if event is not h11.NEED_DATA:
            raise EOFError
        try:
            connection.receive_data(await client.receive(_READ))
        except anyio.EndOfStream:
            raise EOFError from None


async def _page(request: h11.Request, health: Health, answer: Answer) -> Page:
    said = {name: value.decode("latin-1") for name, value in request.headers}
    if not is_addressed_to_us(said.get(b"host", ""), health):
        return Page(403, b"This Host is not known here: add it to hosts under [health].\n")
    if request.method not in {b"GET", b"HEAD"}:
        return Page(405, b"Only GET and HEAD are answered.\n", headers=[("Allow", "GET, HEAD")])
    path = request.target.decode("latin-1").partition("?")[0]
    try:
        return await answer(Asked(path, said.get(b"accept", "")))
    except Exception:
        log.exception("health_failed", path=path)
        return Page(500, b"This failed; the log has more.\n")


def _spoken(connection: h11.Connection, page: Page, *, whole: bool) -> bytes:
    """The answer's bytes; its head alone unless `whole`."""
    headers = [
        ("Date", formatdate(usegmt=True)),
        ("Content-Type", page.content_type),
        ("Content-Length", str(len(page.body))),
        ("Cache-Control", "no-store"),
        ("X-Content-Type-Options", "nosniff"),
        ("Connection", "close"),
        *page.headers,
    ]
    head = connection.send(h11.Response(status_code=page.status, headers=headers)) or b""
    return head + page.body if whole else head
