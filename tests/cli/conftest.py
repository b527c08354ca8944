"""The command as people run it, in a process of its own, or in this one."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.cli.inside import Ended, Inside
from tests.stories.scene import AS_INSTALLED

KEY = "a-key-for-the-sandbox"
COMMAND = (sys.executable, "-m", "immich_sync")


class Shell:
    """Runs commands in an environment that says nothing of a server."""

    def __init__(self, home: Path) -> None:
        self.home = home
        kept = {name: os.environ[name] for name in ("PATH", "LANG") if name in os.environ}
        self.environment = kept | {
            "HOME": str(home),
            "PYTHONWARNINGS": "error",
            "PYTHONPATH": str(AS_INSTALLED),
        }

    def run(self, *words: str, **variables: str) -> Ended:
        """A command until it ends."""
        done = subprocess.run(  # noqa: S603 -- our own command
            [*COMMAND, *words],
            env=self.environment | variables,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        return Ended(done.returncode, done.stdout, done.stderr)

    @contextmanager
    def running(
        self, words: Sequence[str], variables: Mapping[str, str] | None = None
    ) -> Iterator[subprocess.Popen[str]]:
        """A command that goes on; killed at the end if it has not ended by itself."""
        with subprocess.Popen(  # noqa: S603 -- our own command
            [*COMMAND, *words],
            env=self.environment | dict(variables or {}),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        ) as process:
            try:
                yield process
            finally:
                process.kill()


@dataclass(frozen=True, slots=True)
class Server:
    """A sandbox in its own process."""

    url: str
    api_key: str


@pytest.fixture
def shell(tmp_path: Path) -> Shell:
    """A shell whose home is this test's own folder."""
    return Shell(tmp_path)


@pytest.fixture
def inside(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> Inside:
    """The command line in this process, with this test's own folder as its home."""
    return Inside(tmp_path / "home", monkeypatch, capfd)


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """`immich-sync sandbox`, by its own command, until SIGTERM."""
    shell = Shell(tmp_path_factory.mktemp("sandbox"))
    with shell.running(["sandbox", "--port", "0", "--api-key", KEY]) as process:
        assert process.stdout is not None
        said = json.loads(process.stdout.readline())
        yield Server(said["url"], said["api_key"])
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=20) == 0


@pytest.fixture
def configured(shell: Shell, server: Server, tmp_path: Path) -> Callable[[str], Path]:
    """Writes a configuration for the sandbox and a folder of photos; more may be added."""

    def write(more: str = "") -> Path:
        (tmp_path / "photos").mkdir(exist_ok=True)
        (tmp_path / "key").write_text(server.api_key + "\n")
        file = shell.home / "config.toml"
        file.write_text(
            f'state_dir = "{tmp_path}/state"\n'
            f'[server]\nurl = "{server.url}"\napi_key_file = "{tmp_path}/key"\n'
            f'[[folders]]\npath = "{tmp_path}/photos"\nsettle = "200ms"\n{more}'
        )
        return file

    return write
