"""A whole night without a server, on the virtual clock."""

from dataclasses import dataclass
from pathlib import Path

import anyio

from immich_sync.sandbox import Refuse, Rule, Status, stored_assets
from tests.faults.stage import Stage, simulate, until

NIGHT = 8 * 3600.0
FILES = 500


@dataclass(frozen=True, slots=True)
class Night:
    """What is left of it in the morning."""

    stage: Stage
    refused: Rule
    busy: Rule
    failures: int


def _play(path: Path, seed: int) -> Night:
    """500 files arrive while the server refuses, then answers 503, then comes back."""
    path.mkdir()

    async def scenario() -> Night:
        stage = Stage(seed, path)
        refused = stage.faults.add(Refuse())
        async with stage.daemon() as engine:
            for number in range(FILES):
                name = b"DCIM/IMG_%04d.raw" % number
                stage.disk.write(name, b"photo %d" % number, stage.clock.now())
                await anyio.sleep(NIGHT / 2 / FILES)
            stage.faults.remove(refused)
            busy = stage.faults.add(Status(503))
            await anyio.sleep(NIGHT / 2)
            stage.faults.remove(busy)
            await until(lambda: len(stored_assets(stage.server)) == FILES, within=600)
            await until(lambda: not engine.crew.busy, within=60)
            return Night(stage, refused, busy, engine.crew.failures)

    return simulate(scenario, seed=seed)


def test_a_night_without_a_server_costs_no_file_an_attempt(tmp_path: Path) -> None:
    """All 500 files arrive, once each, none of them having failed on the way."""
    night = _play(tmp_path / "night", seed=1)

    events = [event for _, event in night.stage.trace]

    assert len(stored_assets(night.stage.server)) == FILES
    assert events == ["uploaded"] * FILES
    assert night.failures == 0


def test_a_server_that_is_down_sees_one_probe_at_a_time(tmp_path: Path) -> None:
    """Through the night it is asked at most once in 30 s, whatever piles up here."""
    night = _play(tmp_path / "night", seed=2)

    # The first trouble of each kind is met by a request of work, not by a probe.
    assert 100 < night.refused.fired <= NIGHT / 2 / 30 + 2
    assert 100 < night.busy.fired <= NIGHT / 2 / 30 + 2


def test_the_same_seed_gives_the_same_night(tmp_path: Path) -> None:
    """Two runs of one seed leave the same trace, to the microsecond."""
    first = _play(tmp_path / "first", seed=3)
    second = _play(tmp_path / "second", seed=3)

    assert first.stage.trace == second.stage.trace


def test_files_that_wait_go_up_when_the_probe_succeeds(tmp_path: Path) -> None:
    """An outage in the middle of the work: what came meanwhile goes up within one probe's time."""

    async def scenario() -> tuple[int, float]:
        stage = Stage(4, tmp_path)
        async with stage.daemon() as engine:
            stage.disk.write(b"a.raw", b"before", stage.clock.now())
            await until(lambda: len(stored_assets(stage.server)) == 1, within=60)
            busy = stage.faults.add(Status(503))
            stage.disk.write(b"b.raw", b"meanwhile", stage.clock.now())
            await until(lambda: busy.fired > 0, within=60)
            stage.faults.remove(busy)
            began = anyio.current_time()
            await until(lambda: len(stored_assets(stage.server)) == 2, within=120)
            return engine.crew.failures, anyio.current_time() - began

    failures, waited = simulate(scenario, seed=4)

    assert failures == 0
    assert waited < 45
