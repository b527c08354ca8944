"""What an account's server is held to be, and what follows from it."""

from pathlib import Path

import anyio

from immich_sync import status
from immich_sync.core.status import Problem
from immich_sync.engine import Engine
from immich_sync.link import VERSION_EVERY, Link
from immich_sync.sandbox import Status, stored_assets
from tests.faults.stage import Stage, simulate, until

KNOWN, UNKNOWN = (3, 1, 0), (4, 0, 0)


async def first(engine: Engine) -> Link:
    """The only account's link, as soon as there is one."""
    await until(lambda: bool(engine.links), within=60)
    return engine.links["default"]


def newer(problems: tuple[Problem, ...]) -> list[Problem]:
    """What the status says of servers that are newer than any that is known."""
    return [one for one in problems if one.what == "newer_server"]


def test_a_newer_server_takes_uploads_and_no_deletion(tmp_path: Path) -> None:
    """Its photos go up; what would be deleted waits, and the status says why and since when."""

    async def scenario() -> tuple[str | None, list[Problem]]:
        stage = Stage(1, tmp_path)
        stage.server.version = UNKNOWN
        async with stage.daemon(stage.setup()) as engine:
            stage.disk.write(b"a.raw", b"a photo", stage.clock.now())
            await until(lambda: len(stored_assets(stage.server)) == 1, within=900)
            [link] = engine.links.values()
            return link.deletions_forbidden, newer((await status.of(engine, since=0.0)).problems)

    why, said = simulate(scenario, seed=1)

    assert why is not None
    assert "4.0.0" in why
    [problem] = said
    assert problem.since is not None
    assert "nothing is deleted" in problem.advice


def test_a_known_server_allows_deletions(tmp_path: Path) -> None:
    """From its first answer on, and not before."""

    async def scenario() -> list[bool]:
        stage, allowed = Stage(1, tmp_path), []
        stage.faults.add(Status(503), times=1)
        async with stage.daemon(stage.setup()) as engine:
            link = await first(engine)
            allowed.append(link.deletions_forbidden is None)
            await until(lambda: link.version is not None, within=120)
            allowed.append(link.deletions_forbidden is None)
        return allowed

    assert simulate(scenario, seed=1) == [False, True]


def test_an_update_behind_our_back_is_noticed(tmp_path: Path) -> None:
    """Within an hour, both ways, although nothing ever failed."""

    async def scenario() -> list[bool]:
        stage, allowed = Stage(1, tmp_path), []
        async with stage.daemon(stage.setup()) as engine:
            link = await first(engine)
            await until(lambda: link.version is not None, within=60)
            for version in (UNKNOWN, KNOWN):
                stage.server.version = version
                await anyio.sleep(VERSION_EVERY + 60)
                allowed.append(link.deletions_forbidden is None)
        return allowed

    assert simulate(scenario, seed=1) == [False, True]
