"""Days of an engine that cleans its folder, on a simulated machine."""

from collections.abc import Awaitable, Callable
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import anyio
import pytest

from immich_sync import status
from immich_sync.control import Request
from immich_sync.core.folder import Setup
from immich_sync.core.types import FolderId
from immich_sync.engine import Engine
from immich_sync.orders import Orders
from immich_sync.sandbox import Status, stored_assets
from immich_sync.sandbox.records import Asset
from immich_sync.sandbox.sample_files import copy_samples
from immich_sync.sandbox.tiny_jpeg import TINY_JPEG
from immich_sync.store.cleanups import Cleaned, away
from immich_sync.store.database import Database, open_read_only
from tests.faults.memory_disk import ASIDE
from tests.faults.mortality import Effects
from tests.faults.stage import Stage, simulate, until
from tests.nights import SCAN_AT, next_night

DAY = 3600.0
"""Short ones: simulated hours cost real seconds."""
YEAR = 365 * 86_400.0
AFTER = 2 * DAY
"""Seconds that a file lies still before it is cleaned away."""
QUARTER = DAY / 4


def _setup(stage: Stage, how: str = "quarantine", **rules: object) -> Setup:
    setup = stage.setup(album=None)
    folder = replace(
        setup.folders[0],
        after_upload=how,
        quarantine_dir=ASIDE if how == "quarantine" else b"",
        **{
            "cleanup_after": AFTER,
            "root_check": 600.0,
            "scan_at": SCAN_AT,
            "quarantine_for": 4 * DAY,
            **rules,
        },  # type: ignore[arg-type] # any of its fields
    )
    return replace(setup, folders=(folder,))


async def _synced(stage: Stage, engine: Engine, count: int = 2) -> None:
    for number in range(count):
        stage.disk.write(b"d/%d.raw" % number, b"photo %d" % number, stage.clock.now())
    await until(lambda: len(stored_assets(stage.server)) == count, within=900)
    await until(lambda: not engine.crew.busy, within=60)


def _stored(stage: Stage, name: str) -> Asset:
    return next(one for one in stage.server.assets if one.original_file_name == name)


def _trash(stage: Stage, name: str) -> None:
    stage.server.assets.put(replace(_stored(stage, name), trashed_at=stage.server.stamp()))


def _here(stage: Stage) -> list[bytes]:
    return sorted(stage.disk.files)


def _aside(stage: Stage) -> list[bytes]:
    return sorted(stage.disk.aside)


def test_what_lay_still_in_immich_goes_into_quarantine_and_later_for_good(tmp_path: Path) -> None:
    """Not before its time, with its path, and nothing is asked of Immich but whether it has it."""

    async def scenario() -> None:
        stage = Stage(1, tmp_path)
        async with stage.daemon(_setup(stage)) as engine:
            await _synced(stage, engine)
            await anyio.sleep(AFTER - QUARTER)
            assert len(_here(stage)) == 2
            await anyio.sleep(2 * QUARTER)
            assert _here(stage) == []
            assert _aside(stage) == [b"photos/d/0.raw", b"photos/d/1.raw"]
            await anyio.sleep(3 * DAY)
            assert len(_aside(stage)) == 2
            await anyio.sleep(2 * DAY)
            assert _aside(stage) == []
            assert len(stored_assets(stage.server)) == 2
            assert all(one.method != "DELETE" for one in stage.server.requests)
            assert engine.intakes[next(iter(engine.intakes))].root.online

    simulate(scenario, seed=1)


def test_a_folder_that_deletes_has_no_quarantine(tmp_path: Path) -> None:
    """What is proved to be in Immich is gone; what came later waits for its own time."""

    async def scenario() -> None:
        stage = Stage(1, tmp_path)
        async with stage.daemon(_setup(stage, "delete")) as engine:
            await _synced(stage, engine)
            await anyio.sleep(DAY)
            stage.disk.write(b"late.raw", b"late", stage.clock.now())
            await anyio.sleep(AFTER - DAY + QUARTER)
            assert (_here(stage), _aside(stage)) == ([b"late.raw"], [])

    simulate(scenario, seed=1)


async def _trashed(stage: Stage) -> None:
    _trash(stage, "0.raw")


async def _erased(stage: Stage) -> None:
    stage.server.erase(_stored(stage, "0.raw"))


async def _rewritten(stage: Stage) -> None:
    stage.disk.rewrite(b"d/0.raw", b"another", stage.clock.now())


