"""What the screens show of given values."""

import io
import json
import os
from dataclasses import asdict, replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len
from rich.console import Console

from immich_sync.cli.demonstration import Photo, Stage
from immich_sync.cli.looking import revived
from immich_sync.cli.screens import demo, rehearsal
from immich_sync.cli.screens.shortening import middle
from immich_sync.cli.screens.status import screen
from immich_sync.core.status import (
    DaemonStatus,
    FolderStatus,
    JobsStatus,
    Problem,
    ServerStatus,
    Status,
)
from immich_sync.rehearsal import FolderRehearsal, Rehearsal

NOW = 1_800_000_000.0


def folder(name: str, state: str, *, failed: int = 0, left: float | None = None) -> FolderStatus:
    """A folder of 1,200 files."""
    return FolderStatus(
        name=name, path=f"/volume1/{name}", account="default", state=state, watch="inotify",
        files=1200, verified=1190, pending=10, trashed=0, failed=failed, ignored=3,
        bytes=5_000_000_000, last_new=NOW - 7200, last_scan=NOW - 60, eta_seconds=left,
    )  # fmt: skip


def status(*problems: Problem) -> Status:
    """A daemon at work on two folders."""
    servers = (
        ServerStatus("http://nas:2283", "3.1.0", reachable=True, error=None),
        ServerStatus("http://far", None, reachable=False, error="no such host", account="anna"),
    )
    return Status(
        daemon=DaemonStatus(4711, "0.1.0", NOW - 3600, "syncing"),
        server=servers[0],
        servers=servers,
        jobs=JobsStatus(pending=8, waiting=2, running=1, failed=1),
        folders=(folder("photos", "watching", left=42), folder("[videos]", "offline", failed=1)),
        problems=problems,
    )


def drawn(value: Status, width: int = 100) -> str:
    """The status as text."""
    console = Console(file=io.StringIO(), width=width, highlight=False, color_system=None)
    console.print(screen(value, NOW))
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def test_the_screen_says_who_what_and_how_far() -> None:
    """Daemon, servers, jobs and folders with their progress; nothing is taken for markup."""
    text = drawn(status())

    for expected in (
        "immich-sync 0.1.0 · syncing · up 1 h · pid 4711",
        "http://nas:2283 · Immich 3.1.0 · reachable",
        "http://far (anna) · unreachable\n       no such host",
        "8 due · 2 waiting · 1 being synced · 1 given up",
        "1,190 of 1,200",
        "4.7 GB",
        "2 h ago",
        "42 s",
        "[videos]",
        "offline",
        "/volume1/photos",
    ):
        assert expected in text


def test_the_screen_names_problems_with_advice() -> None:
    """What, where, since when, and what can be done; a flood of them is counted."""
    problem = Problem("too_large", "/volume1/a[b].mp4", NOW - 120, "Raise the limit.")

    text = drawn(status(*[problem] * 20))

    assert "20 problems" in text
    assert "too large  /volume1/a[b].mp4, 2 min ago" in text
    assert "Raise the limit." in text
    assert "and 5 more" in text


def test_the_screen_fits_a_small_terminal() -> None:
    """No line is longer than the terminal is wide."""
    lines = drawn(status(Problem("failing", "/x" * 90, None, "wait " * 40)), width=60).splitlines()

    assert max(map(len, lines)) <= 60


@pytest.mark.parametrize("width", [120, 80, 60])
def test_no_number_and_no_state_is_cut(width: int) -> None:
    """At any of these widths all is there; a path that is too long is cut in its middle."""
    long = "/volume1/" + "a/very/long/way/" * 9 + "home"
    made = replace(status(), folders=(replace(folder("f", "unapproved", left=3000), path=long),))

    lines = drawn(made, width).splitlines()

    [numbers] = [line for line in lines if "unapproved" in line]
    for expected in ("1,190 of 1,200", "4.7 GB", "2 h ago", "50 min", "━"):
        assert expected in numbers
    [path] = [line for line in lines if line.startswith("f  /volume1/a/")]
    assert len(path) == width
    assert path.endswith("way/home")
    assert "…" in path


