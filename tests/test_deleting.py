"""Evenings of an engine on a simulated machine, on which people delete, and disks go away."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import anyio
import pytest

from immich_sync import status
from immich_sync.control import Request
from immich_sync.core.folder import Setup
from immich_sync.core.tombstones import read
from immich_sync.engine import Engine
from immich_sync.orders import Orders
from immich_sync.sandbox import LostAnswer, Status, stored_assets
from immich_sync.sandbox.records import Asset
from immich_sync.sandbox.sample_files import copy_samples
from immich_sync.store.tombstones import FILE
from tests.faults.memory_disk import volume
from tests.faults.mortality import Effects
from tests.faults.stage import KEY, Stage, simulate, until
from tests.nights import DAY, SCAN_AT, first_night

WAIT = 600.0
"""Seconds that a file stays gone before that counts."""
SOON = 180.0
"""Seconds within which what is due is done."""


def _setup(stage: Stage, *, on_delete: str = "trash", **rules: object) -> Setup:
    setup = stage.setup(album=None)
    folder = replace(
        setup.folders[0],
        on_delete=on_delete,
        **{"root_check": 600.0, "scan_at": SCAN_AT, "delete_after": WAIT, **rules},  # type: ignore[arg-type]
    )
    return replace(setup, folders=(folder,))


async def _synced(stage: Stage, engine: Engine, count: int, of: bytes = b"photo") -> None:
    """So many files are in Immich, those that were there before among them."""
    known = len(stored_assets(stage.server))
    for number in range(count):
        name = b"%s%04d.raw" % (of[:1], number)
        stage.disk.write(b"d/" + name, b"%s %d" % (of, number), stage.clock.now())
    await until(lambda: len(stored_assets(stage.server)) == known + count, within=900)
    await until(lambda: not engine.crew.busy, within=60)


def _stored(stage: Stage, name: str) -> Asset:
    return next(one for one in stage.server.assets if one.original_file_name == name)


def _alive(stage: Stage) -> list[str]:
    return sorted(one.name for one in stored_assets(stage.server) if not one.trashed)


def _trashed(stage: Stage) -> list[str]:
    return sorted(one.name for one in stored_assets(stage.server) if one.trashed)


def _deletions(stage: Stage) -> int:
    return sum(one.method == "DELETE" for one in stage.server.requests)


def _purge(stage: Stage) -> None:
    for asset in [one for one in stage.server.assets if one.trashed_at]:
        stage.server.erase(asset)


def _person(stage: Stage, name: str, *, trashes: bool) -> None:
    at = stage.server.stamp() if trashes else None
    stage.server.assets.put(replace(_stored(stage, name), trashed_at=at))


def _lose_the_state(folder: Path) -> None:
    for file in folder.glob("state.db*"):
        file.unlink()


async def _problems(engine: Engine) -> dict[str, str]:
    return {one.what: one.advice for one in (await status.of(engine, since=0.0)).problems}


async def _approve(engine: Engine) -> None:
    await Orders(engine).handle(Request("approve", folder="photos"))


def test_what_was_deleted_here_goes_into_the_trash_after_a_while(tmp_path: Path) -> None:
    """Not before it was gone for ten minutes, and nothing else with it."""

    async def scenario() -> tuple[list[str], list[str], list[str]]:
        stage = Stage(1, tmp_path)
        async with stage.daemon(_setup(stage)) as engine:
            await _synced(stage, engine, 3)
            stage.disk.remove(b"d/p0001.raw")
            await anyio.sleep(WAIT - 30)
            before = _trashed(stage)
            await anyio.sleep(SOON)
            return before, _trashed(stage), _alive(stage)

    assert simulate(scenario, seed=1) == ([], ["p0001.raw"], ["p0000.raw", "p0002.raw"])


def test_deletions_are_ignored_unless_asked_for(tmp_path: Path) -> None:
    """Without on_delete, nothing is ever asked to be deleted."""

    async def scenario() -> tuple[int, list[str]]:
        stage = Stage(2, tmp_path)
        async with stage.daemon(_setup(stage, on_delete="ignore")) as engine:
            await _synced(stage, engine, 2)
            stage.disk.remove(b"d/p0001.raw")
            await first_night(stage)
            return _deletions(stage), _alive(stage)

    assert simulate(scenario, seed=2) == (0, ["p0000.raw", "p0001.raw"])


@pytest.mark.parametrize("new", [b"d/other.raw", b"elsewhere/p0001.raw"])
def test_a_rename_is_no_deletion(tmp_path: Path, new: bytes) -> None:
    """The same bytes under another name, in the same directory or not, keep their asset."""

    async def scenario() -> tuple[int, list[str]]:
        stage = Stage(3, tmp_path)
        async with stage.daemon(_setup(stage)) as engine:
            await _synced(stage, engine, 2)
            stage.disk.rename(b"d/p0001.raw", new, stage.clock.now())
            await anyio.sleep(2 * WAIT)
            return _deletions(stage), _alive(stage)

    assert simulate(scenario, seed=3) == (0, ["p0000.raw", "p0001.raw"])


def test_the_trash_of_android_is_one(tmp_path: Path) -> None:
    """Renamed to `.trashed-…` it goes into Immich's trash, and comes out with its old name."""

    async def scenario() -> tuple[list[str], list[str]]:
        stage = Stage(4, tmp_path)
        async with stage.daemon(_setup(stage)) as engine:
            await _synced(stage, engine, 2)
            hidden = b"d/.trashed-1799999999-p0001.raw"
            stage.disk.rename(b"d/p0001.raw", hidden, stage.clock.now())
            await anyio.sleep(WAIT + SOON)
            trashed = _trashed(stage)
            stage.disk.rename(hidden, b"d/p0001.raw", stage.clock.now())
            await anyio.sleep(SOON)
            return trashed, _alive(stage)

    assert simulate(scenario, seed=4) == (["p0001.raw"], ["p0000.raw", "p0001.raw"])