async def _rotten(stage: Stage) -> None:
    stage.disk.files[b"d/0.raw"].data = b"phot0 0"


async def _linked(stage: Stage) -> None:
    stage.disk.link(b"d/0.raw", b"d/other.txt", stage.clock.now())


async def _given_a_sidecar(stage: Stage) -> None:
    stage.disk.write(b"d/0.raw.xmp", b"<x:xmpmeta/>", stage.clock.now())


async def _given_to_syncthing(stage: Stage) -> None:
    stage.disk.write(b"d/.stfolder/marker", b"", stage.clock.now())


@pytest.mark.parametrize(
    "happened",
    [_trashed, _erased, _rewritten, _rotten, _linked, _given_a_sidecar, _given_to_syncthing],
)
def test_what_is_not_as_it_was_proved_stays(
    tmp_path: Path, happened: Callable[[Stage], Awaitable[None]]
) -> None:
    """Whatever happened to the one file an hour before its time: it stays where it is."""

    async def scenario() -> None:
        stage = Stage(1, tmp_path)
        async with stage.daemon(_setup(stage, "delete")) as engine:
            await _synced(stage, engine)
            await anyio.sleep(AFTER - DAY)
            await happened(stage)
            await anyio.sleep(2 * DAY)
            assert b"d/0.raw" in _here(stage)
            assert (b"d/1.raw" in _here(stage)) == (happened is _given_to_syncthing)

    simulate(scenario, seed=1)


def test_a_clock_that_jumps_ahead_cleans_nothing(tmp_path: Path) -> None:
    """A year that did not pass is no waiting, neither while it runs nor over a restart."""

    async def scenario() -> None:
        stage = Stage(1, tmp_path)
        async with stage.daemon(_setup(stage)) as engine:
            await _synced(stage, engine)
            await anyio.sleep(DAY / 2)
            stage.clock.ahead += YEAR
            await anyio.sleep(DAY)
            assert len(_here(stage)) == 2
        stage.clock.ahead += YEAR
        async with stage.daemon(_setup(stage)):
            await anyio.sleep(DAY / 4)
            assert len(_here(stage)) == 2
            await anyio.sleep(2 * DAY)  # what passed since the clock was last noted is lost
            assert _here(stage) == []

    simulate(scenario, seed=1)


def test_a_server_newer_than_any_known_stops_it(tmp_path: Path) -> None:
    """What such a server answers may not mean what it meant."""

    async def scenario() -> None:
        stage = Stage(1, tmp_path)
        stage.server.version = (4, 0, 0)
        async with stage.daemon(_setup(stage)) as engine:
            await _synced(stage, engine)
            await anyio.sleep(AFTER + DAY)
            assert len(_here(stage)) == 2

    simulate(scenario, seed=1)


def test_without_its_album_nothing_is_cleaned(tmp_path: Path) -> None:
    """What waits for its album is not done with."""

    async def scenario() -> None:
        stage = Stage(1, tmp_path)
        stage.faults.add(Status(500), path="/api/albums")
        async with stage.daemon(_setup(stage, album="{parent}")) as engine:
            await _synced(stage, engine)
            await anyio.sleep(AFTER + DAY)
            assert len(_here(stage)) == 2
            stage.faults.clear()
            await anyio.sleep(2 * DAY)
            assert _here(stage) == []

    simulate(scenario, seed=1)


def test_a_sidecar_goes_along_and_only_with_its_last_photo(tmp_path: Path) -> None:
    """One that nothing else may use goes with its photo; a shared one with the last of them."""

    async def scenario() -> None:
        stage = Stage(1, tmp_path)
        for name in (b"a.jpg.xmp", b"b.xmp", b"c.xmp"):
            stage.disk.write(name, b"<x>" + name + b"</x>", stage.clock.now())
        for name in (b"a.jpg", b"b.dng", b"b.jpg", b"c.dng", b"c.txt"):
            stage.disk.write(name, TINY_JPEG + name, stage.clock.now())
        async with stage.daemon(_setup(stage)):
            await until(lambda: len(stored_assets(stage.server)) == 4, within=900)
            await anyio.sleep(AFTER + DAY)
            assert _here(stage) == [b"c.txt", b"c.xmp"]
            assert _aside(stage) == [
                b"photos/" + name
                for name in (b"a.jpg", b"a.jpg.xmp", b"b.dng", b"b.jpg", b"b.xmp", b"c.dng")
            ]

    simulate(scenario, seed=1)


