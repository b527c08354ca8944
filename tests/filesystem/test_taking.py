"""Which rule takes a path or passes it over: the same that a scan goes by."""

import os
import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from immich_sync.core.media import compile_ignore
from immich_sync.core.types import below
from immich_sync.filesystem.disk import LocalDisk
from immich_sync.filesystem.scan import Policy, walk
from immich_sync.filesystem.taking import Taking, taking
from tests.core.test_media import IGNORED_DIRECTORIES, IGNORED_FILES

PLAIN = Policy()


def put(root: Path, relative: bytes, content: bytes = b"x") -> None:
    """A file, with the directories that lead to it."""
    path = os.path.join(os.fsencode(root), relative)  # noqa: PTH118 - bytes
    os.makedirs(os.path.dirname(path), exist_ok=True)  # noqa: PTH103, PTH120 - bytes
    with open(path, "wb") as file:  # noqa: PTH123 - bytes
        file.write(content)


def judged(root: Path, relative: bytes, policy: Policy = PLAIN) -> Taking:
    """What is said of a path."""
    return taking(os.fsencode(root), relative, policy)


@pytest.mark.parametrize(("name", "rule"), [row for row in IGNORED_FILES if row[1]])
def test_every_rule_for_files_is_named(tmp_path: Path, name: bytes, rule: str) -> None:
    """With the reason that stands in the table, whether or not the file is there."""
    absent = judged(tmp_path, b"trip/" + name)
    put(tmp_path, b"trip/" + name)

    found = judged(tmp_path, b"trip/" + name)

    assert (found.lies, found.rule, found.by, found.taken) == ("file", rule, b"trip/" + name, False)
    assert found.reason
    assert (absent.lies, absent.rule) == ("nothing", rule)


@pytest.mark.parametrize(("name", "rule"), [row for row in IGNORED_DIRECTORIES if row[1]])
def test_every_rule_for_directories_is_named(tmp_path: Path, name: bytes, rule: str) -> None:
    """A photo far below such a directory is passed over by it."""
    put(tmp_path, b"a/" + name + b"/b/c.jpg")

    found = judged(tmp_path, b"a/" + name + b"/b/c.jpg")

    assert (found.lies, found.rule, found.by) == ("file", rule, b"a/" + name)


def test_a_photo_is_taken(tmp_path: Path) -> None:
    """No rule is named, and no reason is needed."""
    put(tmp_path, b"trip/a.jpg")

    assert judged(tmp_path, b"trip/a.jpg") == Taking("file")
    assert judged(tmp_path, b"trip/a.jpg").taken


@pytest.mark.parametrize(
    ("relative", "rule", "said"),
    [
        (b".a.jpg", "hidden", "begins with a dot"),
        (b"a.txt", "not-media", "no .txt files"),
        (b"README", "not-media", "no extension"),
        (b"a.jpg.xmp", "sidecar", "travels with the photo"),
    ],
)
def test_what_is_no_photo_is_named(tmp_path: Path, relative: bytes, rule: str, said: str) -> None:
    """By what its name says of it."""
    put(tmp_path, relative)

    found = judged(tmp_path, relative)

    assert (found.rule, found.by) == (rule, relative)
    assert said in found.reason


@pytest.mark.parametrize(
    ("marker", "rule"), [(b"a/.nomedia", "nomedia"), (b".immich", "immich-storage")]
)
def test_markers_hide_all_below_them(tmp_path: Path, marker: bytes, rule: str) -> None:
    """The marker itself is named as what it is about."""
    put(tmp_path, b"a/b/c.jpg")
    put(tmp_path, marker)

    found = judged(tmp_path, b"a/b/c.jpg")

    assert (found.rule, found.by) == (rule, marker)


def test_the_folders_own_pattern_is_named(tmp_path: Path) -> None:
    """Word for word as it was configured; one that is taken back does not count."""
    policy = Policy(compile_ignore(["Screenshots/", "*.png", "!keep.png"]))
    put(tmp_path, b"Screenshots/a.jpg")
    put(tmp_path, b"keep.png")

    found = judged(tmp_path, b"Screenshots/a.jpg", policy)

    assert (found.rule, found.by) == ("ignore", b"Screenshots")
    assert "'Screenshots/'" in found.reason
    assert judged(tmp_path, b"keep.png", policy).taken


def test_links_and_special_files_are_named(tmp_path: Path) -> None:
    """A link, a directory that is one, and a pipe with a photo's name."""
    put(tmp_path, b"real/a.jpg")
    (tmp_path / "link").symlink_to(tmp_path / "real")
    (tmp_path / "b.jpg").symlink_to(tmp_path / "real" / "a.jpg")
    os.mkfifo(tmp_path / "c.jpg")

    assert [
        (found.lies, found.rule, found.by)
        for found in (judged(tmp_path, name) for name in (b"link/a.jpg", b"b.jpg", b"c.jpg"))
    ] == [
        ("file", "link", b"link"),
        ("link", "link", b"b.jpg"),
        ("special", "special", b"c.jpg"),
    ]


def test_a_directory_is_no_file(tmp_path: Path) -> None:
    """It is looked into, and is not taken itself, whatever it is called."""
    (tmp_path / "a.jpg").mkdir()

    found = judged(tmp_path, b"a.jpg")

    assert (found.lies, found.rule, found.taken) == ("directory", "", False)


NAMES = st.sampled_from(
    [b"a.jpg", b"b.JPG", b".c.jpg", b"d.txt", b"e", b"f.jpg.xmp", b"g.jpg.tmp", b".nomedia",
     b"@eaDir", b"trip", b"caf\xe9.png", b"x.lrdata", b".stversions", b"IMG.mov", b".immich"]
)  # fmt: skip
PATHS = st.lists(NAMES, min_size=1, max_size=3).map(b"/".join)


@settings(max_examples=60, deadline=None)
@given(
    paths=st.lists(PATHS, max_size=6),
    hidden=st.booleans(),
    patterns=st.sets(st.sampled_from(["trip/", "*.jpg", "!a.jpg", "e/"])).map(sorted),
)
def test_it_agrees_with_the_scan(paths: list[bytes], hidden: bool, patterns: list[str]) -> None:  # noqa: FBT001 - an example
    """Of every file in a tree it says "taken" exactly where a scan takes it."""
    policy = Policy(compile_ignore(patterns), hidden)
    with tempfile.TemporaryDirectory() as place:
        root = Path(place)
        for path in paths:
            try:
                put(root, path)
            except OSError:  # a directory where a file lies already
                continue
        inside = os.fsencode(root)
        there = {
            os.path.relpath(os.path.join(directory, name), inside)  # noqa: PTH118 - bytes
            for directory, _, names in os.walk(inside)
            for name in names
        }
        scanned = {
            below(one.directory, name)
            for one in walk(LocalDisk(), inside, policy)
            for name, _ in one.media
        }

        assert {path for path in there if taking(inside, path, policy).taken} == scanned
