"""What the machine says of itself."""

import os
import subprocess
from pathlib import Path

import pytest

from immich_sync.filesystem.allowances import (
    free_bytes,
    ground_at,
    instance_limit,
    is_read_only,
    watch_limit,
)
from immich_sync.filesystem.mounts import mount_at, parse_mountinfo


def test_the_least_limit_counts(tmp_path: Path) -> None:
    """A namespace may allow less than the kernel does; what cannot be read says nothing."""
    for name, number in (("fs/inotify/max_user_watches", 9), ("user/max_inotify_watches", 5)):
        path = tmp_path / name
        path.parent.mkdir(parents=True)
        path.write_text(f"{number}\n")

    assert watch_limit(tmp_path) == 5
    assert instance_limit(tmp_path) is None


def test_this_machine_has_limits() -> None:
    """On Linux both are told."""
    assert (watch_limit() or 0) > 0
    assert (instance_limit() or 0) > 0


def test_a_folder_lies_somewhere(tmp_path: Path) -> None:
    """On a file system of this machine, with room, which may be written to."""
    ground = ground_at(os.fsencode(tmp_path))

    assert ground.filesystem
    assert not ground.remote
    assert free_bytes(tmp_path) > 0
    assert not is_read_only(tmp_path)


def test_mounts_that_follow_the_host_are_known() -> None:
    """By the optional fields of the table: shared and slave do, private does not."""
    table = b"""\
1 0 8:1 / / rw shared:1 - ext4 /dev/a rw
2 1 8:2 / /slave rw master:1 - ext4 /dev/b rw
3 1 8:3 / /private rw - ext4 /dev/c rw
"""
    mounts = parse_mountinfo(table)
    found = [mount_at(path, mounts) for path in (b"/", b"/slave/a", b"/private")]

    assert [mount.follows for mount in found if mount] == [True, True, False]


@pytest.mark.root
def test_a_read_only_mount_is_seen(tmp_path: Path) -> None:
    """Even by root, who may do anything else."""
    place = tmp_path / "closed"
    place.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "ro,size=1m", "none", place], check=True)  # noqa: S603, S607 - our own
    try:
        assert is_read_only(place)
        assert ground_at(os.fsencode(place)).filesystem == "tmpfs"
        assert ground_at(os.fsencode(place)).mounted
    finally:
        subprocess.run(["umount", "--lazy", place], check=True)  # noqa: S603, S607 - likewise
