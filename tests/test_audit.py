"""Days of an engine on a simulated machine, with a person and an accident at the server."""

from contextlib import closing
from dataclasses import replace
from functools import partial
from pathlib import Path

import anyio

from immich_sync import status
from immich_sync.control import Request
from immich_sync.core.folder import Setup
from immich_sync.core.status import Status
from immich_sync.core.tombstones import read
from immich_sync.core.types import AccountId
from immich_sync.engine import Engine
from immich_sync.orders import Orders
from immich_sync.sandbox import Status as Answer
from immich_sync.sandbox import StoredAsset, stored_assets
from immich_sync.sandbox.records import Asset
from immich_sync.store import report
from immich_sync.store.audit import page
from immich_sync.store.database import open_read_only
from immich_sync.store.tombstones import FILE
from tests.faults.mortality import Effects
from tests.faults.stage import KEY, Stage, simulate, until
from tests.nights import DAY, LONG, SCAN_AT, first_night, next_night

CHECKS = "/api/assets/bulk-upload-check"


async def _synced(stage: Stage, engine: Engine, count: int) -> None:
    """So many new files are in Immich."""
    for number in range(count):
        stage.disk.write(b"d/%04d.raw" % number, b"photo %d" % number, stage.clock.now())
    await until(lambda: len(stored_assets(stage.server)) == count, within=900)
    await until(lambda: not engine.crew.busy, within=60)


def _on_the_server(stage: Stage, name: str) -> Asset:
    return next(one for one in stage.server.assets if one.original_file_name == name)


def _trash(stage: Stage, name: str) -> None:
    asset = _on_the_server(stage, name)
    stage.server.assets.put(replace(asset, trashed_at=stage.server.stamp()))


def _restore(stage: Stage, name: str) -> None:
    stage.server.assets.put(replace(_on_the_server(stage, name), trashed_at=None))


def _erase(stage: Stage, name: str) -> None:
    stage.server.erase(_on_the_server(stage, name))


def _wipe(stage: Stage, keep: int = 0) -> None:
    for asset in list(stage.server.assets)[keep:]:
        stage.server.erase(asset)


def _names(stage: Stage) -> list[str]:
    return sorted(one.name for one in stored_assets(stage.server) if not one.trashed)


def _checks(stage: Stage) -> int:
    return sum(one.path.startswith(CHECKS) for one in stage.server.requests)


async def _said(engine: Engine) -> Status:
    return await status.of(engine, since=0.0)


async def _problems(engine: Engine) -> list[tuple[str, str]]:
    return [(one.what, one.path) for one in (await _said(engine)).problems]


def _setup(stage: Stage, trashed: str = "leave") -> Setup:
    """One folder, whose root is looked at seldom, and whose night comes soon."""
    setup = stage.setup()
    folder = replace(setup.folders[0], trashed=trashed, root_check=600.0, scan_at=SCAN_AT)
    return replace(setup, folders=(folder,))


async def _order(engine: Engine, request: Request) -> object:
    return await Orders(engine).handle(request)


def _lose_the_state(folder: Path) -> None:
    for file in folder.glob("state.db*"):
        file.unlink()


APPROVE = Request("approve", folder="photos")


def test_each_day_the_server_is_asked_once_for_what_it_should_have(tmp_path: Path) -> None:
    """And not again by a restart on the same day."""

    async def scenario() -> list[int]:
        stage, asked = Stage(1, tmp_path), []
        async with stage.daemon(_setup(stage)) as engine:
            await _synced(stage, engine, 3)
            await first_night(stage)
            for day in (partial(anyio.sleep, DAY), partial(next_night, stage)):
                before = _checks(stage)
                await day()
                asked.append(_checks(stage) - before)
        before = _checks(stage)
        async with stage.daemon(_setup(stage)):
            await anyio.sleep(60)
        return [*asked, _checks(stage) - before]

    assert simulate(scenario, seed=1) == [1, 1, 0]


def test_a_start_after_a_long_time_asks_at_once(tmp_path: Path) -> None:
    """What was removed while nobody was running is known within a minute."""

    async def scenario() -> tuple[int, list[tuple[str, str]]]:
        stage = Stage(2, tmp_path)
        async with stage.daemon(_setup(stage)) as engine:
            await _synced(stage, engine, 3)
        _erase(stage, "0001.raw")
        await anyio.sleep(2 * DAY)
        before = _checks(stage)
        async with stage.daemon(_setup(stage)) as engine:
            await anyio.sleep(60)
            return _checks(stage) - before, await _problems(engine)

    assert simulate(scenario, seed=2) == (1, [("missing", "/photos/d/0001.raw")])


