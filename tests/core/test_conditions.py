"""Which conditions stand, and when somebody is told of them."""

from dataclasses import replace
from math import inf

import pytest
from hypothesis import given
from hypothesis import strategies as st

from immich_sync.core.conditions import (
    KINDS,
    Condition,
    News,
    Steady,
    Told,
    news,
    silences,
    standing,
    told_after,
)
from immich_sync.core.folder import Folder, Limits, Notify, Setup
from immich_sync.core.status import (
    DaemonStatus,
    FolderStatus,
    JobsStatus,
    Problem,
    ServerStatus,
    Status,
)

NOW = 1_000_000_000.0
HOUR, DAY = 3600.0, 86_400.0
FOLDER = FolderStatus(
    name="photos", path="/photos", account="default", state="watching", watch="inotify",
    files=9, verified=9, pending=0, trashed=0, failed=0, ignored=0, bytes=9, last_new=NOW - 5,
    last_scan=NOW - 9, eta_seconds=None, last_done=NOW - 5,
)  # fmt: skip
SERVER = ServerStatus("http://nas", "3.1.0", reachable=True, error=None)
DOWN = replace(SERVER, error="It does not answer.", trouble="unreachable", since=NOW - 7 * HOUR)
SETUP = Setup(
    accounts=(),
    folders=(Folder("photos", b"/photos", "default", expect_new=7 * DAY),),
    limits=Limits(),
    state="/state",
    notify=Notify(stuck_after=6 * HOUR),
)


def status(
    folder: FolderStatus = FOLDER, server: ServerStatus = SERVER, *problems: Problem
) -> Status:
    """A daemon with one folder and one server."""
    daemon = DaemonStatus(1, "1", NOW - 30 * DAY, "idle")
    jobs = JobsStatus(0, 0, 0, 0)
    return Status(daemon, server, (server,), jobs, (folder,), problems)


WAITING = replace(FOLDER, pending=3, waiting_since=NOW - 8 * HOUR, last_done=NOW - 9 * HOUR)


@pytest.mark.parametrize(
    ("seen", "expected"),
    [
        (status(), []),
        (status(replace(FOLDER, failed=1)), ["given_up"]),
        (status(replace(FOLDER, state="offline")), ["folder_offline"]),
        (status(replace(FOLDER, state="starting")), ["folder_offline"]),
        (status(replace(FOLDER, state="unapproved")), ["approval"]),
        (status(FOLDER, SERVER, Problem("silent", "/photos", NOW, "Nothing.")), ["silent"]),
        (status(WAITING), ["stuck"]),
        (status(replace(WAITING, last_done=NOW - HOUR)), []),
        (status(replace(WAITING, waiting_since=NOW - HOUR)), []),
        (status(replace(WAITING, state="paused")), []),
        (status(replace(WAITING, last_done=None)), ["stuck"]),
        (status(FOLDER, DOWN), ["stuck"]),
        (status(FOLDER, replace(DOWN, since=NOW - HOUR)), []),
        (status(FOLDER, replace(DOWN, trouble="refused", since=NOW)), ["key_refused"]),
        (status(FOLDER, replace(DOWN, trouble="full", since=NOW)), ["server_full"]),
        (status(FOLDER, SERVER, Problem("state", "/state", None, "It is full.")), ["state"]),
        (status(FOLDER, SERVER, Problem("doubtful_server", "/photos", NOW, "No.")), ["approval"]),
        (status(FOLDER, SERVER, Problem("deletions", "/photos", NOW, "Many.")), ["breaker"]),
        (
            status(FOLDER, SERVER, Problem("quarantine", "/photos", NOW, "Full.")),
            ["cleanup_stopped"],
        ),
        (status(FOLDER, SERVER, Problem("mount", "/photos/usb", NOW, "No.")), ["folder_offline"]),
        (status(FOLDER, SERVER, Problem("shared", "/photos", NOW, "No.")), ["cleanup_stopped"]),
        (status(FOLDER, SERVER, Problem("not_deleted", "url", None, "No.")), ["deletions_stopped"]),
        (status(FOLDER, SERVER, Problem("rejected", "/photos/a.jpg", NOW, "No.")), []),
    ],
)
def test_what_stands(seen: Status, expected: list[str]) -> None:
    """Each kind by its own facts, and no other."""
    assert [one.what for one in standing(seen, SETUP, NOW)] == expected


QUIET = replace(FOLDER, last_new=NOW - 8 * DAY)


def silent(folder: FolderStatus, *problems: Problem, setup: Setup = SETUP) -> list[Problem]:
    """What is said of a folder from which nothing comes."""
    return [*silences([folder], problems, setup, started=NOW - 30 * DAY, now=NOW)]


@pytest.mark.parametrize(
    ("folder", "away", "expected"),
    [
        (FOLDER, None, False),
        (QUIET, None, True),
        (replace(FOLDER, last_new=None), None, True),  # not since the start
        (replace(QUIET, state="paused"), None, False),
        (replace(QUIET, state="offline"), HOUR, True),
        (replace(QUIET, state="unapproved"), HOUR, True),
        (replace(QUIET, state="offline"), 2 * DAY, False),  # it went before it was silent for long
    ],
)
def test_when_a_folder_is_silent(folder: FolderStatus, away: float | None, expected: bool) -> None:  # noqa: FBT001 - a parameter
    """After a week without anything new, and no less so because its disk has gone away since."""
    why = [] if away is None else [Problem("folder", "/photos", NOW - away, "Away.")]
    assert bool(silent(folder, *why)) == expected


def test_a_folder_that_may_be_silent() -> None:
    """Without expect_new nothing is expected."""
    setup = replace(SETUP, folders=(replace(SETUP.folders[0], expect_new=inf),))

    assert silent(replace(FOLDER, last_new=1.0), setup=setup) == []