def test_a_copy_keeps_the_asset_until_it_goes_too(tmp_path: Path) -> None:
    """What still lies under another name was not deleted."""

    async def scenario() -> tuple[list[str], list[str]]:
        stage = Stage(5, tmp_path)
        async with stage.daemon(_setup(stage)) as engine:
            await _synced(stage, engine, 2)
            stage.disk.write(b"copy.raw", b"photo 0", stage.clock.now())
            await anyio.sleep(60)
            stage.disk.remove(b"d/p0000.raw")
            await anyio.sleep(2 * WAIT)
            with_copy = _trashed(stage)
            stage.disk.remove(b"copy.raw")
            await anyio.sleep(WAIT + SOON)
            return with_copy, _trashed(stage)

    assert simulate(scenario, seed=5) == ([], ["p0000.raw"])


def test_only_what_was_uploaded_from_here(tmp_path: Path) -> None:
    """A photo that was in Immich before stays there."""

    async def scenario() -> tuple[list[str], list[str]]:
        stage = Stage(6, tmp_path)
        async with stage.daemon(_setup(stage)) as engine:
            await _synced(stage, engine, 2)
        _lose_the_state(tmp_path)
        async with stage.daemon(_setup(stage)) as engine:
            await _synced(stage, engine, 1, of=b"later")
            stage.disk.remove(b"d/p0000.raw")
            stage.disk.remove(b"d/l0000.raw")
            await anyio.sleep(2 * WAIT)
            return _alive(stage), _trashed(stage)

    assert simulate(scenario, seed=6) == (["p0000.raw", "p0001.raw"], ["l0000.raw"])


def _unmount(stage: Stage) -> None:
    stage.disk.mounted = volume("nothing")


def _remove_mount_point(stage: Stage) -> None:
    stage.disk.missing = True


@pytest.mark.parametrize("go", [_unmount, _remove_mount_point])
@pytest.mark.parametrize("first", [0.0, WAIT - 60])
def test_a_disk_that_goes_away_deletes_nothing(
    tmp_path: Path, go: Callable[[Stage], None], first: float
) -> None:
    """Not at once, not in the night, and not what was deleted just before; that waits for it."""

    async def scenario() -> tuple[int, list[str], list[str]]:
        stage = Stage(7, tmp_path)
        async with stage.daemon(_setup(stage)) as engine:
            await _synced(stage, engine, 5)
            home = stage.disk.mounted
            stage.disk.remove(b"d/p0004.raw")
            await anyio.sleep(5 + first)
            go(stage)
            stage.disk.overflow()
            await first_night(stage)
            away = _deletions(stage)
            stage.disk.mounted, stage.disk.missing = home, False
            await anyio.sleep(3 * WAIT)
            return away, _trashed(stage), _alive(stage)

    alive = [f"p000{number}.raw" for number in range(4)]
    assert simulate(scenario, seed=7) == (0, ["p0004.raw"], alive)


