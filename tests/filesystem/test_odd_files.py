"""Files that file systems allow and few programs expect."""

import os
from pathlib import Path

from immich_sync.core.types import Stamp
from immich_sync.filesystem.disk import LocalDisk
from immich_sync.filesystem.scan import Policy, passed_over
from immich_sync.filesystem.sidecars import has_still, read_sidecar

NAME_MAX = 255


def test_the_longest_name_has_no_sidecar_and_no_still(tmp_path: Path) -> None:
    """No name is left for one beside it; that is no trouble of the file's own."""
    disk, root = LocalDisk(), os.fsencode(tmp_path)
    photo = b"x" * (NAME_MAX - 4) + b".jpg"
    (tmp_path / os.fsdecode(photo)).write_bytes(b"photo")

    assert isinstance(disk.stat(root, photo), Stamp)
    assert read_sidecar(disk, root, b"", photo, wall=0.0) is None
    assert not has_still(disk, root, b"", b"x" * (NAME_MAX - 4) + b".mov")


def test_a_date_that_no_database_holds_is_kept_as_the_last_one(tmp_path: Path) -> None:
    """The stamp is the same each time it is read, and goes through the state unchanged."""
    photo = tmp_path / "a.jpg"
    photo.write_bytes(b"photo")
    os.utime(photo, ns=(0, 400 * 365 * 86_400 * 10**9))

    stamp = LocalDisk().stat(os.fsencode(tmp_path), b"a.jpg")

    assert stamp is not None
    assert stamp.mtime_ns <= (1 << 63) - 1


def test_a_directory_below_a_marker_is_passed_over(tmp_path: Path) -> None:
    """`.nomedia` and Immich's own storage count for names that an event brought as well."""
    disk, root, policy = LocalDisk(), os.fsencode(tmp_path), Policy()
    for directory, marker in (("quiet", ".nomedia"), ("library", ".immich"), ("photos", "a.jpg")):
        (tmp_path / directory / "below").mkdir(parents=True)
        (tmp_path / directory / marker).touch()

    assert passed_over(disk, root, b"quiet", policy)
    assert passed_over(disk, root, b"quiet/below", policy)
    assert passed_over(disk, root, b"library/below", policy)
    assert passed_over(disk, root, b"photos/below", policy) is None
