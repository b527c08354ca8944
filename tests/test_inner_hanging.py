"""A disk within a folder that never answers: what else is asked of the folder's disk goes on."""

import os
import threading
from collections.abc import Collection, Iterator
from contextlib import closing
from pathlib import Path

import anyio
import pytest

from immich_sync.core.folder import Folder
from immich_sync.core.ports import Lane, RootIdentity
from immich_sync.core.types import FolderId
from immich_sync.filesystem.disk import LocalDisk
from immich_sync.journal import Journal
from immich_sync.machine import Threads, WallClock
from immich_sync.rooting import Root
from immich_sync.store.database import open_database
from immich_sync.store.door import Store
from immich_sync.world import World

LOOKING = Lane("look photos", 1)


class HangingWithin(LocalDisk):
    """A disk on which another one is mounted, which answers when it is released."""

    def __init__(self) -> None:
        super().__init__()
        self.asked = threading.Event()
        self.released = threading.Event()

    def inner(self, root: bytes) -> Collection[bytes]:
        """One place."""
        del root
        return [b"usb"]

    def identify(self, root: bytes) -> RootIdentity | None:
        """Of the root; of the other one not before it is released."""
        if root.endswith(b"/usb"):
            self.asked.set()
            self.released.wait()
        return super().identify(root)


@pytest.fixture
def disk() -> Iterator[HangingWithin]:
    """Released at the end, whatever happened."""
    made = HangingWithin()
    yield made
    made.released.set()


@pytest.mark.anyio
async def test_a_disk_that_hangs_within_a_folder_leaves_its_lane_free(
    tmp_path: Path, disk: HangingWithin
) -> None:
    """Photos that arrive beside it are looked at, and go up."""
    blocking, clock = Threads(), WallClock()
    with closing(open_database(tmp_path / "state" / "state.db")) as database:
        store = Store(database, blocking)
        world = World(clock, blocking, disk, store, Journal(store, clock.now, lambda *_: None))
        folder = Folder("photos", os.fsencode(tmp_path), "default")
        root = Root(folder, FolderId(1), world, LOOKING, turned=lambda: None)
        try:
            with anyio.fail_after(20):
                async with anyio.create_task_group() as tasks:
                    tasks.start_soon(root.check)
                    await anyio.to_thread.run_sync(disk.asked.wait)
                    with anyio.move_on_after(5) as waited:
                        await blocking(LOOKING, lambda: None)
                    disk.released.set()
        finally:
            disk.released.set()

    assert not waited.cancelled_caught