def test_what_a_person_trashed_stays_theirs(tmp_path: Path) -> None:
    """It is not ours to take out again when the file comes back."""

    async def scenario() -> tuple[int, list[str]]:
        stage = Stage(8, tmp_path)
        async with stage.daemon(_setup(stage)) as engine:
            await _synced(stage, engine, 2)
            _person(stage, "p0001.raw", trashes=True)
            stage.disk.remove(b"d/p0001.raw")
            await anyio.sleep(2 * WAIT)
            stage.disk.write(b"d/p0001.raw", b"photo 1", stage.clock.now())
            await anyio.sleep(2 * WAIT)
            return _deletions(stage), _trashed(stage)

    assert simulate(scenario, seed=8) == (0, ["p0001.raw"])


@pytest.mark.parametrize("purged", [False, True])
@pytest.mark.parametrize("forgetful", [False, True])
def test_a_file_that_comes_back_is_in_immich_again(
    tmp_path: Path, *, purged: bool, forgetful: bool
) -> None:
    """Out of the trash, or uploaded if that was emptied; even if the state was lost meanwhile."""

    async def scenario() -> tuple[list[str], list[str]]:
        stage = Stage(9, tmp_path)
        async with stage.daemon(_setup(stage)) as engine:
            await _synced(stage, engine, 2)
            stage.disk.remove(b"d/p0001.raw")
            await anyio.sleep(WAIT + SOON)
            gone = _trashed(stage)
            if purged:
                _purge(stage)
            await first_night(stage)
        if forgetful:
            _lose_the_state(tmp_path)
        async with stage.daemon(_setup(stage)) as engine:
            await anyio.sleep(60)
            stage.disk.write(b"back/again.raw", b"photo 1", stage.clock.now())
            await anyio.sleep(SOON)
            return gone, [one.checksum for one in stored_assets(stage.server) if not one.trashed]

    gone, alive = simulate(scenario, seed=9)
    assert gone == ["p0001.raw"]
    assert len(alive) == 2


def test_what_we_trashed_is_missed_by_nobody(tmp_path: Path) -> None:
    """Many deleted here and purged there are neither listed as missing nor a reason to doubt."""

    async def scenario() -> tuple[int, dict[str, str], list[str]]:
        stage = Stage(10, tmp_path)
        async with stage.daemon(_setup(stage)) as engine:
            await _synced(stage, engine, 60)
            for number in range(40):
                stage.disk.remove(b"d/p%04d.raw" % number)
            await anyio.sleep(WAIT + SOON)
            await _approve(engine)
            await anyio.sleep(SOON)
            trashed = len(_trashed(stage))
            _purge(stage)
            await first_night(stage)
            stones = read((tmp_path / FILE).read_bytes().splitlines(keepends=True))
            return trashed, await _problems(engine), sorted({one.why.value for one in stones})

    assert simulate(scenario, seed=10) == (40, {}, ["departed"])


def test_much_gone_at_once_waits_for_a_person(tmp_path: Path) -> None:
    """However it goes, nothing goes into the trash before `approve`; then all that was listed."""

    async def scenario() -> tuple[int, str, str, int, dict[str, str]]:
        stage = Stage(11, tmp_path)
        async with stage.daemon(_setup(stage)) as engine:
            await _synced(stage, engine, 100)
            for number in range(30):  # slower than any single listing
                stage.disk.remove(b"d/p%04d.raw" % number)
                await anyio.sleep(5)
            await first_night(stage)
            before, said = _deletions(stage), await status.of(engine, since=0.0)
        async with stage.daemon(_setup(stage)) as engine:  # and a restart forgets nothing of it
            await anyio.sleep(2 * WAIT)
            assert _deletions(stage) == before
            await _approve(engine)
            await anyio.sleep(SOON)
            after = await _problems(engine)
            advice = next(one.advice for one in said.problems if one.what == "deletions")
            return before, said.folders[0].state, advice, len(_trashed(stage)), after

    before, state, advice, trashed, after = simulate(scenario, seed=11)
    assert (before, state, trashed, after) == (0, "waiting", 30, {})
    assert "30" in advice
    assert "immich-sync approve photos" in advice


