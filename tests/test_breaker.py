"""Folders in which so much changes at once that a person has to speak first."""

from dataclasses import replace
from pathlib import Path

import anyio

from immich_sync import status
from immich_sync.control import Request
from immich_sync.core.folder import Setup
from immich_sync.core.types import Place
from immich_sync.engine import Engine
from immich_sync.orders import Orders
from immich_sync.sandbox import stored_assets
from immich_sync.store.database import open_read_only
from immich_sync.store.dossier import dossier
from tests.faults.stage import KEY, Stage, simulate, until
from tests.nights import SCAN_AT, first_night, next_night


def _setup(stage: Stage) -> Setup:
    setup = stage.setup(album=None)
    return replace(setup, folders=(replace(setup.folders[0], root_check=600.0, scan_at=SCAN_AT),))


async def _synced(stage: Stage, engine: Engine, count: int) -> None:
    for number in range(count):
        stage.disk.write(b"p%04d.raw" % number, b"photo %d" % number, stage.clock.now())
    await until(lambda: len(stored_assets(stage.server)) == count, within=900)
    await until(lambda: not engine.crew.busy, within=60)


def _tag(stage: Stage, count: int) -> None:
    """A tagger goes over so many photos."""
    for number in range(count):
        name = b"p%04d.raw" % number
        stage.disk.rewrite(name, b"photo %d, tagged" % number, stage.clock.now())


async def _problems(engine: Engine) -> dict[str, str]:
    return {one.what: one.advice for one in (await status.of(engine, since=0.0)).problems}


async def _approve(engine: Engine) -> None:
    await Orders(engine).handle(Request("approve", folder="photos"))


def test_many_changed_files_wait_and_new_ones_go_on(tmp_path: Path) -> None:
    """No more than a handful slip through before it is noticed, and `approve` lets the rest go."""

    async def scenario() -> tuple[int, str, str, bool, int, dict[str, str]]:
        stage = Stage(1, tmp_path)
        async with stage.daemon(_setup(stage)) as engine:
            await _synced(stage, engine, 60)
        _tag(stage, 40)
        async with stage.daemon(_setup(stage)) as engine:
            await anyio.sleep(600)
            stage.disk.write(b"new.raw", b"new", stage.clock.now())
            await first_night(stage)
            slipped = len(stored_assets(stage.server)) - 60 - 1
            said = await status.of(engine, since=0.0)
        async with stage.daemon(_setup(stage)) as engine:  # and a restart forgets nothing of it
            await anyio.sleep(600)
            await Orders(engine).handle(Request("retry"))  # of everything: is no such word
            await anyio.sleep(600)
            new = any(one.name == "new.raw" for one in stored_assets(stage.server))
            assert len(stored_assets(stage.server)) == 61 + slipped
            await _approve(engine)
            await anyio.sleep(120)
            total = len(stored_assets(stage.server))
            advice = next(one.advice for one in said.problems if one.what == "changes")
            return slipped, said.folders[0].state, advice, new, total, await _problems(engine)

    slipped, state, advice, new, total, after = simulate(scenario, seed=1)
    assert slipped == 0
    assert (state, new, total, after) == ("waiting", True, 101, {})
    assert "40 of 61 files" in advice or "40 of 60 files" in advice
    assert "immich-sync approve photos" in advice


def test_an_edit_just_before_lets_no_crowd_through(tmp_path: Path) -> None:
    """That one file may go is no word for the forty that change within the same second."""

    async def scenario() -> tuple[int, str]:
        stage = Stage(14, tmp_path)
        async with stage.daemon(_setup(stage)) as engine:
            await _synced(stage, engine, 60)
            stage.disk.write(b"p0059.raw", b"photo 59, cropped", stage.clock.now())
            await anyio.sleep(0.5)
            _tag(stage, 40)
            await anyio.sleep(600)
            said = await status.of(engine, since=0.0)
            return len(stored_assets(stage.server)) - 60, said.folders[0].state

    slipped, state = simulate(scenario, seed=14)
    assert 1 <= slipped <= 10
    assert state == "waiting"


def test_a_few_edits_go_up_at_once(tmp_path: Path) -> None:
    """And the ledger knows which asset each of them superseded."""

    async def scenario() -> tuple[int, dict[str, str], list[str], str]:
        stage = Stage(2, tmp_path)
        async with stage.daemon(_setup(stage)) as engine:
            await _synced(stage, engine, 20)
            old = next(one.id for one in stored_assets(stage.server) if one.name == "p0001.raw")
            _tag(stage, 8)
            await anyio.sleep(300)
            place = Place(next(iter(engine.intakes)), b"", b"p0001.raw")
            database = open_read_only(stage.state)
            found = dossier(database, place).former
            database.close()
            count = len(stored_assets(stage.server))
            return count, await _problems(engine), [one.asset_id for one in found], old

    count, problems, found, old = simulate(scenario, seed=2)
    assert (count, problems, found) == (28, {}, [old])