def test_the_words() -> None:
    """They say for how long, and of which folder; of no path that a condition need not name."""
    (found,) = silent(replace(FOLDER, last_new=NOW - 9 * DAY))
    assert found.advice.startswith("Nothing new has come from photos for 9 days:")
    soon = replace(SETUP, folders=(replace(SETUP.folders[0], expect_new=3.0),))
    (found,) = silent(FOLDER, setup=soon)
    assert "for 5 seconds:" in found.advice
    (one,) = standing(status(FOLDER, DOWN), SETUP, NOW)
    assert one.text == "Nothing could be uploaded for 7 hours: It does not answer."
    (one,) = standing(status(replace(FOLDER, failed=3)), SETUP, NOW)
    assert (one.text[:17], one.weight) == ("3 files of photos", 3)


def condition(what: str = "stuck", weight: int = 1) -> Condition:
    """Any."""
    return Condition(what, "", "Words.", None, weight)


def test_a_condition_is_told_once_and_then_reminded_of() -> None:
    """Not again before it is time, nor after it was reminded of."""
    one = condition()
    first = news([one], [], now=NOW, remind_after=DAY)
    assert first == News(new=(one,))
    assert first is not None
    told = told_after(first, NOW)

    assert news([one], told, now=NOW + DAY - 1, remind_after=DAY) is None
    again = news([one], told, now=NOW + DAY, remind_after=DAY)
    assert again == News(still=(one,))
    assert again is not None
    assert again.kind == "reminder"
    assert news([one], told_after(again, NOW + DAY), now=NOW + DAY + 1, remind_after=DAY) is None
    assert news([one], told, now=NOW + 900 * DAY, remind_after=inf) is None


def test_what_is_over_is_told_when_all_is_well() -> None:
    """Once; or beside other news, if there are some."""
    told = [Told("stuck", "", NOW), Told("silent", "photos", NOW)]
    assert news([condition()], told, now=NOW, remind_after=DAY) is None
    well = news([], told, now=NOW, remind_after=DAY)
    assert well == News(over=(("stuck", ""), ("silent", "photos")))
    assert well is not None
    assert (well.kind, well.all_well, told_after(well, NOW)) == ("well", True, ())
    assert news([], [], now=NOW, remind_after=DAY) is None

    more = news([condition(), condition("state")], told, now=NOW, remind_after=DAY)
    assert more == News((condition("state"),), (condition(),), (("silent", "photos"),))


def test_all_is_not_well_while_something_is_brewing() -> None:
    """What stands and does not count yet keeps the good news back; it comes with what is over."""
    told, steady = [Told("silent", "photos", NOW)], Steady(60.0, [], 0.0)
    steady.look([condition()], 100.0)
    assert steady.brewing

    assert news([], told, now=NOW, remind_after=DAY, brewing=True) is None
    steady.look([condition()], 160.0)
    assert not steady.brewing
    said = news([condition()], told, now=NOW, remind_after=DAY)
    assert said == News(new=(condition(),), over=(("silent", "photos"),))


def test_what_became_worse_is_told_the_next_day() -> None:
    """And not at every single file."""
    told = [Told("given_up", "", NOW, 1)]
    worse = condition("given_up", 5)

    assert news([worse], told, now=NOW + DAY - 1, remind_after=9 * DAY) is None
    found = news([worse], told, now=NOW + DAY, remind_after=9 * DAY)
    assert found == News(new=(worse,))


def test_flutter_is_not_counted() -> None:
    """What stands for less than `after` does not count, nor does its absence for less than that."""
    steady = Steady(60.0, [], 0.0)
    one = condition()

    assert steady.look([one], 30.0) is None  # nothing can be said yet
    assert steady.look([], 60.0) == ()
    assert steady.look([one], 100.0) == (one,)  # it was gone for no longer than it had stood
    assert steady.look([], 130.0) == (one,)
    assert steady.look([], 161.0) == ()
    assert steady.look([one], 170.0) == ()
    assert steady.look([one], 229.0) == ()
    assert steady.look([one], 230.0) == (one,)


def test_a_restart_forgets_nothing() -> None:
    """What was told before counts from the first look on, and is over once it has been gone."""
    one = condition()
    steady = Steady(60.0, [one.key, ("silent", "a")], 0.0)

    assert steady.look([one], 1.0) is None
    assert steady.look([one], 60.0) == (one,)


def test_a_clock_that_is_set_back_holds_nothing_up() -> None:
    """What counted goes on counting, and ends in its time."""
    steady = Steady(60.0, [], 10_000.0)
    one = condition()
    assert steady.look([one], 10_000.0) is None
    assert steady.look([one], 10_100.0) == (one,)

    steady.look([one], 50.0)
    assert steady.look([one], 120.0) == (one,)
    assert steady.look([], 190.0) == ()


@given(
    st.lists(
        st.tuples(st.sets(st.sampled_from(KINDS)), st.floats(0, 3 * DAY)), min_size=1, max_size=30
    )
)
def test_nobody_is_told_twice(days: list[tuple[set[str], float]]) -> None:
    """Nothing is new to who knows it already; and whoever listens knows all that stands."""
    told: tuple[Told, ...] = ()
    now, known = NOW, set[str]()
    for kinds, wait in days:
        now += wait
        conditions = [condition(kind) for kind in sorted(kinds)]
        said = news(conditions, told, now=now, remind_after=DAY)
        if said is not None:
            assert not known & {one.what for one in said.new}
            assert said.all_well == (not kinds)
            told = told_after(said, now)
            known = {one.what for one in told}
        assert kinds <= known
        assert bool(known) or not kinds
