"""A disk that is mounted within a folder, by the kernel's own mounts."""

import os
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path

import anyio
import pytest

from immich_sync import status
from immich_sync.core.status import Problem
from immich_sync.engine import Engine
from immich_sync.filesystem.disk import LocalDisk
from tests.real.scene import root
from tests.scene import Household, household, photo, running

pytestmark = pytest.mark.root

TMPFS = ("mount", "-t", "tmpfs", "-o", "size=1m", "test")


@pytest.fixture
def usb(tmp_path: Path) -> Iterator[Path]:
    """Where a mount point within the folder is to be; nothing is mounted there afterwards."""
    place = tmp_path / "photos" / "my usb"
    yield place
    with suppress(pytest.skip.Exception):  # nothing is
        root("umount", "--lazy", place)


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A small disk, mounted beside the folder."""
    place = tmp_path / "disk"
    place.mkdir()
    root(*TMPFS, place)
    yield place
    root("umount", "--lazy", place)


async def _until(condition: Callable[[], Awaitable[bool]]) -> None:
    with anyio.fail_after(20):
        while not await condition():  # noqa: ASYNC110 -- what others do, and no event tells
            await anyio.sleep(0.02)


async def _away(engine: Engine) -> list[Problem]:
    return [one for one in (await status.of(engine, since=0.0)).problems if one.what == "mount"]


def _trashed(home: Household) -> list[str]:
    return [one.name for one in home.sandbox.assets() if one.trashed]


async def _scanned(engine: Engine) -> None:
    (folder, intake), *_ = engine.intakes.items()
    before = intake.last_scan
    engine.scan(folder)

    async def is_over() -> bool:
        return intake.last_scan is not before and not intake.scanning

    await _until(is_over)


@pytest.mark.anyio
async def test_an_unmounted_disk_within_a_folder_sends_nothing_to_the_trash(
    tmp_path: Path, disk: Path, usb: Path
) -> None:
    """Not what was on it; once it is back, what is deleted there goes, and only that."""
    bind = ("mount", "--bind", disk, usb)
    async with household(tmp_path) as home:
        home.configure(on_delete="trash", delete_after=0.5, root_check=0.2)
        home.put("home.jpg", photo(0))
        home.put("my usb/hidden", b"by the mount")
        root(*bind)
        gone = home.put("my usb/a.jpg", photo(1))
        home.put("my usb/DCIM/b.jpg", photo(2))
        await _goes_and_comes(home, bind, gone)


async def _goes_and_comes(home: Household, bind: Sequence[str | Path], gone: Path) -> None:
    usb = bind[-1]
    async with running(home) as engine:

        async def are_in() -> bool:
            files = (await status.of(engine, since=0.0)).folders
            return bool(files) and files[0].verified == 3

        async def is_away() -> bool:
            return bool(await _away(engine))

        async def is_back() -> bool:
            return not await _away(engine)

        async def is_trashed() -> bool:
            return bool(_trashed(home))

        await _until(are_in)
        root("umount", usb)
        await _until(is_away)
        await _scanned(engine)
        known = (await status.of(engine, since=0.0)).folders[0].files
        [problem] = await _away(engine)
        root(*bind)
        await _until(is_back)
        await _scanned(engine)
        gone.unlink()  # noqa: ASYNC240 -- nobody waits for this loop
        await _until(is_trashed)

        assert known == 3
        assert problem.path == os.fspath(usb)
        assert "immich-sync approve photos" in problem.advice
        assert _trashed(home) == ["a.jpg"]


def test_mounts_are_met_by_table_and_by_device(tmp_path: Path, usb: Path) -> None:
    """A bind mount of the same file system is in the table; another st_dev is seen by a listing."""
    folder, bound = tmp_path / "photos", tmp_path / "photos" / "b\\ound"
    for place in (usb / "deep", bound, tmp_path / "else"):
        place.mkdir(parents=True)
    disk, name = LocalDisk(), os.fsencode(folder)
    disk.identify(name)
    plain = disk.inner(name)
    root("mount", "--bind", tmp_path / "else", bound)
    try:
        root(*TMPFS, usb)
        (usb / "deep").mkdir()
        for directory in (b"", b"my usb/deep", b"my usb"):
            disk.list(name, directory)
        found = disk.inner(name)
        before = disk.identify(os.fsencode(bound))
    finally:
        root("umount", bound)

    assert (set(plain), set(found)) == (set(), {b"my usb", b"b\\ound"})
    assert disk.identify(os.fsencode(bound)) != before


def test_a_disk_over_the_root_is_none_within_it(tmp_path: Path) -> None:
    """What a walk meets below a root that was mounted just now lies on the root's own disk."""
    disk, name = LocalDisk(), os.fsencode(tmp_path)
    disk.identify(name)
    root(*TMPFS, tmp_path)
    try:
        (tmp_path / "d").mkdir()
        for directory in (b"", b"d"):
            disk.list(name, directory)
        found = disk.inner(name)
    finally:
        root("umount", tmp_path)

    assert set(found) == set()