def test_what_goes_through_the_trash_stays_away_and_is_no_problem(tmp_path: Path) -> None:
    """Trashed, purged, restored: counted from the next morning on, and nothing goes up again."""

    async def scenario() -> list[tuple[int, int, int, list[tuple[str, str]]]]:
        stage, seen = Stage(3, tmp_path), []
        async with stage.daemon(_setup(stage)) as engine:
            await _synced(stage, engine, 4)

            async def morning() -> None:
                await next_night(stage)
                said = await _said(engine)
                folder = said.folders[0]
                counts = folder.verified, folder.trashed, folder.failed
                seen.append((*counts, await _problems(engine)))

            _trash(stage, "0001.raw")
            _trash(stage, "0002.raw")
            await morning()
            _erase(stage, "0001.raw")
            _restore(stage, "0002.raw")
            await morning()
            _erase(stage, "0003.raw")
            await morning()
            lately = await engine.world.store(report.recent, limit=100)
            told = [one.detail for one in lately if one.event == "audited"]
            assert told == ["0 removed, 1 missing, 0 back", "1 removed, 0 missing, 1 back"]
        assert _names(stage) == ["0000.raw", "0002.raw"]
        return seen

    assert simulate(scenario, seed=3) == [
        (2, 2, 0, []),
        (3, 1, 0, []),
        (2, 1, 1, [("missing", "/photos/d/0003.raw")]),
    ]


def test_a_folder_may_list_what_was_trashed(tmp_path: Path) -> None:
    """With `report`, each file is listed while it lies in the trash and after that."""

    async def scenario() -> tuple[list[tuple[str, str]], list[tuple[str, str]]]:
        stage = Stage(4, tmp_path)
        async with stage.daemon(_setup(stage, "report")) as engine:
            await _synced(stage, engine, 2)
            _trash(stage, "0001.raw")
            await next_night(stage)
            trashed = await _problems(engine)
            _erase(stage, "0001.raw")
            await next_night(stage)
            return trashed, await _problems(engine)

    path = "/photos/d/0001.raw"
    assert simulate(scenario, seed=4) == ([("trashed", path)], [("removed", path)])


def test_a_folder_may_take_its_photos_out_of_the_trash(tmp_path: Path) -> None:
    """With `restore`, they are out of it the next morning, proved, and in their album."""

    async def scenario() -> tuple[list[StoredAsset], int, bytes]:
        stage = Stage(5, tmp_path)
        async with stage.daemon(_setup(stage, "restore")) as engine:
            await _synced(stage, engine, 3)
            _trash(stage, "0001.raw")
            await next_night(stage)
            verified = (await _said(engine)).folders[0].verified
        return stored_assets(stage.server), verified, (tmp_path / FILE).read_bytes()

    assets, verified, tombstones = simulate(scenario, seed=5)

    assert [(one.trashed, one.albums) for one in assets] == [(False, ("d",))] * 3
    assert verified == 3
    assert [line.count(b'"back"') for line in tombstones.splitlines()] == [0, 1]


def test_an_audit_waits_for_a_server_that_is_down(tmp_path: Path) -> None:
    """It costs the server no more than its probes, and is made up for when it is back."""

    async def scenario() -> tuple[int, list[tuple[str, str]]]:
        stage = Stage(6, tmp_path)
        async with stage.daemon(_setup(stage)) as engine:
            await _synced(stage, engine, 3)
            _erase(stage, "0000.raw")
            busy = stage.faults.add(Answer(503))
            await first_night(stage)
            stage.faults.remove(busy)
            await until(lambda: engine.links["default"].immich.gate.trouble is None, within=1900)
            await anyio.sleep(60)
            return busy.fired, await _problems(engine)

    fired, problems = simulate(scenario, seed=6)

    assert 1 < fired <= LONG / 30 + 2
    assert problems == [("missing", "/photos/d/0000.raw")]


def test_a_scan_that_a_person_orders_audits_too(tmp_path: Path) -> None:
    """What the server lost is known within minutes, and not the next morning."""

    async def scenario() -> list[tuple[str, str]]:
        stage = Stage(9, tmp_path)
        async with stage.daemon(_setup(stage)) as engine:
            await _synced(stage, engine, 3)
            _erase(stage, "0000.raw")
            await _order(engine, Request("scan"))
            await anyio.sleep(300)
            return await _problems(engine)

    assert simulate(scenario, seed=9) == [("missing", "/photos/d/0000.raw")]


async def _doubtful(stage: Stage, engine: Engine) -> None:
    """The server was emptied, and a night is over."""
    await _synced(stage, engine, 30)
    _wipe(stage)
    await next_night(stage)


