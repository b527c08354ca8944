"""Days on a simulated machine on which a disk is mounted within the folder, and goes away."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import anyio
import pytest

from immich_sync import status
from immich_sync.control import Request
from immich_sync.core.folder import Setup
from immich_sync.core.types import FolderId
from immich_sync.engine import Engine
from immich_sync.orders import Orders
from immich_sync.sandbox import stored_assets
from immich_sync.store import inner
from tests.faults.memory_disk import Volume, volume
from tests.faults.mortality import Effects
from tests.faults.stage import Stage, simulate, until

LONG = 1000.0
"""Seconds within which the folder is scanned, and whatever is due is done."""
WAIT = 60.0
"""Seconds that a file stays gone before that counts."""
USB = b"2020/usb"


def _setup(stage: Stage) -> Setup:
    setup = stage.setup(album=None, scan_every=900.0, on_delete="trash")
    return replace(setup, folders=(replace(setup.folders[0], delete_after=WAIT),))


def _write(stage: Stage, *paths: bytes) -> None:
    for path in paths:
        stage.disk.write(path, b"photo " + path, stage.clock.now() - LONG)


async def _synced(stage: Stage, engine: Engine, count: int) -> None:
    """So many photos are in Immich, and the folder was looked through."""
    await until(lambda: len(stored_assets(stage.server)) == count, within=LONG)
    (intake,) = engine.intakes.values()
    await until(lambda: not engine.crew.busy and intake.is_quiet(), within=LONG)


def _stick(stage: Stage, *names: bytes, identity: str = "stick") -> Volume:
    """A disk that is mounted within the folder by now, with these photos on it."""
    stick = volume(identity, by_device=True)
    stage.disk.mount(USB, stick)
    _write(stage, *(USB + b"/" + name for name in names))
    return stick


def _trashed(stage: Stage) -> list[str]:
    return sorted(one.name for one in stored_assets(stage.server) if one.trashed)


async def _known(engine: Engine) -> int:
    return (await status.of(engine, since=0.0)).folders[0].files


async def _problems(engine: Engine) -> dict[str, str]:
    return {one.what: one.advice for one in (await status.of(engine, since=0.0)).problems}


async def _remembered(engine: Engine) -> list[bytes]:
    return [one.place for one in await engine.world.store(inner.remembered, FolderId(1))]


async def _approve(engine: Engine) -> object:
    return await Orders(engine).handle(Request("approve", folder="photos"))


def test_a_disk_within_a_folder_goes_and_comes(tmp_path: Path) -> None:
    """Nothing of it is gone meanwhile, it is said, and all goes on by itself, unread."""

    async def scenario() -> None:
        stage = Stage(1, tmp_path)
        async with stage.daemon(_setup(stage)) as engine:
            _write(stage, b"home.raw")
            stick = _stick(stage, b"a.raw", b"DCIM/b.raw")
            await _synced(stage, engine, 3)
            read = stage.disk.opens
            stage.disk.mount(USB, None)
            await anyio.sleep(LONG)
            away, told = await _known(engine), await _problems(engine)
            stage.disk.mount(USB, stick)
            await anyio.sleep(LONG)

            assert (away, await _known(engine), _trashed(stage)) == (3, 3, [])
            assert "immich-sync approve photos" in told["mount"]
            assert "mount" not in await _problems(engine)
            assert stage.disk.opens == read

            stage.disk.remove(USB + b"/a.raw")
            await anyio.sleep(LONG)
            assert _trashed(stage) == ["a.raw"]

    simulate(scenario, seed=1)


def test_a_restart_forgets_no_disk(tmp_path: Path) -> None:
    """It went while nobody ran; it is away over two starts."""

    async def scenario() -> None:
        stage = Stage(2, tmp_path)
        async with stage.daemon(_setup(stage)) as engine:
            stick = _stick(stage, b"a.raw", b"DCIM/b.raw")
            _write(stage, b"home.raw")
            await _synced(stage, engine, 3)
        stage.disk.mount(USB, None)
        for _ in range(2):
            async with stage.daemon(_setup(stage)) as engine:
                await anyio.sleep(LONG)
                assert await _known(engine) == 3
                assert "mount" in await _problems(engine)
        stage.disk.mount(USB, stick)
        async with stage.daemon(_setup(stage)) as engine:
            await anyio.sleep(LONG)
            assert (await _known(engine), _trashed(stage)) == (3, [])
            assert "mount" not in await _problems(engine)

    simulate(scenario, seed=2)


@pytest.mark.parametrize("identity", ["another", "stick"])
def test_another_disk_brings_its_own_files(tmp_path: Path, identity: str) -> None:
    """They go up; those of the first are unlisted; neither is deleted when the disks change.

    FAT has no identity of its own: two sticks in one slot look the same but for their files.
    """

    async def scenario() -> None:
        stage = Stage(3, tmp_path)
        async with stage.daemon(_setup(stage)) as engine:
            _write(stage, b"home.raw")
            stick = _stick(stage, b"a.raw", b"DCIM/b.raw")
            await _synced(stage, engine, 3)
            other = _stick(stage, b"c.raw", b"DCIM/d.raw", b"DCIM/e.raw", identity=identity)
            await _synced(stage, engine, 6)
            await anyio.sleep(LONG)
            assert (await _known(engine), _trashed(stage)) == (6, [])
            assert "mount" in await _problems(engine)

            for disk in (stick, None, other, stick):
                stage.disk.mount(USB, disk)
                await anyio.sleep(LONG)
                assert _trashed(stage) == []
            assert "mount" not in await _problems(engine)
            assert await _known(engine) == 3

    simulate(scenario, seed=3)


def test_what_a_mount_covers_is_not_gone(tmp_path: Path) -> None:
    """Files lay in the directory before a disk was mounted there, and lie there afterwards."""

    async def scenario() -> None:
        stage = Stage(4, tmp_path)
        async with stage.daemon(_setup(stage)) as engine:
            _write(stage, b"home.raw", USB + b"/old.raw", USB + b"/older.raw")
            await _synced(stage, engine, 3)
            _stick(stage, b"a.raw", b"b.raw", b"c.raw")
            await _synced(stage, engine, 6)
            await anyio.sleep(LONG)
            read = stage.disk.opens
            assert "mount" in await _problems(engine)
            stage.disk.mount(USB, None)
            await anyio.sleep(LONG)

            assert (await _known(engine), _trashed(stage)) == (3, [])
            assert "mount" not in await _problems(engine)
            assert stage.disk.opens == read

    simulate(scenario, seed=4)


def test_a_disk_that_is_gone_for_good(tmp_path: Path) -> None:
    """A person says so: its files are forgotten, its photos stay, and it may come back."""

    async def scenario() -> None:
        stage = Stage(5, tmp_path)
        async with stage.daemon(_setup(stage)) as engine:
            _write(stage, b"home.raw")
            stick = _stick(stage, b"a.raw", b"DCIM/b.raw")
            await _synced(stage, engine, 3)
            stage.disk.mount(USB, None)
            await anyio.sleep(LONG)
            said = await _approve(engine)
            await anyio.sleep(LONG)
            assert (await _known(engine), _trashed(stage)) == (1, [])
            assert await _problems(engine) == {}
            assert said == {
                "photos": ["2020/usb was taken away for good, and its photos stay in Immich"]
            }
            stage.disk.mount(USB, stick)
            stage.disk.overflow()
            await anyio.sleep(LONG)
            assert (await _known(engine), len(stored_assets(stage.server))) == (3, 3)

    simulate(scenario, seed=5)


def test_deletions_elsewhere_wait_for_it(tmp_path: Path) -> None:
    """What is gone from the folder may have been moved there; what went from it may come back."""

    async def scenario() -> None:
        stage = Stage(6, tmp_path)
        async with stage.daemon(_setup(stage)) as engine:
            _write(stage, b"home.raw", b"moved.raw", b"kept.raw")
            stick = _stick(stage, b"a.raw", b"b.raw")
            await _synced(stage, engine, 5)
            stage.disk.remove(USB + b"/a.raw")
            await anyio.sleep(5.0)
            stage.disk.remove(b"home.raw")
            stick_had = stage.disk.files[b"moved.raw"]
            stage.disk.remove(b"moved.raw")
            stage.disk.mount(USB, None)
            stick.files[USB + b"/moved.raw"] = stick_had
            await anyio.sleep(LONG)
            assert _trashed(stage) == []
            assert "2020/usb is not mounted" in (await _problems(engine))["not_deleted"]
            stage.disk.mount(USB, stick)
            await anyio.sleep(LONG)
            assert _trashed(stage) == ["a.raw", "home.raw"]

    simulate(scenario, seed=6)


def test_what_was_due_waits_for_it(tmp_path: Path) -> None:
    """A worker that finds nothing there tries again, seldom, and forgets nothing."""

    async def scenario() -> None:
        stage = Stage(10, tmp_path)
        async with stage.daemon(_setup(stage)) as engine:
            _write(stage, b"home.raw")
            stick = _stick(stage, b"a.raw", b"b.raw")
            await _synced(stage, engine, 3)
            (folder,) = engine.intakes
            engine.crew.pause(folder)
            stage.disk.rewrite(USB + b"/a.raw", b"touched up", stage.clock.now())
            await anyio.sleep(30.0)
            stage.disk.mount(USB, None)
            engine.crew.resume(folder)
            before = engine.crew.rounds
            await anyio.sleep(LONG)
            assert engine.crew.rounds - before < LONG / 30.0
            assert (await _known(engine), len(stored_assets(stage.server))) == (3, 3)
            stage.disk.mount(USB, stick)
            await _synced(stage, engine, 4)
            assert _trashed(stage) == []

    simulate(scenario, seed=10)


def test_a_disk_upon_a_disk(tmp_path: Path) -> None:
    """Two levels go and come in any order; a person is told of the outer one alone."""

    async def scenario() -> None:
        stage = Stage(7, tmp_path)
        deeper = USB + b"/DCIM/card"
        async with stage.daemon(_setup(stage)) as engine:
            _write(stage, b"home.raw")
            stick = _stick(stage, b"a.raw")
            card = volume("card")
            stage.disk.mount(deeper, card)
            _write(stage, deeper + b"/c.raw", deeper + b"/d.raw")
            await _synced(stage, engine, 4)
            stage.disk.mount(deeper, None)
            stage.disk.mount(USB, None)
            await anyio.sleep(LONG)
            found = (await status.of(engine, since=0.0)).problems
            assert [one.path for one in found if one.what == "mount"] == ["/photos/2020/usb"]
            stage.disk.mount(USB, stick)
            await anyio.sleep(LONG)
            found = (await status.of(engine, since=0.0)).problems
            assert [one.path for one in found if one.what == "mount"] == [
                "/photos/2020/usb/DCIM/card"
            ]
            stage.disk.mount(deeper, card)
            await anyio.sleep(LONG)
            assert (await _known(engine), _trashed(stage)) == (4, [])
            assert "mount" not in await _problems(engine)

    simulate(scenario, seed=7)


def test_an_empty_disk_is_missed_by_nobody(tmp_path: Path) -> None:
    """Nothing was known on it: it goes without a word, and its place is not looked at for ever."""

    async def scenario() -> None:
        stage = Stage(8, tmp_path)
        async with stage.daemon(_setup(stage)) as engine:
            _write(stage, b"home.raw")
            _stick(stage)
            await _synced(stage, engine, 1)
            assert await _remembered(engine) == [USB]
            stage.disk.mount(USB, None)
            stage.disk.removed.add(USB)
            await anyio.sleep(LONG)
            assert await _problems(engine) == {}
            assert await _remembered(engine) == []

    simulate(scenario, seed=8)


def test_a_disk_that_only_carries_another(tmp_path: Path) -> None:
    """Nothing of its own is known on it: another one in its place is missed by nobody."""

    async def scenario() -> None:
        stage = Stage(11, tmp_path)
        deeper = USB + b"/DCIM/card"
        async with stage.daemon(_setup(stage)) as engine:
            _write(stage, b"home.raw")
            _stick(stage)
            card = volume("card")
            stage.disk.mount(deeper, card)
            _write(stage, deeper + b"/c.raw", deeper + b"/d.raw")
            await _synced(stage, engine, 3)
            for bare in (False, True):
                stage.disk.mount(deeper, None)
                stage.disk.mount(USB, None)
                if bare:
                    await anyio.sleep(LONG)
                    assert "mount" in await _problems(engine)
                _stick(stage, identity=f"another, {bare}")
                stage.disk.mount(deeper, card)
                await anyio.sleep(LONG)
                assert "mount" not in await _problems(engine)
                assert (await _known(engine), _trashed(stage)) == (3, [])

    simulate(scenario, seed=11)


def test_two_cards_whose_cameras_count_alike(tmp_path: Path) -> None:
    """Another card's files take the names of the first one's, and do not speak for it."""

    async def scenario() -> None:
        stage = Stage(12, tmp_path)
        ours = [b"IMG_%d.raw" % number for number in range(1, 9)]
        async with stage.daemon(_setup(stage)) as engine:
            _write(stage, b"home.raw")
            first = _stick(stage, *ours)
            await _synced(stage, engine, 9)
            _stick(stage)
            for name in ours[:4]:
                stage.disk.write(USB + b"/" + name, b"another " + name, stage.clock.now() - LONG)
            await _synced(stage, engine, 13)
        async with stage.daemon(_setup(stage)) as engine:
            await anyio.sleep(LONG)
            assert (await _known(engine), _trashed(stage)) == (9, [])
            assert "mount" in await _problems(engine)
            stage.disk.mount(USB, first)
            await anyio.sleep(LONG)
            assert "mount" not in await _problems(engine)
            assert (await _known(engine), _trashed(stage)) == (9, [])

    simulate(scenario, seed=12)


def test_a_card_is_changed_while_its_files_are_due(tmp_path: Path) -> None:
    """Nothing has told of it yet: a worker that misses a file looks closely which card it is."""

    async def scenario() -> None:
        stage = Stage(13, tmp_path)
        async with stage.daemon(_setup(stage)) as engine:
            _write(stage, b"home.raw")
            _stick(stage, b"a.raw", b"b.raw")
            await _synced(stage, engine, 3)
            (folder,) = engine.intakes
            engine.crew.pause(folder)
            stage.disk.rewrite(USB + b"/a.raw", b"touched up", stage.clock.now())
            await anyio.sleep(30.0)
            stage.disk.listening = False
            _stick(stage, b"c.raw")
            stage.disk.listening = True
            engine.crew.resume(folder)
            await anyio.sleep(5.0)
            assert "mount" in await _problems(engine)
            assert await _known(engine) == 3

    simulate(scenario, seed=13)


def test_a_disk_that_was_missed_by_one_look_alone(tmp_path: Path) -> None:
    """It was away while its directory was listed, and back before anybody asked about it."""

    async def scenario() -> None:
        stage = Stage(14, tmp_path)
        async with stage.daemon(_setup(stage)) as engine:
            _write(stage, b"home.raw")
            stick = _stick(stage, b"a.raw", b"b.raw")
            await _synced(stage, engine, 3)
            happening = stage.disk.happening
            backs = [stick]

            def look(what: str) -> None:
                if what == "identify" and backs:
                    stage.disk.listening = False
                    stage.disk.mount(USB, backs.pop())
                    stage.disk.listening = True
                happening(what)

            stage.disk.mount(USB, None)
            stage.disk.happening = look
            await anyio.sleep(10.0)
            assert not backs
            assert await _known(engine) == 3

    simulate(scenario, seed=14)


def test_a_death_at_any_step_forgets_no_disk(tmp_path: Path) -> None:
    """Wherever the process dies while a disk goes and comes, nothing of it is deleted."""

    def play(name: str, effects: Effects, began: Callable[[], None] = lambda: None) -> None:
        async def scenario() -> None:
            path = tmp_path / name
            path.mkdir()
            stage = Stage(9, path, effects=effects)
            async with anyio.create_task_group() as tasks:

                async def revive() -> None:
                    while True:
                        await stage.endings.heard()
                        stage.start(tasks, _setup(stage))

                stage.start(tasks, _setup(stage))
                tasks.start_soon(revive)
                _write(stage, b"home.raw")
                stick = _stick(stage, b"a.raw", b"DCIM/b.raw")
                assert stage.engine is not None
                await _synced(stage, stage.engine, 3)
                began()
                for disk in (None, stick):
                    stage.disk.mount(USB, disk)
                    stage.disk.overflow()
                    await anyio.sleep(200.0)
                assert stage.engine is not None
                assert (await _known(stage.engine), _trashed(stage)) == (3, [])
                tasks.cancel_scope.cancel()

        simulate(scenario, seed=9)

    whole = Effects()
    starts: list[int] = []
    play("whole", whole, lambda: starts.append(whole.count))
    points = range(starts[0] + 1, whole.count, max(1, (whole.count - starts[0]) // 20))
    for doomed in points:
        play(str(doomed), Effects(doomed))

    assert len(points) >= 20
