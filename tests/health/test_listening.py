"""Where it is listened, and how that changes."""

import socket
from contextlib import closing

import anyio
import httpx
import pytest

from immich_sync.core.errors import Misconfigured
from immich_sync.core.folder import Health
from immich_sync.health.door import Asked, Page
from immich_sync.health.listening import Listening

pytestmark = pytest.mark.anyio


async def answer(_: Asked) -> Page:
    """Always the same."""
    return Page(200, b"ok")


def free() -> int:
    """A port that nobody has."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
        assert isinstance(port, int)
        return port


async def ask(port: int, host: str = "localhost") -> int | None:
    """The status of an answer; None if nobody listens."""
    async with httpx.AsyncClient(trust_env=False) as client:
        try:
            found = await client.get(f"http://127.0.0.1:{port}/", headers={"host": host})
        except httpx.ConnectError:
            return None
        return found.status_code


async def test_it_moves_and_stays() -> None:
    """To another port, to another name at the same one, and nowhere; never to one that is taken."""
    first, second = free(), free()
    with (
        closing(Listening(Health("127.0.0.1", first), answer)) as listening,
        socket.socket() as other,
    ):
        other.bind(("127.0.0.1", 0))
        other.listen()
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(listening.run)
            assert await ask(first) == 200

            with pytest.raises(Misconfigured, match="is taken"):
                listening.move(Health("127.0.0.1", other.getsockname()[1]))
            assert await ask(first) == 200

            assert await ask(first, "nas") == 403
            listening.move(Health("127.0.0.1", first, ("nas",)))
            await anyio.wait_all_tasks_blocked()
            assert await ask(first, "nas") == 200

            listening.move(Health("127.0.0.1", second))
            await anyio.wait_all_tasks_blocked()
            assert (await ask(first), await ask(second)) == (None, 200)

            listening.move(None)
            await anyio.wait_all_tasks_blocked()
            assert await ask(second) is None
            tasks.cancel_scope.cancel()
