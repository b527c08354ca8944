"""Facts about the mount table and what follows from it."""

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from immich_sync.core.ports import Lane
from immich_sync.filesystem.mounts import (
    Mount,
    disk_of,
    hash_lane,
    identify,
    immich_storage,
    keeps_inodes,
    mode_for,
    mount_at,
    parse_mountinfo,
    read_mounts,
    watch_mode,
)

_TABLE = rb"""21 1 8:2 / / rw,relatime shared:1 - ext4 /dev/sda2 rw
30 21 0:25 / /srv/my\040photos rw master:3 propagate_from:2 - nfs4 nas:/export rw,vers=4.2
31 21 0:26 / /srv/my\040photos/usb rw - vfat /dev/sdb1 rw,utf8
32 21 0:27 / /srv/share rw - cifs //nas/photo rw,serverino,soft
33 21 0:28 / /srv/old rw - cifs //old/photo rw,noserverino
34 31 0:29 / /srv/my\040photos/usb rw - exfat /dev/sdc1 rw
35 21 0:30 / /mnt/b\134slash rw - fuse.mergerfs a:b
torn line
x 21 0:31 / /mnt/odd rw - ext4 /dev/sdd1 rw
"""


def _at(path: bytes) -> Mount:
    found = mount_at(path, parse_mountinfo(_TABLE))
    assert found is not None
    return found


def test_the_table_is_read_field_by_field() -> None:
    """Optional fields, escapes and torn lines are as proc(5) says."""
    mounts = parse_mountinfo(_TABLE)

    assert [mount.number for mount in mounts] == [21, 30, 31, 32, 33, 34, 35]
    assert mounts[1] == Mount(
        number=30,
        device="0:25",
        point=b"/srv/my photos",
        filesystem="nfs4",
        source="nas:/export",
        options=frozenset({"rw", "vers=4.2"}),
    )
    assert mounts[6].point == b"/mnt/b\\slash"


@pytest.mark.parametrize(
    ("path", "filesystem"),
    [
        (b"/", "ext4"),
        (b"/srv", "ext4"),
        (b"/srv/my photos", "nfs4"),
        (b"/srv/my photos/2024", "nfs4"),
        (b"/srv/my photos2", "ext4"),
        (b"/srv/my photos/usb/DCIM", "exfat"),  # mounted over vfat
    ],
)
def test_a_path_lies_on_the_deepest_latest_mount(path: bytes, filesystem: str) -> None:
    """Whole names count, and of two mounts at one place the later."""
    assert _at(path).filesystem == filesystem


def test_a_name_may_hold_what_the_kernel_does_not_escape() -> None:
    """A carriage return in the name of a mount point ends no line."""
    [mount] = parse_mountinfo(b"36 35 98:0 / /mnt/a\rb rw - ext4 /dev/sdb1 rw\n")

    assert mount.point == b"/mnt/a\rb"


@given(st.binary())
def test_no_table_breaks_the_reader(table: bytes) -> None:
    """Whatever a kernel writes, reading it ends in mounts or fewer mounts."""
    assert len(parse_mountinfo(table)) <= len(table.splitlines())


@pytest.mark.parametrize(
    ("filesystem", "mode"),
    [
        *((name, "inotify") for name in ("ext4", "btrfs", "xfs", "zfs", "vfat", "exfat", "tmpfs")),
        *((name, "poll") for name in ("nfs", "nfs4", "cifs", "smb3", "9p", "fuse.sshfs", "ceph")),
        *((name, "both") for name in ("overlay", "virtiofs", "fuseblk", "fuse.mergerfs", "fuse")),
    ],
)
def test_each_file_system_is_watched_as_it_can_be(filesystem: str, mode: str) -> None:
    """Remote ones are polled, layered ones watched and polled, the rest watched."""
    assert watch_mode(filesystem) == mode


def test_only_some_file_systems_keep_inodes() -> None:
    """FAT, FUSE and a share without serverino make them up."""
    kept = {mount.source: keeps_inodes(mount) for mount in parse_mountinfo(_TABLE)}

    assert kept == {
        "/dev/sda2": True,
        "nas:/export": True,
        "/dev/sdb1": False,
        "//nas/photo": True,
        "//old/photo": False,
        "/dev/sdc1": False,
        "a:b": False,
    }


def test_this_process_has_mounts() -> None:
    """The table can be read where the tests run, and the root is in it."""
    assert b"/" in {mount.point for mount in read_mounts()}


def test_a_root_has_one_identity(tmp_path: Path) -> None:
    """Asked twice it says the same; another directory says something else; nothing says None."""
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    (tmp_path / "file").touch()
    a, b = os.fsencode(tmp_path / "a"), os.fsencode(tmp_path / "b")

    assert identify(a) == identify(a) is not None
    assert identify(a) != identify(b)
    assert identify(os.fsencode(tmp_path / "none")) is None
    assert identify(os.fsencode(tmp_path / "file")) is None


def test_what_is_missing_is_taken_for_a_plain_disk(tmp_path: Path) -> None:
    """A root that is not there yet stops nobody from starting."""
    missing = os.fsencode(tmp_path / "none")

    assert mode_for(missing) == "inotify"
    assert disk_of(missing).key == "unknown"


def test_folders_of_one_disk_share_a_lane(tmp_path: Path) -> None:
    """The lane's name is the disk's; its width is as configured, else one to four."""
    root = os.fsencode(tmp_path)
    lane = hash_lane(root)

    assert lane.name == f"hash {disk_of(root).key}"
    assert 1 <= lane.width <= 4
    assert hash_lane(root, 7) == Lane(lane.name, 7)
    if disk_of(root).rotational:
        assert lane.width == 1


@pytest.mark.parametrize(
    ("marked", "root"),
    [
        ("library", "library"),  # at
        ("library", "library/admin/2024"),  # below
        ("library", "."),  # above, by one
        ("immich/library", "."),  # above, by two
    ],
)
def test_immichs_own_storage_is_known(tmp_path: Path, marked: str, root: str) -> None:
    """A root at, above or below a marked directory is found out."""
    (tmp_path / marked).mkdir(parents=True)
    (tmp_path / marked / ".immich").touch()
    (tmp_path / root).mkdir(parents=True, exist_ok=True)

    assert immich_storage(os.fsencode(tmp_path / root)) == os.fsencode(tmp_path / marked)


def test_other_folders_are_not_immichs(tmp_path: Path) -> None:
    """Neither a sibling nor a directory of the marker's name counts, nor what is not there."""
    (tmp_path / "immich").mkdir()
    (tmp_path / "immich" / ".immich").touch()
    (tmp_path / "photos" / "a" / ".immich").mkdir(parents=True)

    assert immich_storage(os.fsencode(tmp_path / "photos")) is None
    assert immich_storage(os.fsencode(tmp_path / "none")) is None


def test_a_devices_number_is_no_identity(tmp_path: Path) -> None:
    """It is told from an identity that a file system has of its own."""
    proc, here = identify(b"/proc"), identify(os.fsencode(tmp_path))
    mount = mount_at(os.fsencode(tmp_path.resolve()), read_mounts())

    assert proc is not None
    assert proc.by_device
    assert here is not None
    assert mount is not None
    assert here.by_device is (mount.filesystem in {"xfs", "vfat", "exfat"})