def _live_photo(stage: Stage, samples: Path) -> None:
    found = {path.name: path for path in copy_samples(samples)}
    for name in ("IMG_0042.HEIC", "IMG_0042.MOV"):
        stage.disk.write(name.encode(), found[name].read_bytes(), stage.clock.now())


@pytest.mark.parametrize("half", ["IMG_0042.HEIC", "IMG_0042.MOV"])
def test_a_live_photo_goes_together_or_not_at_all(tmp_path: Path, half: str) -> None:
    """As long as one half is in the trash, the other one stays as well."""

    async def scenario() -> None:
        stage = Stage(1, tmp_path)
        _live_photo(stage, tmp_path / "samples")
        async with stage.daemon(_setup(stage, album="all")):
            await until(lambda: len(stored_assets(stage.server)) == 2, within=900)
            await anyio.sleep(AFTER - DAY)
            _trash(stage, half)
            await anyio.sleep(2 * DAY)
            assert len(_here(stage)) == 2
            stage.server.assets.put(replace(_stored(stage, half), trashed_at=None))
            await next_night(stage)  # its audit sees that it is back
            await anyio.sleep(AFTER + DAY)
            assert (_here(stage), len(_aside(stage))) == ([], 2)

    simulate(scenario, seed=1)


def test_the_quarantine_keeps_what_immich_lost(tmp_path: Path) -> None:
    """When its time there is over it is asked for once more, and deleted only if it is there."""

    async def scenario() -> None:
        stage = Stage(1, tmp_path)
        async with stage.daemon(_setup(stage)) as engine:
            await _synced(stage, engine)
            await anyio.sleep(AFTER + DAY)
            _trash(stage, "0.raw")
            await anyio.sleep(6 * DAY)
            assert _aside(stage) == [b"photos/d/0.raw"]

    simulate(scenario, seed=1)


def test_nothing_in_quarantine_is_written_over(tmp_path: Path) -> None:
    """The same path with other bytes lies there beside the first."""

    async def scenario() -> None:
        stage = Stage(1, tmp_path)
        async with stage.daemon(_setup(stage, quarantine_for=YEAR)) as engine:
            await _synced(stage, engine, 1)
            await anyio.sleep(AFTER + DAY)
            stage.disk.write(b"d/0.raw", b"another photo", stage.clock.now())
            await anyio.sleep(AFTER + DAY)
            assert _aside(stage) == [b"photos/d/0.raw", b"photos/d/0~2.raw"]
            assert stage.disk.aside[b"photos/d/0.raw"].data == b"photo 0"

    simulate(scenario, seed=1)


async def _cleaned_pair(stage: Stage, how: str) -> None:
    """A life in which a live photo with its sidecar is cleaned away."""
    async with anyio.create_task_group() as tasks:
        stage.start(tasks, _setup(stage, how, cleanup_after=300.0, quarantine_for=YEAR))
        await anyio.sleep(900.0)
        await stage.stop()


def _cut_power(stage: Stage, reader: Database) -> None:
    """Nobody runs, and of the state nothing is left that was not waited for; deeds are done.

    That a `reader` has it open has kept the log from going into the file.
    """
    log, whole = Path(f"{stage.state}-wal"), stage.state.read_bytes()
    synced = log.read_bytes()[: stage.synced]
    reader.close()
    stage.state.write_bytes(whole)
    log.with_name(f"{stage.state.name}-shm").unlink(missing_ok=True)
    log.write_bytes(synced)


def _stages_of_death(tmp_path: Path, how: str) -> dict[int, bool]:
    """The effects around each deed, what is written before and after it; whether it is the deed."""
    names: list[str] = []

    async def scenario() -> None:
        stage = Stage(1, tmp_path / "first", effects=Effects(names=names))
        _live_photo(stage, tmp_path / "samples")
        stage.disk.write(b"IMG_0042.HEIC.xmp", b"<x/>", stage.clock.now())
        await _cleaned_pair(stage, how)
        assert _here(stage) == []

    (tmp_path / "first").mkdir()
    simulate(scenario, seed=1)
    word = "move" if how == "quarantine" else "remove"
    deeds = [number for number, name in enumerate(names, 1) if name.startswith(word)]
    return {number + near: number + near in deeds for number in deeds for near in range(-2, 3)}