def test_an_edit_beside_many_unreadable_files_waits_for_a_word(tmp_path: Path) -> None:
    """What cannot be read may have changed as well; a person's word lets the edit go."""

    async def scenario() -> tuple[int, int]:
        stage = Stage(13, tmp_path)
        async with stage.daemon(_setup(stage)) as engine:
            await _synced(stage, engine, 40)
            _tag(stage, 20)
            stage.disk.broken.update(b"p%04d.raw" % number for number in range(1, 20))
            stage.disk.overflow()
            await anyio.sleep(900)
            before = len(stored_assets(stage.server))
            await _approve(engine)
            await anyio.sleep(300)
            return before, len(stored_assets(stage.server))

    assert simulate(scenario, seed=13) == (40, 41)


def test_a_library_that_was_only_touched_waits_for_nothing(tmp_path: Path) -> None:
    """Other times are no other bytes: once all was read, a true edit goes up by itself."""

    async def scenario() -> tuple[int, dict[str, str]]:
        stage = Stage(3, tmp_path)
        async with stage.daemon(_setup(stage)) as engine:
            await _synced(stage, engine, 60)
        for number in range(1, 60):
            name = b"p%04d.raw" % number
            stage.disk.rewrite(name, b"photo %d" % number, stage.clock.now())
        _tag(stage, 1)
        async with stage.daemon(_setup(stage)) as engine:
            await anyio.sleep(900)
            return len(stored_assets(stage.server)), await _problems(engine)

    assert simulate(scenario, seed=3) == (61, {})


def test_forgotten_files_need_no_upload_when_they_come_back(tmp_path: Path) -> None:
    """With on_delete = "ignore" a whole folder may go and return: its photos are asked for."""

    async def scenario() -> tuple[int, int, dict[str, str]]:
        stage = Stage(4, tmp_path)
        async with stage.daemon(_setup(stage)) as engine:
            await _synced(stage, engine, 60)
            files = dict(stage.disk.files)
            for name in list(files)[1:]:
                stage.disk.remove(name)
            await first_night(stage)
            stage.disk.files.update(files)
            stage.disk.overflow()
            await next_night(stage)
            uploads = sum(
                one.method == "POST" and one.path == "/api/assets" for one in stage.server.requests
            )
            return uploads, len(stored_assets(stage.server)), await _problems(engine)

    assert simulate(scenario, seed=4) == (60, 60, {})


def test_a_folder_that_is_an_external_library_waits(tmp_path: Path) -> None:
    """Nothing of it goes up before `approve`, and it is not asked about again."""

    async def scenario() -> tuple[int, str, str, int, dict[str, str]]:
        stage = Stage(5, tmp_path)
        for number in range(6):
            stage.disk.write(b"d/p%04d.raw" % number, b"photo %d" % number, stage.clock.now())
            stage.server.add_library_asset(f"/mnt/nas/d/p{number:04}.raw")
        there = len(stored_assets(stage.server))
        async with stage.daemon(_setup(stage)):
            await first_night(stage)
        async with stage.daemon(_setup(stage)) as engine:
            await next_night(stage)
            before = len(stored_assets(stage.server)) - there
            said = await status.of(engine, since=0.0)
        async with stage.daemon(_setup(stage)) as engine:
            await anyio.sleep(60)
            await _approve(engine)
            await anyio.sleep(60)
            assert len(stored_assets(stage.server)) - there == 6
        async with stage.daemon(_setup(stage)) as engine:
            await anyio.sleep(60)
            stage.disk.write(b"new.raw", b"new", stage.clock.now())
            await anyio.sleep(60)
            after = len(stored_assets(stage.server)) - there
            advice = next(one.advice for one in said.problems if one.what == "library")
            return before, said.folders[0].state, advice, after, await _problems(engine)

    before, state, advice, after, problems = simulate(scenario, seed=5)
    assert (before, state, after, problems) == (0, "unapproved", 7, {})
    assert "/mnt/nas/d/p000" in advice


def test_a_key_that_may_not_look_holds_nothing_up(tmp_path: Path) -> None:
    """Without asset.read nobody can tell, and the photos go up."""

    async def scenario() -> int:
        stage = Stage(6, tmp_path)
        key = stage.server.key_of(KEY)
        assert key is not None
        stage.server.api_keys.put(replace(key, permissions=("asset.upload",)))
        stage.disk.write(b"p0000.raw", b"photo", stage.clock.now())
        stage.server.add_library_asset("/mnt/nas/p0000.raw")
        async with stage.daemon(_setup(stage)):
            await first_night(stage)
            return len(stored_assets(stage.server))

    assert simulate(scenario, seed=6) == 2
