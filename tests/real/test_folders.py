"""What a folder's disk can do to the process: forbid, fail, be absent, be too large to watch."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.real.scene import ends_well, root
from tests.stories.scene import Story, photo, sha1, until

NO_RIGHTS = ("setpriv", "--bounding-set=-dac_override,-dac_read_search", "--inh-caps=-all")
"""Root, but bound by permissions like anybody."""
NOBODY = 65534

pytestmark = pytest.mark.root


def _strace(story: Story, *what: str) -> tuple[str, ...]:
    """The process under a tracer that is its descendant, and spoils what `what` says."""
    if shutil.which("strace") is None:
        pytest.skip("needs strace")
    return ("strace", "-D", "-f", "-qq", "-o", str(story.home / "trace"), *what)


def _fired(story: Story) -> int:
    """How many errors the tracer has injected."""
    return (story.home / "trace").read_text(errors="replace").count("(INJECTED)")


def test_what_may_not_be_read_keeps_nothing_else_out(story: Story) -> None:
    """A file and a directory of somebody else's: said, not gone, and brought in once allowed."""
    story.configure({"watch": "poll", "poll_interval": "1s"})
    inner = photo("inner")
    contents = [photo("open"), photo("closed"), inner]
    story.put("open.jpg", contents[0])
    closed = story.put("closed.jpg", contents[1])
    story.put("private/inner.jpg", inner)
    for path in (closed, closed.parent / "private"):
        os.chown(path, NOBODY, NOBODY)
        path.chmod(0o000 if path.is_dir() else 0o600)
    daemon = story.launch(*NO_RIGHTS)
    until(daemon.is_ready, "it is ready")
    until(lambda: story.server.names() == ["open.jpg"], "what may be read is in")
    (problem,) = until(lambda: daemon.problems("failing"), "the closed file is listed")
    assert problem.path == str(closed)

    for path in (closed, closed.parent / "private"):
        path.chmod(0o755)
    until(lambda: sha1(inner) in story.server.checksums(), "the directory is looked into")
    daemon.order("retry", closed)
    ends_well(story, daemon, contents)


def test_what_was_known_is_not_gone_when_it_may_not_be_read(story: Story) -> None:
    """A directory that was synced and is closed now keeps all that is known of it."""
    story.configure({"watch": "poll", "poll_interval": "1s"})
    content = photo("inner")
    directory = story.put("private/inner.jpg", content).parent
    daemon = story.launch(*NO_RIGHTS)
    until(daemon.is_ready, "it is ready")
    until(lambda: daemon.folder().verified == 1, "it is in")
    os.chown(directory, NOBODY, NOBODY)
    directory.chmod(0o000)
    before = daemon.folder().last_scan
    until(lambda: (daemon.folder().last_scan or 0) > (before or 0) + 2, "it was looked for")
    assert (daemon.folder().files, daemon.folder().verified) == (1, 1)
    directory.chmod(0o755)
    ends_well(story, daemon, [content])


def test_a_bad_sector_holds_nobody_up(story: Story) -> None:
    """Reading one file fails (EIO): it is listed with its reason, all others are in, and later it.

    The disk's error is injected into the system call that reads.
    """
    contents = [photo(n, 200_000) for n in range(5)]
    for n, content in enumerate(contents):
        story.put(f"{n}.jpg", content)
    bad = story.photos / "2.jpg"
    calls = "read,pread64,preadv"
    spoil = ("-P", bad, "-e", f"trace={calls}", "-e", f"inject={calls}:error=EIO:when=1..9")
    daemon = story.launch(*_strace(story, *map(str, spoil)))
    until(lambda: len(story.server.names()) == 4, "all others are in")
    (problem,) = until(lambda: daemon.problems("failing"), "it is listed")
    assert problem.path == str(bad)
    assert "Input/output error" in daemon.words()
    assert _fired(story) > 0

    def is_in() -> bool:
        daemon.order("retry", bad)
        return story.server.names() == sorted(f"{n}.jpg" for n in range(5))

    until(is_in, "it is in, now that it can be read")
    ends_well(story, daemon, contents)


