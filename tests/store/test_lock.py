"""One daemon for one state folder."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from immich_sync.core.errors import Misconfigured
from immich_sync.store.database import lock_state

HOLDER = """
import sys, time
from pathlib import Path
from immich_sync.store.lock import lock_state
with lock_state(Path(sys.argv[1])):
    print("held", flush=True)
    time.sleep(60)
"""


def test_a_second_one_is_refused_by_pid(tmp_path: Path) -> None:
    """The sentence names the process that holds the folder."""
    with (
        lock_state(tmp_path / "state"),
        pytest.raises(Misconfigured, match=rf"\(pid {os.getpid()}\) is already running"),
        lock_state(tmp_path / "state"),
    ):
        pytest.fail("two hold the same folder")


def test_it_is_free_afterwards(tmp_path: Path) -> None:
    """When the first is done, the next gets it."""
    for _ in range(2):
        with lock_state(tmp_path / "state"):
            assert f"{os.getpid()}\n" == (tmp_path / "state" / "immich-sync.lock").read_text()


def test_a_killed_holder_leaves_it_free(tmp_path: Path) -> None:
    """Another process holds it until SIGKILL, and not a moment longer."""
    command = [sys.executable, "-c", HOLDER, str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as holder:  # noqa: S603 — our own code
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"held\n"
        with pytest.raises(Misconfigured, match=f"pid {holder.pid}"), lock_state(tmp_path):
            pytest.fail("two hold the same folder")
        holder.send_signal(signal.SIGKILL)
        holder.wait()
    with lock_state(tmp_path):
        pass


def test_a_folder_that_cannot_be_made_is_a_sentence(tmp_path: Path) -> None:
    """Where a file lies in the way, the message names the folder."""
    (tmp_path / "file").touch()
    with (
        pytest.raises(Misconfigured, match="cannot be written"),
        lock_state(tmp_path / "file" / "state"),
    ):
        pytest.fail("locked a file")
