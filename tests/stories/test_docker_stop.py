"""`docker stop`: SIGTERM, ten seconds, SIGKILL. We are gone by eight, and nothing is half-done."""

import signal
import time

import pytest

from immich_sync.sandbox import SlowRead
from tests.stories.hanging_disk import hanging_disk
from tests.stories.reading import readings
from tests.stories.scene import Daemon, Story, photo, until

BIG = 24_000_000
SLOW = 1_000_000
"""Bytes a second that the server takes: far too few to be done in time."""


def _time_to_end(daemon: Daemon) -> float:
    """Seconds from SIGTERM to the end of the process, which must be an orderly one."""
    began = time.monotonic()
    daemon.stop()
    return time.monotonic() - began


def _first_bytes(story: Story) -> bool:
    """Whether the server's disk holds some of a body, but not all of it."""
    return any(0 < path.stat().st_size < BIG for path in story.server.sandbox.stray_files())


def test_a_large_upload_is_cut_and_goes_up_at_the_next_start(story: Story) -> None:
    """Nothing half-done is left on the server, and nothing but the cut file is read again."""
    story.configure({"album": "{parent}"})
    small = [f"IMG_{n}.jpg" for n in range(20)]
    for name in small:
        story.put(name, photo(name))
    daemon = story.start()
    story.calm(daemon)
    settled = len(story.server.everything())
    slowly = story.server.sandbox.faults.add(SlowRead(SLOW), method="POST", path="/api/assets")
    story.put("long.jpg", photo("long", BIG))
    until(lambda: slowly.fired and _first_bytes(story), "the upload is under way")

    assert _time_to_end(daemon) < 8
    until(lambda: story.server.sandbox.stray_files() == [], "nothing half-done is on the server")
    assert len(story.server.everything()) == settled

    story.server.sandbox.faults.clear()
    with readings(story.photos) as read:
        daemon = story.start()
        until(lambda: "long.jpg" in story.server.names(), "the file went up")
        until(daemon.is_done, "nothing is due any more")
        assert read.names() == {"long.jpg"}
    assert story.server.names() == sorted([*small, "long.jpg"])
    assert story.server.album("photos") == sorted([*small, "long.jpg"])


def test_who_idles_ends_at_once(story: Story) -> None:
    """With nothing in hand there is nothing to wait for."""
    story.put("IMG_1.jpg", photo(1))
    daemon = story.start()
    story.calm(daemon)
    assert _time_to_end(daemon) < 2


def test_a_second_signal_changes_nothing(story: Story) -> None:
    """SIGTERM twice in a row, and SIGINT on top, is one orderly end."""
    story.put("IMG_1.jpg", photo(1))
    daemon = story.start()
    daemon.process.send_signal(signal.SIGTERM)
    daemon.process.send_signal(signal.SIGTERM)
    daemon.process.send_signal(signal.SIGINT)
    assert _time_to_end(daemon) < 8


def test_a_server_that_is_down_does_not_hold_us(story: Story) -> None:
    """SIGTERM while files wait for the server: gone at once, and they are still due."""
    daemon = story.start()
    story.server.refuse()
    for n in range(20):
        story.put(f"IMG_{n}.jpg", photo(n))
    until(lambda: daemon.status().server.reachable is False, "it says that the server is down")
    assert _time_to_end(daemon) < 2

    story.server.accept()
    daemon = story.start()
    until(lambda: len(story.server.assets()) == 20, "all photos are there")


def test_a_server_that_was_never_there_does_not_hold_us(story: Story) -> None:
    """SIGTERM while the server is still waited for since the start."""
    story.server.refuse()
    story.put("IMG_1.jpg", photo(1))
    daemon = story.launch()
    until(lambda: daemon.events("server_in_trouble"), "it waits for the server")
    assert _time_to_end(daemon) < 2


@pytest.mark.root
def test_a_disk_that_never_answers_does_not_hold_us(story: Story) -> None:
    """A read that hangs in the kernel cannot be cancelled: the process ends all the same."""
    with hanging_disk(story.photos, "IMG_1.jpg", photo(1)) as disk:
        story.configure({"watch": "poll", "poll_interval": "1s"})
        daemon = story.launch()
        until(disk.hangs, "somebody reads the file")
        assert _time_to_end(daemon) < 8
