"""From what a person names to the files that are meant."""

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from immich_sync.filesystem.disk import LocalDisk
from immich_sync.filesystem.scan import Policy
from immich_sync.picking import Choice, Start, passed_over, pick, starts
from tests.library import write, write_photo


def test_starts(tmp_path: Path) -> None:
    """Folders are starts, files of one folder are one, links are resolved, nothing is a miss."""
    write_photo(tmp_path / "a")
    one, two = write_photo(tmp_path / "b", "1.jpg"), write_photo(tmp_path / "b", "2.jpg")
    (tmp_path / "link").symlink_to(tmp_path / "a")

    found, missed = starts([tmp_path / "link", str(one), two, one, tmp_path / "gone"])

    assert found == [
        Start(bytes(tmp_path / "a")),
        Start(bytes(tmp_path / "b"), (b"1.jpg", b"2.jpg")),
    ]
    assert [(miss.path, miss.why) for miss in missed] == [
        (bytes(tmp_path / "gone"), f"There is nothing at {tmp_path / 'gone'}.")
    ]


def test_files_behind_links(tmp_path: Path) -> None:
    """A file that only a link was given for is told apart; one that was named itself is not."""
    write_photo(tmp_path, "a.jpg")
    write_photo(tmp_path, "b.jpg")
    for name in ("a", "b"):
        (tmp_path / f"to-{name}.jpg").symlink_to(tmp_path / f"{name}.jpg")

    found, _ = starts([tmp_path / name for name in ("to-a.jpg", "to-b.jpg", "b.jpg")])

    assert found == [Start(bytes(tmp_path), (b"a.jpg", b"b.jpg"), frozenset({b"a.jpg"}))]


def test_what_is_no_file(tmp_path: Path) -> None:
    """A FIFO with a photo's name is told of; what is no media is named as well."""
    os.mkfifo(tmp_path / "a.jpg")
    write(tmp_path, "b.txt", b"")
    write(tmp_path, "c", b"")
    found, _ = starts([tmp_path / name for name in ("a.jpg", "b.txt", "c")])
    (handful,) = pick(LocalDisk(), found[0], Choice(Policy()))

    assert handful.found == []
    assert [miss.path for miss in handful.missed] == [bytes(tmp_path / "a.jpg")]
    assert handful.unsupported == [bytes(tmp_path / name) for name in ("b.txt", "c")]
    assert handful.ignored == {}


def test_names_that_are_no_text(tmp_path: Path) -> None:
    """A name that is no UTF-8 is a name like any other."""
    raw = bytes(tmp_path) + b"/caf\xe9.jpg"
    write_photo(tmp_path).rename(os.fsdecode(raw))
    found, _ = starts(tmp_path)
    (handful,) = pick(LocalDisk(), found[0], Choice(Policy()))

    assert [one.name for one in handful.found] == [b"caf\xe9.jpg"]


@pytest.mark.parametrize(
    ("pattern", "relative", "expected"),
    [
        (None, b"a.tmp", False),
        ("", b"a.tmp", False),
        (".tmp", b"a.tmp", True),
        (".tmp", b"a.tmp.jpg", False),
        ("*.tmp", b"x/a.tmp", True),
        ("/sub/*", b"sub/a.jpg", True),
        ("/sub/*", b"x/sub/y/a.jpg", True),
        ("*/home/*", b"a.jpg", False),
        ("/home/me/photos/raw/*", b"raw/a.jpg", True),
        ("/home/me/photos/raw/*", b"x/raw/a.jpg", False),
        ("a[12].jpg", b"a1.jpg", True),
    ],
)
def test_patterns(
    pattern: str | None,
    relative: bytes,
    expected: bool,  # noqa: FBT001 - a column
) -> None:
    """The seed's patterns, with a star in front, mean what is below the given path."""
    assert passed_over(b"/home/me/photos", relative, pattern) == expected


@given(st.binary().filter(lambda name: b"\0" not in name))
def test_no_name_breaks_a_pattern(relative: bytes) -> None:
    """Any bytes can be held against a pattern."""
    assert not passed_over(b"/root", relative, "/never/*/there?")