def test_an_emptied_server_is_filled_again_only_when_approved(tmp_path: Path) -> None:
    """Nothing goes up and nothing is buried before; then everything, and nothing is read twice."""

    async def scenario() -> tuple[Status, list[str], int, int]:
        stage = Stage(7, tmp_path)
        async with stage.daemon(_setup(stage)) as engine:
            await _doubtful(stage, engine)
            stage.disk.write(b"d/new.raw", b"a new one", stage.clock.now())
            await anyio.sleep(LONG)
            await next_night(stage)
            said, names = await _said(engine), _names(stage)
            assert not (tmp_path / FILE).exists()
            opens = stage.disk.opens
            await _order(engine, APPROVE)
            await until(lambda: len(_names(stage)) == 31, within=600)
            await until(lambda: not engine.crew.busy, within=60)
            verified = (await _said(engine)).folders[0].verified
            return said, names, stage.disk.opens - opens, verified

    said, names, opens, verified = simulate(scenario, seed=7)

    assert names == []
    assert said.folders[0].state == "unapproved"
    [problem] = said.problems
    assert problem.what == "doubtful_server"
    assert "30 of 30 photos" in problem.advice
    assert "immich-sync approve photos" in problem.advice
    assert opens == 30 + 2  # each for its upload, and the new one to be read before
    assert verified == 31


def test_an_emptied_server_may_have_been_emptied_on_purpose(tmp_path: Path) -> None:
    """`approve --removed`: nothing goes up, not even with the state gone; new files do."""

    async def scenario() -> tuple[list[str], list[str]]:
        stage = Stage(8, tmp_path)
        async with stage.daemon(_setup(stage)) as engine:
            await _doubtful(stage, engine)
            follows = await _order(engine, replace(APPROVE, removed=True))
            assert follows == {"photos": ["what the server lost counts as removed on purpose"]}
            stage.disk.write(b"d/new.raw", b"a new one", stage.clock.now())
            await until(lambda: _names(stage) == ["new.raw"], within=600)
            folder = (await _said(engine)).folders[0]
            assert (folder.state, folder.trashed, folder.verified) == ("watching", 30, 1)
            before = _names(stage)
        _lose_the_state(tmp_path)
        async with stage.daemon(_setup(stage)) as engine:
            await until(engine.audited, within=60)
            await anyio.sleep(600)
            assert (await _said(engine)).folders[0].trashed == 30
            return before, _names(stage)

    assert simulate(scenario, seed=8) == (["new.raw"], ["new.raw"])


def test_a_doubt_survives_a_restart_and_ends_when_the_server_is_mended(tmp_path: Path) -> None:
    """A database that was not mounted is: within an hour all goes on, and nothing was sent."""

    async def scenario() -> tuple[str, int, int]:
        stage = Stage(9, tmp_path)
        async with stage.daemon(_setup(stage)) as engine:
            await _synced(stage, engine, 30)
            assets = list(stage.server.assets)
            uploads = _uploads(stage)
            for asset in assets:
                stage.server.assets.drop(asset.id)
                del stage.server._by_checksum[asset.owner_id, asset.checksum]
            await next_night(stage)
        async with stage.daemon(_setup(stage)) as engine:
            await anyio.sleep(600)
            doubted = (await _said(engine)).folders[0].state
            for asset in assets:
                stage.server.add_asset(asset)
            await anyio.sleep(3700)
            folder = (await _said(engine)).folders[0]
            assert folder.state == "watching"
            return doubted, folder.verified, _uploads(stage) - uploads

    assert simulate(scenario, seed=9) == ("unapproved", 30, 0)


def test_an_emptied_server_is_noticed_at_work(tmp_path: Path) -> None:
    """When many known files are touched and all are gone, the audit does not wait for the night."""

    async def scenario() -> tuple[str, int, int]:
        stage = Stage(10, tmp_path)
        async with stage.daemon(_setup(stage)) as engine:
            await _synced(stage, engine, 40)
            _wipe(stage)
            await anyio.sleep(700)  # until the server's word is not fresh any more
            for number in range(40):
                stage.disk.rename(b"d/%04d.raw" % number, b"e/%04d.raw" % number, stage.clock.now())
            await anyio.sleep(300)
            state = (await _said(engine)).folders[0].state
            sent = len(_names(stage))
            await _order(engine, APPROVE)
            await until(lambda: len(_names(stage)) == 40, within=600)
            await until(lambda: not engine.crew.busy, within=60)
            said = await _said(engine)
            assert said.problems == ()
            return state, sent, said.folders[0].verified

    assert simulate(scenario, seed=10) == ("unapproved", 0, 40)


def test_an_older_backup_is_healed_by_checks_alone(tmp_path: Path) -> None:
    """What it still has is not sent again; what it has not, is, after a person's word."""

    async def scenario() -> tuple[int, int]:
        stage = Stage(11, tmp_path)
        async with stage.daemon(_setup(stage)) as engine:
            await _synced(stage, engine, 60)
            _wipe(stage, keep=35)
            await next_night(stage)
            assert (await _said(engine)).folders[0].state == "unapproved"
            uploads, opens = _uploads(stage), stage.disk.opens
            await _order(engine, APPROVE)
            await until(lambda: len(_names(stage)) == 60, within=600)
            await until(lambda: not engine.crew.busy, within=60)
            return _uploads(stage) - uploads, stage.disk.opens - opens

    assert simulate(scenario, seed=11) == (25, 25)


