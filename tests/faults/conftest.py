"""What every simulation has: silence, since to write its log would take longer than to play it.

And the crash sweep beside the other tests, where there are workers: each starts a process of
low priority for its share of the scenarios, whose tests come last and take the results.
"""

import logging
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
import structlog

from tests.faults.scenarios import SCENARIOS
from tests.faults.sweep import begin

SWEPT = "test_a_death_at_any_step_changes_nothing"
FOLDER = "swept"
BESIDE = pytest.StashKey[subprocess.Popen[bytes]]()


@pytest.fixture(autouse=True)
def silence() -> Iterator[None]:
    """Nothing is logged; scenarios tell by their traces."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    yield
    structlog.reset_defaults()


@pytest.fixture
def swept(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path | None:
    """Where the sweep beside us leaves its results; None: there is none."""
    return _folder(tmp_path_factory) if BESIDE in request.config.stash else None


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The results of the sweep are taken last, when they have been there for long."""
    items.sort(key=lambda item: item.name.startswith(SWEPT))


def pytest_collection_finish(session: pytest.Session) -> None:
    """A worker begins to sweep its share of what was asked for."""
    worker = getattr(session.config, "workerinput", None)
    asked = {item.name for item in session.items if item.name.startswith(SWEPT)}
    names = [name for name in SCENARIOS if f"{SWEPT}[{name}]" in asked]
    if worker is None or not names:
        return
    own, workers = int(worker["workerid"].removeprefix("gw")), worker["workercount"]
    factory: pytest.TempPathFactory = session.config._tmp_path_factory  # type: ignore[attr-defined]  # the fixture of this name is made too late
    session.config.stash[BESIDE] = begin(_folder(factory), names[own::workers])


def _folder(factory: pytest.TempPathFactory) -> Path:
    """One for all workers: each has its own base below the run's."""
    return factory.getbasetemp().parent / FOLDER