def test_a_breaker_resets_when_all_is_back(tmp_path: Path) -> None:
    """A subdirectory that was away for hours asks for no word; one that is deleted later does."""

    async def scenario() -> tuple[bool, dict[str, str], int, int]:
        stage = Stage(12, tmp_path)
        async with stage.daemon(_setup(stage)) as engine:
            await _synced(stage, engine, 40)
            away = {one: stage.disk.files.pop(one) for one in list(stage.disk.files)[:20]}
            stage.disk.overflow()
            await first_night(stage)
            tripped = "deletions" in await _problems(engine)
            stage.disk.files.update(away)
            stage.disk.overflow()
            await anyio.sleep(WAIT)
            back = await _problems(engine)
            stage.disk.remove(b"d/p0001.raw")
            await anyio.sleep(WAIT + SOON)
            return tripped, back, _deletions(stage), len(_trashed(stage))

    assert simulate(scenario, seed=12) == (True, {}, 1, 1)


def test_half_of_it_back_is_no_word(tmp_path: Path) -> None:
    """While a backup is being put back, what is not there yet is not deleted."""

    async def scenario() -> int:
        stage = Stage(13, tmp_path)
        async with stage.daemon(_setup(stage)) as engine:
            await _synced(stage, engine, 40)
            names = list(stage.disk.files)[:20]
            away = {one: stage.disk.files.pop(one) for one in names}
            stage.disk.overflow()
            await anyio.sleep(2 * WAIT)
            stage.disk.files.update({one: away[one] for one in names[:15]})
            stage.disk.overflow()
            await first_night(stage)
            return _deletions(stage)

    assert simulate(scenario, seed=13) == 0


def test_a_server_without_a_trash_is_told_nothing(tmp_path: Path) -> None:
    """What it is told to delete would be gone for good: `status` says so instead."""

    async def scenario() -> tuple[int, bool]:
        stage = Stage(14, tmp_path)
        stage.server.trash = False
        async with stage.daemon(_setup(stage)) as engine:
            await _synced(stage, engine, 2)
            stage.disk.remove(b"d/p0001.raw")
            await anyio.sleep(2 * WAIT)
            return _deletions(stage), "keeps no trash" in (await _problems(engine))["not_deleted"]

    assert simulate(scenario, seed=14) == (0, True)


def test_an_answer_that_is_lost_costs_nothing(tmp_path: Path) -> None:
    """The server is asked what came of it."""

    async def scenario() -> tuple[list[str], bool, str]:
        stage = Stage(15, tmp_path)
        rule = stage.faults.add(LostAnswer(), method="DELETE", path="/api/assets")
        async with stage.daemon(_setup(stage)) as engine:
            await _synced(stage, engine, 2)
            stage.disk.remove(b"d/p0001.raw")
            await anyio.sleep(WAIT + 2 * SOON)
            stones = list(read((tmp_path / FILE).read_bytes().splitlines(keepends=True)))
            return _trashed(stage), rule.fired > 0, stones[-1].why.value

    assert simulate(scenario, seed=15) == (["p0001.raw"], True, "departed")


def test_a_death_at_any_moment(tmp_path: Path) -> None:
    """Wherever it dies on its way: the photo ends in the trash, and comes out with its file."""

    def live(folder: str, effects: Effects) -> tuple[int, list[str], list[str]]:
        async def scenario() -> tuple[int, list[str], list[str]]:
            (tmp_path / folder).mkdir()
            stage = Stage(16, tmp_path / folder, effects=effects)
            async with anyio.create_task_group() as tasks:
                stage.start(tasks, _setup(stage))
                assert stage.engine is not None
                await _synced(stage, stage.engine, 2)
                await anyio.sleep(60)
                before = effects.count
                stage.disk.remove(b"d/p0001.raw")
                await anyio.sleep(WAIT + 100)
                if stage.engine is None:
                    stage.start(tasks, _setup(stage))
                    await anyio.sleep(2 * WAIT)
                trashed = _trashed(stage)
                stage.disk.write(b"d/p0001.raw", b"photo 1", stage.clock.now())
                await anyio.sleep(SOON)
                await stage.stop()
            return before, trashed, _alive(stage)

        return simulate(scenario, seed=16)

    whole = Effects(names=[])
    before, *_ = live("whole", whole)
    assert whole.names is not None
    ask = next(n for n, one in enumerate(whole.names, 1) if one.startswith("send DELETE"))
    assert before < ask
    for doomed in range(ask - 12, ask + 9):
        _, trashed, alive = live(str(doomed), Effects(doomed))
        assert (trashed, alive) == (["p0001.raw"], ["p0000.raw", "p0001.raw"]), doomed


