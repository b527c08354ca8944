"""A server and a story about it, for each test anew."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from anyio.from_thread import start_blocking_portal

from immich_sync.sandbox import Sandbox
from tests.stories.scene import Server, Story


@pytest.fixture
def server() -> Iterator[Server]:
    """A sandbox behind a relay; its loop turns in a thread, so that tests may block."""
    with (
        start_blocking_portal("asyncio") as portal,
        portal.wrap_async_context_manager(Sandbox(relay=True)) as sandbox,
    ):
        yield Server(sandbox, portal)


@pytest.fixture
def story(server: Server, tmp_path: Path) -> Iterator[Story]:
    """An empty folder to watch; the daemon that a test leaves running is stopped and judged."""
    photos = tmp_path / "photos"
    photos.mkdir()
    story = Story(server, tmp_path, photos, tmp_path / "config.toml")
    try:
        yield story
    except BaseException:
        for daemon in story.daemons:
            daemon.kill()
        raise
    story.end()
