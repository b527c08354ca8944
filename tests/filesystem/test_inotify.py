"""Facts about watching real trees through the kernel."""

import errno
import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from immich_sync.core.types import Evidence
from immich_sync.filesystem.dirt import Dirt
from immich_sync.filesystem.watch import nothing
from immich_sync.filesystem.watcher import LinuxWatcher
from immich_sync.filesystem.watchtree import Skip

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="inotify is Linux's")

PATIENCE = 20.0  # seconds until a wait is given up
_STORM = Path(__file__).with_name("tree_storm.py")
_QUEUE = Path("/proc/sys/fs/inotify/max_queued_events")


class _Listener:
    """A watcher, and what was noticed: a dirty directory is listed, as intake does."""

    def __init__(self, root: Path, skip: Skip) -> None:
        self.root = os.fsencode(root)
        self.seen: dict[bytes, set[bytes]] = {}  # names of files by directory, as listed
        self.told: dict[bytes, dict[bytes, Evidence]] = {}
        self.scans: list[str] = []
        self._dirt = Dirt()
        self._rung = threading.Event()
        self.watcher = LinuxWatcher(self.root, self._dirt, skip, self._rung.set)

    def until(self, done: Callable[[], bool]) -> bool:
        """Whether `done` came true in time; takes and lists what is dirty meanwhile."""
        deadline = time.monotonic() + PATIENCE
        while not done():
            if time.monotonic() > deadline:
                return False
            self._rung.wait(0.05)
            self._rung.clear()
            self.take()
        return True

    def take(self) -> None:
        """Everything noticed until now."""
        while (taken := self._dirt.take()) is not None:
            if taken.scan:
                self.scans.append(taken.scan)
            for directory, names in taken.directories.items():
                self.told.setdefault(directory, {}).update(names)
                self.seen.setdefault(directory, set()).update(self._files(directory))

    def _files(self, directory: bytes) -> list[bytes]:
        with suppress(OSError), os.scandir(os.path.join(self.root, directory)) as found:  # noqa: PTH118 -- bytes
            return [each.name for each in found if each.is_file(follow_symlinks=False)]
        return []


@contextmanager
def _listening(root: Path, skip: Skip = nothing) -> Iterator[_Listener]:
    listener = _Listener(root, skip)
    listener.watcher.start()
    try:
        yield listener
    finally:
        listener.watcher.stop()


def _tree(root: Path) -> dict[bytes, set[bytes]]:
    top = os.fsencode(root)
    return {here[len(top) + 1 :]: set(files) for here, _, files in os.walk(top)}


def _all_seen(listener: _Listener, root: Path) -> Callable[[], bool]:
    """Whether every directory was dirty since it came, and every file was then listed."""
    tree = _tree(root)
    before = {b""}  # what was there at the start is for the first scan
    return lambda: (
        tree.keys() - before <= listener.seen.keys()
        and all(files <= listener.seen.get(here, set()) for here, files in tree.items())
    )


def _all_heard(listener: _Listener, root: Path) -> bool:
    """Whether a file put into any directory is noticed there."""
    return _told(listener, root, *(os.path.relpath(here, root) for here, _, _ in os.walk(root)))


def _told(listener: _Listener, root: Path, *directories: str) -> bool:
    """The same for these; by its name, or because its directory just became dirty again."""
    names = [b"" if directory == "." else os.fsencode(directory) for directory in directories]
    for directory in directories:
        (root / directory / "probe.jpg").write_bytes(b"x")
    return listener.until(lambda: all(b"probe.jpg" in listener.seen.get(d, ()) for d in names))


def _make_directories(root: Path, count: int) -> None:
    for number in range(count):
        if number % 200 == 0:
            os.mkdir(f"{root}/{number // 200}")  # noqa: PTH102 -- twenty thousand of them
        os.mkdir(f"{root}/{number // 200}/{number}")  # noqa: PTH102 -- likewise


