"""A server with an authority of one's own, and one that asks who its client is."""

import asyncio
import socket
import ssl
from pathlib import Path

import anyio
import anyio.to_thread
import pytest
import trustme

from immich_sync.core.errors import Untrusted
from immich_sync.core.folder import Account, Tls
from immich_sync.core.types import Secret
from immich_sync.immich.client import connect
from tests.immich.scene import KEY, LIMITS, SteadyClock, answer, raw_server, request_of

pytestmark = pytest.mark.anyio
PONG = b'{"major":3,"minor":1,"patch":0}'


class Papers:
    """An authority, a server's certificate of it, and two clients': ours and a stranger's."""

    def __init__(self, folder: Path) -> None:
        self._authority, stranger = trustme.CA(), trustme.CA()
        self._server = self._authority.issue_cert("127.0.0.1")
        self.ca_file = self._write(folder / "ca.pem", self._authority.cert_pem)
        known = self._authority.issue_cert("us@home")
        self.known = self._write(folder / "us.pem", known.private_key_and_cert_chain_pem)
        other = stranger.issue_cert("them@home")
        self.unknown = self._write(folder / "them.pem", other.private_key_and_cert_chain_pem)

    @staticmethod
    def _write(path: Path, blob: trustme.Blob) -> str:
        blob.write_to_path(str(path))
        return str(path)

    def server(self, *, asks: bool = False) -> ssl.SSLContext:
        """What the server shows; whether it `asks` who the client is."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._server.configure_cert(context)
        if asks:
            self._authority.configure_trust(context)
            context.verify_mode = ssl.CERT_REQUIRED
            # In 1.3 the client's greeting is over before the server looks, and a reset that
            # follows may swallow the reason.
            context.maximum_version = ssl.TLSVersion.TLSv1_2
        return context


@pytest.fixture
def papers(tmp_path: Path) -> Papers:
    """A household's own."""
    return Papers(tmp_path)


async def version(papers: Papers, tls: Tls, *, asks: bool = False) -> str:
    """What the server answers a client with these files."""

    async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await request_of(reader)
        writer.write(answer(200, PONG))
        await writer.drain()

    async with raw_server(handler, papers.server(asks=asks)) as url:
        account = Account("test", url, Secret(KEY), tls)
        async with connect(account, LIMITS, SteadyClock(), deadline=5.0) as immich:
            return str(await immich.version())


async def test_an_authority_of_ones_own(papers: Papers) -> None:
    """What `ca_file` names is trusted."""
    assert await version(papers, Tls(ca_file=papers.ca_file)) == "3.1.0"


async def test_without_it_the_server_is_not_trusted(papers: Papers) -> None:
    """Nothing is sent, and the sentence says what would mend it."""
    with pytest.raises(Untrusted, match="name its authority's as ca_file"):
        await version(papers, Tls())


async def test_a_certificate_is_shown(papers: Papers) -> None:
    """To a server that asks for one."""
    tls = Tls(ca_file=papers.ca_file, client_cert=papers.known)

    assert await version(papers, tls, asks=True) == "3.1.0"


@pytest.mark.parametrize("shown", ["nothing", "a stranger's"])
async def test_a_server_that_does_not_know_us(papers: Papers, shown: str) -> None:
    """The sentence speaks of the client's certificate, not of the server's."""
    client_cert = papers.unknown if shown == "a stranger's" else None
    tls = Tls(ca_file=papers.ca_file, client_cert=client_cert)

    def greet(listener: socket.socket) -> None:
        """Asyncio's own servers close without saying why."""
        connection, _ = listener.accept()
        with connection, pytest.raises(ssl.SSLError):
            papers.server(asks=True).wrap_socket(connection, server_side=True)

    with socket.create_server(("127.0.0.1", 0)) as listener:
        account = Account(
            "test", f"https://127.0.0.1:{listener.getsockname()[1]}", Secret(KEY), tls
        )
        async with (
            anyio.create_task_group() as tasks,
            connect(account, LIMITS, SteadyClock(), deadline=5.0) as immich,
        ):
            tasks.start_soon(anyio.to_thread.run_sync, greet, listener)
            with pytest.raises(Untrusted, match="client_cert and client_key"):
                await immich.version()


async def test_a_proxy_that_wants_a_certificate(papers: Papers) -> None:
    """As nginx does, in an ordinary answer."""

    async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await request_of(reader)
        page = b"<html><title>400 No required SSL certificate was sent</title></html>"
        writer.write(answer(400, page, kind="text/html"))
        await writer.drain()

    async with raw_server(handler, papers.server()) as url:
        account = Account("test", url, Secret(KEY), Tls(ca_file=papers.ca_file))
        async with connect(account, LIMITS, SteadyClock(), deadline=5.0) as immich:
            with pytest.raises(Untrusted, match="client_cert and client_key"):
                await immich.version()
