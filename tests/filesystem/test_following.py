"""Facts about folders whose symbolic links are followed."""

import errno
import os
import socket
import tempfile
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from immich_sync.core.errors import FileChanged, FileUnreadable, FileVanished
from immich_sync.core.folder import Folder
from immich_sync.core.ports import Entry, Hands, Link
from immich_sync.core.types import Stamp, below
from immich_sync.filesystem.digest import digest
from immich_sync.filesystem.disk import LINK, LocalDisk
from immich_sync.filesystem.following import MOST, Following, disk_for
from immich_sync.filesystem.mounts import mode_for
from immich_sync.filesystem.scan import IMMICH_STORAGE, Policy, listing, walk
from immich_sync.filesystem.taking import taking


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A folder that is followed, with something beside it."""
    (tmp_path / "elsewhere" / "trip").mkdir(parents=True)
    (tmp_path / "elsewhere" / "a.jpg").write_bytes(b"elsewhere")
    (tmp_path / "elsewhere" / "trip" / "b.jpg").write_bytes(b"trip")
    (tmp_path / "photos").mkdir()
    return tmp_path / "photos"


def disk(root: Path) -> Hands:
    """The disk of a folder with follow_symlinks."""
    return disk_for([Folder("photos", os.fsencode(root), "default", follow_symlinks=True)])


def media(root: Path) -> list[bytes]:
    """The photos that a scan finds, in its order."""
    return [
        below(one.directory, name)
        for one in walk(disk(root), os.fsencode(root), Policy())
        for name, _ in one.media
    ]


def ignored(root: Path) -> Counter[str]:
    """What a scan counts as passed over, by rule."""
    counts: Counter[str] = Counter()
    for one in walk(disk(root), os.fsencode(root), Policy()):
        counts.update(one.ignored)
        assert not one.trouble
    return counts


def test_only_who_asks_for_it_has_links_followed(root: Path, tmp_path: Path) -> None:
    """A folder that does not is read as ever, also beside one that does."""
    (root / "link.jpg").symlink_to("../elsewhere/a.jpg")
    plain = Folder("plain", os.fsencode(root), "default")
    other = Folder("other", os.fsencode(tmp_path / "elsewhere"), "default", follow_symlinks=True)

    assert isinstance(disk_for([plain]), LocalDisk)
    both = disk_for([plain, other])
    assert isinstance(both, Following)
    assert both.list(plain.root, b"") == [Link(b"link.jpg", LINK)]
    assert both.stat(plain.root, b"link.jpg") is None
    with pytest.raises(FileUnreadable, match="links are not followed"):
        both.open(plain.root, b"link.jpg")


def test_links_to_files_and_directories_are_followed(root: Path) -> None:
    """Out of the folder or within it, relative or absolute, through other links as well."""
    (root / "real").mkdir()
    (root / "real" / "r.jpg").write_bytes(b"real")
    (root / "a.jpg").symlink_to("../elsewhere/a.jpg")
    (root / "again.jpg").symlink_to(root / "a.jpg")
    (root / "inside").symlink_to("real")
    (root / "out").symlink_to(root.parent / "elsewhere")

    assert media(root) == [
        b"a.jpg", b"again.jpg", b"inside/r.jpg", b"out/a.jpg", b"out/trip/b.jpg", b"real/r.jpg",
    ]  # fmt: skip
    found = digest(disk(root), os.fsencode(root), b"out/trip/b.jpg")
    assert found.stamp.size == len(b"trip")


def test_a_link_has_the_stamp_of_its_file(root: Path) -> None:
    """Listed, looked up and opened it is the same; another one when the link leads elsewhere."""
    target = root.parent / "elsewhere" / "a.jpg"
    (root / "a.jpg").symlink_to(target)
    there, place = disk(root), os.fsencode(root)

    status = target.stat()
    stamp = Stamp(status.st_size, status.st_mtime_ns, status.st_ino, status.st_ctime_ns)
    assert there.list(place, b"") == [Entry(b"a.jpg", stamp)]
    assert there.stat(place, b"a.jpg") == stamp
    source = there.open(place, b"a.jpg")
    assert source.stamp() == stamp
    source.close()
    (root / "a.jpg").unlink()
    (root / "a.jpg").symlink_to(root.parent / "elsewhere" / "trip" / "b.jpg")
    assert there.stat(place, b"a.jpg") != stamp


def test_a_link_that_leads_nowhere_is_counted(root: Path) -> None:
    """It is passed over by a rule, whatever it is called, and is no file that is there."""
    (root / "gone.jpg").symlink_to("../elsewhere/none.jpg")
    (root / "self.jpg").symlink_to("self.jpg")
    there, place = disk(root), os.fsencode(root)

    assert there.list(place, b"") == [
        Link(b"gone.jpg", "link-broken"),
        Link(b"self.jpg", "link-broken"),
    ]
    assert ignored(root) == {"link-broken": 2}
    assert there.stat(place, b"gone.jpg") is None
    with pytest.raises(FileUnreadable, match="nothing lies where it leads"):
        there.open(place, b"gone.jpg")
    with pytest.raises(FileVanished):
        there.open(place, b"none.jpg")


def test_special_files_behind_links_are_refused(root: Path) -> None:
    """A pipe would block, a device may act upon being opened: neither is."""
    os.mkfifo(root.parent / "pipe")
    with socket.socket(socket.AF_UNIX) as made:
        made.bind(str(root.parent / "socket"))
    (root / "a.jpg").symlink_to(root.parent / "pipe")
    (root / "b.jpg").symlink_to(root.parent / "socket")
    (root / "c.jpg").symlink_to("/dev/zero")
    os.mkfifo(root / "d.jpg")
    there, place = disk(root), os.fsencode(root)

    assert media(root) == []
    assert ignored(root) == {"link-special": 3}
    for name in (b"a.jpg", b"b.jpg", b"c.jpg", b"d.jpg"):
        assert there.stat(place, name) is None
        with pytest.raises(FileUnreadable):
            there.open(place, name)


@pytest.mark.parametrize("target", [".", "..", "../photos", "year", "year/.."])
def test_a_loop_ends_at_once(root: Path, target: str) -> None:
    """A link to a directory that it lies in is passed over, and what lies beside it is not."""
    (root / "year").mkdir()
    (root / "year" / "a.jpg").write_bytes(b"a")
    place = "loop" if target != "year" else "year/loop"
    (root / place).symlink_to(root / target)

    found = media(root)

    assert found.count(b"year/a.jpg") == 1
    assert len(found) <= 3  # over the parent, what lies beside the folder is reached as well
    assert ignored(root)["link-loop"] == 1


def test_two_directories_that_hold_each_other_end(root: Path) -> None:
    """Each is listed below the other once; a path that goes round is nothing that is there."""
    for one, other in (("a", "b"), ("b", "a")):
        (root / one).mkdir()
        (root / one / f"{one}.jpg").write_bytes(one.encode())
        (root / one / "other").symlink_to(root / other)

    assert media(root) == [b"a/a.jpg", b"a/other/b.jpg", b"b/b.jpg", b"b/other/a.jpg"]
    assert disk(root).stat(os.fsencode(root), b"a/other/other/a.jpg") is None
    assert listing(disk(root), os.fsencode(root), b"a/other/other", Policy()).missing


def test_many_ways_are_bounded(root: Path) -> None:
    """Directories that all hold links to each other are not gone through in every order."""
    names = [f"d{number}" for number in range(6)]
    for one in names:
        (root / one).mkdir()
        for other in names:
            (root / one / f"to-{other}").symlink_to(root / other)

    assert ignored(root)["link-depth"] > 0
    visited = sum(1 for _ in walk(disk(root), os.fsencode(root), Policy()))
    assert visited <= 1 + sum(6**depth for depth in range(1, MOST + 2))


@pytest.mark.parametrize("target", ["upload", "upload/ab", "upload/ab/c.jpg", "."])
def test_immichs_own_storage_is_refused(root: Path, target: str) -> None:
    """Behind a link too, however far below its marker the link leads."""
    storage = root.parent / "immich"
    (storage / "upload" / "ab").mkdir(parents=True)
    (storage / "upload" / ".immich").touch()
    (storage / "upload" / "ab" / "c.jpg").write_bytes(b"mine")
    (root / "link.jpg").symlink_to(storage / target)

    assert media(root) == []
    assert ignored(root)[IMMICH_STORAGE] >= 1
    with pytest.raises(FileUnreadable):
        disk(root).open(os.fsencode(root), b"link.jpg")


def test_another_file_system_behind_a_link_is_read(root: Path) -> None:
    """The guard against a swapped root is about the root alone."""
    with tempfile.TemporaryDirectory(dir="/dev/shm") as place:
        other = Path(place)
        if other.stat().st_dev == root.stat().st_dev:
            pytest.skip("/dev/shm is no file system of its own here")
        (other / "a.jpg").write_bytes(b"other")
        (root / "out").symlink_to(other)
        (root / "a.jpg").symlink_to(other / "a.jpg")
        there, home = disk(root), os.fsencode(root)
        assert there.identify(home) is not None

        assert [digest(there, home, name).stamp.size for name in (b"a.jpg", b"out/a.jpg")] == [5, 5]


def test_a_root_that_was_swapped_is_not_read(root: Path) -> None:
    """Another directory at the root than was identified is refused, behind links as well."""
    (root / "out").symlink_to(root.parent / "elsewhere")
    there, place = disk(root), os.fsencode(root)
    there.identify(place)
    root.rename(root.parent / "before")
    root.mkdir()
    (root / "out").symlink_to(root.parent / "elsewhere")

    with pytest.raises(FileChanged, match="not the folder it was"):
        there.open(place, b"out/a.jpg")


def test_no_path_leads_up(root: Path) -> None:
    """Only links lead out: `..` in a path is nothing that is there."""
    with pytest.raises(OSError, match=os.strerror(errno.EXDEV)):
        disk(root).list(os.fsencode(root), b"../elsewhere")
    with pytest.raises(FileUnreadable):
        disk(root).open(os.fsencode(root), b"../elsewhere/a.jpg")


def test_behind_a_link_that_is_unclear_nothing_is_gone(root: Path) -> None:
    """What cannot be looked at may be a directory: who lists it meets the trouble."""
    (root / "far").symlink_to("/" + "x" * 300)

    assert disk(root).list(os.fsencode(root), b"") == [Entry(b"far", None)]
    _, below_it = walk(disk(root), os.fsencode(root), Policy())
    assert "cannot be listed" in below_it.trouble
    assert not below_it.missing


def test_what_events_do_not_tell_is_polled(root: Path) -> None:
    """A folder that would be watched by events alone is scanned besides."""
    assert mode_for(os.fsencode(root)) == "inotify"
    assert mode_for(os.fsencode(root), follows=True) == "both"


DIRECTORIES = ["a", "b", "a/c", "a/c/d"]
NAMES = st.sampled_from(["a/x", "b/x", "a/c/y.jpg", "a/c/d/z", "w", "v.jpg"])
TARGETS = st.sampled_from([*DIRECTORIES, ".", "..", "a/p.jpg", "b/q.jpg", "w", "a/x", "none"])


@settings(max_examples=150, deadline=None)
@given(links=st.dictionaries(NAMES, TARGETS))
def test_any_tangle_ends_and_explains_itself(links: dict[str, str]) -> None:
    """Each way down meets a directory once, and `explain` takes exactly what a scan takes."""
    with tempfile.TemporaryDirectory() as place:
        root = Path(place) / "photos"
        for directory in DIRECTORIES:
            (root / directory).mkdir(parents=True, exist_ok=True)
        (root / "a" / "p.jpg").write_bytes(b"p")
        (root / "b" / "q.jpg").write_bytes(b"q")
        for name, target in links.items():
            (root / name).symlink_to(root / target)
        inside, there = os.fsencode(root), disk(root)

        taken: set[bytes] = set()
        for one in walk(there, inside, Policy()):
            steps = [root, *(root / part for part in _prefixes(one.directory))]
            assert len({(step.stat().st_dev, step.stat().st_ino) for step in steps}) == len(steps)
            for photo in one.media:
                path = below(one.directory, photo.name)
                taken.add(path)
                assert there.stat(inside, path) == photo.stamp
                there.open(inside, path).close()
            for entry in there.list(inside, one.directory):
                path = below(one.directory, entry.name)
                seen = taking(inside, path, Policy(), follows=True)
                assert seen.taken == (path in taken)
                assert isinstance(entry, Entry) or seen.rule == entry.rule

        assert {b"a/p.jpg", b"b/q.jpg"} <= taken


def _prefixes(directory: bytes) -> list[str]:
    parts = os.fsdecode(directory).split("/") if directory else []
    return ["/".join(parts[: depth + 1]) for depth in range(len(parts))]
