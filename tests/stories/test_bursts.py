"""20,000 small files at once, as fast as the disk allows: none is missed, memory stays bounded."""

import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.stories.scene import Daemon, Story, photo, sha1, until

FILES = 20_000
DIRECTORIES = 100
CONTENTS = 200
"""Different photos among them: each is sent once, so that the server is not what is measured."""
MEGABYTES = 200


def _tree(top: Path, *, files: int = FILES) -> None:
    """`files` photos in nested directories; many of them share their bytes."""
    directories = [top / f"{n % 10}" / f"{n // 10}" for n in range(DIRECTORIES)]
    for directory in directories:
        directory.mkdir(parents=True)
    contents = [photo(n) for n in range(CONTENTS)]
    for n in range(files):
        (directories[n % DIRECTORIES] / f"IMG_{n}.jpg").write_bytes(contents[n % CONTENTS])


def _peak(daemon: Daemon) -> float:
    """The most memory that the process ever had, in megabytes."""
    status = Path(f"/proc/{daemon.process.pid}/status").read_text()
    (line,) = (line for line in status.splitlines() if line.startswith("VmHWM"))
    return int(line.split()[1]) / 1024


def _verified(daemon: Daemon) -> int:
    """How many files are proved; asked seldom, since to count so many is work."""
    time.sleep(0.5)
    return daemon.folder().verified


def _all_synced(story: Story, daemon: Daemon, files: int) -> None:
    """Every path is in the ledger and proved, every content on the server once."""
    until(lambda: _verified(daemon) == files, f"{files} files are verified", within=120)
    until(daemon.is_done, "nothing is due any more")
    folder = daemon.folder()
    assert (folder.files, folder.verified, folder.failed) == (files, files, 0)
    assert sorted(sha1(photo(n)) for n in range(CONTENTS)) == story.server.checksums()
    assert len(story.server.album("Burst")) == CONTENTS


@pytest.mark.slow
def test_a_copied_tree_is_synced_whole_in_bounded_memory(story: Story) -> None:
    """`cp -r` of 20,000 photos into a watched folder: all are found, without any further scan."""
    _tree(story.home / "source")
    story.configure({"album": "Burst"})
    daemon = story.start()
    command = ["cp", "-r", str(story.home / "source"), str(story.photos / "copied")]
    subprocess.run(command, check=True)  # noqa: S603 - our own command
    _all_synced(story, daemon, FILES)
    if sys.platform == "linux":
        assert _peak(daemon) < MEGABYTES


def _moved(source: Path, target: Path) -> None:
    source.rename(target)


def _extracted(source: Path, target: Path) -> None:
    archive = shutil.make_archive(str(source), "zip", source)
    shutil.unpack_archive(archive, target)


def _linked(source: Path, target: Path) -> None:
    shutil.copytree(source, target, copy_function=os.link)


def test_a_tree_is_synced_whole_however_it_comes(story: Story) -> None:
    """Moved in whole, unzipped, or linked file by file, which tells of no end: none is missed."""
    files = 2_000
    story.configure({"album": "Burst"})
    daemon = story.start()
    for number, bring in enumerate((_moved, _extracted, _linked), start=1):
        source = story.home / f"source {number}"
        _tree(source, files=files)
        bring(source, story.photos / f"brought {number}")
        _all_synced(story, daemon, number * files)
