"""Trees of many directories, events that are lost, directories that move: nothing goes deaf."""

import os
import signal
import sys
import time
from collections import Counter
from pathlib import Path

import pytest

from immich_sync.sandbox.tiny_jpeg import TINY_JPEG
from immich_sync.store.database import open_read_only
from tests.filesystem.tree_storm import Storm
from tests.stories.scene import Daemon, Story, photo, until

DIRECTORIES = 20_000
QUEUED = Path("/proc/sys/fs/inotify/max_queued_events")
IDLE = 3.0
"""Seconds for which the daemon is watched doing nothing."""
LITTLE = 0.1
"""The share of a core that an idle process may use at most, measured coarsely."""

linux = pytest.mark.skipif(sys.platform != "linux", reason="asks /proc and inotify")


def _cpu(daemon: Daemon) -> float:
    """Seconds of CPU that the process has used."""
    fields = Path(f"/proc/{daemon.process.pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _idles(daemon: Daemon) -> bool:
    before = _cpu(daemon)
    time.sleep(IDLE)
    return _cpu(daemon) - before < LITTLE * IDLE


def _verified(daemon: Daemon) -> int:
    time.sleep(0.2)  # to count files is work, too
    return daemon.folder().verified


@linux
@pytest.mark.slow
def test_a_tree_of_20_000_directories_is_watched_also_after_lost_events(story: Story) -> None:
    """It starts, watches and idles; what came while the kernel dropped events is found at once."""
    old = [f"{n % 20}/{n // 20 % 20}/{n // 400}" for n in range(DIRECTORIES)]
    for directory in old:
        (story.photos / directory).mkdir(parents=True)
    story.configure({"album": "{parent}"})
    daemon = story.start()
    folder = daemon.folder()
    assert (folder.watch, daemon.status().problems) == ("inotify", ())
    assert _idles(daemon)
    for directory in (old[0], old[DIRECTORIES // 2], old[-1]):
        story.put(f"{directory}/heard.jpg", photo(directory))
    until(lambda: _verified(daemon) == 3, "photos in old directories are heard of")

    daemon.process.send_signal(signal.SIGSTOP)
    noise = story.photos / "noise.txt"
    noise.touch()
    for n in range(int(QUEUED.read_text()) // 2 + 1):  # each is two events
        noise = noise.rename(story.photos / f"noise-{n % 2}.txt")
    for n in range(200):
        story.put(f"new/{n % 50}/IMG_{n}.jpg", photo(n))
    for directory in old[100:110]:
        story.put(f"{directory}/lost.jpg", photo(f"lost {directory}"))
    daemon.process.send_signal(signal.SIGCONT)
    until(lambda: _verified(daemon) == 213, "what came without an event is found")
    until(lambda: len(daemon.events("scanned")) > 1, "a scan for the overflow is over")
    until(lambda: daemon.folder().state == "watching", "no scan is under way")
    scans = len(daemon.events("scanned"))

    for n in range(50):
        story.put(f"new/{n}/heard.jpg", photo(f"heard {n}"))
    until(lambda: _verified(daemon) == 263, "directories that came without an event are heard")
    until(daemon.is_done, "nothing is due any more")
    # Events that were lost in several pieces call for several scans: these find nothing.
    assert not any(one["due"] or one["moving"] for one in daemon.events("scanned")[scans:])
    assert _idles(daemon)


def _synced(story: Story) -> Counter[bytes]:
    """The paths that the ledger knows and that are not due."""
    database = open_read_only(story.state / "state.db")
    try:
        with database.reading() as connection:
            rows = connection.execute(
                "SELECT dir, name FROM file WHERE sha1 IS NOT NULL AND NOT EXISTS ("
                " SELECT 1 FROM job WHERE job.dir = file.dir AND job.name = file.name)"
            )
            return Counter(directory + b"/" + name for directory, name in rows)
    finally:
        database.close()


def _lying(story: Story) -> Counter[bytes]:
    found = story.photos.rglob("*.jpg")
    relative = (os.fsencode(path.relative_to(story.photos)) for path in found)
    return Counter(path if b"/" in path else b"/" + path for path in relative)


@linux
@pytest.mark.parametrize("seed", range(3))
def test_a_storm_of_directories_leaves_none_deaf(story: Story, seed: int) -> None:
    """Directories are made, moved, swapped, taken out and removed while files arrive.

    In the end the ledger knows exactly what lies there, and hears of one more file in each
    directory: without any scan but the first.
    """
    outside = story.home / "outside"
    outside.mkdir()
    for n in range(5):
        (story.photos / f"start-{n}").mkdir()
    daemon = story.start()
    Storm(story.photos, outside, seed, TINY_JPEG).run(400)
    until(lambda: _synced(story) == _lying(story), "the ledger knows what lies there")
    for n, (here, _, _) in enumerate(os.walk(story.photos)):
        (Path(here) / f"heard-{n}.jpg").write_bytes(TINY_JPEG)
    until(lambda: _synced(story) == _lying(story), "every directory is heard")
    until(daemon.is_done, "nothing is due any more")
    assert len(_lying(story)) > 100
    assert [event["why"] for event in daemon.events("scanned")] == ["start"]
    assert len(story.server.assets()) == 1