def _samples(folder: Path) -> dict[str, bytes]:
    return {one.name: one.read_bytes() for one in copy_samples(folder / "samples")}


async def _live_photo(
    stage: Stage, engine: Engine, samples: dict[str, bytes], *, joined: bool
) -> None:
    """A live photo and another picture are in Immich, which joined the two halves, or did not."""
    await _synced(stage, engine, 1)
    for name in ("IMG_0042.HEIC", "IMG_0042.MOV"):
        stage.disk.write(b"d/" + name.encode(), samples[name], stage.clock.now())
    await until(lambda: len(stored_assets(stage.server)) == 3, within=900)
    await until(lambda: not engine.crew.busy, within=60)
    if joined:
        still, motion = _stored(stage, "IMG_0042.HEIC"), _stored(stage, "IMG_0042.MOV")
        stage.server.assets.put(replace(motion, visibility="hidden"))
        stage.server.assets.put(replace(still, live_photo_video_id=motion.id))


@pytest.mark.parametrize("joined", [False, True])
def test_a_live_photo_goes_as_one(tmp_path: Path, *, joined: bool) -> None:
    """A hidden half is left to Immich, which restores and purges it with its still."""
    samples = _samples(tmp_path)

    async def scenario() -> tuple[list[str], list[str], list[str], dict[str, str]]:
        stage = Stage(20, tmp_path)
        async with stage.daemon(_setup(stage)) as engine:
            await _live_photo(stage, engine, samples, joined=joined)
            stage.disk.remove(b"d/IMG_0042.HEIC")
            await anyio.sleep(2 * WAIT)
            half = _trashed(stage)
            stage.disk.remove(b"d/IMG_0042.MOV")
            await anyio.sleep(2 * WAIT)
            trashed = _trashed(stage)
            _purge(stage)
            await first_night(stage)
            return half, trashed, _alive(stage), await _problems(engine)

    half, trashed, alive, problems = simulate(scenario, seed=20)
    assert (half, alive, problems) == ([], ["p0000.raw"], {})
    assert trashed == (["IMG_0042.HEIC"] if joined else ["IMG_0042.HEIC", "IMG_0042.MOV"])


def test_a_moving_part_alone_is_not_deleted(tmp_path: Path) -> None:
    """While its still lies here, Immich shows both."""
    samples = _samples(tmp_path)

    async def scenario() -> tuple[int, list[str]]:
        stage = Stage(21, tmp_path)
        async with stage.daemon(_setup(stage)) as engine:
            await _live_photo(stage, engine, samples, joined=True)
            stage.disk.remove(b"d/IMG_0042.MOV")
            await first_night(stage)
            return _deletions(stage), _alive(stage)

    assert simulate(scenario, seed=21) == (0, ["IMG_0042.HEIC", "IMG_0042.MOV", "p0000.raw"])


@pytest.mark.parametrize("when", [-30.0, 0.0, 150.0])
def test_a_clock_that_jumps_ahead_shortens_no_wait(tmp_path: Path, when: float) -> None:
    """Ten minutes are over when ten minutes have passed, and a day that was skipped is none."""

    async def scenario() -> tuple[list[str], list[str]]:
        stage = Stage(25, tmp_path)
        async with stage.daemon(_setup(stage)) as engine:
            await _synced(stage, engine, 2)
            if when < 0:
                stage.clock.ahead += DAY
                await anyio.sleep(-when)
            stage.disk.remove(b"d/p0001.raw")
            if when >= 0:
                await anyio.sleep(when)
                stage.clock.ahead += DAY
            await anyio.sleep(WAIT - max(when, 0.0) - 30.0)
            before = _trashed(stage)
            await anyio.sleep(SOON)
            return before, _trashed(stage)

    assert simulate(scenario, seed=25) == ([], ["p0001.raw"])


