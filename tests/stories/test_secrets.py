"""The key is in its file and in the requests, and nowhere else; the state is its owner's alone."""

import base64
import os
import stat
from pathlib import Path

import pytest

from immich_sync.sandbox import EarlyAnswer, Fault, Html, LostAnswer, ResetRequest, Status
from tests.stories.scene import Daemon, Story, photo, until

PIECE = 8
"""Characters of the key that already are too many."""
FAULTS: list[Fault] = [
    Status(401, message="Invalid API key {key}"),
    Status(403, message="Missing required permission: {key}"),
    Status(500, message="{key}"),
    Status(400, message="Unsupported file type {key}"),
    Html(),
    EarlyAnswer(413),
    ResetRequest(10),
    LostAnswer(),
]
"""What an unfriendly server may do to uploads; some repeat the key that they were sent."""


def traces(key: str) -> set[bytes]:
    """All that would give the key away: its pieces, and those of its base64."""
    encoded = base64.b64encode(key.encode()).decode().rstrip("=")
    return {
        text[n : n + PIECE].encode()
        for text in (key, encoded)
        for n in range(len(text) - PIECE + 1)
    }


def places(story: Story, daemon: Daemon) -> dict[str, bytes]:
    """Whatever others may come to see of the daemon."""
    proc = Path("/proc") / str(daemon.process.pid)
    found = {"its arguments": (proc / "cmdline").read_bytes()}
    for path in [*story.state.rglob("*"), daemon.log]:
        if path.is_file():
            found[str(path)] = path.read_bytes()
    for command in (["status"], ["status", "--json"], ["doctor", "--json"], ["verify", "--json"]):
        said = story.typed(*command, IMMICH_SYNC_DEBUG="1")
        found[" ".join(command)] = (said.stdout + said.stderr).encode()
    return found


def leaks(key: str, found: dict[str, bytes]) -> set[tuple[str, bytes]]:
    """Where which piece of the key is to be read."""
    wanted = traces(key)
    return {(where, trace) for where, text in found.items() for trace in wanted if trace in text}


def test_the_key_is_nowhere_to_be_read(story: Story) -> None:
    """Not in log, state, status or arguments, at debug level, with a server that repeats it."""
    key = story.server.sandbox.api_key
    story.configure()
    daemon = story.launch(IMMICH_SYNC_DEBUG="1")
    until(daemon.is_ready, "the daemon is ready")
    story.server.sandbox.faults.add(Status(500, message=key), path="/api/server/version")
    for number, fault in enumerate(FAULTS):
        if isinstance(fault, Status):
            fault = Status(fault.status, message=fault.message.format(key=key))  # noqa: PLW2901 - the same, with the key
        rule = story.server.break_uploads(fault, times=2)
        story.put(f"{number}.jpg", photo(number))
        until(lambda rule=rule: rule.fired, "the fault fired")  # type: ignore[misc] # a default holds the loop's value
        story.server.sandbox.faults.remove(rule)
    until(lambda: daemon.words().count("\n") > len(FAULTS), "it has said something")
    until(lambda: daemon.events("version_unknown"), "it has said something at debug level")

    assert leaks(key, places(story, daemon)) == set()


@pytest.mark.parametrize("status", [400, 401, 403, 500])
def test_the_key_is_in_no_traceback(story: Story, status: int) -> None:
    """Commands that end with an error show its way in full, and the server's word in it masked."""
    key = story.server.sandbox.api_key
    story.put("a.jpg", photo(1))
    story.server.sandbox.faults.add(Status(status, message=f"Invalid API key {key}"))

    commands = (["verify"], ["doctor"], ["upload", str(story.photos)])
    said = {one[0]: story.typed(*one, IMMICH_SYNC_DEBUG="1") for one in commands}
    said["run"] = story.command("run", "--once", "--timeout", "5s", IMMICH_SYNC_DEBUG="1")

    assert "Traceback" in said["verify"].stderr
    texts = {name: (one.stdout + one.stderr).encode() for name, one in said.items()}
    assert leaks(key, texts) == set()


@pytest.mark.parametrize("linked", [False, True])
def test_the_state_is_its_owners_alone(story: Story, *, linked: bool) -> None:
    """Whatever the umask, and where the state folder is a link to one that is not there yet."""
    if linked:
        (story.home / "elsewhere").mkdir(mode=0o700)
        story.state.symlink_to(story.home / "elsewhere")
    before = os.umask(0)
    try:
        story.configure()
        (story.home / "api-key").chmod(0o600)
        daemon = story.start()
    finally:
        os.umask(before)
    story.put("a.jpg", photo(1))
    until(lambda: len(story.server.assets()) == 1 and daemon.is_done(), "the photo is in")

    open_to_others = {
        str(path.relative_to(story.home)): oct(path.stat().st_mode)
        for path in [story.state, *story.state.rglob("*")]
        if stat.S_IMODE(path.stat().st_mode) & 0o077
    }
    assert open_to_others == {}
