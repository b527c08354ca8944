"""What the benches share: a story without pytest, and the price of a process.

Its own module because the stories' fixtures belong to pytest, and benches are plain scripts.
"""

import os
import shutil
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryFile, mkdtemp

from anyio.from_thread import start_blocking_portal

from immich_sync.sandbox import Sandbox
from tests.stories.scene import Server, Story, environment


@contextmanager
def stage() -> Iterator[Story]:
    """A server, an empty folder and a place for everything else; all gone afterwards."""
    home = Path(mkdtemp(prefix="immich-sync-bench-"))
    (home / "photos").mkdir()
    try:
        with (
            start_blocking_portal("asyncio") as portal,
            portal.wrap_async_context_manager(Sandbox()) as sandbox,
        ):
            story = Story(Server(sandbox, portal), home, home / "photos", home / "config.toml")
            try:
                yield story
            finally:
                story.end()
    finally:
        shutil.rmtree(home)


def say(line: str) -> None:
    """A figure for whoever runs the bench."""
    print(line, flush=True)  # noqa: T201 - it is what a bench is for


@dataclass(frozen=True, slots=True)
class Price:
    """What a process and its children cost: seconds of time and of CPU, peak memory in MB."""

    wall: float
    cpu: float
    peak: float


def price(
    command: Sequence[str], *, code: int = 0, environ: Mapping[str, str] | None = None
) -> Price:
    """Run a command to its end, which must be `code`."""
    with TemporaryFile() as said:
        began = time.perf_counter()
        process = subprocess.Popen(  # noqa: S603 - commands of the benches
            command,
            stdin=subprocess.DEVNULL,
            stdout=said,
            stderr=said,
            env={**environment(), **(environ or {})},
        )
        _, status, usage = os.wait4(process.pid, 0)
        wall = time.perf_counter() - began
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode != code:
            said.seek(0)
            words = said.read().decode(errors="replace")
            raise SystemExit(f"{' '.join(command)} ended with {process.returncode}:\n{words}")
    return Price(wall, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024)
