"""What systemd is told, over a real datagram socket."""

import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from immich_sync import systemd


@pytest.fixture
def service_manager() -> Iterator[socket.socket]:
    """A socket to listen on, as systemd has one."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listening:
        listening.settimeout(5)
        yield listening


def test_the_service_reports_its_life(
    service_manager: socket.socket, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each call is one datagram in the words of sd_notify(3); a status is one line."""
    service_manager.bind(str(tmp_path / "notify"))
    monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "notify"))

    systemd.ready()
    systemd.status("12 photos\nare due")
    systemd.alive()
    systemd.stopping()

    said = [service_manager.recv(200) for _ in range(4)]
    assert said == [b"READY=1", b"STATUS=12 photos are due", b"WATCHDOG=1", b"STOPPING=1"]


@pytest.mark.skipif(
    not Path("/proc/self").exists(), reason="Linux has abstract sockets, others not"
)
def test_an_abstract_socket_is_reached(
    service_manager: socket.socket, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A name that begins with @ is no file."""
    service_manager.bind(f"\0immich-sync-test-{os.getpid()}")
    monkeypatch.setenv("NOTIFY_SOCKET", f"@immich-sync-test-{os.getpid()}")

    systemd.ready()

    assert service_manager.recv(200) == b"READY=1"


@pytest.mark.parametrize("name", [None, "", "relative", "/nowhere/notify"])
def test_without_systemd_nothing_happens(name: str | None, monkeypatch: pytest.MonkeyPatch) -> None:
    """No socket, or one that is gone, is no error."""
    monkeypatch.delenv("NOTIFY_SOCKET", raising=False)
    if name is not None:
        monkeypatch.setenv("NOTIFY_SOCKET", name)

    systemd.ready()

    assert os.environ.get("NOTIFY_SOCKET") == name


def test_a_manager_that_does_not_listen_holds_nothing_up(
    service_manager: socket.socket, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Once its buffer is full, what is said is dropped; a call that waited would never return."""
    service_manager.bind(str(tmp_path / "notify"))
    monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "notify"))

    for _ in range(10_000):
        systemd.alive()

    assert service_manager.recv(200) == b"WATCHDOG=1"


@pytest.mark.parametrize(
    ("microseconds", "process", "interval"),
    [
        ("60000000", None, 30.0),
        ("60000000", "ours", 30.0),
        ("60000000", "1", None),
        ("0", None, None),
        ("soon", None, None),
        (None, None, None),
    ],
)
def test_the_watchdog_is_satisfied_at_half_its_time(
    microseconds: str | None,
    process: str | None,
    interval: float | None,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The interval is meant for this process, and only if systemd waits at all."""
    for name, value in (("WATCHDOG_USEC", microseconds), ("WATCHDOG_PID", process)):
        monkeypatch.delenv(name, raising=False)
        if value is not None:
            monkeypatch.setenv(name, str(os.getpid()) if value == "ours" else value)

    assert systemd.watchdog_interval() == interval
