"""The disk of the state is full, read-only or failing: everything waits, is said, and goes on."""

import shutil
import sqlite3
import time
from contextlib import closing, suppress
from pathlib import Path

import pytest

from tests.real.scene import disk, due, ends_well, mounted, proved, root, sentence
from tests.stories.scene import Daemon, Story, photo, until

pytestmark = pytest.mark.root


def _fill(place: Path) -> Path:
    """A file that leaves no byte free."""
    filler = place / "filler"
    with filler.open("wb", buffering=0) as file, suppress(OSError):
        while True:
            file.write(bytes(4096))
    assert shutil.disk_usage(place).free == 0
    return filler


def _arrive(story: Story, prefix: str, count: int) -> list[bytes]:
    """So many photos whose names take room."""
    contents = [photo(f"{prefix} {n}") for n in range(count)]
    for n, content in enumerate(contents):
        story.put(f"{'long ' * 20}/{prefix} {'name ' * 20}{n}.jpg", content)
    return contents


def _says(daemon: Daemon, words: str) -> None:
    until(lambda: any(words in one.advice for one in daemon.problems("state")), f"{words!r}")


def test_full_by_bytes_it_waits_and_goes_on(story: Story) -> None:
    """It stays up and says so, marks nothing as done, and goes on by itself once there is room.

    Full again and told to stop, it ends in time; the next start brings in what is left.
    """
    with mounted(story, story.state, "size=8m"):
        daemon = story.start()
        filler = _fill(story.state)
        contents = _arrive(story, "first", 150)
        _says(daemon, "is full: free some space")
        assert proved(story.state) <= set(story.server.checksums())
        filler.unlink()
        until(lambda: daemon.folder().verified == 150, "it has gone on")
        until(lambda: daemon.events("state_works_again"), "it says so")
        assert [len(daemon.events(one)) for one in ("state_failed", "state_works_again")] == [1, 1]
        until(lambda: daemon.problems("state") == [], "it is no problem any more")

        filler = _fill(story.state)
        contents += _arrive(story, "second", 150)
        _says(daemon, "is full: free some space")
        daemon.stop()
        filler.unlink()
        ends_well(story, story.start(), contents)


def test_full_by_inodes_is_said(story: Story) -> None:
    """No file can be made beside the state: one sentence; with room for it, all goes on."""
    with mounted(story, story.state, "size=4m,nr_inodes=12"):
        content = photo("a")
        story.put("a.jpg", content)
        ends_well(story, story.start(), [content])
        fillers = [story.state / f"filler-{n}" for n in range(12)]
        with suppress(OSError):
            for filler in fillers:
                filler.touch()
        said = sentence(story, code=1)
        assert "no room for another file" in said
        for filler in fillers:
            filler.unlink(missing_ok=True)
        ends_well(story, story.start(), [content])


def test_read_only_from_the_start_is_one_sentence(story: Story) -> None:
    """It ends at once: code 2 and what to do, in one line."""
    with mounted(story, story.state):
        ends_well(story, story.start(), [])
        root("mount", "-o", "remount,ro", story.state)
        said = sentence(story, code=2)
        assert "Read-only file system" in said
        assert str(story.state) in said


def test_read_only_from_one_moment_to_the_next_is_waited_out(story: Story) -> None:
    """The kernel finds the disk damaged: nothing is marked as done, it says so, and ends in time.

    Mended and started again it brings in all that is left, once.
    """
    with disk(story, story.state) as state:
        daemon = story.start()
        first = photo("first")
        story.put("first.jpg", first)
        until(lambda: daemon.folder().verified == 1, "the first is in")
        state.fail()
        with pytest.raises(OSError, match="Read-only"):
            (story.state / "new").touch()
        contents = [first, *_arrive(story, "late", 20)]
        until(lambda: daemon.events("state_failed"), "it says so")
        _says(daemon, "disk")
        daemon.stop()
        state.mend()
        assert proved(story.state) <= set(story.server.checksums())
        ends_well(story, story.start(), contents)


def test_a_backup_that_locks_it_is_waited_for(story: Story) -> None:
    """Another program holds the state's write lock for a while: nothing is lost by it."""
    daemon = story.start()
    with closing(sqlite3.connect(story.state / "state.db", isolation_level=None)) as backup:
        backup.execute("BEGIN IMMEDIATE")
        contents = _arrive(story, "late", 20)
        time.sleep(1)
        assert due(story) == 0  # nobody else can write
        backup.execute("ROLLBACK")
    ends_well(story, daemon, contents)
