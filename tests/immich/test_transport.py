"""Over TLS as over plain TCP an early answer is heard, and housekeeping is not mistaken for one."""

import asyncio
import ssl
from pathlib import Path

import pytest

from immich_sync.core.errors import TooLarge
from immich_sync.immich.transport import Transport
from immich_sync.immich.upload import Uploaded, upload
from tests.immich.scene import (
    ASSET,
    LANE,
    Handler,
    answer,
    connected,
    head_of,
    inline,
    photo,
    raw_server,
    request_of,
)

CERTIFICATE = Path(__file__).with_name("localhost.pem")
CREATED = b'{"id":"%s","status":"created"}' % ASSET.encode()


def server_tls() -> ssl.SSLContext:
    """What the raw server shows; TLS 1.3, so that session tickets follow the greeting."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(CERTIFICATE)
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    return context


def client_tls() -> ssl.SSLContext:
    """Trusts that server and no other."""
    return ssl.create_default_context(cafile=str(CERTIFICATE))


async def upload_over_tls(handler: Handler, size: int) -> Uploaded:
    """A new photo over a fresh TLS connection."""
    file = photo(size)
    transport = Transport(tls=client_tls(), keep=1)
    async with (
        raw_server(handler, server_tls()) as url,
        connected(url, transport=transport) as immich,
    ):
        return await upload(immich, file.announced(), file, None, inline, LANE)


@pytest.mark.anyio
async def test_tickets_are_no_answer() -> None:
    """What TLS 1.3 sends after its greeting does not end a first upload."""

    async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await request_of(reader)
        writer.write(answer(201, CREATED))
        await writer.drain()
        await reader.read()

    assert (await upload_over_tls(handler, 5_000_000)).asset_id == ASSET


@pytest.mark.anyio
async def test_an_early_answer_over_tls() -> None:
    """A 413 in the middle of the body is heard before its end."""
    taken = 0

    async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal taken
        await head_of(reader)
        writer.write(answer(413, b"<html>", kind="text/html"))
        await writer.drain()
        while block := await reader.read(65_536):
            taken += len(block)

    with pytest.raises(TooLarge):
        await upload_over_tls(handler, 50_000_000)

    assert taken < 25_000_000


@pytest.mark.anyio
async def test_go_on_is_no_answer() -> None:
    """1xx in the middle of the body asks for the rest of it, and the rest is sent."""
    file = photo(20_000_000)

    async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        await writer.drain()
        await request_of(reader)
        writer.write(answer(201, CREATED))
        await writer.drain()

    async with raw_server(handler) as url, connected(url) as immich:
        uploaded = await upload(immich, file.announced(), file, None, inline, LANE)

    assert uploaded.asset_id == ASSET
