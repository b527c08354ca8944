"""A new configuration comes into force, or is refused, while files are being synced."""

import re
import signal
import socket
import time
from collections.abc import Sequence
from pathlib import Path

import pytest

from immich_sync.control import Declined
from immich_sync.sandbox import SlowRead
from tests.stories.scene import Daemon, Story, photo, sha1, until

BIG = photo("big", 4_000_000)


def another(story: Story, name: str) -> Path:
    """A second folder."""
    folder = story.home / name
    folder.mkdir()
    return folder


def folders(daemon: Daemon) -> list[str]:
    """The folders that it watches now."""
    return [one.name for one in daemon.status().folders]


def test_folders_come_and_go(story: Story) -> None:
    """What lies in a new one is synced; what is due in a removed one waits until it comes back."""
    more = another(story, "more")
    daemon = story.start()
    story.put("a.jpg", photo("a"))
    until(lambda: len(story.server.assets()) == 1, "a.jpg is synced")
    before = daemon.status().daemon
    (more / "b.jpg").write_bytes(photo("b"))

    story.configure({}, {"path": str(more), "album": "{folder}"})
    assert story.typed("reload").stdout == "Reloaded: photos, more.\n"
    until(lambda: story.server.album("more") == ["b.jpg"], "b.jpg is synced, and in its album")
    after = daemon.status().daemon
    assert before
    assert after
    assert (before.pid, before.since) == (after.pid, after.since)

    story.configure({"path": str(more)})
    daemon.order("reload")
    story.put("c.jpg", photo("c"))
    (more / "d.jpg").write_bytes(photo("d"))
    until(lambda: len(story.server.assets()) == 3, "d.jpg is synced")
    assert (folders(daemon), story.server.names()) == (["more"], ["a.jpg", "b.jpg", "d.jpg"])

    story.configure({}, {"path": str(more)})
    daemon.order("reload")
    until(lambda: len(story.server.assets()) == 4, "c.jpg is synced")
    until(daemon.is_ready, "the scans are over")
    story.calm(daemon)
    assert sorted(story.server.checksums()) == sorted(sha1(photo(one)) for one in "abcd")


def test_an_upload_in_flight_is_not_lost(story: Story) -> None:
    """It is cut if it takes too long, and due again: the server has it once."""
    slow = story.server.break_uploads(SlowRead(50_000), times=1)
    daemon = story.start()
    story.put("big.jpg", BIG)
    until(lambda: slow.fired and story.server.receives(), "the upload is under way")

    story.configure(stall_timeout="50s")
    daemon.order("reload")
    until(lambda: story.server.checksums() == [sha1(BIG)], "it is sent anew")
    story.calm(daemon)
    assert len(story.server.assets()) == 1


BAD = (
    ("[limits]", "[limits]\nuploads = 0", "out of range"),
    ("[limits]", "[limits", "not TOML"),
    ("/photos", "/nowhere", "does not exist"),
    ("[defaults]", '[defaults]\nalbum = "{nope}"', "{nope}"),
)
"""What is written in the configuration, what somebody makes of it, and a word on that."""


def _logged(daemon: Daemon, sentence: str) -> bool:
    refusals = daemon.events("reload_refused")
    return any(sentence in str(refused["error"]) for refused in refusals)


def test_a_bad_configuration_is_refused(story: Story) -> None:
    """With its sentence and exit code 2; the old one stays in force, and goes on."""
    daemon = story.start()
    text = story.config.read_text()
    for number, (good, bad, sentence) in enumerate(BAD, start=1):
        story.config.write_text(text.replace(good, bad))

        with pytest.raises(Declined, match=re.escape(sentence)):
            daemon.order("reload")
        refused = story.typed("reload")
        assert (refused.returncode, sentence in refused.stderr) == (2, True)
        until(lambda said=sentence: _logged(daemon, said), "the log says so")  # type: ignore[misc] # a default holds the loop's value
        story.put(f"{number}.jpg", photo(number))
        until(lambda n=number: len(story.server.assets()) == n, "the photo is synced")  # type: ignore[misc] # a default holds the loop's value


