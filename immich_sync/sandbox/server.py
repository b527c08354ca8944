"""The sandbox on a real socket: for tests, for the demo, and for the command line.

Its own module because everything else runs without a network.
"""

import asyncio
import contextlib
import random
import socket
import tempfile
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from types import TracebackType
from typing import Self

import anyio
import uvicorn
from starlette.types import ASGIApp

from immich_sync.sandbox import inspection
from immich_sync.sandbox.app import create_app
from immich_sync.sandbox.faults import Faults
from immich_sync.sandbox.faulty_app import with_faults
from immich_sync.sandbox.listening import listen
from immich_sync.sandbox.records import ApiKey, User
from immich_sync.sandbox.relay import Relay
from immich_sync.sandbox.state import Exchange, State

DATE_PERIOD = 1  # seconds for which the Date header of answers stays the same
GRACE = 1  # seconds that requests under way have when the server stops


class _Embedded(uvicorn.Server):
    """uvicorn as a guest: signals belong to whoever runs the event loop."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.up = asyncio.Event()
        self.leaving = asyncio.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.up.set()

    async def main_loop(self) -> None:
        # uvicorn's own looks ten times a second whether it is to stop.
        while not self.leaving.is_set():
            await self.on_tick(0)
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self.leaving.wait(), DATE_PERIOD)

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


class _Running:
    """One uvicorn over one application, in a task of the running loop."""

    def __init__(self, app: ASGIApp, bound: socket.socket) -> None:
        config = uvicorn.Config(
            app,
            http="h11",
            ws="none",
            lifespan="off",
            log_config=None,
            access_log=False,
            server_header=False,
            timeout_graceful_shutdown=GRACE,
        )
        self._server = _Embedded(config)
        self._bound = bound
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Connections are answered from now on."""
        self._task = asyncio.create_task(self._server.serve(sockets=[self._bound]))
        await self._server.up.wait()

    async def stop(self) -> None:
        """The socket is closed and no request is under way."""
        self._server.leaving.set()
        if self._task is not None:
            await self._task


class Sandbox:
    """An Immich in small on a free port of the loopback, for the length of an `async with`.

    Without `data` it lives in a temporary folder; with it, the next Sandbox over the same folder
    finds everything again.  With `relay`, `url` leads through a `Relay`, and `faults` may hold
    faults of the wire as well.  Needs asyncio.
    """

    def __init__(  # noqa: PLR0913 (each is a setting of the server, all by keyword)
        self,
        *,
        version: str = "3.1.0",
        data: Path | None = None,
        api_key: str | None = None,
        host: str = "127.0.0.1",
        port: int = 0,
        relay: bool = False,
        trash: bool = True,
        thumbnail_delay: timedelta = timedelta(seconds=0.25),
        rng: random.Random | None = None,
    ) -> None:
        self._temporary = None if data else tempfile.TemporaryDirectory(prefix="immich-sandbox-")
        folder = data or Path(self._temporary.name if self._temporary else "")
        folder.mkdir(parents=True, exist_ok=True)
        self.state = State(
            folder,
            version=version,
            api_key=api_key,
            keep=data is not None,
            trash=trash,
            thumbnail_delay=thumbnail_delay,
            rng=rng,
        )
        self.faults = Faults(wire=relay)
        self._host = host
        self._port = port
        self._with_relay = relay
        self._relay: Relay | None = None
        self._running: _Running | None = None

    async def __aenter__(self) -> Self:
        try:
            await self._start()
        except BaseException:
            await self.__aexit__(None, None, None)
            raise
        return self

    async def _start(self) -> None:
        direct = 0 if self._with_relay else self._port
        bound = listen(self._host, direct)
        app = with_faults(create_app(self.state), self.faults, self.state)
        self._running = _Running(app, bound)
        port = bound.getsockname()[1]
        await self._running.start()
        if self._with_relay:
            self._relay = Relay((self._host, port), self.faults, host=self._host, port=self._port)
            await self._relay.start()
            port = self._relay.port
        self._port = port

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        # Whoever cancels still wants the port and the folder back.
        with anyio.CancelScope(shield=True):
            await self.stop()
        if self._temporary is not None:
            self._temporary.cleanup()

    async def stop(self) -> None:
        """Nobody listens and no request is under way; what is stored can still be looked at."""
        if self._relay is not None:
            await self._relay.stop()
        if self._running is not None:
            await self._running.stop()
        self.state.close()

    @property
    def url(self) -> str:
        """Where the server is, without `/api`: `http://127.0.0.1:40123`."""
        host = f"[{self._host}]" if ":" in self._host else self._host
        return f"http://{host}:{self._port}"

    @property
    def port(self) -> int:
        """The port of `url`."""
        return self._port

    @property
    def api_key(self) -> str:
        """The administrator's key, which may do everything."""
        return self.state.api_key

    @property
    def relay(self) -> Relay:
        """What stands in front of the server; ValueError without `relay=True`."""
        if self._relay is None:
            raise ValueError("this sandbox was started without a relay: use Sandbox(relay=True)")
        return self._relay

    @property
    def data(self) -> Path:
        """The folder in which everything is stored."""
        return self.state.data

    @property
    def requests(self) -> list[Exchange]:
        """Every request so far, in the order in which they ended; clear it at will."""
        return self.state.requests

    def count(self, method: str | None = None, path: str = "", status: int | None = None) -> int:
        """How many requests there were of this method, below this path, with this status."""
        return inspection.count(self.requests, method, path, status)

    def assets(self) -> list[inspection.StoredAsset]:
        """Every asset, the trashed ones too, in the order of arrival."""
        return inspection.stored_assets(self.state)

    def albums(self) -> list[inspection.StoredAlbum]:
        """Every album."""
        return inspection.stored_albums(self.state)

    def stray_files(self) -> list[Path]:
        """Files on the server's disk that belong to no asset."""
        return inspection.stray_files(self.state)

    def add_user(self, email: str, *, quota: int | None = None) -> tuple[User, str]:
        """A second user, and a key of theirs that may do everything; `quota` is in bytes."""
        user = self.state.add_user(email, email.partition("@")[0], "password", quota=quota)
        return user, self.state.add_key(user.id, "sandbox", ("all",)).secret

    def add_key(self, *permissions: str) -> str:
        """Another key of the administrator's, limited to these permissions."""
        key: ApiKey = self.state.add_key(self.state.admin.id, "limited", permissions)
        return key.secret


async def serve(
    *,
    ready: Callable[[str, str], None],
    host: str = "127.0.0.1",
    port: int = 2283,
    data: Path | None = None,
    server_version: str = "3.1.0",
    api_key: str | None = None,
) -> None:
    """A sandbox until cancelled; `ready(url, api_key)` is called when it answers.

    OSError if the address is taken.  Needs asyncio.
    """
    sandbox = Sandbox(version=server_version, data=data, api_key=api_key, host=host, port=port)
    async with sandbox:
        ready(sandbox.url, sandbox.api_key)
        await asyncio.get_running_loop().create_future()
