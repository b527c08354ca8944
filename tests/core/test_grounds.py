"""What is said of this machine: its disks, its mounts, its limits."""

from dataclasses import replace
from pathlib import Path

import pytest

from immich_sync.core import grounds
from immich_sync.core.diagnosis import ERROR, OK, WARNING
from immich_sync.core.grounds import Contents, Ground

DISK = Ground("ext4", remote=False, container=False, mounted=True)
IN_CONTAINER = replace(DISK, container=True)
FULL = Contents(files=10, directories=2, bytes=5_000_000, largest=900_000, unlisted=())
EMPTY = Contents(files=0, directories=1, bytes=0, largest=0, unlisted=())


@pytest.mark.parametrize(
    ("needed", "limit", "level"),
    [(10, None, OK), (8192, 65_536, OK), (60_000, 65_536, WARNING), (70_000, 65_536, ERROR)],
)
def test_watches_must_be_enough(needed: int, limit: int | None, level: str) -> None:
    """For every directory, with some to spare; what to write where is told."""
    finding = grounds.watches(needed, limit)

    assert finding.level == level
    assert ("fs.inotify.max_user_watches=131072" in finding.remedy) == (needed == 60_000)
    assert ("fs.inotify.max_user_watches=262144" in finding.remedy) == (needed == 70_000)


def test_watchers_must_be_enough() -> None:
    """One for each folder."""
    assert grounds.instances(3, 128) is None
    assert grounds.instances(3, None) is None
    few = grounds.instances(3, 3)
    assert few is not None
    assert few.level == ERROR


@pytest.mark.parametrize(
    ("free", "level"), [(10 << 20, ERROR), (100 << 20, WARNING), (10 << 30, OK)]
)
def test_the_state_needs_room(free: int, level: str) -> None:
    """A little; less than that is told."""
    assert grounds.room("/state", free).level == level


@pytest.mark.parametrize(
    ("ground", "level", "said"),
    [
        (DISK, OK, "ext4"),
        (replace(DISK, filesystem="nfs4", remote=True), ERROR, "not safe"),
        (replace(DISK, filesystem="tmpfs"), WARNING, "in memory"),
        (replace(IN_CONTAINER, mounted=False), WARNING, "within the container"),
        (IN_CONTAINER, OK, "ext4"),
    ],
)
def test_the_state_must_lie_well(ground: Ground, level: str, said: str) -> None:
    """On a disk of this machine that stays."""
    finding = grounds.state_ground("/state", ground)

    assert finding.level == level
    assert said in finding.said


@pytest.mark.parametrize(
    ("ground", "contents", "mode", "told"),
    [
        (DISK, FULL, "inotify", [(OK, "10 photos and videos, 5.0 MB, in 2 directories")]),
        (replace(DISK, filesystem="nfs", remote=True), FULL, "poll", [(OK, "scanned again")]),
        (replace(DISK, filesystem="nfs", remote=True), FULL, "inotify", [(WARNING, "no events")]),
        (DISK, replace(FULL, unlisted=("x cannot be listed",)), "both", [(ERROR, "such as x")]),
        (DISK, EMPTY, "inotify", [(WARNING, "No photo or video")]),
        (IN_CONTAINER, FULL, "both", [(OK, "watched and scanned")]),
        (replace(IN_CONTAINER, mounted=False), FULL, "both", [(WARNING, "within the container")]),
    ],
)
def test_folders_are_told(
    ground: Ground, contents: Contents, mode: str, told: list[tuple[str, str]]
) -> None:
    """How they lie, what is in them, what is wrong."""
    found = grounds.folder("photos", ground, contents, mode)

    assert [one.level for one in found] == [level for level, _ in told]
    assert all(said in one.said for one, (_, said) in zip(found, told, strict=True))


def test_an_empty_folder_in_a_container_hints_at_propagation() -> None:
    """With what the host does later in sight or not."""
    [later] = grounds.folder("photos", replace(IN_CONTAINER, follows=False), EMPTY, "both")
    [seen] = grounds.folder("photos", IN_CONTAINER, EMPTY, "both")

    assert "after the container has started" in later.said
    assert "after the container has started" not in seen.said
    assert "rslave" in later.remedy
    assert "rslave" in seen.remedy


@pytest.mark.parametrize(("mode", "level"), [("both", OK), ("poll", OK), ("inotify", WARNING)])
def test_what_following_links_means_is_told(mode: str, level: str) -> None:
    """Who may name files, and how what lies behind the links is found; by events it is not."""
    found = grounds.links("photos", mode)

    assert found.level == level
    assert "any file uploaded" in found.said
    assert bool(found.remedy) == (level == WARNING)


@pytest.mark.parametrize(
    ("root", "writes", "named"),
    [
        ("/volume1/photos", False, ()),
        ("/home/anna/Pictures", False, ("photos-in-home.conf",)),
        ("/volume1/photos", True, ("writable.conf",)),
        ("/home/anna/Pictures", True, ("photos-in-home.conf", "writable.conf")),
    ],
)
def test_the_service_s_drop_ins_are_named(root: str, writes: bool, named: tuple[str, ...]) -> None:  # noqa: FBT001 - a parameter
    """Each that the folder needs, by the name of a file that there is."""
    found = grounds.drop_ins("photos", root, writes=writes)

    said = "" if found is None else found.said
    there = Path("systemd/immich-sync.service.d")
    assert tuple(one.name for one in sorted(there.iterdir()) if one.name in said) == named
