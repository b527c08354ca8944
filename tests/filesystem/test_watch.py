"""Facts about a change source that mends itself."""

import os
import subprocess
import sys
import threading
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from pathlib import Path

import anyio
import pytest

from immich_sync.core.ports import Changes, ChangeSource, WatchHealth
from immich_sync.core.types import Evidence
from immich_sync.filesystem.watch import Patience, watching

pytestmark = pytest.mark.anyio

_QUICK = Patience(check=0.05, first=0.05, longest=0.2)


def _watching(root: Path) -> AbstractAsyncContextManager[ChangeSource]:
    return watching(os.fsencode(root), mode="inotify", patience=_QUICK)


async def _until(source: ChangeSource, done: Callable[[Changes], bool]) -> Changes:
    """The first changes of which `done` is true."""
    with anyio.fail_after(20):
        while True:
            changes = await source.changes()
            if done(changes):
                return changes


async def _healthy(source: ChangeSource) -> WatchHealth:
    with anyio.fail_after(20):
        while (health := source.health()).mode == "degraded":  # noqa: ASYNC110 -- it does not call
            await anyio.sleep(0.01)
    return health


async def test_a_new_file_is_told(tmp_path: Path) -> None:
    """By its directory, its name and what was seen of it."""
    (tmp_path / "a").mkdir()
    async with _watching(tmp_path) as source:
        assert source.health() == WatchHealth("inotify", watches=2)
        (tmp_path / "a" / "x.jpg").write_bytes(b"x")

        changes = await _until(
            source, lambda c: c.directories.get(b"a", {}).get(b"x.jpg") is Evidence.FINISHED
        )

        assert changes.scan == ""


async def test_everything_is_watched_when_the_source_is_given(tmp_path: Path) -> None:
    """So that a scan that begins then misses nothing."""
    for number in range(300):
        (tmp_path / str(number)).mkdir()
    async with _watching(tmp_path) as source:
        assert source.health().watches == 301


async def test_what_happens_unasked_is_kept(tmp_path: Path) -> None:
    """Nobody has to be waiting: changes coalesce until somebody asks."""
    async with _watching(tmp_path) as source:
        for number in range(100):
            (tmp_path / f"{number}.jpg").write_bytes(b"x")
        seen: set[bytes] = set()
        with anyio.fail_after(20):
            while len(seen) < 100:
                seen |= (await source.changes()).directories[b""].keys()

        assert seen == {b"%d.jpg" % number for number in range(100)}


async def test_a_source_that_polls_never_speaks(tmp_path: Path) -> None:
    """It watches nothing; scans are its owner's."""
    async with watching(os.fsencode(tmp_path), mode="poll") as source:
        assert source.health() == WatchHealth("poll")
        (tmp_path / "a.jpg").write_bytes(b"x")
        with anyio.move_on_after(0.2) as waited:
            await source.changes()

        assert waited.cancelled_caught


async def test_a_layered_file_system_is_watched_all_the_same(tmp_path: Path) -> None:
    """`both` says what it is, and tells what it hears."""
    async with watching(os.fsencode(tmp_path), mode="both") as source:
        assert source.health().mode == "both"
        (tmp_path / "a.jpg").write_bytes(b"x")
        await _until(source, lambda c: b"a.jpg" in c.directories.get(b"", {}))


async def test_a_mode_is_found_by_the_file_system(tmp_path: Path) -> None:
    """Nobody has to know what their disk is."""
    async with watching(os.fsencode(tmp_path)) as source:
        assert source.health().mode in {"inotify", "both", "poll"}


async def test_a_missing_root_is_waited_for(tmp_path: Path) -> None:
    """Until it comes the source says what is wrong; then it asks for a scan and hears."""
    root = tmp_path / "usb"
    async with _watching(root) as source:
        health = source.health()
        assert health.mode == "degraded"
        assert str(root) in health.trouble
        root.mkdir()

        await _until(source, lambda c: bool(c.scan))

        assert await _healthy(source) == WatchHealth("inotify", watches=1)
        (root / "a.jpg").write_bytes(b"x")
        await _until(source, lambda c: b"a.jpg" in c.directories.get(b"", {}))


@pytest.mark.parametrize("replace", ["remove", "rename"])
async def test_a_root_made_anew_is_watched_anew(tmp_path: Path, replace: str) -> None:
    """Deleted or moved away, and another directory in its place."""
    root = tmp_path / "a"
    root.mkdir()
    async with _watching(root) as source:
        if replace == "remove":
            root.rmdir()
        else:
            root.rename(tmp_path / "b")
        root.mkdir()

        await _until(source, lambda c: c.scan == "the folder is watched anew")

        assert await _healthy(source) == WatchHealth("inotify", watches=1)
        (root / "a.jpg").write_bytes(b"x")
        await _until(source, lambda c: b"a.jpg" in c.directories.get(b"", {}))


async def test_a_root_replaced_from_above_is_noticed(tmp_path: Path) -> None:
    """No event tells that a directory above the root was renamed; its identity does."""
    root = tmp_path / "disk" / "photos"
    root.mkdir(parents=True)
    async with _watching(root) as source:
        (tmp_path / "disk").rename(tmp_path / "old")
        root.mkdir(parents=True)

        await _until(source, lambda c: c.scan == "the folder is watched anew")

        (root / "a.jpg").write_bytes(b"x")
        await _until(source, lambda c: b"a.jpg" in c.directories.get(b"", {}))