def drawn_demo(live: demo.Live, width: int) -> list[str]:
    """The demo's picture as lines."""
    console = Console(file=io.StringIO(), width=width, color_system=None)
    console.print(live.picture())
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue().splitlines()


@pytest.mark.parametrize("width", [80, 60])
def test_the_columns_of_the_demo_stand_still(width: int) -> None:
    """Size, state and time are whole and stay where they are, however long a name is."""
    live = demo.Live()
    live.photo(Photo("a.jpg", 2048, "uploaded", "Alps", proved=True, seconds=0.2))
    before = next(line for line in drawn_demo(live, width) if "a.jpg" in line)
    name = "Holidays/" + "very " * 30 + "long.jpg"
    live.photo(Photo(name, 1023 * 1024, "uploaded", "Album " * 30, proved=True, seconds=3599))
    lines = drawn_demo(live, width)

    assert before in lines
    [row] = [line for line in lines if "long.jpg" in line]
    assert len(row) == width
    for expected in ("1023 kB", "✓ verified", "60 min", "Hol", "…"):
        assert expected in row
    assert row.index("✓ verified") == before.index("✓ verified")


@given(text=st.text(min_size=1), room=st.integers(0, 40))
def test_a_text_that_is_shortened_fits(text: str, room: int) -> None:
    """It needs no more cells than there are; one that fits is left alone."""
    short = middle(text, room)

    assert cell_len(short) <= max(room, 0)
    assert (short == text) == (cell_len(text) <= room)


def test_without_a_daemon_the_screen_says_so() -> None:
    """The rest comes from the state."""
    at_rest = Status(
        None, ServerStatus("http://nas", None, None, None),
        (ServerStatus("http://nas", None, None, None),), JobsStatus(0, 0, 0, 0), (), (),
    )  # fmt: skip

    assert "No daemon is running" in drawn(at_rest)


def test_a_status_survives_json() -> None:
    """What the daemon sends is what the command shows."""
    value = status(Problem("failing", "/a.jpg", None, ""))

    assert revived(json.loads(json.dumps(asdict(value)))) == value


def test_a_rehearsal_tells_all_its_numbers() -> None:
    """Files, bytes, what is there, what is passed over by which rule, albums."""
    rehearsed = Rehearsal(
        (
            FolderRehearsal(
                "photos", "/volume1/photos", files=3, bytes=2048, already_there=1, to_upload=2,
                trashed=1, unreadable=1, ignored={"hidden": 2, "synology": 5},
                others={"txt": 1, "": 2}, albums_to_make=("Alps", "Sea"),
            ),
        )
    )  # fmt: skip

    assert list(rehearsal.lines(rehearsed)) == [
        "photos  /volume1/photos",
        "  3 photos and videos, 2 kB",
        "  1 already in Immich, 2 to upload",
        "  1 cannot be read",
        "  1 in Immich's trash, where they stay",
        "  ignored: synology 5, hidden 2",
        "  other files: no extension 2, txt 1",
        "  albums to make: Alps, Sea",
        "",
        "Nothing was changed. 2 files would be uploaded.",
    ]


def test_the_live_demo_draws_on_a_terminal(capfd: pytest.CaptureFixture[str]) -> None:
    """Photos become rows, the news and the next step stand below, the farewell is last."""
    live = demo.Live()
    live.open(Stage(Path("/tmp/demo/photos"), "http://127.0.0.1:1", Path("/tmp/demo/server"), 2))
    live.photo(Photo("a [1].jpg", 2048, "arrived"))
    live.photo(Photo("a [1].jpg", 2048, "uploaded", "Camera", proved=True, seconds=0.2))
    live.photo(Photo("b.jpg", 2048, "failed", detail="no answer"))
    live.samples_are_in(1.5)
    frame = Console(file=io.StringIO(), width=100, color_system=None)
    frame.print(live.picture())
    live.close(None)

    assert isinstance(frame.file, io.StringIO)
    assert "cp some-photo.jpg /tmp/demo/photos/" in frame.file.getvalue()

    text = capfd.readouterr().out
    assert "a [1].jpg" in text
    assert "✓ verified" in text
    assert "b.jpg: no answer" in text
    assert "All 2 samples are in Immich" in text
    assert text.endswith(f"The demo is over; its folder and its server are gone.{os.linesep}")
