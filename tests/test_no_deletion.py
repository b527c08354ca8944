"""Days on which photos go from their places, and nobody deleted them."""

from dataclasses import replace
from pathlib import Path

import anyio
import pytest

from immich_sync import status
from immich_sync.control import Request
from immich_sync.core.folder import Setup
from immich_sync.core.media import compile_ignore
from immich_sync.engine import Engine
from immich_sync.orders import Orders
from immich_sync.sandbox import Status, stored_assets
from tests.faults.memory_disk import volume
from tests.faults.stage import Stage, simulate, until
from tests.nights import DAY, SCAN_AT, first_night

WAIT = 600.0
"""Seconds that a file stays gone before that counts."""
SOON = 180.0
"""Seconds within which what is due is done."""


def _setup(stage: Stage, **rules: object) -> Setup:
    setup = stage.setup(album=None)
    wanted = {
        "on_delete": "trash",
        "root_check": 600.0,
        "scan_at": SCAN_AT,
        "delete_after": WAIT,
        **rules,
    }
    folder = replace(setup.folders[0], **wanted)  # type: ignore[arg-type]
    return replace(setup, folders=(folder,))


async def _synced(stage: Stage, engine: Engine, count: int, below: bytes = b"d/") -> None:
    known = len(stored_assets(stage.server))
    for number in range(count):
        name = b"%sp%04d.raw" % (below, number)
        stage.disk.write(name, b"photo %s" % name, stage.clock.now())
    await until(lambda: len(stored_assets(stage.server)) == known + count, within=900)
    await until(lambda: not engine.crew.busy, within=60)


def _trashed(stage: Stage) -> list[str]:
    return sorted(one.name for one in stored_assets(stage.server) if one.trashed)


async def _problems(engine: Engine) -> dict[str, str]:
    return {one.what: one.advice for one in (await status.of(engine, since=0.0)).problems}


def test_a_night_between_does_not_make_many_deletions_few(tmp_path: Path) -> None:
    """A person is asked about them, also if the daemon was stopped before they counted."""

    async def scenario() -> tuple[list[str], set[str]]:
        stage = Stage(1, tmp_path)
        async with stage.daemon(_setup(stage)) as engine:
            await _synced(stage, engine, 60)
            for number in range(40):
                stage.disk.remove(b"d/p%04d.raw" % number)
            await anyio.sleep(10)
        await anyio.sleep(DAY / 2)
        async with stage.daemon(_setup(stage)) as engine:
            await anyio.sleep(WAIT + SOON)
            return _trashed(stage), set(await _problems(engine))

    assert simulate(scenario, seed=1) == ([], {"deletions"})


def test_a_clock_that_jumps_does_not_make_many_deletions_few(tmp_path: Path) -> None:
    """By a day, right after they were deleted."""

    async def scenario() -> tuple[list[str], set[str]]:
        stage = Stage(2, tmp_path)
        async with stage.daemon(_setup(stage)) as engine:
            await _synced(stage, engine, 60)
            for number in range(40):
                stage.disk.remove(b"d/p%04d.raw" % number)
            await anyio.sleep(10)
            stage.clock.ahead += DAY
            await anyio.sleep(WAIT + SOON)
            return _trashed(stage), set(await _problems(engine))

    assert simulate(scenario, seed=2) == ([], {"deletions"})


def test_a_few_each_day_are_not_many_at_once(tmp_path: Path) -> None:
    """However many wait together, because the server was away for long."""

    async def scenario() -> list[str]:
        stage = Stage(3, tmp_path)
        async with stage.daemon(_setup(stage)) as engine:
            await _synced(stage, engine, 60)
            await Orders(engine).handle(Request("pause"))
            for number in range(16):
                stage.disk.remove(b"d/p%04d.raw" % number)
                await anyio.sleep(1000)
            await Orders(engine).handle(Request("resume"))
            await anyio.sleep(SOON)
            return _trashed(stage)

    assert len(simulate(scenario, seed=3)) == 16


@pytest.mark.parametrize("before", ["ignore", None])
def test_what_went_before_it_was_asked_for_does_not_count(
    tmp_path: Path, before: str | None
) -> None:
    """Not while deletions were ignored, and not while the folder was in no configuration."""

    async def scenario() -> list[str]:
        stage = Stage(4, tmp_path)
        first = before or "trash"
        async with stage.daemon(_setup(stage, on_delete=first)) as engine:
            await _synced(stage, engine, 5)
        if before is None:
            async with stage.daemon(replace(_setup(stage), folders=())):
                await anyio.sleep(60)
        stage.disk.remove(b"d/p0001.raw")
        async with stage.daemon(_setup(stage)):
            await anyio.sleep(WAIT + SOON)
            stage.disk.remove(b"d/p0002.raw")
            await anyio.sleep(WAIT + SOON)
            return _trashed(stage)

    assert simulate(scenario, seed=4) == ["p0002.raw"]