async def test_a_watcher_that_dies_is_replaced(tmp_path: Path) -> None:
    """Its end asks for a scan, is shown while it lasts, and so does its successor's start."""
    deadly = threading.Event()
    deadly.set()

    def skip(directory: bytes, name: bytes, is_directory: bool) -> bool:  # noqa: FBT001 -- `Skip`
        del directory, is_directory
        if name == b"deadly.jpg" and deadly.is_set():
            deadly.clear()
            raise RuntimeError("hit")
        return False

    async with watching(
        os.fsencode(tmp_path), mode="inotify", skip=skip, patience=_QUICK
    ) as source:
        (tmp_path / "deadly.jpg").touch()
        scans = []
        while "the folder is watched anew" not in scans:
            scans.append((await _until(source, lambda c: bool(c.scan))).scan)

        assert scans[0] == "watching ended by an error"
        assert (await _healthy(source)).watches == 1
        (tmp_path / "a.jpg").write_bytes(b"x")
        await _until(source, lambda c: b"a.jpg" in c.directories.get(b"", {}))


async def test_leaving_with_events_in_flight_does_not_wait(tmp_path: Path) -> None:
    """Files keep coming and nobody asks: the loop goes on at once, and the threads end."""
    done = threading.Event()

    def write() -> None:
        number = 0
        while not done.is_set():
            (tmp_path / f"{number % 100}.jpg").write_bytes(b"x")
            number += 1

    writer = threading.Thread(target=write)
    writer.start()
    try:
        before = set(threading.enumerate())  # those of earlier tests may still be ending
        async with _watching(tmp_path):
            threads = {one for one in threading.enumerate() if _is_watchdogs(one)} - before
            assert len(threads) == 2
            await anyio.sleep(0.1)
            began = anyio.current_time()
        assert anyio.current_time() - began < 1.0
    finally:
        done.set()
        writer.join()
    for thread in threads:
        thread.join(10)

    assert not any(thread.is_alive() for thread in threads)


def _is_watchdogs(thread: threading.Thread) -> bool:
    return type(thread).__name__ in {"BaseObserver", "InotifyEmitter"}


async def test_being_cancelled_ends_the_watching(tmp_path: Path) -> None:
    """A shutdown needs no word to the source."""
    with anyio.fail_after(10):
        async with anyio.create_task_group() as tasks:

            async def watch() -> None:
                async with _watching(tmp_path) as source:
                    tasks.cancel_scope.cancel()
                    while True:
                        await source.changes()

            tasks.start_soon(watch)


@pytest.mark.root
async def test_an_unmounted_root_is_told_and_watched_again_when_mounted(seen_by_all: Path) -> None:
    """What the mount had covered is watched meanwhile, and then the disk that returns."""
    root = str(seen_by_all)
    mount = ["mount", "-t", "tmpfs", "-o", "size=1m", "immich-sync-test", root]
    subprocess.run(mount, check=True)  # noqa: S603, ASYNC221 -- quick, and the tests' own
    try:
        async with _watching(seen_by_all) as source:
            subprocess.run(["umount", root], check=True)  # noqa: S603, S607, ASYNC221 -- likewise
            await _until(source, lambda c: c.scan == "the folder was unmounted")
            await _until(source, lambda c: c.scan == "the folder is watched anew")

            subprocess.run(mount, check=True)  # noqa: S603, ASYNC221 -- likewise
            await _until(source, lambda c: c.scan == "the folder is watched anew")

            (seen_by_all / "a.jpg").write_bytes(b"x")
            await _until(source, lambda c: b"a.jpg" in c.directories.get(b"", {}))
    finally:
        subprocess.run(["umount", "-l", root], check=False)  # noqa: S603, S607, ASYNC221 -- likewise


@pytest.mark.root
async def test_what_is_mounted_below_the_root_is_watched(seen_by_all: Path) -> None:
    """A mount comes without any event; the table of mounts tells."""
    (seen_by_all / "usb").mkdir()
    usb = str(seen_by_all / "usb")
    async with _watching(seen_by_all) as source:
        mount = ["mount", "-t", "tmpfs", "-o", "size=1m", "immich-sync-test", usb]
        subprocess.run(mount, check=True)  # noqa: S603, ASYNC221 -- quick, and the tests' own
        try:
            await _until(source, lambda c: c.scan == "the folder is watched anew")
            (seen_by_all / "usb" / "a.jpg").write_bytes(b"x")
            await _until(source, lambda c: b"a.jpg" in c.directories.get(b"usb", {}))
        finally:
            subprocess.run(["umount", "-l", usb], check=False)  # noqa: S603, S607, ASYNC221 -- likewise


@pytest.mark.root
@pytest.mark.parametrize(
    ("limit", "value", "named"),
    [
        ("max_inotify_watches", 3, "fs.inotify.max_user_watches"),
        ("max_inotify_instances", 0, "fs.inotify.max_user_instances"),
    ],
)
def test_a_limit_that_is_reached_names_its_setting(
    tmp_path: Path, limit: str, value: int, named: str
) -> None:
    """Degraded, with the very sysctl to raise."""
    for number in range(10):
        (tmp_path / str(number)).mkdir()
    script = f'echo {value} > /proc/sys/user/{limit} && exec "$0" -c "$1" "$2"'
    command = ["unshare", "--user", "--map-root-user", "sh", "-c", script]
    command += [sys.executable, _TELL_HEALTH, str(tmp_path)]
    said = subprocess.run(command, capture_output=True, text=True, check=True, timeout=20).stdout  # noqa: S603 -- our own

    assert said.startswith("degraded ")
    assert f"raise {named}, for example by `sysctl {named}=" in said


_TELL_HEALTH = """
import os, sys
import anyio
from immich_sync.filesystem.watch import watching

async def main():
    async with watching(os.fsencode(sys.argv[1]), mode="inotify") as source:
        health = source.health()
        print(health.mode, health.trouble)

anyio.run(main)
"""
