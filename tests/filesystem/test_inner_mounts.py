"""Facts about where something is mounted below a root, on the machine that the tests run on."""

from immich_sync.filesystem.disk import LocalDisk

ROOT = b"/"
DEEP = b"proc/sys/kernel"
"""A directory deep in a file system that every Linux has mounted within its root."""


def test_the_top_of_a_disk_is_mounted_and_no_directory_on_it() -> None:
    """An event may have a directory deep on a disk listed first, again and again."""
    disk = LocalDisk()
    disk.identify(ROOT)
    before = set(disk.inner(ROOT))
    found = []
    for _ in range(2):
        disk.list(ROOT, DEEP)
        found.append(set(disk.inner(ROOT)))

    assert b"proc" in before
    assert found == [before, before]
