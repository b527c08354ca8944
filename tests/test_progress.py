"""Progress: bars on a terminal, lines elsewhere, nothing unless wanted."""

import io
import os
import pty
import subprocess
import sys
from contextlib import suppress

import pytest

from immich_sync.progress import Lines, showing

SCRIPT = """
from immich_sync.progress import showing
with showing("Uploading", wanted=True) as progress:
    progress.expect(3, 2_000_000)
    progress.moved(1_000_000)
    progress.finished(2)
"""
UNKNOWN = """
from immich_sync.progress import showing
with showing("Downloading", wanted=True) as progress:
    progress.expect(1, None)
    progress.moved(1_000_000)
    progress.finished()
"""


def test_lines(capsys: pytest.CaptureFixture[str]) -> None:
    """Where there is no terminal, a line at the end says how many and how much, on stderr."""
    with showing("Uploading", wanted=True) as progress:
        progress.expect(3, 2_000_000)
        progress.moved(1_500_000)
        progress.moved(-500_000)
        progress.finished(2)
    said = capsys.readouterr()

    assert said.err.startswith("Uploading: 2 of 3 files, 1.0 MB of 2.0 MB, ")
    assert (said.out, said.err.count("\n")) == ("", 1)


def test_what_need_not_go(capsys: pytest.CaptureFixture[str]) -> None:
    """It counts as done with, and neither as uploaded nor for the speed."""
    with showing("Uploading", wanted=True) as none:
        none.expect(1, 1_000_000)
        none.passed(1_000_000)
        none.finished()
    with showing("Uploading", wanted=True) as some:
        some.expect(2, 2_000_000)
        some.moved(1_000_000)
        some.passed(1_000_000)
        some.finished(2)
    first, second = capsys.readouterr().err.splitlines()

    assert first == "Checking: 1 of 1 files, 1.0 MB of 1.0 MB"
    assert second.startswith("Uploading: 2 of 2 files, 2.0 MB of 2.0 MB, ")


def test_a_size_that_nobody_knows(capsys: pytest.CaptureFixture[str]) -> None:
    """Of something as large as nobody knows, only what has come is told."""
    with showing("Downloading", wanted=True) as progress:
        progress.expect(2, 1_000_000)
        progress.expect(0, None)
        progress.moved(1_500_000)
        progress.finished()

    assert capsys.readouterr().err.startswith("Downloading: 1 of 2 files, 1.5 MB, ")


def test_lines_now_and_then() -> None:
    """A line comes when the last one is long ago, not for every file."""
    stream = io.StringIO()
    lines = Lines("Uploading", stream, every=0.0)
    lines.expect(2, 10)
    lines.finished()
    quiet = Lines("Uploading", stream)
    quiet.finished()

    assert stream.getvalue().count("\n") == 1


def test_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    """Nothing is shown that nobody wants to see."""
    with showing("Uploading", wanted=False) as progress:
        progress.expect(3, 2_000_000)
        progress.moved(1)
        progress.finished()

    assert capsys.readouterr() == ("", "")


def test_bars() -> None:
    """On a terminal a bar shows files, bytes, speed and the time left."""
    shown = on_a_terminal(SCRIPT)

    assert b"Uploading" in shown
    assert b"2/3 files" in shown
    assert b"1.0 MB of 2.0 MB" in shown


def test_bars_of_a_size_that_nobody_knows() -> None:
    """The bar has no end until all has come, and then it is full."""
    shown = on_a_terminal(UNKNOWN)

    assert b"1/1 files 1.0 MB" in shown
    assert b" of " not in shown.rpartition(b"1/1 files")[2]


def on_a_terminal(script: str) -> bytes:
    """What a script of Python draws."""
    ours, theirs = pty.openpty()
    with subprocess.Popen(  # noqa: S603 - our own script
        [sys.executable, "-c", script],
        stderr=theirs,
        env=os.environ | {"TERM": "xterm", "COLUMNS": "120"},
    ) as process:
        assert process.wait(30) == 0
    os.close(theirs)
    shown = b""
    with suppress(OSError):  # the other end is closed
        while block := os.read(ours, 65536):
            shown += block
    os.close(ours)

    return shown
