"""Whoever asks over HTTP how the real daemon is, while it works."""

import signal
import socket
import time
from contextlib import suppress
from pathlib import Path

import httpx

from tests.stories.scene import Daemon, Story, photo, until

LISTENING = "0A"
"""The state of a socket in /proc/net/tcp (proc(5))."""
HERE = {"IMMICH_SYNC_HEALTH__LISTEN": "127.0.0.1:0"}


def port_of(daemon: Daemon, number: int = 1) -> int:
    """Where it listens, the `number`th time it says so."""
    until(lambda: len(daemon.events("health_listening")) >= number, "it listens")
    port = daemon.events("health_listening")[number - 1]["port"]
    assert isinstance(port, int)
    return port


def get(port: int, path: str) -> httpx.Response:
    """The answer."""
    return httpx.get(f"http://127.0.0.1:{port}{path}", trust_env=False, timeout=10)


def test_it_is_asked_while_it_works(story: Story) -> None:
    """All pages, before, during and after an outage; a slow scraper disturbs nobody."""
    daemon = story.launch(**HERE)
    port = port_of(daemon)
    until(lambda: get(port, "/readyz").status_code == 200, "it is ready")
    slow = [socket.create_connection(("127.0.0.1", port)) for _ in range(5)]
    for one in slow:
        one.sendall(b"GET /metrics HTTP/1.1\r\n")
    story.put("a.jpg", photo("a"))
    until(lambda: len(story.server.assets()) == 1, "a.jpg is synced")
    until(lambda: 'state="verified"} 1.0' in get(port, "/metrics").text, "it is counted", 40)
    for one in slow:
        one.close()

    story.server.refuse()
    story.put("b.jpg", photo("b"))
    until(lambda: get(port, "/readyz").status_code == 503, "it is not ready")
    assert get(port, "/healthz").status_code == 200
    story.server.accept()
    until(lambda: get(port, "/readyz").status_code == 200, "it is ready again")
    began = time.monotonic()
    daemon.stop()
    assert time.monotonic() - began < 5


def test_nobody_listens_unless_told_to(story: Story) -> None:
    """No socket of the daemon waits for anybody from the network."""
    daemon = story.start()
    own = Path(f"/proc/{daemon.process.pid}")
    lines = ((own / "net/tcp").read_text() + (own / "net/tcp6").read_text()).splitlines()
    waiting = {fields[9] for line in lines if (fields := line.split())[3] == LISTENING}
    held = set()
    for descriptor in (own / "fd").iterdir():
        with suppress(FileNotFoundError):  # closed meanwhile
            held.add(str(descriptor.readlink()))

    assert {f"socket:[{inode}]" for inode in waiting} & held == set()


def test_a_taken_port_ends_the_start(story: Story) -> None:
    """With one sentence and exit code 2."""
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        address = f"127.0.0.1:{other.getsockname()[1]}"
        daemon = story.launch(IMMICH_SYNC_HEALTH__LISTEN=address)

        assert daemon.process.wait(20) == 2
    assert "is taken by another program" in daemon.words()
    assert "Traceback" not in daemon.words()


def test_a_reload_opens_moves_and_closes_the_door(story: Story) -> None:
    """Without another start; the engine need not end for it to be asked all the while."""
    story.configure()
    plain = story.config.read_text()
    story.config.write_text(f'{plain}\n[health]\nlisten = "127.0.0.1:0"\n')
    daemon = story.start()
    first = port_of(daemon)

    story.config.write_text(f'{plain}\n[health]\nlisten = "[::1]:0"\n')
    daemon.order("reload")
    second = port_of(daemon, 2)
    answer = httpx.get(f"http://[::1]:{second}/healthz", trust_env=False, timeout=10)
    assert answer.status_code == 200
    with socket.socket() as nobody:
        assert nobody.connect_ex(("127.0.0.1", first)) != 0

    story.config.write_text(plain)
    daemon.process.send_signal(signal.SIGHUP)
    until(lambda: len(daemon.events("reloaded")) == 2, "it is reloaded")
    with socket.socket(socket.AF_INET6) as nobody:
        until(lambda: nobody.connect_ex(("::1", second)) != 0, "nobody listens")
