"""docs/faults.md names every fault there is, and only tests that there are."""

import ast
import re
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "faults.md").read_text()
KINDS = {"W": 20, "F": 12, "S": 21, "DB": 12, "L": 11, "CL": 2, "X": 20}
"""How many faults of each kind are known: watching, files, server, state, life, clock, security."""
ROWS = {
    cells[0]: cells[1:]
    for line in PAGE.splitlines()
    if (cells := [cell.strip() for cell in line.strip("|").split(" | ")])
    and re.fullmatch(r"[A-Z]+\d+", cells[0])
}


@cache
def _tests(path: str) -> frozenset[str]:
    """The names of the tests in a file."""
    tree = ast.parse((ROOT / path).read_text())
    functions = (ast.FunctionDef, ast.AsyncFunctionDef)
    return frozenset(node.name for node in ast.walk(tree) if isinstance(node, functions))


def test_every_fault_has_its_row() -> None:
    """Each id is there once, in its order, with all that is to be said of it."""
    wanted = [f"{kind}{n + 1}" for kind, count in KINDS.items() for n in range(count)]

    assert list(ROWS) == wanted
    assert re.findall(r"(?m)^\| ([A-Z]+\d+) \|", PAGE) == wanted
    assert [one for one, cells in ROWS.items() if len(cells) != 3 or not all(cells)] == []


def test_every_row_has_its_test_or_its_reason() -> None:
    """A row names tests, all of which exist, or says why there is none."""
    missing = []
    for fault, cells in ROWS.items():
        named = re.findall(r"`([^`]+)::([^`]+)`", cells[2])
        if not named and not re.match(r"No test[ :].{40}", cells[2]):
            missing.append(f"{fault}: neither test nor reason")
        missing += [
            f"{fault}: {path}::{name}"
            for path, name in named
            if not (ROOT / path).is_file() or name not in _tests(path)
        ]

    assert missing == []


def test_nothing_of_the_real_machine_is_left_out() -> None:
    """Each test under tests/real stands in the catalogue, or sees to those that do."""
    here = {
        f"tests/real/{path.name}::{name}"
        for path in sorted((ROOT / "tests" / "real").glob("test_*.py"))
        for name in _tests(f"tests/real/{path.name}")
        if name.startswith("test_")
    }

    assert {one for one in here if one not in PAGE} == _ABOUT_THE_TESTS


_ABOUT_THE_TESTS = {"tests/real/test_folders.py::test_the_whole_machines_limits_are_untouched"}
