"""A server with little room left gets no uploads until it has more."""

from dataclasses import replace
from pathlib import Path

import anyio

from immich_sync import status
from immich_sync.core.folder import Setup
from immich_sync.engine import Engine
from immich_sync.headroom import AGAIN, FRESH, UNTOLD
from immich_sync.sandbox import stored_assets
from tests.faults.stage import KEY, Stage, simulate, until

LEAST = 1_000_000


def wary(stage: Stage, key: str = KEY) -> Setup:
    """The stage's setup, with room wanted on the server."""
    setup = stage.setup(album=None)
    [account] = setup.accounts
    secret = type(account.api_key)(key)
    wanting = replace(account, min_server_free=LEAST, api_key=secret)
    return replace(setup, accounts=(wanting,))


def paused(engine: Engine) -> list[bool]:
    """Whether uploads pause, for each account."""
    return [link.headroom.trouble is not None for link in engine.links.values()]


def asked(stage: Stage) -> int:
    """How often the server was asked how much room it has."""
    return sum(one.path == "/api/server/storage" for one in stage.server.requests)


def test_uploads_pause_until_there_is_room_again(tmp_path: Path) -> None:
    """The status says so, with its time and what to do; it ends by itself, at no file's cost."""

    async def scenario() -> tuple[int, list[str], list[float | None], int, int]:
        stage = Stage(1, tmp_path)
        stage.server.free = LEAST - 1
        async with stage.daemon(wary(stage)) as engine:
            stage.disk.write(b"a.raw", b"a photo", stage.clock.now())
            await until(lambda: any(paused(engine)), within=900)
            await anyio.sleep(3600)
            before = len(stored_assets(stage.server))
            [said] = [
                one
                for one in (await status.of(engine, since=0.0)).problems
                if one.what == "no_room"
            ]
            questions = asked(stage)
            stage.server.free = LEAST
            await until(lambda: len(stored_assets(stage.server)) == 1, within=AGAIN + 60)
            now = (await status.of(engine, since=0.0)).problems
            return before, [said.advice], [said.since], questions, len(now)

    before, [advice], [since], questions, problems = simulate(scenario, seed=1)

    assert before == 0
    assert "less than min_server_free (1.0 MB): uploads pause" in advice
    assert since is not None
    assert questions <= 3600 / AGAIN + 2
    assert problems == 0


def test_it_is_asked_gently(tmp_path: Path) -> None:
    """Many small uploads cost one question in five minutes; what was sent counts meanwhile."""

    async def scenario() -> list[int]:
        stage, questions = Stage(1, tmp_path), []
        stage.server.free = LEAST + 1000
        async with stage.daemon(wary(stage)) as engine:
            for number in range(50):
                stage.disk.write(b"%d.raw" % number, b"photo %2d" % number, stage.clock.now())
            await until(lambda: len(stored_assets(stage.server)) == 50, within=900)
            questions.append(asked(stage))
            stage.disk.write(b"large.raw", b"x" * 2000, stage.clock.now())
            await until(lambda: len(stored_assets(stage.server)) == 51, within=FRESH / 2)
            stage.disk.write(b"next.raw", b"y", stage.clock.now())
            await until(lambda: len(stored_assets(stage.server)) == 52, within=FRESH / 2)
            questions.append(asked(stage))
            assert paused(engine) == [False]
        return questions

    assert simulate(scenario, seed=1) == [1, 2]


def test_a_key_that_may_not_ask_pauses_nothing(tmp_path: Path) -> None:
    """Its photos go up, and it is not asked again for an hour."""

    async def scenario() -> int:
        stage = Stage(1, tmp_path)
        stage.server.free = 0
        key = stage.server.add_key(stage.server.admin.id, "few", ("asset.upload",)).secret
        async with stage.daemon(wary(stage, key)):
            for number in range(5):
                stage.disk.write(b"%d.raw" % number, b"photo %d" % number, stage.clock.now())
                await anyio.sleep(UNTOLD / 10)
            assert len(stored_assets(stage.server)) == 5
            return asked(stage)

    assert simulate(scenario, seed=1) == 1
