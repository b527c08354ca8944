"""Lets a scenario's process die at one effect after the other, and says how many were survived.

Its own module because it also runs as a program, beside a test run and with a low priority: a
test run spends half of its time waiting for real clocks, which is when dying costs nothing.
"""

import gc
import json
import logging
import os
import subprocess
import sys
import tempfile
import time
import traceback
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path

import structlog

from tests.faults.ending import restart, settle_down
from tests.faults.mortality import Effects
from tests.faults.play import playing
from tests.faults.scenarios import CLEANED, MIRRORED, SCENARIOS
from tests.faults.stage import quick_folder, simulate

SEEDS = int(os.environ.get("EVERY_STEP", "0"))
"""With how many seeds each point is tried; 0: some points, with one seed."""
MOST = 77
"""Points of one scenario that the ordinary run tries, spread evenly."""
SILENCE = 35.0
"""Seconds in which nothing may happen in the end: the folder's root is looked at once."""
PATIENCE = 600.0
"""Seconds that a scenario beside us may take; all together take three minutes of one core."""
SELDOM = 20_000
"""Objects made until rubbish is looked for: a play leaves some thousand."""
FAILED = "failed"
"""The mark of a sweep that ended by an error of its own."""
GLANCE = 0.05
"""Seconds between two looks for a result."""


@dataclass(frozen=True, slots=True)
class Result:
    """How a scenario went: points tried, out of how many, and what broke a promise, if one did."""

    tried: int
    effects: int
    broken: str = ""


def play(name: str, seed: int, doomed: int | None = None, late: Sequence[int] = ()) -> Effects:
    """The scenario to its end, with a death at the `doomed` effect; raises for a broken promise.

    Then, with all at rest as before, a restart for each of the `late` ones, with a death there:
    so many effects after its beginning. One that ends before is noted as missed: no two restarts
    are alike to the last effect.
    """

    async def scenario() -> Effects:
        effects = Effects(doomed)
        wish = "trash" if name in MIRRORED else "ignore"
        clean = CLEANED.get(name, "keep")
        async with playing(
            seed, Path(folder), effects, on_delete=wish, after_upload=clean, powered=True
        ) as stage:
            await stage.play(SCENARIOS[name])
            await settle_down(stage, SILENCE)
            assert doomed is None or stage.stage.deaths == 1, "nobody died"
            for further in late:
                died, effects.doomed = stage.stage.deaths, effects.count + further
                await restart(stage)
                stage.check()
                if stage.stage.deaths == died:
                    effects.missed.append(further)
            return effects

    with tempfile.TemporaryDirectory(dir=quick_folder()) as folder:
        return simulate(scenario, seed=seed)


def points(count: int) -> list[int]:
    """Which of so many effects are tried: each, or every second one, and of no scenario over MOST.

    Half of a scenario's effects are questions that change nothing; to die before the next one is
    the same.
    """
    if SEEDS:
        return list(range(1, count + 1))
    tried = min(count // 2, MOST)
    return [1 + number * count // tried for number in range(tried)]


def sweep(name: str, is_wanted: Callable[[], bool] = lambda: True) -> Result:
    """The scenario with a death at each of its points; ends at the first broken promise.

    It ends, too, when it `is_wanted` no more. The deaths of the last restart are tried one after
    the other: each finds all at rest, as the first.
    """
    tried = effects = 0
    for seed in range(max(1, SEEDS)):
        whole = play(name, seed)
        effects += whole.count
        early = [one for one in points(whole.count) if one <= whole.rested]
        late = [one - whole.rested for one in points(whole.count) if one > whole.rested]
        doomed: int | str = f"{late} after {whole.rested}"
        try:
            missed = play(name, seed, late=late).missed
            tried += len(late) - len(missed)
            for doomed in (*early, *(whole.rested + one for one in missed)):
                if not is_wanted():
                    break
                play(name, seed, doomed)
                tried += 1
        except BaseException:  # noqa: BLE001 - a result crosses a process; what it was is told
            where = f"{name}, seed {seed}: died at effect {doomed} of {whole.count}"
            return Result(tried, effects, f"{traceback.format_exc()}\n{where}")
    return Result(tried, effects)


# Beside a test run.


def begin(results: Path, names: Iterable[str]) -> subprocess.Popen[bytes]:
    """These scenarios are being swept; `results` is shared by all who sweep.

    The process that is returned, a shell that leaves a mark if the sweep fails, outlives the worker
    of pytest's that began it, since another worker may wait for its results; it ends with the run.
    """
    results.mkdir(parents=True, exist_ok=True)
    run = str(os.getppid())
    sweeping = [sys.executable, "-m", "tests.faults.sweep", run, str(results), *names]
    failed = ["sh", "-c", '"$@" || touch "$0"', str(results / FAILED), *sweeping]
    return subprocess.Popen(  # noqa: S603 - ourselves
        failed, cwd=Path(__file__).parents[2], stdin=subprocess.DEVNULL, start_new_session=True
    )


def result(results: Path, name: str) -> Result:
    """What became of the scenario, as soon as it is known. Raises TimeoutError.

    TimeoutError too if a sweep has ended badly: its scenarios would be waited for in vain.
    """
    path, waited = _path(results, name), 0.0
    while not path.exists():
        if waited > PATIENCE or (results / FAILED).exists():
            raise TimeoutError(f"nobody sweeps {name!r}: see what the sweep wrote")
        time.sleep(GLANCE)
        waited += GLANCE
    return Result(**json.loads(path.read_text()))


def _path(results: Path, name: str) -> Path:
    return results / f"{[*SCENARIOS].index(name)}.json"


def _write(results: Path, name: str, found: Result) -> None:
    path = _path(results, name)
    whole = path.with_suffix(".new")
    whole.write_text(json.dumps(asdict(found)))
    whole.replace(path)


def _main(run: int, results: Path, names: Sequence[str]) -> None:
    with suppress(OSError):
        os.nice(10)
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    gc.freeze()
    gc.set_threshold(SELDOM)
    for name in names:
        found = sweep(name, partial(_is_running, run))
        if not _is_running(run):
            return
        _write(results, name, found)


def _is_running(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    return True


if __name__ == "__main__":
    _main(int(sys.argv[1]), Path(sys.argv[2]), sys.argv[3:])