@pytest.mark.parametrize("seed", range(40))
def test_random_trees_leave_no_file_missed_and_no_directory_deaf(tmp_path: Path, seed: int) -> None:
    """Whatever happens to directories while files arrive; without any scan."""
    root, outside = tmp_path / "root", tmp_path / "outside"
    root.mkdir()
    outside.mkdir()
    with _listening(root) as listener:
        command: list[str | Path] = [sys.executable, "-I", _STORM, root, outside, str(seed), "150"]
        storm = subprocess.Popen(command)  # noqa: S603 -- our own script
        assert listener.until(lambda: storm.poll() is not None)
        assert storm.returncode == 0

        assert listener.until(_all_seen(listener, root))
        # What was moved out goes when its event has been read, which no file tells.
        assert listener.until(lambda: listener.watcher.watches() == len(_tree(root)))
        assert _all_heard(listener, root)
        assert listener.scans == []
        assert listener.watcher.died() == ""


def test_a_burst_into_new_nested_directories_is_seen_whole(tmp_path: Path) -> None:
    """20,000 files in 100 new nested directories, as fast as the disk allows."""
    with _listening(tmp_path) as listener:
        for number in range(100):
            place = f"{tmp_path}/{number % 10}/{number}/deep"
            os.makedirs(place)  # noqa: PTH103 -- as fast as can be
            for name in range(200):
                os.close(os.open(f"{place}/{name}.jpg", os.O_CREAT | os.O_WRONLY))

        seen = _all_seen(listener, tmp_path)
        assert listener.until(lambda: bool(listener.scans) or seen())
        assert listener.watcher.watches() == len(_tree(tmp_path))


@pytest.mark.parametrize(
    ("happen", "expected"),
    [
        (lambda root: (root / "a.jpg").write_bytes(b"x"), Evidence.FINISHED),
        (lambda root: (root.parent / "out.jpg").rename(root / "a.jpg"), Evidence.FINISHED),
        (lambda root: (root / "a.jpg").hardlink_to(root.parent / "out.jpg"), Evidence.BEGUN),
        (lambda root: os.mkfifo(root / "a.jpg"), Evidence.BEGUN),
    ],
)
def test_evidence_is_what_the_kernel_tells(
    tmp_path: Path, happen: Callable[[Path], object], expected: Evidence
) -> None:
    """Closed and renamed files are finished; what comes without a close has only begun."""
    root = tmp_path / "root"
    root.mkdir()
    (tmp_path / "out.jpg").write_bytes(b"x")
    with _listening(root) as listener:
        happen(root)

        assert listener.until(lambda: listener.told.get(b"", {}).get(b"a.jpg") is expected)


def test_a_file_being_written_has_begun(tmp_path: Path) -> None:
    """It is finished when it is closed, and not before."""
    with _listening(tmp_path) as listener:
        with (tmp_path / "a.jpg").open("wb") as file:
            file.write(b"x")
            file.flush()
            assert listener.until(lambda: b"a.jpg" in listener.told.get(b"", {}))
            assert listener.told[b""][b"a.jpg"] is Evidence.BEGUN

        assert listener.until(lambda: listener.told[b""][b"a.jpg"] is Evidence.FINISHED)


def test_a_directory_replaced_by_a_link_to_itself_elsewhere_stays_heard(tmp_path: Path) -> None:
    """`mv a b; ln -s b a`: the link is not followed, and takes no watch from the directory."""
    (tmp_path / "a" / "deep").mkdir(parents=True)
    with _listening(tmp_path) as listener:
        (tmp_path / "a").rename(tmp_path / "b")
        (tmp_path / "a").symlink_to("b")

        assert listener.until(lambda: b"b/deep" in listener.seen)
        assert _all_heard(listener, tmp_path)
        assert listener.watcher.watches() == 3


