"""Tests for the tests: defects that were planted on purpose, and who finds each of them.

Each patch in planted/ says what it breaks and which test catches it. The ordinary run tries some
of them; PLANTED=1 tries all.
"""

import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PATCHES = {path.stem: path for path in sorted(Path(__file__).parent.glob("planted/*.patch"))}
TRIED = [name for name in PATCHES if os.environ.get("PLANTED")] or [
    "ack_before_commit",
    "vanished_with_its_disk",
    "skip_fingerprint_check",
    "upload_again_after_removal",
]
PATIENCE = 120.0
"""Seconds that a test has to fail; one that hangs tells nobody what is wrong."""


@dataclass(frozen=True, slots=True)
class Defect:
    """A patch, read: which test is to catch it, which file it changes, what for what."""

    caught_by: str
    file: str
    changes: tuple[tuple[str, str], ...]


def _read(patch: str) -> Defect:
    test, file = (
        match[1] for match in (_CAUGHT.search(patch), _FILE.search(patch)) if match is not None
    )
    hunks = [hunk.splitlines(keepends=True)[1:] for hunk in _HUNK.split(patch)[1:]]
    changes = tuple((_side(lines, "-"), _side(lines, "+")) for lines in hunks)
    return Defect(test, file, changes)


_CAUGHT = re.compile(r"^Caught by: (.+)$", re.MULTILINE)
_FILE = re.compile(r"^--- a/(.+)$", re.MULTILINE)
_HUNK = re.compile(r"^@@", re.MULTILINE)


def _side(lines: list[str], sign: str) -> str:
    return "".join(line[1:] for line in lines if line[0] in {" ", sign})


def _plant(defect: Defect, root: Path) -> None:
    """The defect is in the package below `root`; wherever its lines stand by now."""
    path = root / defect.file
    text = path.read_text()
    for before, after in defect.changes:
        assert text.count(before) == 1, f"{defect.file} has changed: make the patch anew"
        text = text.replace(before, after)
    path.write_text(text)


@pytest.mark.parametrize("name", PATCHES)
def test_each_planted_defect_still_fits(name: str) -> None:
    """The lines that a patch changes are there once, and the test that catches it exists."""
    defect = _read(PATCHES[name].read_text())
    text = (ROOT / defect.file).read_text()
    test, _, function = defect.caught_by.partition("::")

    assert [text.count(before) for before, _ in defect.changes] == [1] * len(defect.changes)
    assert f"def {function.partition('[')[0]}(" in (ROOT / test).read_text()


@pytest.mark.parametrize("name", TRIED)
def test_each_planted_defect_is_caught(name: str, tmp_path: Path) -> None:
    """With the defect in the program, the test that is named for it fails."""
    defect = _read(PATCHES[name].read_text())
    hidden = shutil.ignore_patterns("__pycache__")
    shutil.copytree(ROOT / "immich_sync", tmp_path / "immich_sync", ignore=hidden)
    _plant(defect, tmp_path)
    arguments = ["-n0", "-x", "-q", "--tb=line", "-p", "no:cacheprovider"]
    places = ["-o", f"pythonpath={tmp_path} {ROOT}", "--basetemp", str(tmp_path / "tests")]
    run = subprocess.run(  # noqa: S603 - our own interpreter on our own tests
        [sys.executable, "-m", "pytest", *arguments, *places, defect.caught_by],
        cwd=ROOT,
        env={**os.environ, "EVERY_STEP": "1", "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )

    assert run.returncode == pytest.ExitCode.TESTS_FAILED, run.stdout
    assert "1 failed" in run.stdout
