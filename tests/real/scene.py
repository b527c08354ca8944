"""What the faults of a real machine have in common: disks of their own, and how it has to end.

Its own module because fixtures cannot be typed by those who use them.
"""

import fcntl
import os
import struct
import subprocess
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path

import pytest

from immich_sync.store.database import open_database, open_read_only
from tests.stories.scene import Daemon, Story, sha1, until

_SHUTDOWN = 0x8004587D  # linux/fs.h, FS_IOC_SHUTDOWN: _IOR('X', 125, __u32)
_NO_FLUSH = 2  # neither the log nor anything else is written any more


def often(ordinarily: int) -> int:
    """How often a fault is injected: so many times, or as EXAMPLES says."""
    return int(os.environ.get("EXAMPLES", ordinarily))


def root(*command: str | Path) -> None:
    """Done; the test is skipped where it is not allowed."""
    done = subprocess.run([*map(str, command)], check=False, capture_output=True, text=True)  # noqa: S603 - our own commands
    if done.returncode:
        pytest.skip(f"{command[0]} is not possible here: {done.stderr.strip()}")


@contextmanager
def mounted(story: Story, place: Path, *options: str) -> Iterator[None]:
    """A file system in memory lies at `place`; whoever ran ended well before it goes."""
    place.mkdir(mode=0o700, exist_ok=True)
    root("mount", "-t", "tmpfs", "-o", ",".join(("mode=700", *options)), "test", place)
    with _gone_after(story, place):
        yield


@contextmanager
def _gone_after(story: Story, place: Path) -> Iterator[None]:
    try:
        yield
        story.end()
    finally:
        for daemon in story.daemons:
            daemon.kill()
        root("umount", "--lazy", place)


def _said(*command: str | Path) -> str:
    """What a command prints."""
    done = subprocess.run([*map(str, command)], check=True, capture_output=True, text=True)  # noqa: S603 - our own commands
    return done.stdout.strip()


class Disk:
    """A file system of 16 MB with a journal, in a file; mounted at `place` between cuts."""

    def __init__(self, home: Path, place: Path) -> None:
        self.place = place
        self._image = home / "disk.img"
        place.mkdir(mode=0o700, exist_ok=True)
        with self._image.open("wb") as image:
            image.truncate(16 << 20)
        root("mkfs.ext4", "-q", "-F", "-m", "0", "-O", "^huge_file", self._image)
        self.mount()
        with suppress(OSError):
            (place / "lost+found").rmdir()

    def mount(self) -> None:
        """It lies at its place; what its journal holds is in force."""
        root("mount", "-o", "loop,errors=remount-ro", self._image, self.place)

    def cut(self) -> None:
        """As the power would: what was not yet written for good never will be."""
        descriptor = os.open(self.place, os.O_RDONLY)
        try:
            fcntl.ioctl(descriptor, _SHUTDOWN, struct.pack("I", _NO_FLUSH))
        finally:
            os.close(descriptor)

    def unmount(self) -> None:
        """It lies there no more; nobody may have it open."""
        root("umount", self.place)
        until(lambda: not _said("losetup", "-j", self._image), "the kernel has let go of it")

    def fail(self) -> None:
        """The kernel finds an error in it and lets nobody write any more."""
        source = _said("findmnt", "-nro", "SOURCE", self.place)
        Path("/sys/fs/ext4", Path(source).name, "trigger_fs_error").write_text("1")

    def mend(self) -> None:
        """Looked over and mounted again."""
        self.unmount()
        code = subprocess.run(  # noqa: S603 - our own command
            ["e2fsck", "-p", self._image],  # noqa: S607 - wherever it lies
            check=False, capture_output=True,
        ).returncode  # fmt: skip
        assert code in {0, 1}  # well, or well again: see e2fsck(8)
        self.mount()


@contextmanager
def disk(story: Story, place: Path) -> Iterator[Disk]:
    """A disk with a journal lies at `place`; whoever ran on it ended well before it goes."""
    made = Disk(story.home, place)
    with _gone_after(story, place):
        yield made


def sound(path: Path) -> bool:
    """Whether the state at `path` is whole, as SQLite says; made if there was none."""
    with closing(open_database(path)) as database, database.reading() as connection:
        integrity = connection.execute("PRAGMA integrity_check").fetchone()
        dangling = connection.execute("PRAGMA foreign_key_check").fetchall()
    return (integrity, dangling, database.moved_aside) == (("ok",), [], None)


def proved(state: Path) -> set[str]:
    """The checksums, in hex, that the state holds for proved; none if there is no state yet."""
    if not (state / "state.db").exists():
        return set()
    with closing(open_database(state / "state.db")) as database, database.reading() as connection:
        rows = connection.execute(
            "SELECT lower(hex(sha1)) FROM asset WHERE verified_at > 0 AND removed_at IS NULL"
        )
        return {checksum for (checksum,) in rows}


def due(story: Story) -> int:
    """How many jobs the state holds."""
    with (
        closing(open_read_only(story.state / "state.db")) as database,
        database.reading() as connection,
    ):
        (jobs,) = connection.execute("SELECT count(*) FROM job").fetchone()
        return int(jobs)


def ends_well(story: Story, daemon: Daemon, contents: Iterable[bytes], within: float = 30) -> None:
    """Each content is there once, proved, and nothing is due; the daemon is stopped in time.

    Its key is in no file, line or argument of its.
    """
    wanted = sorted({sha1(content) for content in contents})
    until(lambda: story.server.checksums() == wanted, "all is in Immich, once", within=within)
    until(daemon.is_done, "nothing is due any more")
    files = sum(path.is_file() and path.suffix != ".xmp" for path in story.photos.rglob("*"))
    until(lambda: daemon.folder().verified == files, "all is proved")
    until(lambda: story.server.sandbox.stray_files() == [], "nothing half-done is on the server")
    line = Path(f"/proc/{daemon.process.pid}/cmdline")
    told = line.read_bytes() if line.exists() else b""
    daemon.stop()
    files_of_ours = [path for path in story.state.iterdir() if path.is_file()]
    told += daemon.log.read_bytes() + b"".join(path.read_bytes() for path in files_of_ours)
    assert story.server.sandbox.api_key.encode() not in told
    assert sound(story.state / "state.db")
    assert proved(story.state) == set(wanted)
    assert Counter(story.server.checksums()) == Counter(wanted)


def sentence(story: Story, *, code: int) -> str:
    """The one sentence with which `run` ends by itself, at once, without a traceback.

    At once is within ten seconds, and what two starts of Python take just now.
    """
    began = time.monotonic()
    story.command("status")
    started = time.monotonic()
    ended = story.command("run")
    assert time.monotonic() - started < 10 + 2 * (started - began)
    said = [line for line in ended.stderr.splitlines() if not line.startswith("{")]
    assert ended.returncode == code, ended.stderr
    assert len(said) == 1, ended.stderr
    assert "Traceback" not in ended.stderr
    return said[0].removeprefix("immich-sync: ")
