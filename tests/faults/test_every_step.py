"""A process may die between any two effects: started again, it ends as if nothing had happened.

Each scenario is played once to count its effects (what was read from the disk, asked of the state,
committed, sent, answered), and then again for each of them, the process dying exactly there. The
ordinary run tries points spread evenly over all scenarios; EVERY_STEP=1 tries each, EVERY_STEP=5
does so with five seeds.
"""

import os
import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.faults.mortality import Effects
from tests.faults.play import playing
from tests.faults.scenarios import SCENARIOS, Steps
from tests.faults.stage import quick_folder, simulate

SEEDS = int(os.environ.get("EVERY_STEP", "0"))
"""With how many seeds each point is tried; 0: only some points, with one seed."""
SOME = 30
"""Points of a scenario that the ordinary run tries."""
SILENCE = 35.0
"""Seconds in which nothing may happen in the end: the folder's root is looked at once."""


def _play(steps: Steps, seed: int, doomed: int | None = None) -> Effects:
    """The scenario to its end, with a death at the `doomed` effect; raises for a broken promise."""

    async def scenario() -> Effects:
        effects = Effects(doomed)
        async with playing(seed, Path(folder), effects) as play:
            await play.play(steps)
            await play.settle_down(SILENCE)
            assert doomed is None or play.stage.deaths == 1, "nobody died"
            return effects

    with tempfile.TemporaryDirectory(dir=quick_folder()) as folder:
        return simulate(scenario, seed=seed)


@pytest.mark.parametrize("name", SCENARIOS)
def test_a_death_at_any_step_changes_nothing(
    name: str, record_property: Callable[[str, object], None]
) -> None:
    """Wherever the process dies, the promises hold, and all ends well after a restart."""
    tried = 0
    for seed in range(max(1, SEEDS)):
        count = _play(SCENARIOS[name], seed).count
        stride = 1 if SEEDS else max(1, count // SOME)
        for doomed in range(1, count + 1, stride):
            try:
                _play(SCENARIOS[name], seed, doomed)
            except BaseException as error:
                error.add_note(f"{name}, seed {seed}: died at effect {doomed} of {count}")
                raise
            tried += 1
    record_property("points", tried)

    assert tried >= SOME
