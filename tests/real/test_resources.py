"""Little of everything: descriptors, readers of the log, time; and networks that say nothing."""

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from immich_sync.sandbox import Delay
from tests.real.scene import ends_well
from tests.stories.scene import Daemon, Story, environment, photo, until

linux = pytest.mark.skipif(sys.platform != "linux", reason="needs Linux")


def _arrive(story: Story, prefix: str, count: int) -> list[bytes]:
    contents = [photo(f"{prefix} {n}", 20_000) for n in range(count)]
    for n, content in enumerate(contents):
        story.put(f"{n % 5}/{prefix}-{n}.jpg", content)
    return contents


@linux
@pytest.mark.skipif(shutil.which("prlimit") is None, reason="needs prlimit")
def test_few_descriptors_are_enough(story: Story) -> None:
    """With 64 of them 150 photos go up, as many at once as may be; none is held for ever."""
    story.configure({"album": "{parent}"}, uploads=8)
    daemon = story.launch("prlimit", "--nofile=64:64")
    until(daemon.is_ready, "it is ready")
    opened = Path("/proc", str(daemon.process.pid), "fd")
    contents = _arrive(story, "first", 100)
    until(lambda: daemon.folder().verified == 100, "all are proved")
    held = len(list(opened.iterdir()))
    contents += _arrive(story, "second", 50)
    until(lambda: daemon.folder().verified == 150, "all are proved")
    # Two more: we, who ask. The server takes its time to close what it kept open.
    until(lambda: len(list(opened.iterdir())) <= held + 2, "what was opened is closed")
    ends_well(story, daemon, contents)


@contextmanager
def _running(story: Story, *, stderr: int | None, closed: str = "") -> Iterator[Daemon]:
    """The process with this for its standard error, or with some of its first three closed."""
    command = [sys.executable, "-m", "immich_sync", "run", "--config", str(story.config)]
    process = subprocess.Popen(  # noqa: S603 - our own command
        ["sh", "-c", f'exec "$@" {closed}', "sh", *command],  # noqa: S607 - wherever it lies
        stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=stderr, env=environment(),
    )  # fmt: skip
    log = story.home / "nothing.log"
    log.touch()
    daemon = Daemon(process, story.state, log)
    try:
        until(daemon.is_ready, "it is ready")
        yield daemon
    finally:
        daemon.kill()


def test_a_log_that_nobody_reads_holds_nothing_up(story: Story) -> None:
    """Its pipe is full, and who holds the other end does nothing: all is synced, and it ends."""
    story.configure()
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    with suppress(BlockingIOError):
        while os.write(writer, bytes(4096)):
            pass
    os.set_blocking(writer, True)
    try:
        with _running(story, stderr=writer) as daemon:
            ends_well(story, daemon, _arrive(story, "all", 20))
    finally:
        os.close(reader)
        os.close(writer)


def test_a_log_whose_reader_has_gone_holds_nothing_up(story: Story) -> None:
    """Its pipe is broken: all is synced, and it ends in good order."""
    story.configure()
    reader, writer = os.pipe()
    with _running(story, stderr=writer) as daemon:
        os.close(writer)
        os.close(reader)
        ends_well(story, daemon, _arrive(story, "all", 20))


def test_without_its_first_three_descriptors_it_writes_into_no_file(story: Story) -> None:
    """Started with input, output and error closed: no file of ours gets their numbers."""
    story.configure()
    with _running(story, stderr=None, closed="<&- >&- 2>&-") as daemon:
        opened = Path("/proc", str(daemon.process.pid), "fd")
        first = [os.path.realpath(one) for one in opened.iterdir() if int(one.name) < 3]
        assert [path for path in first if str(story.home) in path] == []
        ends_well(story, daemon, _arrive(story, "all", 5))


def test_a_long_sleep_is_made_up_for(story: Story) -> None:
    """Stopped in the middle of uploads, longer than any connection lives: it just goes on."""
    story.configure(stall_timeout="1s", answer_timeout="1s")
    slowly = story.server.break_uploads(Delay(0.3))
    daemon = story.start()
    contents = _arrive(story, "all", 10)
    until(lambda: slowly.fired > 2, "it is in the middle")
    daemon.process.send_signal(signal.SIGSTOP)
    contents.append(photo("meanwhile"))
    story.put("meanwhile.jpg", contents[-1])
    time.sleep(2.5)
    daemon.process.send_signal(signal.SIGCONT)
    story.server.sandbox.faults.remove(slowly)
    ends_well(story, daemon, contents)


def test_a_name_that_nobody_knows_is_waited_for(story: Story) -> None:
    """No address for the server's name: it says so, watches, and ends when told to."""
    story.configure(url="http://nas.invalid:2283")
    story.put("a.jpg", photo("a"))
    daemon = story.start()
    (problem,) = until(lambda: daemon.problems("server"), "it is a problem")
    assert "nas.invalid" in problem.advice
    daemon.stop(within=4)


@linux
def test_a_network_that_swallows_everything_is_waited_for(story: Story) -> None:
    """Not even a refusal comes back: it is unreachable after `connect_timeout`, and ends in time.

    A listening socket whose queue is full answers no one, as a firewall that drops does.
    """
    with socket.socket() as hole, socket.socket() as first, socket.socket() as second:
        hole.bind(("127.0.0.1", 0))
        hole.listen(0)
        for one in (first, second):
            one.settimeout(0)
            one.connect_ex(hole.getsockname())
        story.configure(url=f"http://127.0.0.1:{hole.getsockname()[1]}", connect_timeout="1s")
        daemon = story.start()
        until(lambda: daemon.problems("server"), "it is a problem")
        assert daemon.status().server.reachable is False
        daemon.stop(within=4)
