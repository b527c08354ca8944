"""httpx's way to the network, with an ear open while a long body goes out.

Its own module because httpx itself listens only after the last byte: a proxy's 413 in front of a
4 GB video, or an early duplicate, would be noticed an hour later, or be lost with the connection.
"""

import select
import socket
import ssl
from collections.abc import AsyncIterable, AsyncIterator, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import cast

import certifi
import httpcore
import httpx

from immich_sync.core.errors import Misconfigured
from immich_sync.core.folder import NO_FILES, Tls

KEEP_ALIVE = 4.0
"""Seconds an idle connection is kept: less than the 5 s after which Node closes it."""
AnyTransport = httpx.AsyncBaseTransport
"""Where a simulation puts its own network, without importing httpx."""
_TLS_GRACE = 0.01  # seconds to tell an answer from TLS's own housekeeping
_READ = 65_536


def trust(tls: Tls = NO_FILES) -> ssl.SSLContext:
    """Verified TLS: the system's authorities (a household's own among them), certifi's, and ours.

    With the certificate that we show, if there is one. Raises Misconfigured if a file is of no use.
    """
    context = ssl.create_default_context()
    context.load_verify_locations(certifi.where())
    if tls.ca_file is not None:
        with _read("ca_file", tls.ca_file, "a certificate in PEM form (BEGIN CERTIFICATE)"):
            context.load_verify_locations(tls.ca_file)
    if tls.client_cert is not None:
        _show(context, tls.client_cert, tls.client_key)
    return context


def _show(context: ssl.SSLContext, certificate: str, key: str | None) -> None:
    """The context shows this certificate. Raises Misconfigured."""
    with _read("client_cert", certificate, "a certificate in PEM form"):
        ssl.create_default_context(cafile=certificate)  # says which of the two files it is
    with _read("client_key", key or certificate, "the certificate's private key in PEM form"):
        context.load_cert_chain(certificate, key, password=_refuse)


def _refuse() -> str:
    raise Misconfigured(
        "The client certificate's key has a passphrase, and nobody is there to type it: write it"
        " without one (openssl pkey -in KEY -out NEW), into a file that only immich-sync may read."
    )


@contextmanager
def _read(name: str, path: str, expected: str) -> Iterator[None]:
    """Misconfigured, with a sentence, if the file that `name` names is not what is expected."""
    try:
        Path(path).open("rb").close()  # ssl does not say which file it could not read
        yield
    except ssl.SSLError as error:
        if "MISMATCH" in (error.reason or ""):
            raise Misconfigured(
                f"{name}: the key in {path} does not belong to the client certificate."
            ) from None
        raise Misconfigured(f"{name}: {path} does not hold {expected}.") from None
    except OSError as error:
        raise Misconfigured(f"{name}: {path} cannot be read ({error.strerror}).") from None


class Transport(httpx.AsyncBaseTransport):
    """A pool of HTTP/1.1 connections that notice an early answer.

    Raises httpcore's exceptions as they are; `trouble` knows them.
    """

    def __init__(self, *, tls: ssl.SSLContext | None, keep: int) -> None:
        self._pool = httpcore.AsyncConnectionPool(
            ssl_context=tls,
            max_connections=None,
            max_keepalive_connections=keep,
            keepalive_expiry=KEEP_ALIVE,
            network_backend=_Listening(httpcore.AnyIOBackend()),
        )

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """The answer's head; its body is still to be read."""
        answer = await self._pool.handle_async_request(
            httpcore.Request(
                method=request.method,
                url=httpcore.URL(
                    scheme=request.url.raw_scheme,
                    host=request.url.raw_host,
                    port=request.url.port,
                    target=request.url.raw_path,
                ),
                headers=request.headers.raw,
                content=cast("AsyncIterable[bytes]", request.stream),
                extensions=request.extensions,
            )
        )
        return httpx.Response(
            answer.status,
            headers=answer.headers,
            stream=_AnswerStream(answer),
            extensions=answer.extensions,
        )

    async def aclose(self) -> None:
        """No connection is open any more."""
        await self._pool.aclose()


class _AnswerStream(httpx.AsyncByteStream):
    def __init__(self, answer: httpcore.Response) -> None:
        self._answer = answer

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self._answer.aiter_stream()

    async def aclose(self) -> None:
        await self._answer.aclose()


class _Listening(httpcore.AsyncNetworkBackend):
    def __init__(self, inner: httpcore.AsyncNetworkBackend) -> None:
        self._inner = inner

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ASYNC109 - httpcore's signature
        local_address: str | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        return _Stream(
            await self._inner.connect_tcp(host, port, timeout, local_address, socket_options)
        )

    async def sleep(self, seconds: float) -> None:
        await self._inner.sleep(seconds)


class _Stream(httpcore.AsyncNetworkStream):
    """Before each write, looks whether the server already speaks.

    If it does, httpcore is told that writing is over: it then reads the answer, as it does when
    a connection breaks under a body (httpcore 1.0: http11, "Servers can sometimes close the
    request pre-emptively"), and closes the connection.
    """

    def __init__(self, inner: httpcore.AsyncNetworkStream) -> None:
        self._inner = inner
        self._heard: list[bytes] = []
        self._socket: socket.socket = inner.get_extra_info("socket")
        self._poll = select.poll()
        self._poll.register(self._socket, select.POLLIN)

    async def read(self, max_bytes: int, timeout: float | None = None) -> bytes:  # noqa: ASYNC109 - httpcore's signature
        if self._heard:
            return self._heard.pop(0)
        return await self._inner.read(max_bytes, timeout)

    async def write(self, buffer: bytes, timeout: float | None = None) -> None:  # noqa: ASYNC109 - httpcore's signature
        if not buffer:  # the end of a body: an answer now is no early one
            return
        if self._is_readable():
            await self._listen()
        await self._inner.write(buffer, timeout)

    async def _listen(self) -> None:
        try:
            heard = await self._inner.read(_READ, _TLS_GRACE)
        except httpcore.ReadTimeout:
            return  # a session ticket or a new key: nothing was said
        self._heard.append(heard)
        if not b"".join(self._heard).startswith(b"HTTP/1.1 1"):  # 1xx asks to go on
            raise httpcore.WriteError("the server answered before it had the whole request")

    async def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,  # noqa: ASYNC109 - httpcore's signature
    ) -> httpcore.AsyncNetworkStream:
        try:
            secured = await self._inner.start_tls(ssl_context, server_hostname, timeout)
        except BaseException:  # a cancelled greeting too: httpcore would leave the socket open
            await self._inner.aclose()
            raise
        return _Stream(secured)

    async def aclose(self) -> None:
        await self._inner.aclose()

    def get_extra_info(self, info: str) -> object:
        # httpcore asks this of every idle connection for every request; its own way is slow.
        return self._is_readable() if info == "is_readable" else self._inner.get_extra_info(info)

    def _is_readable(self) -> bool:
        return self._socket.fileno() < 0 or bool(self._poll.poll(0))