def test_what_was_trashed_before_the_server_was_emptied_stays_away(tmp_path: Path) -> None:
    """A person's decision outlives the accident that came after it."""

    async def scenario() -> list[str]:
        stage = Stage(12, tmp_path)
        async with stage.daemon(_setup(stage)) as engine:
            await _synced(stage, engine, 30)
            _trash(stage, "0007.raw")
            await next_night(stage)
            _wipe(stage)
            await next_night(stage)
            await _order(engine, APPROVE)
            await until(lambda: len(_names(stage)) == 29, within=600)
            await anyio.sleep(600)
        return _names(stage)

    assert "0007.raw" not in simulate(scenario, seed=12)


def _uploads(stage: Stage) -> int:
    return sum((one.method, one.path) == ("POST", "/api/assets") for one in stage.server.requests)


def _another_user(stage: Stage) -> None:
    """The server was set up anew: the key belongs to somebody who has nothing there."""
    _wipe(stage)
    old = stage.server.key_of(KEY)
    assert old is not None
    stage.server.drop_key(old)
    user = stage.server.add_user("new@immich.test", "new", "password")
    stage.server.add_key(user.id, "key", ("all",), KEY)


def test_another_user_gets_all_but_what_was_removed(tmp_path: Path) -> None:
    """Noticed at the start, and after a person's word healed by checks and uploads alone."""

    async def scenario() -> tuple[str, list[str], int]:
        stage = Stage(13, tmp_path)
        async with stage.daemon(_setup(stage)) as engine:
            await _synced(stage, engine, 4)
            _trash(stage, "0001.raw")
            await next_night(stage)
            _erase(stage, "0001.raw")
            _erase(stage, "0002.raw")
            await next_night(stage)
        _another_user(stage)
        async with stage.daemon(_setup(stage)) as engine:
            await anyio.sleep(60)
            [problem] = [one for one in (await _said(engine)).problems if one.what != "missing"]
            opens = stage.disk.opens
            await _order(engine, APPROVE)
            await until(lambda: len(_names(stage)) == 3, within=600)
            await until(lambda: not engine.crew.busy, within=60)
            opens = stage.disk.opens - opens
            stage.disk.rename(b"d/0001.raw", b"d/renamed.raw", stage.clock.now())
            await anyio.sleep(600)
            assert (await _said(engine)).folders[0].trashed == 1
            return problem.what, _names(stage), opens

    assert simulate(scenario, seed=13) == (
        "other_user",
        ["0000.raw", "0002.raw", "0003.raw"],
        3,
    )


def _known_to_be_away(path: Path) -> set[bytes]:
    """What the state says to be in the trash or gone."""
    with closing(open_read_only(path / "state.db")) as database:
        account = AccountId(1)
        return {
            one.checksum
            for one in page(database, account, b"", 99)
            if one.trashed_at is not None or one.removed_at is not None
        }


def _buried(path: Path) -> set[bytes]:
    """What the tombstones say to be away."""
    file = path / FILE
    lines = file.read_bytes().splitlines() if file.exists() else []
    return {one.checksum for one in read(lines)}


def test_a_tombstone_is_there_before_the_state_says_so(tmp_path: Path) -> None:
    """Whatever the moment of death, the state alone never knows that something is away."""

    async def scenario(path: Path, effects: Effects) -> None:
        stage = Stage(14, path, effects=effects)
        async with anyio.create_task_group() as tasks:
            stage.start(tasks, _setup(stage))
            assert stage.engine is not None
            await _synced(stage, stage.engine, 3)
            _trash(stage, "0001.raw")
            _erase(stage, "0002.raw")
            await next_night(stage)
            await stage.kill()

    def die(name: str, effects: Effects) -> tuple[set[bytes], set[bytes]]:
        path = tmp_path / name
        path.mkdir()
        simulate(partial(scenario, path, effects), seed=14)
        return _known_to_be_away(path), _buried(path)

    whole = Effects(names=[])
    known, buried = die("whole", whole)
    assert whole.names is not None
    asked = max(n for n, name in enumerate(whole.names, 1) if "bulk-upload-check" in name)
    ends = [die(str(n), Effects(n)) for n in range(asked, asked + 16)]

    assert len(known) == 2
    assert known == buried
    assert all(known <= buried for known, buried in ends)
    assert {(len(known), len(buried)) for known, buried in ends} == {(0, 0), (0, 2), (2, 2)}
