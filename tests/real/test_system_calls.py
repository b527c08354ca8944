"""Death and failure at the N-th system call: of the real process, over two photos, from its start.

The calls are those that change something, here or there: writing, syncing, making, removing,
sending. `strace` kills or spoils the N-th of them.
"""

import os
import shutil
import signal
import subprocess
import sys
from functools import partial

import anyio
import pytest

from immich_sync import daemon
from immich_sync.config import load, resolve
from tests.real.scene import ends_well, often, proved, sound
from tests.stories.scene import Story, environment, photo, sha1, until

pytestmark = pytest.mark.skipif(shutil.which("strace") is None, reason="needs strace")

CALLS = (
    (False, "pwrite64", 91), (False, "fdatasync", 8), (False, "ftruncate,unlink,mkdir", 11),
    (True, "pwrite64", 30), (True, "sendto", 33), (True, "fdatasync,ftruncate,unlink", 4),
)  # fmt: skip
"""With or without a state from before, calls that change something, and how many of them one
thread makes for two photos: each thread is counted by itself, and the first one dies for all."""
ALL = [(old, calls, number + 1) for old, calls, count in CALLS for number in range(count)]
POINTS = ALL[:: max(len(ALL) // often(12), 1)]
"""The deaths that are tried, evenly over all that there are; all of them if that is more."""
SHARES = 4
MORE = "EXAMPLES" in os.environ
"""Whether the error that passes is tried as well, which is waited out for ten seconds."""


def _traced(story: Story, *what: str) -> tuple[str, ...]:
    return ("strace", "-f", "-qq", "-o", str(story.home / "trace"), *what)


def _photos(story: Story) -> list[bytes]:
    """Two photos with an album each, of which one has a sidecar."""
    contents = [photo(n, 3000) for n in range(2)]
    for n, content in enumerate(contents):
        story.put(f"{n}/IMG.jpg", content)
    (story.photos / "0/IMG.jpg.xmp").write_text("<x:xmpmeta xmlns:x='adobe:ns:meta/'/>")
    return contents


def _dies(story: Story, calls: str, number: int) -> bool:
    """Whether a run over the photos ended by death at that call."""
    kill = ("-e", f"trace={calls}", "-e", f"inject={calls}:signal=KILL:when={number}")
    run = (sys.executable, "-m", "immich_sync", "run", "--once", "--config", str(story.config))
    ended = subprocess.run(  # noqa: S603 - our own command
        [*_traced(story, *kill), *run], env=environment(), capture_output=True, check=False
    )
    return ended.returncode in {-signal.SIGKILL, 128 + signal.SIGKILL}


def _start_again(story: Story) -> int:
    """The exit code of one more run, in this process."""
    setup = resolve(load(story.config), folders=True)
    return anyio.run(partial(daemon.run, setup, once=True, within=20))


@pytest.mark.parametrize("share", range(SHARES))
def test_death_at_any_call_is_a_pause(story: Story, share: int) -> None:
    """Killed at the N-th call: the state is whole and promises nothing that is not so.

    The next start brings all in, once: no photo is lost, none is there twice.
    """
    died = 0
    for old, calls, number in POINTS[share::SHARES]:
        story.configure({"album": "{parent}"})
        if old:
            assert _start_again(story) == 0
        contents = _photos(story)
        died += _dies(story, calls, number)
        assert proved(story.state) <= set(story.server.checksums())
        assert _start_again(story) == 0
        assert story.server.checksums() == sorted(map(sha1, contents))
        assert proved(story.state) == set(story.server.checksums())
        assert sorted(one.name for one in story.server.sandbox.albums()) == ["0", "1"]
        assert sound(story.state / "state.db")
        _forget(story)
    assert died > len(POINTS[share::SHARES]) // 2


def _forget(story: Story) -> None:
    """As before the first start, here and on the server."""
    shutil.rmtree(story.state)
    for path in story.photos.iterdir():
        shutil.rmtree(path)
    story.server.api("DELETE", "/assets", {
        "ids": [one.id for one in story.server.assets()], "force": True,
    })  # fmt: skip
    for album in story.server.sandbox.albums():
        story.server.api("DELETE", f"/albums/{album.id}")


@pytest.mark.parametrize("when", ["2+", *(["2"] if MORE else [])])
def test_a_failing_disk_under_the_state_is_never_half_believed(story: Story, when: str) -> None:
    """EIO from the state's disk: what could not be written is not taken for written.

    It goes on by itself if that passes; if not, it waits, says so and ends in time.
    """
    story.configure({"album": "{parent}"})
    assert _start_again(story) == 0
    contents = _photos(story)
    spoil = f"inject=pwrite64:error=EIO:when={when}"
    wal = str(story.state / "state.db-wal")
    files = ("-P", wal, "-P", str(story.state / "state.db"))
    around = _traced(story, "-D", *files, "-e", "trace=pwrite64", "-e", spoil)
    process = story.launch(*around)
    trace = story.home / "trace"
    until(lambda: trace.exists() and "(INJECTED)" in trace.read_text(errors="replace"), "an error")
    if when.endswith("+"):
        until(lambda: process.events("state_failed") or process.process.poll(), "it says so")
        assert proved_beside(story) <= set(story.server.checksums())
        if process.process.poll() is None:
            process.process.send_signal(signal.SIGTERM)
        process.process.wait(8)
        process = story.start()
    elif process.process.poll() is not None:
        process = story.start()
    ends_well(story, process, contents)


def proved_beside(story: Story) -> set[str]:
    """What a copy of the state promises, taken while its daemon lives."""
    copy = story.home / "copy"
    shutil.copytree(story.state, copy, ignore=shutil.ignore_patterns("*.sock", "*-shm"))
    return proved(copy)