def test_a_directory_moved_out_is_no_longer_heard(tmp_path: Path) -> None:
    """What a person moved out of the folder is private again."""
    root = tmp_path / "root"
    (root / "a").mkdir(parents=True)
    with _listening(root) as listener:
        (root / "a").rename(tmp_path / "b")
        assert listener.until(lambda: listener.watcher.watches() == 1)
        (tmp_path / "b" / "private.jpg").write_bytes(b"x")

        assert _all_heard(listener, root)
        assert all(b"private.jpg" not in names for names in listener.told.values())


def test_nothing_below_a_nomedia_is_heard_until_it_goes(tmp_path: Path) -> None:
    """An app's private pictures stay private; allowed again, all of them are looked at."""
    (tmp_path / "a" / "b").mkdir(parents=True)
    (tmp_path / "a" / ".nomedia").touch()
    with _listening(tmp_path) as listener:
        (tmp_path / "a" / "x.jpg").write_bytes(b"x")
        (tmp_path / "a" / "b" / "y.jpg").write_bytes(b"y")
        (tmp_path / "z.jpg").write_bytes(b"z")
        assert listener.until(lambda: b"z.jpg" in listener.told.get(b"", {}))
        assert set(listener.told) == {b""}

        (tmp_path / "a" / ".nomedia").unlink()

        assert listener.until(
            lambda: (
                listener.seen.get(b"a") == {b"x.jpg"} and listener.seen.get(b"a/b") == {b"y.jpg"}
            )
        )


