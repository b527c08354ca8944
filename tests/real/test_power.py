"""The power fails: real cuts of a real file system, under the state and under the whole process."""

import subprocess
import sys
import time
from contextlib import closing, suppress
from dataclasses import replace
from pathlib import Path
from random import Random

import pytest

from immich_sync.core.types import AccountId, AssetId, Checksum, File, FolderId, Place, Stamp
from immich_sync.sandbox import Delay
from immich_sync.store import accounts, cleanups, ledger
from immich_sync.store.cleanups import Cleaned, State
from immich_sync.store.database import Database, open_database
from tests.real.scene import Disk, disk, ends_well, often, proved, sound
from tests.stories.scene import Story, photo, until

pytestmark = pytest.mark.root

CUTS = often(5)

WRITER = """
import os, sys
from pathlib import Path
from immich_sync.core.tombstones import Why
from immich_sync.core.types import Arrival, Checksum, File, Place, Priority, Stamp
from immich_sync.store import accounts, ledger, queue, tombstones
from immich_sync.store.database import open_database

database = open_database(Path(sys.argv[1]))
account = accounts.ensure_account(database, "http://nas:2283", "anna")
folder = accounts.ensure_folder(
    database, name="p", root=b"/p", kind=accounts.Kind.WATCHED, policy="", now=0.0
).id
number = int(sys.argv[2])
while True:
    place = Place(folder, b"", b"%08d.jpg" % number)
    checksum = Checksum(number.to_bytes(20, "big"))
    queue.put(database, [Arrival(place, Priority.NEW)], now=1.0)
    ledger.apply(database, [File(place, Stamp(number, 0, 0, 0), checksum)], now=1.0)
    tombstones.write(database, account, {checksum: Why.REMOVED}, now=1.0)
    os.write(1, b"%d\\n" % number)
    number += 1
"""
"""Facts of each kind, one after the other; a number is said when all three were acknowledged."""


def _run_until_cut(disk: Disk, start: int, seconds: float, log: Path) -> int:
    """The first number that was not acknowledged when the power failed, so long after the first."""
    with log.open("wb") as out:
        writer = subprocess.Popen(  # noqa: S603 - our own
            [sys.executable, "-c", WRITER, str(disk.place / "state.db"), str(start)],
            stdout=out, stderr=subprocess.DEVNULL,
        )  # fmt: skip
    try:
        until(lambda: log.read_text().count("\n") > 0, "something is acknowledged")
        time.sleep(seconds)
        said = log.read_text().split("\n")[:-1]  # what it says later may be cut off
        disk.cut()
    finally:
        writer.kill()
        writer.wait()
    return int(said[-1]) + 1


def test_what_a_person_removed_is_never_forgotten(story: Story) -> None:
    """Cut at random moments: the state is sound each time, and no acknowledged tombstone is lost.

    Of queue and ledger the last few may be: a scan and the server tell them again.
    """
    dice = Random(CUTS)  # noqa: S311 - moments, no secret
    with disk(story, story.state) as state:
        acknowledged = 0
        for _ in range(CUTS):
            log = story.home / "numbers"
            acknowledged = _run_until_cut(state, acknowledged, dice.uniform(0.0, 0.2), log)
            state.unmount()
            state.mount()
            lines = (state.place / "tombstones.jsonl").read_bytes().split(b"\n")
            standing = {line for line in lines if line.endswith(b"}")}

            assert sound(state.place / "state.db")
            assert len(standing) >= acknowledged
        assert acknowledged > CUTS


def test_nothing_is_marked_as_done_that_the_server_has_not(story: Story) -> None:
    """The real process loses its state's disk in the middle of the work, again and again.

    The state is whole after each cut and promises nothing that is not so; in the end all is there
    once, in its album.
    """
    dice = Random(CUTS)  # noqa: S311 - moments, no secret
    story.configure({"album": "Trip"}, uploads=3)
    story.server.break_uploads(Delay(0.03))
    contents: list[bytes] = []
    with disk(story, story.state) as state:
        for cut in range(max(CUTS // 2, 2)):
            for n in range(12):
                contents.append(photo(f"{cut} {n}", 20_000))
                story.put(f"{cut}-{n}.jpg", contents[-1])
            daemon = story.launch()
            until(lambda one=daemon: one.events("uploaded"), "it works")  # type: ignore[misc] # bound now
            time.sleep(dice.uniform(0.0, 0.4))
            state.cut()
            daemon.kill()
            state.unmount()
            state.mount()
            assert sound(story.state / "state.db")
            assert proved(story.state) <= set(story.server.checksums())
        ends_well(story, story.start(), contents)
    assert len(story.server.album("Trip")) == len(contents)


def _meant(folder: FolderId, account: AccountId) -> Cleaned:
    """A photo that is about to be cleaned away."""
    place, stamp, checksum = Place(folder, b"d", b"a.jpg"), Stamp(7, 1, 2, 3), Checksum(b"\1" * 20)
    return Cleaned(
        place, stamp, checksum, account, checksum, AssetId("a"), State.MEANT, at=1.0,
        aside_root=b"/aside", aside=b"p/d/a.jpg",
    )  # fmt: skip


def _written(path: Path, number: int) -> Database:
    """The state, right after what stands before a deed: the first, or that of another deed."""
    database = open_database(path)
    account = accounts.ensure_account(database, "http://nas:2283", "anna")
    folder = accounts.ensure_folder(
        database, name="p", root=b"/p", kind=accounts.Kind.WATCHED, policy="", now=0.0
    ).id
    one = _meant(folder, account)
    if number:
        [one] = cleanups.unfinished(database, folder)
        state = State.EXPIRING if number % 2 else State.UNDOING
        cleanups.intend(database, [replace(one, state=state)])
    else:
        ledger.apply(database, [File(one.place, one.stamp, one.checksum)], now=1.0)
        assert cleanups.mean(database, [one], [one.stamp])
    return database


def test_what_is_written_before_a_local_deletion_is_written_for_good(story: Story) -> None:
    """What a cleanup means to do is there after every cut, the very last of it too."""
    dice = Random(CUTS + 1)  # noqa: S311 - moments, no secret
    path = story.state / "state.db"
    with disk(story, story.state) as state:
        for number in range(CUTS):
            database = _written(path, number)
            time.sleep(dice.uniform(0.0, 0.02))
            state.cut()
            with suppress(Exception):
                database.close()
            state.unmount()
            state.mount()
            with closing(open_database(path)) as database:
                [one] = cleanups.unfinished(database, FolderId(1))
                known = ledger.file_count(database, FolderId(1))
            wanted = (State.EXPIRING if number % 2 else State.UNDOING) if number else State.MEANT
            assert (one.state, known) == (wanted, 0)