def test_a_key_that_the_server_refuses_is_refused(story: Story) -> None:
    """A good one in its place is taken; the file is read anew, and neither key is in the log."""
    daemon = story.start()
    key = story.home / "api-key"
    key.write_text("not-the-key-of-anybody-here")

    refused = story.typed("reload")
    assert (refused.returncode, "The key is not accepted" in refused.stderr) == (3, True)
    fresh = story.server.sandbox.add_key("all")
    key.write_text(fresh)
    assert story.typed("reload").stdout == "Reloaded: photos.\n"
    story.put("a.jpg", photo("a"))
    until(lambda: len(story.server.assets()) == 1, "a.jpg is synced")

    assert fresh not in daemon.words()
    assert "not-the-key" not in daemon.words()


def test_the_state_stays_where_it_is(story: Story) -> None:
    """Another state folder is another daemon."""
    daemon = story.start()
    text = story.config.read_text()
    story.config.write_text(text.replace(str(story.state), str(story.home / "elsewhere")))

    daemon.process.send_signal(signal.SIGHUP)
    until(lambda: daemon.events("reload_refused"), "it is refused")
    (refused,) = daemon.events("reload_refused")
    assert "state_dir cannot change while it runs" in str(refused["error"])
    assert not (story.home / "elsewhere").exists()


def test_a_signal_reloads_and_systemd_hears_of_it(story: Story) -> None:
    """SIGHUP: RELOADING=1 with the time on the monotonic clock, then READY=1."""
    story.configure()
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.settimeout(20)
        manager.bind(str(story.home / "notify"))
        daemon = story.launch(NOTIFY_SOCKET=str(story.home / "notify"))
        heard(manager, "READY=1")
        before = time.monotonic_ns() // 1000
        story.configure({"album": "Trips"})
        daemon.process.send_signal(signal.SIGHUP)
        reloading = heard(manager, "RELOADING=1")
        heard(manager, "READY=1")
        after = time.monotonic_ns() // 1000

        assert before <= int(reloading[1].removeprefix("MONOTONIC_USEC=")) <= after
        until(lambda: daemon.events("reloaded"), "it has been reloaded")
        story.put("a.jpg", photo("a"))
        until(lambda: story.server.album("Trips") == ["a.jpg"], "the new album is in force")
        daemon.stop()


def heard(manager: socket.socket, first: str) -> Sequence[str]:
    """The lines of the next message that begins with this one."""
    while True:
        lines = manager.recv(4096).decode().splitlines()
        if lines[0] == first:
            return lines


def test_what_a_person_paused_stays_paused(story: Story) -> None:
    """A reload is no resume."""
    daemon = story.start()
    daemon.order("pause")
    story.configure(retry_longest="6s")
    daemon.order("reload")
    until(daemon.is_ready, "it is ready again")

    assert daemon.folder().state == "paused"


def test_a_server_that_is_down_refuses_nothing(story: Story) -> None:
    """The new configuration is in force when it comes back; that it was not asked is said."""
    story.start()
    story.server.refuse()
    story.configure({"album": "Trips"}, connect_timeout="1s")
    said = story.typed("reload")
    assert (said.returncode, said.stdout.startswith("Reloaded: photos.\nIt is in force, but")) == (
        0,
        True,
    )
    story.put("a.jpg", photo("a"))
    story.server.accept()

    until(lambda: story.server.album("Trips") == ["a.jpg"], "it is in the new album")


def test_a_stop_comes_before_a_reload(story: Story) -> None:
    """SIGTERM in the middle of one ends it all, in time and well.

    In time is six seconds for the upload, two for the rest, and what a start takes just now.
    """
    story.server.break_uploads(SlowRead(50_000))
    began = time.monotonic()
    daemon = story.start()
    start = time.monotonic() - began
    story.put("big.jpg", BIG)
    until(story.server.receives, "the upload is under way")
    story.configure(stall_timeout="50s")
    daemon.process.send_signal(signal.SIGHUP)
    until(lambda: _state(daemon) == "stopping", "the engine ends")

    daemon.stop(within=8 + start)
    assert not daemon.events("reloaded")


def _state(daemon: Daemon) -> str:
    found = daemon.status().daemon
    return "" if found is None else found.state
