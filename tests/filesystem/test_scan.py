"""Facts about listing directories the way the program sees them."""

import os
from pathlib import Path

import pytest

from immich_sync.core.media import compile_ignore
from immich_sync.filesystem.disk import LocalDisk
from immich_sync.filesystem.scan import Listing, Policy, listing, skips, takes, walk


def _make(root: Path, *paths: str) -> None:
    for path in paths:
        place = root / path
        place.parent.mkdir(parents=True, exist_ok=True)
        if path.endswith("/"):
            place.mkdir(exist_ok=True)
        else:
            place.touch()


def _walked(root: Path, policy: Policy | None = None) -> dict[bytes, Listing]:
    found = walk(LocalDisk(), os.fsencode(root), policy or Policy())
    return {one.directory: one for one in found}


def _media(one: Listing) -> list[bytes]:
    return [entry.name for entry in one.media]


def test_a_directory_is_sorted_into_its_kinds(tmp_path: Path) -> None:
    """Media, sidecars, directories, what is ignored by rule and what is no media by extension."""
    _make(tmp_path, "a.JPG", "a.JPG.xmp", "b.mov", "notes.txt", "LICENSE", "c.txt", ".d.jpg")
    _make(tmp_path, "Thumbs.db", "album/", "@eaDir/", "e.jpg.part")
    (tmp_path / "f.jpg").symlink_to("a.JPG")
    (tmp_path / "g").symlink_to("album")

    one = listing(LocalDisk(), os.fsencode(tmp_path), b"", Policy())

    assert _media(one) == [b"a.JPG", b"b.mov"]
    assert one.media[0].stamp == LocalDisk().stat(os.fsencode(tmp_path), b"a.JPG")
    assert one.sidecars == (b"a.JPG.xmp",)
    assert one.subdirectories == (b"album",)
    assert one.others == {b"txt": 2, b"": 1}
    assert one.trouble == ""
    assert sum(one.ignored.values()) == 6
    assert (one.ignored["hidden"], one.ignored["link"]) == (1, 2)


def test_a_walk_enters_what_is_not_ignored(tmp_path: Path) -> None:
    """Each directory comes once, the root first, in order; ignored ones do not come."""
    _make(tmp_path, "b/x.jpg", "b/c/y.jpg", "a/z.jpg", "@eaDir/t.jpg", ".hidden/h.jpg")

    found = _walked(tmp_path)

    assert list(found) == [b"", b"a", b"b", b"b/c"]
    assert _media(found[b"b/c"]) == [b"y.jpg"]


def test_a_users_patterns_prune_as_well(tmp_path: Path) -> None:
    """They count under their own words, for files and for directories."""
    _make(tmp_path, "raw/a.dng", "keep/b.dng", "keep/c.jpg")
    policy = Policy(ignore=compile_ignore(["/raw/", "*.dng"]))

    found = _walked(tmp_path, policy)

    assert list(found) == [b"", b"keep"]
    assert found[b""].ignored == {"/raw/": 1}
    assert found[b"keep"].ignored == {"*.dng": 1}
    assert _media(found[b"keep"]) == [b"c.jpg"]


@pytest.mark.parametrize(
    ("marker", "rule"), [(".nomedia", "nomedia"), (".immich", "immich-storage")]
)
def test_a_marker_empties_its_directory_and_all_below(
    tmp_path: Path, marker: str, rule: str
) -> None:
    """Android's .nomedia and Immich's own storage hold no photos of ours, however deep."""
    _make(tmp_path, f"a/{marker}", "a/x.jpg", "a/b/y.jpg", "c/z.jpg")
    root = os.fsencode(tmp_path)

    found = _walked(tmp_path)

    assert list(found) == [b"", b"a", b"c"]
    assert found[b"a"].ignored == {rule: 2}
    assert _media(found[b"a"]) == []
    assert listing(LocalDisk(), root, b"a/b", Policy()) == Listing(b"a/b", ignored={rule: 1})
    assert _media(listing(LocalDisk(), root, b"c", Policy())) == [b"z.jpg"]


