"""A process may die between any two effects: started again, it ends as if nothing had happened.

Each scenario is played once to count its effects (what was read from the disk, asked of the state,
committed, sent, answered), and then again for each of them, the process dying exactly there. The
ordinary run tries every second point, or MOST; EVERY_STEP=1 tries each, EVERY_STEP=5 does so
with five seeds. With workers (-n4) it is done beside all other tests: see conftest.
"""

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.faults.scenarios import SCENARIOS
from tests.faults.sweep import MOST, play, points, result, sweep

FEWEST = 3000
"""Points of death that an ordinary run tries, or more."""


@pytest.mark.parametrize("name", SCENARIOS)
def test_a_death_at_any_step_changes_nothing(
    name: str, swept: Path | None, record_property: Callable[[str, object], None]
) -> None:
    """Wherever the process dies, the promises hold, and all ends well after a restart."""
    found = sweep(name) if swept is None else result(swept, name)
    record_property("points", found.tried)

    assert not found.broken, found.broken
    assert found.tried >= min(found.effects // 2, MOST) > 0


def test_three_thousand_deaths_are_tried() -> None:
    """All scenarios together have so many points; the test of each tries its own."""
    assert sum(len(points(play(name, 0).count)) for name in SCENARIOS) >= FEWEST
