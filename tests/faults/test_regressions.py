"""Each scenario here once broke a promise; the shortest one that did is kept."""

from collections.abc import Sequence
from hashlib import sha1
from pathlib import Path

import anyio
import pytest

from immich_sync.sandbox import Delay, Status
from tests.faults.deeds import (
    UPLOADS,
    Approve,
    Deed,
    Delete,
    Fail,
    Finish,
    Jump,
    Many,
    Mend,
    Mount,
    Overflow,
    Person,
    Process,
    Rename,
    Sidecar,
    Write,
    bytes_of,
)
from tests.faults.ending import settle_down
from tests.faults.play import playing
from tests.faults.stage import simulate

A, B, C = b"DCIM/a.raw", b"DCIM/b.jpg", b"trip/c.raw"

SCENARIOS: dict[str, Sequence[tuple[Deed, float]]] = {
    # Whoever changes while it is uploaded is looked at again, even if only its sidecar did.
    "a sidecar in the writing": [
        (Sidecar(A, whole=False), 0.0),
        (Write(A, 1), 5.0),
        (Sidecar(A, whole=True), 30.0),
    ],
    # A worker that finds nothing must not take a folder's absence for a deletion.
    "a disk goes away while files wait": [
        (Write(C, 3), 5.0),
        (Fail(Status(503), times=None), 0.0),
        (Write(A, 1), 3.0),
        (Write(B, 2), 60.0),
        (Mount("empty"), 0.0),
        (Mend(), 100.0),
        (Mount("home"), 40.0),
    ],
    # Nothing but a scan finds this, and scans must not wait for the wall clock.
    "a clock set back": [
        (Write(A, 1), 5.0),
        (Jump(-30 * 86400.0), 1.0),
        (Finish(A, 2, unseen=True), 1.0),
    ],
    # The last file of a folder is gone: only a person can say so, and is to be believed.
    "an emptied folder": [(Write(A, 1), 5.0), (Delete(A), 60.0)],
    # The server's word is not fresh because the clock says that it is of tomorrow.
    "a clock set back before a look": [
        (Write(A, 1), 5.0),
        (Jump(-7200.0), 120.0),
        (Person("purge"), 700.0),
        (Finish(A, 1, keep_mtime=True), 5.0),
    ],
    # What waits to be read may be written to again: then it has to hold still again.
    "a file that waits is written to": [
        (Write(C, 3), 5.0),
        (Process("pause"), 0.0),
        (Write(A, 1), 5.0),
        (Finish(A, 2, unseen=True), 0.0),
        (Process("resume"), 5.0),
    ],
    # Whoever lets go what was held does not say that it holds still just now.
    "changed again as it is approved": [
        (Many("come"), 5.0),
        (Many("change"), 60.0),
        (Many("change"), 0.05),
        (Approve(removed=True), 5.0),
    ],
    "a removed photo is renamed": [
        (Write(A, 1), 5.0),
        (Person("purge"), 0.0),
        (Rename(A, C), 5.0),
        (Process("kill"), 5.0),
    ],
}


@pytest.mark.parametrize("name", SCENARIOS)
def test_what_once_went_wrong(tmp_path: Path, name: str) -> None:
    """The promises hold through the scenario, and all ends well."""

    async def scenario() -> None:
        async with playing(1, tmp_path) as play:
            await play.play(SCENARIOS[name])
            await settle_down(play)

    simulate(scenario, seed=1)


def test_a_scan_that_is_due_waits_for_its_disk(tmp_path: Path) -> None:
    """While the folder is offline its root is looked at every 30 s, and nothing else is done."""

    async def scenario() -> int:
        async with playing(1, tmp_path) as play:
            await play.play([(Write(A, 1), 5.0), (Mount("empty"), 1000.0)])
            before = play.stage.effects.count
            await anyio.sleep(300.0)
            return play.stage.effects.count - before

    assert simulate(scenario, seed=1) < 100


def test_a_new_folder_that_is_not_there_is_asked_about_ever_less(tmp_path: Path) -> None:
    """Whether its first scan is over is asked every few seconds at most, and not ten times each."""

    async def scenario() -> float:
        async with playing(1, tmp_path) as play:
            await play.play([(Mount("missing"), 600.0)])
            before = play.stage.effects.count
            await anyio.sleep(600.0)
            return (play.stage.effects.count - before) / 600.0

    assert simulate(scenario, seed=1) < 1.0


def test_an_overflow_is_answered_by_a_scan_at_once(tmp_path: Path) -> None:
    """A file whose events were lost is in Immich long before the next scan that time calls for."""

    async def scenario() -> list[str | None]:
        async with playing(1, tmp_path) as play:
            await play.play([(Write(A, 1), 5.0), (Finish(A, 2, unseen=True), 0.0)])
            await play.play([(Overflow(), 20.0)])
            return [row.checksum for row in play.witness.ledger.rows().values()]

    assert simulate(scenario, seed=1) == [sha1(bytes_of(A, 2)).hexdigest()]  # noqa: S324 - Immich's


def test_it_stops_within_8_s_whatever_it_is_waiting_for(tmp_path: Path) -> None:
    """An upload that hangs is cut off (I18), and done again by the next process."""

    async def scenario() -> float:
        async with playing(1, tmp_path) as play:
            await play.play([(Write(C, 3), 5.0)])
            hanging = play.stage.faults.add(Delay(3000.0), path=UPLOADS, times=1, exact=True)
            await play.play([(Write(A, 1), 5.0)])
            assert hanging.fired == 1
            before = anyio.current_time()
            await play.stage.stop()
            took = anyio.current_time() - before
            await settle_down(play)
            return took

    assert simulate(scenario, seed=1) <= 8.0
