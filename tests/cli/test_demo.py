"""The demo, as somebody runs it who has nothing set up."""

import os
import pty
import signal
import subprocess
from pathlib import Path

from tests.cli.conftest import COMMAND, Shell


def test_once_the_samples_are_in_it_ends(shell: Shell, tmp_path: Path) -> None:
    """Each sample is named with its album, verified; nothing is left behind."""
    (tmp_path / "tmp").mkdir()

    ended = shell.run("demo", "--once", TMPDIR=str(tmp_path / "tmp"))

    lines = ended.out.splitlines()
    assert (ended.code, ended.err) == (0, "")
    assert sum(line.startswith("✓ verified") for line in lines) == 10
    assert any("Evening at the lake.jpg  38 kB  album Alps" in line for line in lines)
    assert any(line.startswith("All 10 samples are in Immich, verified") for line in lines)
    assert list((tmp_path / "tmp").iterdir()) == []


def test_what_is_dropped_into_its_folder_is_synced(shell: Shell, tmp_path: Path) -> None:
    """After the samples it goes on; Ctrl-C ends it cleanly, and --keep keeps everything.

    The same bytes in a second folder are shown with that folder's album.
    """
    (tmp_path / "tmp").mkdir()
    with shell.running(["demo", "--keep"], {"TMPDIR": str(tmp_path / "tmp")}) as demo:
        assert demo.stdout is not None
        assert demo.stderr is not None
        lines = iter(demo.stdout)
        assert any(line.startswith("All 10 samples") for line in lines)
        photos = next((tmp_path / "tmp").glob("immich-sync-demo-*/photos"))
        sample = photos / "Camera" / "IMG_20240817_064210.jpg"
        (photos / "Trip").mkdir()
        (photos / "Trip" / "new.jpg").write_bytes(sample.read_bytes() + b"new")
        dropped = next(lines)
        (photos / "Again").mkdir()
        (photos / "Again" / "copy.jpg").write_bytes(sample.read_bytes() + b"new")
        copied = next(lines)
        demo.send_signal(signal.SIGINT)
        rest, said = list(lines), demo.stderr.read()
        code = demo.wait(timeout=20)

    assert dropped.startswith("✓ verified  Trip/new.jpg  45 kB  album Trip")
    assert copied.startswith("✓ verified  Again/copy.jpg  45 kB  album Again")
    assert (code, said) == (0, "")
    assert rest == [f"The demo is over; photos, server and state are kept in {photos.parent}.\n"]
    assert sample.exists()


def test_on_a_terminal_it_is_live(shell: Shell) -> None:
    """A table is drawn and drawn again, in place; at its end the terminal is as it was."""
    here, there = pty.openpty()
    with subprocess.Popen(  # noqa: S603 -- our own command
        [*COMMAND, "demo", "--once"],
        env=shell.environment | {"TERM": "xterm-256color", "COLUMNS": "110", "LINES": "40"},
        stdout=there, stderr=there, stdin=there,
    ) as demo:  # fmt: skip
        os.close(there)
        seen = b""
        while chunk := _read(here):
            seen += chunk
        code = demo.wait(timeout=20)
    os.close(here)

    text = seen.decode()
    assert code == 0
    assert "✓ verified" in text
    assert "10 samples are in Immich" in text
    assert text.rindex("\x1b[?25h") > text.rindex("\x1b[?25l")
    assert "Traceback" not in text


def _read(terminal: int) -> bytes:
    try:
        return os.read(terminal, 65536)
    except OSError:  # Linux's way of saying that the other side has closed
        return b""