def test_a_moving_part_that_is_locked_away_keeps_nothing_else(tmp_path: Path) -> None:
    """Of what a person put into the locked folder the server tells no key anything."""
    samples = _samples(tmp_path)

    async def scenario() -> tuple[bool, list[str], list[str], dict[str, str]]:
        stage = Stage(24, tmp_path)
        async with stage.daemon(_setup(stage)) as engine:
            await _live_photo(stage, engine, samples, joined=True)
            await _synced(stage, engine, 1, b"stays")
            locked = Status(400, message="Not found or no asset.read access")
            motion = f"/api/assets/{_stored(stage, 'IMG_0042.MOV').id}"
            rule = stage.faults.add(locked, method="GET", path=motion)
            stage.disk.remove(b"d/IMG_0042.HEIC")
            stage.disk.remove(b"d/IMG_0042.MOV")
            await anyio.sleep(2 * WAIT)
            stage.disk.remove(b"d/p0000.raw")
            await anyio.sleep(2 * WAIT)
            return rule.fired == 1, _trashed(stage), _alive(stage), await _problems(engine)

    trashed = ["IMG_0042.HEIC", "p0000.raw"]
    assert simulate(scenario, seed=24) == (True, trashed, ["IMG_0042.MOV", "s0000.raw"], {})


def test_a_newer_server_is_told_to_delete_nothing(tmp_path: Path) -> None:
    """Whatever it does with a request that we know from its predecessors."""

    async def scenario() -> int:
        stage = Stage(22, tmp_path)
        stage.server.version = (99, 0, 0)
        async with stage.daemon(_setup(stage)) as engine:
            await _synced(stage, engine, 2)
            stage.disk.remove(b"d/p0001.raw")
            await first_night(stage)
            return _deletions(stage)

    assert simulate(scenario, seed=22) == 0


def test_a_paused_folder_deletes_nothing(tmp_path: Path) -> None:
    """Until it is resumed."""

    async def scenario() -> tuple[int, list[str]]:
        stage = Stage(23, tmp_path)
        async with stage.daemon(_setup(stage)) as engine:
            await _synced(stage, engine, 2)
            await Orders(engine).handle(Request("pause"))
            stage.disk.remove(b"d/p0001.raw")
            await first_night(stage)
            paused = _deletions(stage)
            await Orders(engine).handle(Request("resume"))
            await anyio.sleep(SOON)
            return paused, _trashed(stage)

    assert simulate(scenario, seed=23) == (0, ["p0001.raw"])


def test_no_longer_asked_for_is_forgotten(tmp_path: Path) -> None:
    """Once it is "ignore" again, what had gone before stays in Immich."""

    async def scenario() -> int:
        stage = Stage(24, tmp_path)
        async with stage.daemon(_setup(stage)) as engine:
            await _synced(stage, engine, 2)
            stage.disk.remove(b"d/p0001.raw")
            await anyio.sleep(60)
        async with stage.daemon(_setup(stage, on_delete="ignore")):
            await anyio.sleep(60)
        async with stage.daemon(_setup(stage)):
            await first_night(stage)
        return _deletions(stage)

    assert simulate(scenario, seed=24) == 0


def test_a_key_that_may_not_delete_any_more_uploads_all_the_same(tmp_path: Path) -> None:
    """Only the deletions wait, and `status` names the permission."""

    async def scenario() -> tuple[list[str], str]:
        stage = Stage(25, tmp_path)
        async with stage.daemon(_setup(stage)) as engine:
            await _synced(stage, engine, 2)
            stage.disk.remove(b"d/p0001.raw")
            key = stage.server.key_of(KEY)
            assert key is not None
            stage.server.api_keys.put(replace(key, permissions=("asset.upload", "asset.read")))
            await anyio.sleep(2 * WAIT)
            await _synced(stage, engine, 1, of=b"later")
            return _alive(stage), (await _problems(engine))["not_deleted"]

    alive, said = simulate(scenario, seed=25)
    assert alive == ["l0000.raw", "p0000.raw", "p0001.raw"]
    assert "asset.delete" in said


def test_many_go_at_once_after_a_word(tmp_path: Path) -> None:
    """In requests of a hundred, one after the other."""

    async def scenario() -> tuple[int, int]:
        stage = Stage(26, tmp_path)
        async with stage.daemon(_setup(stage)) as engine:
            await _synced(stage, engine, 260)
            for number in range(250):
                stage.disk.remove(b"d/p%04d.raw" % number)
            await anyio.sleep(WAIT + SOON)
            await _approve(engine)
            await anyio.sleep(120)  # the word is followed by a scan
            return len(_trashed(stage)), _deletions(stage)

    assert simulate(scenario, seed=26) == (250, 3)