@pytest.mark.parametrize("how", ["quarantine", "delete"])
def test_a_death_at_any_step_of_it_loses_nothing(tmp_path: Path, how: str) -> None:
    """Before, between and after the deeds: the next life ends it, and everything is known.

    Right at a deed the power fails as well: what was meant is on the disk before it is done.
    """
    for doomed, power_fails in _stages_of_death(tmp_path, how).items():
        home = tmp_path / str(doomed)
        home.mkdir()

        async def scenario(
            home: Path = home, doomed: int = doomed, *, power_fails: bool = power_fails
        ) -> None:
            stage = Stage(1, home, effects=Effects(doomed))
            reader = open_read_only(stage.state)
            _live_photo(stage, tmp_path / "samples")
            stage.disk.write(b"IMG_0042.HEIC.xmp", b"<x/>", stage.clock.now())
            await _cleaned_pair(stage, how)
            assert stage.deaths == 1
            if power_fails:
                _cut_power(stage, reader)
            reader.close()
            await _cleaned_pair(stage, how)
            await _cleaned_pair(stage, how)
            assert _here(stage) == []
            assert len(_aside(stage)) == (3 if how == "quarantine" else 0)
            assert len(stored_assets(stage.server)) == 2
            rows = _rows(stage)
            assert [row.state.value for row in rows] == 3 * [
                "quarantined" if how == "quarantine" else "deleted"
            ]

        simulate(scenario, seed=1)


def _rows(stage: Stage) -> list[Cleaned]:
    with closing(open_read_only(stage.state)) as database:
        return away(database, FolderId(1))


async def _undo(engine: Engine, *paths: str) -> list[dict[str, object]]:
    answer = await Orders(engine).handle(Request("undo", paths or None, since=0.0))
    assert isinstance(answer, list)
    return answer


def test_undo_brings_it_all_back_for_good(tmp_path: Path) -> None:
    """Both halves and the sidecar lie where they lay; they are not cleaned again by themselves."""

    async def scenario() -> None:
        stage = Stage(1, tmp_path)
        _live_photo(stage, tmp_path / "samples")
        stage.disk.write(b"IMG_0042.HEIC.xmp", b"<x/>", stage.clock.now())
        before = _here(stage)
        async with stage.daemon(_setup(stage, quarantine_for=YEAR)) as engine:
            await anyio.sleep(AFTER + DAY)
            assert _here(stage) == []
            told = await _undo(engine, "/photos/IMG_0042.MOV")
            assert [one["back"] for one in told] == [True] * 3
            assert (_here(stage), _aside(stage)) == (before, [])
            await anyio.sleep(AFTER + 2 * DAY)
            assert _here(stage) == before
            assert len(stored_assets(stage.server)) == 2

    simulate(scenario, seed=1)


def test_undo_writes_over_nothing_and_says_what_it_cannot(tmp_path: Path) -> None:
    """What came to the place stays; what was deleted is told how to be had from Immich."""

    async def scenario() -> None:
        stage = Stage(1, tmp_path)
        async with stage.daemon(_setup(stage)) as engine:
            await _synced(stage, engine, 1)
            await anyio.sleep(AFTER + DAY)
            stage.disk.write(b"d/0.raw", b"something else", stage.clock.now())
            [told] = await _undo(engine)
            assert not told["back"]
            assert "/quarantine/photos/d/0.raw" in str(told["note"])
            assert stage.disk.files[b"d/0.raw"].data == b"something else"
            await anyio.sleep(5 * DAY)
            later = await _undo(engine)
            assert any("immich-sync download" in str(one["note"]) for one in later)

    simulate(scenario, seed=1)


def test_the_status_counts_what_was_cleaned(tmp_path: Path) -> None:
    """For good or into quarantine; and what Immich lost since is a problem."""

    async def scenario() -> None:
        stage = Stage(1, tmp_path)
        async with stage.daemon(_setup(stage, quarantine_for=YEAR)) as engine:
            await _synced(stage, engine)
            await anyio.sleep(AFTER + DAY)
            stage.server.erase(_stored(stage, "0.raw"))
            await next_night(stage)
            await anyio.sleep(DAY)
            said = await status.of(engine, since=0.0)
            [folder] = said.folders
            assert (folder.files, folder.cleaned, folder.quarantined) == (0, 2, 2)
            assert folder.state == "watching"
            assert [(one.what, one.path) for one in said.problems] == [
                ("cleaned_missing", "/photos/d/0.raw")
            ]

    simulate(scenario, seed=1)