def test_what_went_while_nobody_watched_counts(tmp_path: Path) -> None:
    """If deletions were asked for before, too."""

    async def scenario() -> list[str]:
        stage = Stage(5, tmp_path)
        async with stage.daemon(_setup(stage)) as engine:
            await _synced(stage, engine, 5)
        stage.disk.remove(b"d/p0001.raw")
        async with stage.daemon(_setup(stage)):
            await anyio.sleep(WAIT + SOON)
            return _trashed(stage)

    assert simulate(scenario, seed=5) == ["p0001.raw"]


def test_what_a_new_disk_lacks_was_not_deleted(tmp_path: Path) -> None:
    """A copy on another file system that is nearly whole is the same folder, and no more."""

    async def scenario() -> list[str]:
        stage = Stage(6, tmp_path)
        async with stage.daemon(_setup(stage)) as engine:
            await _synced(stage, engine, 60)
            copy = volume("larger")
            copy.files.update(list(stage.disk.files.items())[2:])
            stage.disk.mounted = copy
            stage.disk.overflow()
            await first_night(stage)
            stage.disk.remove(b"d/p0030.raw")
            await anyio.sleep(WAIT + SOON)
            return _trashed(stage)

    assert simulate(scenario, seed=6) == ["p0030.raw"]


def test_nothing_counts_while_a_directory_cannot_be_listed(tmp_path: Path) -> None:
    """The photo may lie there now; `status` says which one it is."""

    async def scenario() -> tuple[list[str], str, list[str], set[str]]:
        stage = Stage(7, tmp_path)
        async with stage.daemon(_setup(stage)) as engine:
            await _synced(stage, engine, 5)
            await _synced(stage, engine, 1, below=b"secret/")
            stage.disk.broken.add(b"secret")
            stage.disk.rename(b"d/p0001.raw", b"secret/moved.raw", stage.clock.now())
            stage.disk.remove(b"d/p0002.raw")
            await anyio.sleep(WAIT + SOON)
            before, said = _trashed(stage), (await _problems(engine)).get("not_deleted", "")
            stage.disk.broken.clear()
            await anyio.sleep(WAIT + SOON)
            return before, said, _trashed(stage), set(await _problems(engine))

    before, said, after, problems = simulate(scenario, seed=7)
    assert (before, after, problems) == ([], ["p0002.raw"], set())
    assert "secret" in said


def test_what_is_no_longer_looked_at_is_not_deleted(tmp_path: Path) -> None:
    """It lies there still, and hinders nobody who waits behind it, nor is it asked about."""

    async def scenario() -> tuple[list[str], set[str], list[str]]:
        stage = Stage(8, tmp_path)
        async with stage.daemon(_setup(stage)) as engine:
            await _synced(stage, engine, 60)
            await _synced(stage, engine, 120, below=b"old/deep/")
        ignoring = _setup(stage, ignore=compile_ignore(["old/"]))
        async with stage.daemon(ignoring) as engine:
            stage.disk.remove(b"d/p0002.raw")
            await anyio.sleep(WAIT + SOON)
            first, problems = _trashed(stage), set(await _problems(engine))
            for number in range(120):
                stage.disk.remove(b"old/deep/p%04d.raw" % number)
            await first_night(stage)
            return first, problems, _trashed(stage)

    assert simulate(scenario, seed=8) == (["p0002.raw"], set(), ["p0002.raw"])


def test_a_link_in_its_place_is_no_deletion(tmp_path: Path) -> None:
    """It was moved to where only its owner knows."""

    async def scenario() -> list[str]:
        stage = Stage(9, tmp_path)
        async with stage.daemon(_setup(stage)) as engine:
            await _synced(stage, engine, 5)
            stage.disk.replace_by_link(b"d/p0001.raw")
            await first_night(stage)
            return _trashed(stage)

    assert simulate(scenario, seed=9) == []


def test_what_the_server_refuses_stays_and_is_not_asked_for_again(tmp_path: Path) -> None:
    """A person may have put it into the locked folder, which no key opens."""

    async def scenario() -> tuple[int, list[str]]:
        stage = Stage(10, tmp_path)
        async with stage.daemon(_setup(stage)) as engine:
            await _synced(stage, engine, 20)
            refusal = Status(400, message="Not found or no asset.delete access")
            rule = stage.faults.add(refusal, method="DELETE", path="/api/assets")
            stage.disk.remove(b"d/p0001.raw")
            await first_night(stage)
            return rule.fired, _trashed(stage)

    assert simulate(scenario, seed=10) == (1, [])
