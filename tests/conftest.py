"""What every test may ask for, and the rule that nothing is skipped unheard."""

import os
import sys

import pytest

NOTHING_SKIPPED = "NOTHING_SKIPPED"
"""With this in the environment a run in which anything was skipped has failed."""

LEFT_OUT = 6
"""The exit code of such a run: no code of pytest's, so that it is not taken for a failed test."""


# Hundreds of processes are started: each would compile the whole program anew.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
sys.dont_write_bytecode = False


@pytest.fixture
def anyio_backend() -> str:
    """Production's event loop; simulations name trio themselves."""
    return "asyncio"


@pytest.fixture(autouse=True)
def _as_root(request: pytest.FixtureRequest) -> None:
    """Tests marked `root` are skipped elsewhere."""
    if request.node.get_closest_marker("root") is None:
        return
    if sys.platform != "linux" or os.geteuid() != 0:
        pytest.skip("needs root on Linux")


def pytest_sessionfinish(session: pytest.Session) -> None:
    """A run that must leave nothing out fails if it did."""
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    if os.environ.get(NOTHING_SKIPPED) and reporter is not None and reporter.stats.get("skipped"):
        session.exitstatus = LEFT_OUT


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """How many points of death the crash sweep tried."""
    points = [
        int(str(value))
        for report in terminalreporter.getreports("passed")
        for name, value in report.user_properties
        if name == "points"
    ]
    if points:
        terminalreporter.write_line(f"{sum(points)} points of death in {len(points)} scenarios")
