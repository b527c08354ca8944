"""Anything may happen, in any order: the promises hold all the while, and all ends well."""

import os
import tempfile
from collections.abc import Sequence
from pathlib import Path

import anyio
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from tests.faults.deeds import (
    CONTENTS,
    DIRECTORIES,
    FAULTS,
    PATHS,
    WHERE,
    Begin,
    Break,
    ChangeDuring,
    Deed,
    Delete,
    Fail,
    Finish,
    FullDisk,
    Jump,
    Key,
    Link,
    Mend,
    Mount,
    MoveTree,
    Overflow,
    Person,
    Process,
    Rename,
    Sidecar,
    Swap,
    Write,
)
from tests.faults.play import playing
from tests.faults.stage import quick_folder, simulate

EXAMPLES = int(os.environ.get("EXAMPLES", "400"))
"""How many scenarios are made up; with the variable set, others in each run."""
Steps = Sequence[tuple[Deed, float]]
Trace = tuple[list[tuple[float, str]], list[str]]

_paths, _contents = st.sampled_from(PATHS), st.integers(0, CONTENTS - 1)
_tree = st.sampled_from(DIRECTORIES)
_which = st.integers(0, 3)
_deeds: st.SearchStrategy[Deed] = st.one_of(
    st.builds(Write, _paths, _contents),
    st.builds(Write, _paths, _contents),
    st.builds(Begin, _paths, _contents),
    st.builds(Finish, _paths, _contents, st.booleans(), st.booleans()),
    st.builds(Swap, _paths, _contents),
    st.builds(Rename, _paths, _paths),
    st.builds(Link, _paths, _paths),
    st.builds(Delete, _paths),
    st.builds(MoveTree, _tree, _tree),
    st.builds(Sidecar, _paths, st.booleans()),
    st.builds(ChangeDuring, _paths, _contents, st.integers(1, 4)),
    st.builds(Break, st.sampled_from((*PATHS, b"", b"DCIM")), st.booleans()),
    st.builds(Mount, st.sampled_from(("home", "home", "empty", "missing", "other"))),
    st.builds(Overflow, st.booleans()),
    st.builds(Fail, st.sampled_from(FAULTS), st.sampled_from(WHERE), st.sampled_from((1, 2, None))),
    st.just(Mend()),
    st.builds(Key, st.booleans()),
    st.builds(
        Person,
        st.sampled_from(("upload", "trash", "restore", "purge", "take_out", "drop_album", "wipe")),
        _which,
    ),
    st.builds(Process, st.sampled_from(("kill", "kill", "stop", "start", "pause", "resume"))),
    st.builds(Jump, st.sampled_from((4e7, 3600.0, -1200.0, -2.6e6))),
    st.builds(FullDisk, st.integers(1, 4)),
)
_pauses = st.sampled_from((0.0, 0.01, 0.06, 0.3, 1.2, 4.0, 35.0, 700.0))
_scenarios = st.lists(st.tuples(_deeds, _pauses), min_size=4, max_size=14)


def _play(seed: int, steps: Steps) -> Trace:
    """The scenario from its first deed to silence; raises where a promise was broken."""

    async def scenario() -> Trace:
        async with playing(seed, Path(folder)) as play:
            with anyio.fail_after(30 * 86400.0):
                await play.play(steps)
                await play.settle_down()
            requests = [
                f"{one.method} {one.path} {one.status}" for one in play.stage.server.requests
            ]
            return play.stage.trace, requests

    with tempfile.TemporaryDirectory(dir=quick_folder()) as folder:
        return simulate(scenario, seed=seed)


@pytest.mark.parametrize("share", range(2))
def test_whatever_happens_the_promises_hold(share: int) -> None:
    """No list of deeds breaks a safety promise, nor keeps all from ending well."""

    @settings(
        max_examples=EXAMPLES // 2,
        deadline=None,
        derandomize="EXAMPLES" not in os.environ,
        suppress_health_check=list(HealthCheck),
        phases=(Phase.explicit, Phase.generate, Phase.shrink),
        database=None,
    )
    @given(seed=st.integers(share * 1000, share * 1000 + 999), steps=_scenarios)
    def holds(seed: int, steps: Steps) -> None:
        _play(seed, steps)

    holds()


@settings(max_examples=25, deadline=None, derandomize=True, database=None)
@given(seed=st.integers(0, 99), steps=_scenarios)
def test_the_same_seed_gives_the_same_trace(seed: int, steps: Steps) -> None:
    """Played twice, a scenario leaves the same events at the same microseconds."""
    assert _play(seed, steps) == _play(seed, steps)
