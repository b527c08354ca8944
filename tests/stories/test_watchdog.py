"""What systemd hears of a real daemon: it is restarted if it stands still, and never else."""

import select
import signal
import socket
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import pytest

from immich_sync.sandbox import SlowRead
from tests.stories.hanging_disk import hanging_disk
from tests.stories.scene import PATIENCE, Daemon, Story, photo, until

WATCHDOG = 1.5
"""Seconds without a sign of life after which systemd would kill (`WatchdogSec`)."""
ALIVE = "WATCHDOG=1"


@dataclass(slots=True)
class Systemd:
    """What listens at $NOTIFY_SOCKET."""

    listening: socket.socket
    name: str
    status: str = ""  # the last that was said

    def start(self, story: Story, within: float = WATCHDOG) -> Daemon:
        """The daemon as a unit with `Type=notify` and `WatchdogSec` starts it."""
        microseconds = str(int(within * 1e6))
        return story.launch(NOTIFY_SOCKET=self.name, WATCHDOG_USEC=microseconds)

    def hears(self, within: float = 30.0) -> str | None:
        """The next thing said; None if that takes longer than `within` seconds."""
        ready, _, _ = select.select([self.listening], [], [], within)
        word = self.listening.recv(4096).decode() if ready else None
        if word and word.startswith("STATUS="):
            self.status = word.removeprefix("STATUS=")
        return word

    def hears_until(self, wanted: str) -> list[str]:
        """All that is said up to what begins with `wanted`."""
        said: list[str] = []
        while not said or not said[-1].startswith(wanted):
            word = self.hears()
            assert word is not None, said
            said.append(word)
        return said

    def silence(self, seconds: float, until: Callable[[], object] = lambda: True) -> float:
        """The longest time without a sign of life, in `seconds` and until something is so."""
        began = last = time.monotonic()
        longest = 0.0
        while time.monotonic() < began + seconds or not until():
            assert time.monotonic() < began + PATIENCE, self.status
            if self.hears(0.05) == ALIVE:
                longest, last = max(longest, time.monotonic() - last), time.monotonic()
        return max(longest, time.monotonic() - last)


@pytest.fixture
def systemd(story: Story) -> Iterator[Systemd]:
    """Listens on a real datagram socket."""
    name = str(story.home / "notify")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listening:
        listening.bind(name)
        yield Systemd(listening, name)


def test_a_loop_that_stands_still_is_noticed(story: Story, systemd: Systemd) -> None:
    """Ready, what it does, alive; nothing while it is stopped; alive again; stopping."""
    daemon = systemd.start(story, 0.4)
    assert systemd.hears_until(ALIVE) == ["READY=1", "STATUS=watching", ALIVE]

    daemon.process.send_signal(signal.SIGSTOP)
    while systemd.hears(0.2):
        pass  # what was said before
    assert systemd.hears(0.8) is None

    daemon.process.send_signal(signal.SIGCONT)
    systemd.hears_until(ALIVE)
    daemon.process.send_signal(signal.SIGTERM)
    systemd.hears_until("STOPPING=1")
    assert daemon.process.wait(8) == 0


def test_an_outage_and_a_slow_upload_are_no_standstill(story: Story, systemd: Systemd) -> None:
    """Signs of life go on through both, and `STATUS=` says what is waited for."""
    story.server.refuse()
    daemon = systemd.start(story)
    systemd.hears_until("STATUS=watching; waiting for http://")
    assert systemd.silence(WATCHDOG * 1.2) < WATCHDOG

    slowly = story.server.sandbox.faults.add(SlowRead(100_000), method="POST", path="/api/assets")
    story.put("long.jpg", photo("long", 30_000_000))
    story.server.accept()
    under_way = "1 file in hand"
    assert systemd.silence(WATCHDOG * 1.2, until=lambda: systemd.status == under_way) < WATCHDOG
    assert slowly.fired
    daemon.kill()


@pytest.mark.root
def test_a_disk_that_never_answers_is_no_standstill(story: Story, systemd: Systemd) -> None:
    """A restart would not get past a read that hangs in the kernel either."""
    with hanging_disk(story.photos, "IMG_1.jpg", photo(1)) as disk:
        story.configure({"watch": "poll", "poll_interval": "1s"})
        daemon = systemd.start(story)
        until(disk.hangs, "somebody reads the file")
        assert systemd.silence(WATCHDOG * 1.2) < WATCHDOG
        daemon.kill()
