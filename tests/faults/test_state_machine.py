"""Anything may happen, in any order: the promises hold all the while, and all ends well."""

import os

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import run_state_machine_as_test

from tests.faults.machine import Machine

EXAMPLES = int(os.environ.get("EXAMPLES", "51"))
"""How many scenarios are made up; with the variable set, others in each run."""
SHARES = 3


def _settings(examples: int, *, steady: bool) -> settings:
    return settings(
        max_examples=examples,
        stateful_step_count=12,
        deadline=None,
        derandomize=steady,
        suppress_health_check=list(HealthCheck),
        phases=(Phase.explicit, Phase.generate, Phase.shrink),
        database=None,
    )


@pytest.mark.parametrize("share", range(SHARES))
def test_whatever_happens_the_promises_hold(share: int) -> None:
    """No run of rules breaks a safety promise, nor keeps all from ending well."""
    # A machine of another name draws other scenarios.
    machine = type(f"Machine{share}", (Machine,), {})

    steady = "EXAMPLES" not in os.environ
    run_state_machine_as_test(machine, settings=_settings(EXAMPLES // SHARES, steady=steady))


def test_the_same_seed_gives_the_same_trace() -> None:
    """Played twice, a run of rules leaves the same events at the same microseconds (I19)."""

    def hashes() -> list[str]:
        ended: list[str] = []
        machine = type("Traced", (Machine,), {"ended": staticmethod(ended.append)})
        run_state_machine_as_test(machine, settings=_settings(5, steady=True))
        return ended

    first = hashes()

    assert len(set(first)) > 1
    assert first == hashes()
