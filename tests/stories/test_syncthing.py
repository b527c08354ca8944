"""Syncthing beside us: photos appear under a temporary name, grow, and are renamed into place."""

import os
import time
from pathlib import Path

from tests.stories.scene import Story, photo, sha1, until

TAKEN = 1_600_000_000
"""When the photos were taken: Syncthing gives a file its old time before its name."""


def _receive(story: Story, name: str, content: bytes) -> Path:
    """What Syncthing does, a little slower than the folder settles."""
    target = story.photos / name
    target.parent.mkdir(parents=True, exist_ok=True)
    temporary = target.with_name(f".syncthing.{target.name}.tmp")
    with temporary.open("wb") as growing:
        for start in range(0, len(content), len(content) // 3 + 1):
            growing.write(content[start : start + len(content) // 3 + 1])
            growing.flush()
            time.sleep(0.15)
    os.utime(temporary, (TAKEN, TAKEN))
    return temporary.rename(target)


def test_every_photo_arrives_once_and_no_temporary_ever_does(story: Story) -> None:
    """What Syncthing receives is uploaded once it has its name; its own files never are."""
    for name in (
        ".stfolder/syncthing-folder-1.jpg",
        ".stversions/Camera/IMG_0~20240817-120000.jpg",
    ):
        story.put(name, photo(name))
    story.put(".syncthing.left behind.jpg.tmp", photo("left behind"))
    story.configure(settle="100ms")
    daemon = story.start()
    conflict = "IMG_1.sync-conflict-20240817-121503-ABCDEFG.jpg"
    for name in ("IMG_1.jpg", "Camera/IMG_2.jpg", conflict):
        _receive(story, name, photo(name, 300_000))
    story.calm(daemon)

    expected = sorted(
        sha1(photo(name, 300_000)) for name in ("IMG_1.jpg", "Camera/IMG_2.jpg", conflict)
    )
    assert expected == story.server.checksums()
    assert story.server.names() == sorted(["IMG_1.jpg", "IMG_2.jpg", conflict])
    assert story.server.sent() == 3


def test_a_photo_that_syncthing_replaces_arrives_in_both_versions(story: Story) -> None:
    """The new bytes go up, also when only they and not the name nor the time are new."""
    daemon = story.start()
    _receive(story, "IMG_1.jpg", photo("old"))
    until(lambda: story.server.checksums() == [sha1(photo("old"))], "the first version is there")
    _receive(story, "IMG_1.jpg", photo("new"))
    story.calm(daemon)

    assert sorted([sha1(photo("old")), sha1(photo("new"))]) == story.server.checksums()