def test_twenty_thousand_directories_are_watched_idled_over_and_survive_an_overflow(
    tmp_path: Path,
) -> None:
    """Starting, idling, and idling after a forced overflow cost next to nothing; none goes deaf."""
    _make_directories(tmp_path, 20_000)
    held, go = threading.Event(), threading.Event()

    def hold(directory: bytes, name: bytes, is_directory: bool) -> bool:  # noqa: FBT001 -- `Skip`
        del directory, is_directory
        if name == b"hold":  # the reader stands still while the queue fills
            held.set()
            go.wait(PATIENCE)
        return False

    with _listening(tmp_path, hold) as listener:
        assert listener.watcher.watches() == 20_101
        assert _idle() < 0.5

        (tmp_path / "hold").touch()
        assert held.wait(PATIENCE)
        for number in range(int(_QUEUE.read_text()) // 2 + 1000):
            os.close(os.open(f"{tmp_path}/5/{number}.jpg", os.O_CREAT | os.O_WRONLY))
        (tmp_path / "7" / "made" / "meanwhile").mkdir(parents=True)
        (tmp_path / "7" / "made" / "meanwhile" / "a.jpg").touch()
        (tmp_path / "8").rename(tmp_path / "9" / "moved")
        go.set()

        assert listener.until(lambda: b"a.jpg" in listener.seen.get(b"7/made/meanwhile", ()))
        assert listener.until(lambda: listener.watcher.watches() == 20_103)
        assert listener.scans == ["the kernel's queue of events overflowed"]
        assert _idle() < 0.5
        assert _told(listener, tmp_path, "7/made/meanwhile", "9/moved/1600", "19/3999", ".")


def _idle() -> float:
    """Seconds of CPU that this process takes while it waits for two."""
    before = time.process_time()
    time.sleep(2.0)
    return time.process_time() - before


def test_stopping_with_events_in_flight_ends_at_once(tmp_path: Path) -> None:
    """Nobody takes what is noticed, files keep coming: it still ends, and leaves nothing open."""
    before = _inotify_descriptors()
    done = threading.Event()

    def write() -> None:
        number = 0
        while not done.is_set():
            (tmp_path / f"{number % 500}.jpg").write_bytes(b"x")
            number += 1

    writer = threading.Thread(target=write)
    with _listening(tmp_path) as listener:
        writer.start()
        try:
            began = time.monotonic()
            listener.watcher.stop()
            took = time.monotonic() - began
        finally:
            done.set()
            writer.join()

    assert took < 2.0
    assert listener.watcher.died() == ""
    assert _inotify_descriptors() == before


def test_a_watcher_stopped_before_it_started_never_runs(tmp_path: Path) -> None:
    """The order of start and stop does not matter; both return."""
    before = _inotify_descriptors()
    listener = _Listener(tmp_path, nothing)
    listener.watcher.stop()
    listener.watcher.start()

    assert _inotify_descriptors() == before


def _inotify_descriptors() -> int:
    count = 0
    for name in os.listdir("/proc/self/fd"):  # noqa: PTH208 -- no need for paths
        with suppress(OSError):
            count += os.readlink(f"/proc/self/fd/{name}") == "anon_inode:inotify"  # noqa: PTH115 -- no path
    return count


def test_a_root_that_is_not_there_cannot_be_watched(tmp_path: Path) -> None:
    """Starting says so, and leaves nothing open."""
    before = _inotify_descriptors()
    with pytest.raises(FileNotFoundError):
        _Listener(tmp_path / "none", nothing).watcher.start()

    assert _inotify_descriptors() == before


def test_a_reader_that_dies_is_known_to_be_dead(tmp_path: Path) -> None:
    """An error in the thread is kept, asks for a scan, and does not stay silent."""

    def fail(directory: bytes, name: bytes, is_directory: bool) -> bool:  # noqa: FBT001 -- `Skip`
        raise RuntimeError(f"no idea {directory!r} {name!r} {is_directory}")

    with _listening(tmp_path, fail) as listener:
        (tmp_path / "a.jpg").touch()

        assert listener.until(lambda: bool(listener.watcher.died()))
        assert listener.watcher.died() == "RuntimeError: no idea b'' b'a.jpg' False"
        assert listener.until(lambda: listener.scans == ["watching ended by an error"])


@pytest.mark.parametrize(
    ("happen", "word"),
    [(Path.rmdir, "deleted"), (lambda root: root.rename(root.parent / "b"), "moved away")],
)
def test_a_root_that_goes_is_told_as_what_it_is(
    tmp_path: Path, happen: Callable[[Path], object], word: str
) -> None:
    """Deleted, or moved away."""
    root = tmp_path / "a"
    root.mkdir()
    with _listening(root) as listener:
        happen(root)

        assert listener.until(lambda: listener.scans == [f"the folder was {word}"])
        assert listener.watcher.lost() == word


_LIMITED = """
import json, os, sys
from immich_sync.filesystem.dirt import Dirt
from immich_sync.filesystem.watch import nothing
from immich_sync.filesystem.watcher import LinuxWatcher

root = os.fsencode(sys.argv[1])
dirt = Dirt()
watcher = LinuxWatcher(root, dirt, nothing, lambda: None)
try:
    watcher.start()
except OSError as error:
    print(json.dumps({"refused": error.errno}))
else:
    print(json.dumps({"watches": watcher.watches(), "unwatched": watcher.unwatched()}))
    watcher.stop()
"""


def _under(limit: str, value: int, root: Path) -> dict[str, object]:
    """A watcher's word from a user namespace of its own, where limits are nobody else's."""
    setting = f"echo {value} > /proc/sys/user/{limit} && exec "
    script = setting + '"$0" -c "$1" "$2"'
    command = ["unshare", "--user", "--map-root-user", "sh", "-c", script]
    command += [sys.executable, _LIMITED, str(root)]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=PATIENCE)  # noqa: S603 -- our own
    said = json.loads(done.stdout)
    assert isinstance(said, dict)
    return said


@pytest.mark.root
def test_the_limit_of_watches_is_told_as_what_it_is(tmp_path: Path) -> None:
    """What fits is watched, what does not is counted."""
    _make_directories(tmp_path, 50)

    said = _under("max_inotify_watches", 30, tmp_path)

    assert said == {"watches": 30, "unwatched": {str(errno.ENOSPC): 22}}


@pytest.mark.root
def test_the_limit_of_instances_is_told_as_what_it_is(tmp_path: Path) -> None:
    """Without an instance there is no watcher."""
    assert _under("max_inotify_instances", 0, tmp_path) == {"refused": errno.EMFILE}