def test_a_dirty_directory_below_an_ignored_one_is_empty(tmp_path: Path) -> None:
    """What a scan does not enter, an event does not either."""
    _make(tmp_path, ".stversions/2024/x.jpg")

    one = listing(LocalDisk(), os.fsencode(tmp_path), b".stversions/2024", Policy())

    assert one == Listing(b".stversions/2024", ignored={"syncthing-versions": 1})


def test_a_directory_that_is_not_there_is_missing(tmp_path: Path) -> None:
    """It comes with its trouble when asked for, also when a link or a file lies there."""
    (tmp_path / "file").touch()
    (tmp_path / "link").symlink_to(tmp_path)

    for name in (b"none", b"file", b"link"):
        one = listing(LocalDisk(), os.fsencode(tmp_path), name, Policy())
        assert one.missing
        assert one.trouble.startswith(f"{name.decode()} cannot be listed: ")


def test_a_missing_root_is_trouble(tmp_path: Path) -> None:
    """A walk over nothing says so instead of saying that all is gone."""
    (one,) = walk(LocalDisk(), os.fsencode(tmp_path / "none"), Policy())

    assert one == Listing(
        b"", trouble="the folder cannot be listed: No such file or directory", missing=True
    )


@pytest.mark.root
def test_a_directory_that_cannot_be_listed_is_unknown(seen_by_all: Path) -> None:
    """It comes with its trouble, nothing below it comes, and the others come all the same."""
    _make(seen_by_all, "a/x.jpg", "b/c/y.jpg", "d/z.jpg")
    (seen_by_all / "b").chmod(0o700)
    os.seteuid(65534)
    try:
        found = _walked(seen_by_all)
    finally:
        os.seteuid(0)

    assert list(found) == [b"", b"a", b"b", b"d"]
    assert found[b"b"].trouble == "b cannot be listed: Permission denied"
    assert not found[b"b"].missing


@pytest.mark.parametrize(
    ("directory", "name", "taken"),
    [
        (b"", b"a.jpg", True),
        (b"2024/june", b"a.HEIC", True),
        (b"", b"a.xmp", False),
        (b"", b"a.txt", False),
        (b"", b".a.jpg", False),
        (b"@eaDir/a", b"a.jpg", False),
        (b".stversions", b"a.jpg", False),
        (b"raw", b"a.jpg", False),
        (b"", b".syncthing.a.jpg.tmp", False),
    ],
)
def test_a_name_is_taken_as_a_scan_would(directory: bytes, name: bytes, *, taken: bool) -> None:
    """An event's name is judged with all the directories above it."""
    assert takes(Policy(ignore=compile_ignore(["/raw/"])), directory, name) is taken


def test_hidden_names_may_be_asked_for(tmp_path: Path) -> None:
    """Then what only begins with a dot is taken, and what is temporary still is not."""
    _make(tmp_path, ".a/.b.jpg", ".a/.trashed-1-c.jpg")

    found = _walked(tmp_path, Policy(include_hidden=True))

    assert _media(found[b".a"]) == [b".b.jpg"]
    assert skips(Policy(), b"", b".a", is_directory=True)
    assert not skips(Policy(include_hidden=True), b"", b".a", is_directory=True)


def test_a_watcher_skips_what_a_scan_passes_over() -> None:
    """Temporaries and thumbnails are no reason to look; a file that is no media may be."""
    policy = Policy(ignore=compile_ignore(["/raw/"]))

    names = [(b"", b"raw", True), (b"", b"@eaDir", True), (b"a", b".syncthing.x.jpg.tmp", False)]
    assert [skips(policy, at, name, is_directory=kind) for at, name, kind in names] == [True] * 3
    assert not skips(policy, b"a", b"x.txt", is_directory=False)
