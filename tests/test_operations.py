"""The page that explains the words of `status` and of the log."""

import ast
from collections.abc import Iterator
from pathlib import Path

from immich_sync.aside import _EVENTS
from immich_sync.cli.screens.status import _STYLES
from immich_sync.core.breaker import Breaker
from immich_sync.core.types import Hold
from immich_sync.pipeline import Outcome

PAGE = Path("docs/operations.md").read_text(encoding="utf-8")
LEVELS = {"debug", "info", "warning", "error", "exception", "critical"}


def _calls() -> Iterator[ast.Call]:
    for file in sorted(Path("immich_sync").rglob("*.py")):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and node.args:
                yield node


def _text(node: ast.expr) -> set[str]:
    """Every text that may stand there; none for what is no literal."""
    return {
        part.value
        for part in ast.walk(node)
        if isinstance(part, ast.Constant) and isinstance(part.value, str)
    }


def test_every_log_line_is_explained() -> None:
    """Each event that the program logs has its place on the page."""
    events = {
        event
        for call in _calls()
        if isinstance(call.func, ast.Attribute)
        and call.func.attr in LEVELS
        and isinstance(call.func.value, ast.Name)
        and call.func.value.id == "log"
        for event in _text(call.args[0])
    }
    events |= {outcome.value for outcome in Outcome} | set(_EVENTS.values())

    assert len(events) > 40
    assert {event for event in events if f"`{event}`" not in PAGE} == set()


def test_every_problem_is_explained() -> None:
    """Each kind of problem that `status` lists has its place on the page."""
    kinds = {
        kind
        for call in _calls()
        if isinstance(call.func, ast.Name) and call.func.id == "Problem"
        for kind in _text(call.args[0])
    }
    kinds |= {one.value for one in Breaker}
    kinds |= {one.value for one in Hold} - {Hold.CHANGED.value, Hold.DEPARTED.value}

    assert len(kinds) > 10
    assert {kind for kind in kinds if f"`{kind}`" not in PAGE} == set()


def test_every_state_is_explained() -> None:
    """Each state that the screen has a colour for has its place on the page."""
    assert {word for word in _STYLES if f"`{word}`" not in PAGE} == set()
