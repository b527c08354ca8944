"""What a cleanup does not do when it cannot know: an old answer, a quarantine that is not there."""

from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import anyio
import httpx
import pytest

from immich_sync import status
from immich_sync.control import Request
from immich_sync.core.folder import Setup
from immich_sync.core.ports import RootIdentity
from immich_sync.core.types import FolderId
from immich_sync.orders import Orders
from immich_sync.sandbox import stored_assets
from immich_sync.store.cleanups import State, away
from immich_sync.store.database import open_read_only
from tests.faults.memory_disk import ASIDE, Trap
from tests.faults.stage import Stage, simulate, until

AFTER = 7200.0
"""Seconds that a file lies still before it is cleaned away."""
FOR = 14_400.0
"""Seconds in quarantine."""


def _setup(stage: Stage, how: str = "quarantine") -> Setup:
    setup = stage.setup(album=None)
    folder = replace(
        setup.folders[0], after_upload=how, quarantine_dir=ASIDE if how == "quarantine" else b"",
        cleanup_after=AFTER, root_check=1800.0, quarantine_for=FOR,
    )  # fmt: skip
    return replace(setup, folders=(folder,))


async def _synced(stage: Stage) -> None:
    stage.disk.write(b"d/0.raw", b"photo 0", stage.clock.now())
    await until(lambda: len(stored_assets(stage.server)) == 1, within=900)


def _trash(stage: Stage) -> None:
    [asset] = stage.server.assets
    stage.server.assets.put(replace(asset, trashed_at=stage.server.stamp()))


def _states(stage: Stage) -> list[State]:
    with closing(open_read_only(stage.state)) as database:
        return [one.state for one in away(database, FolderId(1))]


@pytest.mark.parametrize("slept", [False, True])
def test_the_servers_word_grows_old(tmp_path: Path, *, slept: bool) -> None:
    """Our disk was full, or the machine slept, after the answer; meanwhile a person trashed it."""

    async def scenario() -> None:
        stage = Stage(1, tmp_path)
        asked: list[float] = []

        def answered(request: httpx.Request, _: httpx.Response) -> None:
            ripe = _began + AFTER <= stage.clock.now()
            if ripe and not asked and request.url.path.endswith("/bulk-upload-check"):
                asked.append(stage.clock.now())
                stage.state_failures = 2 if slept else 300
                stage.clock.ahead += 3600.0 * slept
                _trash(stage)

        stage.answered = answered
        async with stage.daemon(_setup(stage, "delete")):
            _began = stage.clock.now()
            await _synced(stage)
            await anyio.sleep(2 * AFTER)
            assert asked
            assert stage.state_failures == 0
            assert list(stage.disk.files) == [b"d/0.raw"]

    simulate(scenario, seed=1)


def _erase(stage: Stage) -> None:
    [asset] = stage.server.assets
    stage.server.erase(asset)


@pytest.mark.parametrize("lost", [_trash, _erase])
def test_the_server_is_asked_after_the_file_was_read(
    tmp_path: Path, lost: Callable[[Stage], None]
) -> None:
    """A person removes it while its bytes are read for the last time: no audit can know."""

    async def scenario() -> None:
        stage = Stage(1, tmp_path)
        async with stage.daemon(_setup(stage, "delete")) as engine:
            await _synced(stage)
            await until(lambda: not engine.crew.busy, within=60)
            trap = Trap(b"d/0.raw", 1, lambda: lost(stage))
            stage.disk.traps.append(trap)
            await anyio.sleep(AFTER + 1800.0)
            assert stage.disk.traps == []
            assert list(stage.disk.files) == [b"d/0.raw"]

    simulate(scenario, seed=1)


@pytest.mark.parametrize("there", [None, RootIdentity("another", "memory", 1)])
def test_a_quarantine_whose_disk_is_away_is_not_taken_for_empty(
    tmp_path: Path, there: RootIdentity | None
) -> None:
    """Nothing goes there, nothing is called gone from there, and it is said; until it is back."""

    async def scenario() -> None:
        stage = Stage(1, tmp_path)
        before = stage.disk.aside_identity
        async with stage.daemon(_setup(stage)) as engine:
            await _synced(stage)
            await anyio.sleep(AFTER + 1800.0)
            put, stage.disk.aside = stage.disk.aside, {}
            stage.disk.aside_identity = there
            assert list(put) == [b"photos/d/0.raw"]
            stage.disk.write(b"d/1.raw", b"photo 1", stage.clock.now())
            await anyio.sleep(FOR)
            said = await status.of(engine, since=0.0)
            assert [one.what for one in said.problems] == ["quarantine"]
            assert said.problems[0].since is not None
            assert "mount its disk" in said.problems[0].advice
            assert (list(stage.disk.files), stage.disk.aside) == ([b"d/1.raw"], {})
            assert _states(stage) == [State.QUARANTINED]
            [told] = await _undo(engine)
            assert not told["back"]

            stage.disk.aside, stage.disk.aside_identity = put, before
            [told] = await _undo(engine)
            assert told["back"]
            await anyio.sleep(1800.0)
            said = await status.of(engine, since=0.0)
            assert said.problems == ()

    simulate(scenario, seed=1)


async def _undo(engine: object) -> list[dict[str, object]]:
    answer = await Orders(engine).handle(Request("undo", None, since=0.0))  # type: ignore[arg-type] # an Engine
    assert isinstance(answer, list)
    return answer


def test_what_was_brought_back_may_be_renamed(tmp_path: Path) -> None:
    """It is not cleaned again by itself, wherever in the folder it is put."""

    async def scenario() -> None:
        stage = Stage(1, tmp_path)
        async with stage.daemon(_setup(stage)) as engine:
            await _synced(stage)
            await anyio.sleep(AFTER + 1800.0)
            await _undo(engine)
            await anyio.sleep(600.0)
            stage.disk.rename(b"d/0.raw", b"album/better name.raw", stage.clock.now())
            await anyio.sleep(2 * AFTER)
            assert list(stage.disk.files) == [b"album/better name.raw"]

    simulate(scenario, seed=1)
