"""SIGTERM, whatever is being done: gone in 8 s, in good order; the next start goes on."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from immich_sync.sandbox import Delay, Fault, Maintenance, SlowRead, Status
from tests.real.scene import ends_well, often
from tests.stories.scene import UPLOADS, Story, environment, photo, sha1, until

ENTRYPOINT = Path(__file__).parents[2] / "deploy" / "entrypoint.py"
BIG = 1_500_000_000


@contextmanager
def _stopped(process: subprocess.Popen[bytes], within: float = 8.0) -> Iterator[None]:
    """What happens within is the telling; the process ends in time after that."""
    yield
    try:
        process.wait(within)
    except subprocess.TimeoutExpired:
        process.kill()
        pytest.fail(f"it was not gone after {within:g} s")


def test_no_request_under_way_holds_it_up(story: Story) -> None:
    """A check, a body, an answer and an album that all hang: gone, and all done afterwards."""
    story.configure({"album": "Trip"})
    daemon = story.start()
    hanging: list[tuple[Fault, str]] = [
        (Delay(60), "/api/albums"),
        (SlowRead(1000), UPLOADS),
        (Delay(60), UPLOADS),
        (Delay(60), "/api/assets/bulk-upload-check"),
    ]
    contents = [photo(n, 20_000) for n in range(len(hanging))]
    for (fault, path), content in zip(hanging, contents, strict=True):
        rule = story.server.sandbox.faults.add(fault, path=path, exact=path == UPLOADS)
        story.put(f"{path.rpartition('/')[2]}-{sha1(content)}.jpg", content)
        until(lambda one=rule: one.fired, f"{fault} meets {path}")  # type: ignore[misc] # bound now
        if path == UPLOADS:
            story.server.sandbox.faults.remove(rule)
    daemon.stop()
    story.server.sandbox.faults.clear()

    ends_well(story, story.start(), contents)
    assert len(story.server.album("Trip")) == len(contents)


@pytest.mark.parametrize("fault", [Status(429, retry_after="600"), Maintenance()], ids=str)
def test_no_waiting_for_the_server_holds_it_up(story: Story, fault: Fault) -> None:
    """Told by the server to wait, and then by us to stop."""
    daemon = story.start()
    rule = story.server.sandbox.faults.add(fault)
    story.put("a.jpg", photo("a"))
    until(lambda: rule.fired and daemon.status().server.reachable is False, "it waits")
    daemon.stop(within=3)
    story.server.sandbox.faults.clear()

    ends_well(story, story.start(), [photo("a")])


def test_a_file_that_is_being_read_holds_nobody_up(story: Story) -> None:
    """Told to stop while it hashes something large: gone, and read again at the next start."""
    daemon = story.start()
    path = story.put("big.dng", b"II*")
    with path.open("r+b") as file:  # much that nobody has to write
        file.truncate(BIG)
    opened = Path("/proc", str(daemon.process.pid), "fd")

    def reads() -> bool:
        return any(os.path.realpath(one) == str(path) for one in opened.iterdir())

    until(reads, "it reads the file")
    story.server.refuse()  # nothing comes after the reading
    daemon.stop()
    story.server.accept()
    assert story.server.names() == []
    path.write_bytes(photo("small"))
    ends_well(story, story.start(), [photo("small")])


def test_any_moment_of_the_start_will_do(story: Story) -> None:
    """Before its handler stands the process just ends; after that it ends in good order."""
    content = photo("a", 50_000)
    story.put("a.jpg", content)
    codes = set()
    for number in range(often(6)):
        daemon = story.launch()
        time.sleep(0.13 * (number % 8))
        with _stopped(daemon.process):
            daemon.process.send_signal(signal.SIGTERM)
        assert "Traceback" not in daemon.words()
        codes.add(daemon.process.returncode)
    assert codes <= {0, -signal.SIGTERM}
    ends_well(story, story.start(), [content])


def _inner(process: subprocess.Popen[bytes]) -> int:
    """The process that is number 1 inside, by its number outside."""
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children")
    return int(until(lambda: children.read_text().split(), "it has begun")[0])


def _blocks(inner: int) -> bool:
    """Whether SIGTERM is held back, or heeded already, by our own program."""
    if not Path(f"/proc/{inner}/cmdline").read_bytes().startswith(os.fsencode(sys.executable)):
        return False
    facts = dict(
        line.split(":\t") for line in Path(f"/proc/{inner}/status").read_text().splitlines()[1:]
        if ":\t" in line
    )  # fmt: skip
    bit = 1 << signal.SIGTERM - 1
    return any(int(facts[name], 16) & bit for name in ("SigBlk", "SigCgt"))


@pytest.mark.root
def test_the_first_process_of_a_container_overhears_nothing(story: Story) -> None:
    """The kernel drops signals that process 1 neither blocks nor handles: they are held back first.

    From the entry point's first lines on SIGTERM is kept in mind, through all of the start.
    """
    story.configure()
    content = photo("a", 50_000)
    story.put("a.jpg", content)
    inside = ["unshare", "--pid", "--fork", "--kill-child", "--mount-proc"]
    run = [sys.executable, "-I", str(ENTRYPOINT), "run"]
    user = {"PUID": "0", "PGID": "0", "IMMICH_SYNC_CONFIG": str(story.config)}
    user["IMMICH_SYNC_STATE_DIR"] = str(story.state)
    log = story.home / "log"
    for number in range(often(4)):
        with log.open("wb") as words:
            process = subprocess.Popen(  # noqa: S603 - our own command
                [*inside, *run], env=environment() | user, stdout=words, stderr=words
            )
        inner = _inner(process)
        until(lambda one=inner: _blocks(one), "it has begun")  # type: ignore[misc] # bound now
        time.sleep(0.2 * (number % 5))
        with _stopped(process):
            os.kill(inner, signal.SIGTERM)
        assert (process.returncode, log.read_text().count("Traceback")) == (0, 0), log.read_text()
    ends_well(story, story.start(), [content])


def test_who_sleeps_is_told_when_it_wakes(story: Story) -> None:
    """SIGSTOP, SIGTERM, SIGCONT: it ends in good order."""
    daemon = story.start()
    daemon.process.send_signal(signal.SIGSTOP)
    daemon.process.send_signal(signal.SIGTERM)
    time.sleep(0.2)
    assert daemon.process.poll() is None
    with _stopped(daemon.process):
        daemon.process.send_signal(signal.SIGCONT)
    assert daemon.process.returncode == 0
