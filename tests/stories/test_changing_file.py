"""A file that changes while it is being uploaded: torn bytes never become an asset."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from immich_sync.sandbox import SlowRead
from tests.stories.scene import Story, photo, sha1, until

SIZE = 16_000_000
OLD = photo("old", SIZE)
SHORTER = photo("shorter", SIZE // 2)
REWRITTEN = photo("rewritten", SIZE)


def _grow(path: Path) -> None:
    with path.open("ab") as file:
        file.write(b"appended" * 1000)


def _shrink(path: Path) -> None:
    with path.open("r+b") as file:
        file.write(SHORTER)
        file.truncate()


def _rewrite(path: Path) -> None:
    """Other bytes of the same number, behind what has been sent and before it, and the old time."""
    before = path.stat()
    assert len(REWRITTEN) == before.st_size
    with path.open("r+b") as file:
        file.write(REWRITTEN)
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


def _replace(path: Path) -> None:
    draft = path.parent.with_name("draft")
    draft.write_bytes(REWRITTEN)
    draft.rename(path)


@pytest.mark.parametrize("change", [_grow, _shrink, _rewrite, _replace, Path.unlink])
def test_no_torn_bytes_ever_become_an_asset(story: Story, change: Callable[[Path], None]) -> None:
    """The upload under way ends without an asset; the new content, if any, becomes the only one."""
    server = story.server
    other = sha1(story.put("other.jpg", photo("other")).read_bytes())  # an empty folder is offline
    daemon = story.start()
    until(lambda: server.checksums() == [other], "the other photo is there")
    slow = server.break_uploads(SlowRead(4_000_000), times=1)
    path = story.put("film.jpg", OLD)
    until(server.receives, "the upload is under way")
    change(path)
    torn = server.everything()
    new = sorted([other, *([sha1(path.read_bytes())] if path.exists() else [])])
    until(
        lambda: server.checksums() == new and daemon.folder().files == len(new),
        "the new content is there",
    )
    story.calm(daemon)
    until(lambda: server.sandbox.stray_files() == [], "nothing is left over")

    assert torn == [other]
    assert new == server.checksums()
    assert server.sandbox.count("POST", "/api/assets", 201) == len(server.everything())
    assert slow.fired == 1
