"""How many threads read one disk at a time, and how fast they hash.

Run: python -m tests.bench.hashing
"""

import os
import threading
import time
from pathlib import Path
from tempfile import TemporaryDirectory

import anyio

from immich_sync.core.folder import Folder, Limits
from immich_sync.filesystem.digest import digest
from immich_sync.filesystem.mounts import disk_of
from immich_sync.machine import this_machine
from tests.bench.stage import say
from tests.stories.scene import photo

FILES = 64
"""As many as are in flight at once."""
SIZE = 8_000_000


class _Readers:
    """How many threads are inside at once, at most."""

    def __init__(self) -> None:
        self.most = 0
        self._now = 0
        self._lock = threading.Lock()

    def __enter__(self) -> None:
        with self._lock:
            self._now += 1
            self.most = max(self.most, self._now)

    def __exit__(self, *_: object) -> None:
        with self._lock:
            self._now -= 1


async def _hash_all(root: bytes, names: list[bytes], limits: Limits) -> tuple[int, int, float]:
    """Threads allowed, threads seen at once, and seconds, for files that are all due at once."""
    machine, readers = this_machine(limits), _Readers()
    lane = machine.hashing(Folder("photos", root, "default"))

    def read(name: bytes) -> None:
        with readers:
            digest(machine.disk, root, name)

    began = time.perf_counter()
    async with anyio.create_task_group() as tasks:
        for name in names:
            tasks.start_soon(machine.blocking, lane, read, name)
    return lane.width, readers.most, time.perf_counter() - began


def main() -> None:
    """Prints the figures."""
    with TemporaryDirectory(prefix="immich-sync-bench-") as home:
        names = [b"IMG_%d.jpg" % n for n in range(FILES)]
        for name in names:
            (Path(home) / os.fsdecode(name)).write_bytes(photo(name, SIZE))
        root = os.fsencode(home)
        disk = disk_of(root)
        kind = {True: "spinning", False: "not spinning", None: "of an unknown kind"}
        say(f"{disk.key} says that it is {kind[disk.rotational]}")
        for asked in (None, 1, 4):
            limits = Limits(hash_threads=asked)
            width, most, took = anyio.run(_hash_all, root, names, limits)
            say(
                f"hash_threads {asked or 'not said'}: {width} allowed, {most} seen at once,"
                f" {FILES * SIZE / took / 1e6:.0f} MB/s from the cache"
            )


if __name__ == "__main__":
    main()