def test_a_directory_that_cannot_be_listed_is_unknown(story: Story) -> None:
    """Listing one directory fails (EIO): what is known there stays known, the rest goes on."""
    old = photo("old")
    directory = story.put("bad/old.jpg", old).parent
    ends_well(story, story.start(), [old])
    calls = "getdents64"
    spoil = ("-P", directory, "-e", f"trace={calls}", "-e", f"inject={calls}:error=EIO")
    daemon = story.launch(*_strace(story, *map(str, spoil)))
    until(daemon.is_ready, "it is ready")
    late = photo("late")
    story.put("good/late.jpg", late)
    until(lambda: daemon.folder().verified == 2, "what comes elsewhere is brought in")
    daemon.order("scan")
    story.calm(daemon)
    assert _fired(story) > 0
    assert daemon.folder().files == 3  # the marker of `calm` is one
    daemon.stop()
    for marker in story.photos.glob("marker-*"):
        marker.unlink()


def test_a_disk_that_was_never_mounted_in_this_container_is_not_an_empty_folder(
    story: Story,
) -> None:
    """A private mount namespace is older than the disk: nothing is gone, and it is said.

    Started again where the disk can be seen, all goes on, and nothing is sent twice.
    """
    hidden = story.home / "disk"
    hidden.mkdir()
    alone = ("unshare", "--mount", "--propagation", "private", "sh", "-c")
    for name in ("mount", "umount"):
        assert shutil.which(name)
    story.configure({"root_check": "200ms"})
    contents = [photo(n) for n in range(5)]
    root("mount", "-t", "tmpfs", "-o", "size=4m", "test", story.photos)
    try:
        for n, content in enumerate(contents):
            (story.photos / f"{n}.jpg").write_bytes(content)
        ends_well(story, story.start(), contents)
        sent = story.server.sent()

        script = 'umount --lazy "$0" && exec "$@"'
        daemon = story.launch(*alone, script, story.photos)
        until(lambda: daemon.folder().state == "offline" if daemon.is_ready() else False, "offline")
        assert "is its disk mounted?" in daemon.problems("folder")[0].advice
        assert (daemon.folder().files, daemon.folder().verified) == (5, 5)
        daemon.stop()

        ends_well(story, story.start(), contents)
        assert story.server.sent() == sent
    finally:
        root("umount", "--lazy", story.photos)


@pytest.mark.parametrize(
    ("limit", "value", "setting"),
    [
        ("max_inotify_watches", 4, "fs.inotify.max_user_watches"),
        ("max_inotify_instances", 0, "fs.inotify.max_user_instances"),
    ],
)
def test_a_tree_too_large_to_be_watched_is_scanned(
    story: Story, limit: str, value: int, setting: str
) -> None:
    """`degraded`, with the setting to raise; what nothing tells of is found by the next scan."""
    contents = [photo(n) for n in range(20)]
    for n, content in enumerate(contents[:10]):
        story.put(f"{n}/a.jpg", content)
    script = f'echo {value} > /proc/sys/user/{limit} && exec "$0" "$@"'
    daemon = story.launch("unshare", "--user", "--map-root-user", "sh", "-c", script)
    until(daemon.is_ready, "it is ready")
    until(lambda: daemon.folder().verified == 10, "what was there is in")
    assert daemon.folder().watch == "degraded"
    (problem,) = daemon.problems("watching")
    assert setting in problem.advice
    for n, content in enumerate(contents[10:]):
        story.put(f"{n}/b.jpg", content)
    daemon.order("scan")
    ends_well(story, daemon, contents)


def test_the_whole_machines_limits_are_untouched() -> None:
    """What these tests set holds in a namespace of their own."""
    limits = Path("/proc/sys/user")
    assert int((limits / "max_inotify_watches").read_text()) > 1000
    shown = subprocess.run(
        ["cat", "/proc/sys/fs/inotify/max_user_instances"],  # noqa: S607 - wherever it lies
        check=True, capture_output=True, text=True,
    ).stdout  # fmt: skip
    assert int(shown) > 0
