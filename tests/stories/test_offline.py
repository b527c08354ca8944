"""A folder's disk is unmounted and comes back, or another disk does: nothing is ever forgotten."""

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.stories.scene import Daemon, Story, photo, sha1, until

pytestmark = pytest.mark.root

FILES = 12


class _Disk:
    """A small file system in memory, mounted somewhere for good, that can be shown at a place."""

    def __init__(self, store: Path, place: Path) -> None:
        self.store = store
        self.place = place
        store.mkdir()
        _run("mount", "-t", "tmpfs", "-o", "size=16m", store.name, str(store))

    def mount(self) -> None:
        """It lies at its place."""
        _run("mount", "--bind", str(self.store), str(self.place))

    def unmount(self) -> None:
        """An empty directory lies there; whoever had it open keeps it."""
        _run("umount", "--lazy", str(self.place))


def _run(*command: str) -> None:
    done = subprocess.run(command, check=False, capture_output=True, text=True)  # noqa: S603 - mount and umount
    if done.returncode:
        pytest.skip(f"mounting is not allowed here: {done.stderr.strip()}")


@contextmanager
def _disks(story: Story, *names: str) -> Iterator[list[_Disk]]:
    """Disks for the story's folder; all of them are gone afterwards."""
    try:
        yield [_Disk(story.home / name, story.photos) for name in names]
    finally:
        for daemon in story.daemons:
            if daemon.process.poll() is None:
                daemon.stop()
        for place in (story.photos, story.photos, *(story.home / name for name in names)):
            if os.path.ismount(place):
                _run("umount", "--lazy", str(place))


def _fill(directory: Path, prefix: str) -> list[str]:
    contents = [photo(f"{prefix} {n}") for n in range(FILES)]
    for n, content in enumerate(contents):
        (directory / f"{prefix}-{n}.jpg").write_bytes(content)
    return [sha1(content) for content in contents]


def _becomes(daemon: Daemon, state: str) -> None:
    until(lambda: daemon.folder().state == state, f"the folder is {state}")


def test_a_disk_that_goes_and_comes_back_is_the_same_folder(story: Story) -> None:
    """Unmounted: `offline`, and nothing counts as gone. Mounted again: it goes on by itself.

    A file that arrives on the disk meanwhile is found, and nothing is sent twice.
    """
    with _disks(story, "disk") as (disk,):
        disk.mount()
        known = _fill(story.photos, "IMG")
        story.configure({"album": "Trip", "root_check": "200ms"})
        daemon = story.start()
        until(lambda: daemon.folder().verified == FILES, "all photos are synced")
        sent = story.server.sent()

        disk.unmount()
        _becomes(daemon, "offline")
        assert list(story.photos.iterdir()) == []
        assert "is its disk mounted?" in daemon.problems("folder")[0].advice
        daemon.order("scan")
        late = photo("late")
        (disk.store / "late.jpg").write_bytes(late)
        assert (len(story.known()), daemon.folder().verified) == (FILES, FILES)

        disk.mount()
        _becomes(daemon, "watching")
        until(lambda: sha1(late) in story.server.checksums(), "the late photo is there")
        assert sorted([*known, sha1(late)]) == story.server.checksums()
        (story.photos / "later.jpg").write_bytes(photo("later"))
        until(lambda: sha1(photo("later")) in story.server.checksums(), "the folder is watched")
        until(daemon.is_done, "nothing is due any more")
        assert daemon.problems("folder") == []
        assert daemon.folder().verified == FILES + 2
        assert story.server.sent() == sent + 2


def test_what_is_written_beneath_a_missing_disk_does_not_make_it_the_folder(story: Story) -> None:
    """Another program fills the mount point while the disk is away: nothing counts as gone."""
    with _disks(story, "disk") as (disk,):
        disk.mount()
        _fill(story.photos, "IMG")
        story.configure({"root_check": "200ms"})
        daemon = story.start()
        until(lambda: daemon.folder().verified == FILES, "all photos are synced")
        disk.unmount()
        _becomes(daemon, "offline")
        (story.photos / "stray.jpg").write_bytes(photo("stray"))
        _becomes(daemon, "unapproved")
        assert (daemon.folder().files, sha1(photo("stray")) in story.server.checksums()) == (
            FILES,
            False,
        )
        disk.mount()
        _becomes(daemon, "watching")
        assert daemon.folder().verified == FILES


def test_another_disk_waits_for_a_persons_word(story: Story) -> None:
    """Another file system at the same path is `unapproved`, over restarts too, until `approve`."""
    with _disks(story, "disk", "other") as (disk, other):
        disk.mount()
        known = _fill(story.photos, "IMG")
        new = _fill(other.store, "NEW")
        story.configure({"root_check": "200ms"})
        daemon = story.start()
        until(lambda: daemon.folder().verified == FILES, "all photos are synced")

        disk.unmount()
        other.mount()
        _becomes(daemon, "unapproved")
        assert "immich-sync approve" in daemon.problems("folder")[0].advice
        daemon.stop()
        daemon = story.start()
        _becomes(daemon, "unapproved")
        assert sorted(known) == story.server.checksums()
        assert daemon.folder().files == FILES

        approved = story.typed("approve", story.photos)
        assert (approved.returncode, approved.stderr) == (0, "")
        until(lambda: sorted(known + new) == story.server.checksums(), "the new photos are there")
        until(lambda: daemon.folder().verified == FILES, "what was on the other disk is forgotten")
        assert daemon.folder().files == FILES
