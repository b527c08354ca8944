"""Facts about opening what lies beneath a root."""

import errno
import os
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from immich_sync.filesystem.beneath import FILE, open_beneath, walk_beneath

Open = Callable[[Path, bytes], int]


def _by_openat2(root: Path, relative: bytes) -> int:
    return open_beneath(os.fsencode(root), relative, FILE)


def _step_by_step(root: Path, relative: bytes) -> int:
    top = os.open(root, os.O_RDONLY | os.O_DIRECTORY)
    try:
        return walk_beneath(top, relative, FILE)
    finally:
        os.close(top)


both_ways = pytest.mark.parametrize("open_it", [_by_openat2, _step_by_step])


def _content(descriptor: int) -> bytes:
    try:
        return os.read(descriptor, 100)
    finally:
        os.close(descriptor)


@both_ways
def test_a_file_below_is_opened(tmp_path: Path, open_it: Open) -> None:
    """A plain path of any bytes is opened."""
    directory = os.fsencode(tmp_path) + b"/a/caf\xe9 \n"
    os.makedirs(directory)  # noqa: PTH103 -- a name that is no text
    with open(directory + b"/x.jpg", "wb") as file:  # noqa: PTH123 -- likewise
        file.write(b"bytes")

    assert _content(open_it(tmp_path, b"a/caf\xe9 \n/x.jpg")) == b"bytes"


@both_ways
@pytest.mark.parametrize("relative", [b"link", b"way/secret", b"inside/secret"])
def test_no_link_is_followed(tmp_path: Path, open_it: Open, relative: bytes) -> None:
    """A link as the file, as a directory on the way, or within the root: ELOOP."""
    root = tmp_path / "root"
    (root / "real").mkdir(parents=True)
    for place in (tmp_path, root / "real"):
        (place / "secret").write_text("secret")
    (root / "link").symlink_to(tmp_path / "secret")
    (root / "way").symlink_to(tmp_path)
    (root / "inside").symlink_to("real")

    with pytest.raises(OSError, match=r".") as caught:
        open_it(root, relative)

    assert caught.value.errno == errno.ELOOP


@both_ways
@pytest.mark.parametrize("relative", [b"../secret", b"/secret"])
def test_no_path_leads_out(tmp_path: Path, open_it: Open, relative: bytes) -> None:
    """Neither `..` nor an absolute path leaves the root: EXDEV."""
    root = tmp_path / "root"
    root.mkdir()
    (tmp_path / "secret").write_text("secret")

    with pytest.raises(OSError, match=r".") as caught:
        open_it(root, relative)

    assert caught.value.errno == errno.EXDEV


def test_the_root_itself_may_be_a_link(tmp_path: Path) -> None:
    """A person chose the root: links in its own path are followed."""
    (tmp_path / "real").mkdir()
    (tmp_path / "real" / "a").write_bytes(b"a")
    (tmp_path / "root").symlink_to(tmp_path / "real")

    assert _content(_by_openat2(tmp_path / "root", b"a")) == b"a"


@both_ways
def test_a_directory_swapped_for_a_link_never_leads_out(tmp_path: Path, open_it: Open) -> None:
    """Whatever is read while a directory and a link to the outside change places lies inside."""
    root, outside = tmp_path / "root", tmp_path / "outside"
    for place, text in ((root / "d", b"inside"), (outside, b"SECRET")):
        place.mkdir(parents=True)
        (place / "a").write_bytes(text)
    (root / "l").symlink_to(outside)
    done = threading.Event()

    def swap() -> None:
        while not done.is_set():
            (root / "d").rename(root / "t")
            (root / "l").rename(root / "d")
            (root / "d").rename(root / "l")
            (root / "t").rename(root / "d")
            done.wait(0.0002)  # else both threads may take turns in step

    swapper = threading.Thread(target=swap)
    swapper.start()
    seen: set[bytes] = set()
    refused = tries = 0
    deadline = time.monotonic() + 20
    try:
        while tries < 3000 or not ((seen and refused) or time.monotonic() > deadline):
            tries += 1
            try:
                seen.add(_content(open_it(root, b"d/a")))
            except OSError:
                refused += 1
    finally:
        done.set()
        swapper.join()

    assert seen == {b"inside"}
    assert refused > 0
