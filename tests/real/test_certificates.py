"""Certificates that are wrong: the real process sends nothing, and ends or waits as it should."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import trustme

from tests.real.scene import ends_well
from tests.stories.scene import Story, photo, until

NOW = datetime.now(UTC)
DAY = timedelta(days=1)


class Door:
    """A proxy that speaks TLS, in front of a sandbox; `heard` are bytes that came out of it."""

    def __init__(self, home: Path, sandbox: str) -> None:
        self.url = self.plain = ""  # the second speaks no TLS, whatever its address says
        self.heard = 0
        self._sandbox = sandbox.removeprefix("http://").split(":")
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._authority = trustme.CA()
        self.ca_file = home / "ca.pem"
        self._authority.cert_pem.write_to_path(str(self.ca_file))

    def show(self, name: str, begin: timedelta = -DAY, end: timedelta = DAY) -> None:
        """From now on a certificate for `name` is shown, valid between these from now."""
        paper = self._authority.issue_cert(name, not_before=NOW + begin, not_after=NOW + end)
        paper.configure_cert(self._context)

    @asynccontextmanager
    async def open(self) -> AsyncIterator[None]:
        """It listens meanwhile."""
        server = await asyncio.start_server(self._pass, "127.0.0.1", 0, ssl=self._context)
        plain = await asyncio.start_server(self._refuse, "127.0.0.1", 0)
        self.url = f"https://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        self.plain = f"https://127.0.0.1:{plain.sockets[0].getsockname()[1]}"
        async with server, plain:
            yield

    async def _refuse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(100)
        writer.write(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n")
        await writer.drain()
        writer.close()

    async def _pass(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there, back = await asyncio.open_connection(*self._sandbox)
        with suppress(OSError):
            await asyncio.gather(self._pump(reader, back, count=True), self._pump(there, writer))

    async def _pump(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, count: bool = False
    ) -> None:
        with suppress(OSError):
            while block := await reader.read(65_536):
                self.heard += len(block) * count
                writer.write(block)
                await writer.drain()
        writer.close()


@pytest.fixture
def door(story: Story) -> Iterator[Door]:
    """One in front of the story's server."""
    made = Door(story.home, story.server.sandbox.url)
    made.show("127.0.0.1")
    with story.server.portal.wrap_async_context_manager(made.open()):
        yield made


def _configure(story: Story, door: Door) -> None:
    story.configure(url=door.url)
    text = story.config.read_text()
    story.config.write_text(text.replace("[server]", f'[server]\nca_file = "{door.ca_file}"'))


def test_an_authority_of_ones_own_is_trusted(story: Story, door: Door) -> None:
    """With `ca_file` all goes through TLS."""
    _configure(story, door)
    content = photo("a", 300_000)
    story.put("a.jpg", content)
    daemon = story.start()
    until(lambda: daemon.folder().verified == 1, "it is in")
    assert door.heard > len(content)
    ends_well(story, daemon, [content])


@pytest.mark.parametrize(
    ("begin", "end", "words"),
    [(-2 * DAY, -DAY, "expired"), (DAY, 2 * DAY, "not yet valid")],
    ids=["expired", "not yet valid"],
)
def test_a_certificate_of_another_time_is_waited_for(
    story: Story, door: Door, begin: timedelta, end: timedelta, words: str
) -> None:
    """A NAS without a clock starts in 1970: it waits, sends nothing, says so, and then goes on."""
    _configure(story, door)
    door.show("127.0.0.1", begin, end)
    story.put("a.jpg", photo("a"))
    daemon = story.start()
    (problem,) = until(lambda: daemon.problems("server"), "it is a problem")
    assert words in problem.advice
    assert "clock" in problem.advice
    assert door.heard == 0
    door.show("127.0.0.1")
    until(lambda: daemon.folder().verified == 1, "it is in")
    ends_well(story, daemon, [photo("a")])


def _another_name(_: Story, door: Door) -> str:
    door.show("nas.example")
    return "mismatch"


def _nobody_vouches(story: Story, door: Door) -> str:
    story.configure(url=door.url)
    return "unable to get local issuer certificate"


def _no_tls_at_all(story: Story, door: Door) -> str:
    story.configure(url=door.plain)
    return "speaks http, not https"


@pytest.mark.parametrize("spoil", [_another_name, _nobody_vouches, _no_tls_at_all])
def test_what_time_does_not_mend_ends_it(
    story: Story, door: Door, spoil: Callable[[Story, Door], str]
) -> None:
    """One sentence, code 3, and not a byte of a request was sent."""
    _configure(story, door)
    words = spoil(story, door)
    ended = story.command("run")
    said = [line for line in ended.stderr.splitlines() if not line.startswith("{")]

    assert (ended.returncode, len(said)) == (3, 1), ended.stderr
    assert words in said[0]
    assert door.heard == 0
    assert story.server.sandbox.requests == []
