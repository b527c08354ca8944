"""What people took out of Immich, in memory and on the disk."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from dataclasses import replace
from functools import partial
from pathlib import Path

import anyio
import pytest

from immich_sync.core.tombstones import Why
from immich_sync.core.types import AccountId, Checksum, Hold
from immich_sync.machine import Threads
from immich_sync.sandbox import stored_assets
from immich_sync.store import accounts, tombstones
from immich_sync.store.database import Database, open_beside, open_database
from immich_sync.store.door import Store
from immich_sync.store.tombstones import FILE
from immich_sync.tombstones import Tombstones
from tests.faults.stage import Stage, simulate, until

ONE, TWO = Checksum(b"\x01" * 20), Checksum(b"\x02" * 20)


@asynccontextmanager
async def opened(state: Path) -> AsyncIterator[tuple[Tombstones, AccountId]]:
    """The tombstones of one account beside a state of its own."""
    database: Database = open_database(state / "state.db")
    with closing(database):
        store = Store(database, Threads())
        account = await store(accounts.ensure_account, "http://nas:2283", "anna")
        stones = Tombstones(store, lambda: 1_000_000.0)
        await stones.open(account)
        yield stones, account


@pytest.mark.anyio
async def test_a_restart_finds_what_was_written(tmp_path: Path) -> None:
    """And what was revoked is not found; with the state gone in between, it is the same."""
    async with opened(tmp_path) as (stones, account):
        await stones.write(account, [ONE, TWO], Why.TRASHED)
        await stones.write(account, [ONE], Why.WANTED)
        before = stones.hold(account, ONE), stones.hold(account, TWO)
    async with opened(tmp_path) as (stones, account):
        restarted = stones.hold(account, ONE), stones.hold(account, TWO)
    for file in ("state.db", "state.db-wal", "state.db-shm"):
        (tmp_path / file).unlink(missing_ok=True)
    async with opened(tmp_path) as (stones, account):
        alone = set(stones.all(account))

    assert before == restarted == (None, Hold.REMOVED)
    assert alone == {TWO}


@pytest.mark.anyio
async def test_nothing_is_said_twice(tmp_path: Path) -> None:
    """What is noticed again, and what was never there to be revoked, costs the disk nothing."""
    async with opened(tmp_path) as (stones, account):
        for why in (Why.BACK, Why.TRASHED, Why.REMOVED, Why.MISSING, Why.TRASHED):
            await stones.write(account, [ONE], why)

    assert (tmp_path / FILE).read_bytes().count(b"\n") == 1


@pytest.mark.anyio
@pytest.mark.parametrize("why", [Why.TRASHED, Why.REMOVED, Why.MISSING, Why.DEPARTED])
async def test_what_another_program_revokes_is_not_acted_on(tmp_path: Path, why: Why) -> None:
    """An upload by hand beside the daemon revokes a tombstone that the daemon has in memory."""
    async with opened(tmp_path) as (daemon, account):
        await daemon.write(account, [ONE, TWO], why)
        async with opened(tmp_path) as (by_hand, same):
            await by_hand.write(same, [ONE], Why.BACK)
        await daemon.follow(account, [ONE])
        after = daemon.hold(account, ONE), daemon.departed(account, ONE)
        others = set(daemon.all(account))

    assert after == (None, False)
    assert others == {TWO}


@pytest.mark.anyio
async def test_what_is_taken_out_again_is_written_again(tmp_path: Path) -> None:
    """Also if the daemon has not heard yet that it was back in between: a restart must know it."""
    async with opened(tmp_path) as (daemon, account):
        await daemon.write(account, [ONE], Why.REMOVED)
        async with opened(tmp_path) as (by_hand, same):
            await by_hand.write(same, [ONE], Why.BACK)
        await daemon.write(account, [ONE], Why.TRASHED)
    async with opened(tmp_path) as (restarted, account):
        hold = restarted.hold(account, ONE)

    assert hold is Hold.REMOVED


@pytest.mark.anyio
async def test_a_line_is_heard_once_it_is_whole(tmp_path: Path) -> None:
    """Half a line of another program says nothing yet, and is not lost; nor is a shorter file."""
    async with opened(tmp_path) as (daemon, account):
        await daemon.write(account, [ONE], Why.REMOVED)
        async with opened(tmp_path) as (by_hand, same):
            await by_hand.write(same, [ONE], Why.BACK)
        file = tmp_path / FILE
        content = file.read_bytes()
        file.write_bytes(content[:-9])
        await daemon.follow(account)
        half = daemon.hold(account, ONE)
        file.write_bytes(content)
        await daemon.follow(account)
        whole = daemon.hold(account, ONE)
        file.write_bytes(content[: content.index(b"\n") + 1])
        await daemon.follow(account)
        shorter = daemon.hold(account, ONE)

    assert (half, whole, shorter) == (Hold.REMOVED, None, Hold.REMOVED)


def test_what_a_person_brought_back_and_took_out_again_stays_out(tmp_path: Path) -> None:
    """We trashed it, an upload by hand beside the daemon revoked that, a person trashed it anew.

    The daemon, whose memory is older than that, does not take it for its own deed when the file
    lies in its folder again.
    """

    async def scenario(*, by_hand: bool) -> list[str]:
        folder_of_state = tmp_path / str(by_hand)
        stage = Stage(3, folder_of_state)
        setup = stage.setup(album=None)
        folder = replace(setup.folders[0], on_delete="trash", delete_after=600.0)

        def person(*, trashes: bool) -> Checksum:
            asset = next(one for one in stage.server.assets if one.original_file_name == "a.raw")
            when = stage.server.stamp() if trashes else None
            stage.server.assets.put(replace(asset, trashed_at=when))
            return Checksum(bytes.fromhex(asset.checksum))

        def trashed() -> list[str]:
            return [one.name for one in stored_assets(stage.server) if one.trashed]

        async with stage.daemon(replace(setup, folders=(folder,))) as engine:
            for name in (b"a.raw", b"b.raw"):
                stage.disk.write(b"d/" + name, name, stage.clock.now())
            await until(lambda: len(stored_assets(stage.server)) == 2, within=900)
            await until(lambda: not engine.crew.busy, within=60)
            stage.disk.remove(b"d/a.raw")
            await until(lambda: trashed() == ["a.raw"], within=900)
            await anyio.sleep(60)
            if by_hand:
                stones = {person(trashes=False): Why.BACK}
                with closing(open_beside(folder_of_state / "state.db")) as database:
                    tombstones.write(database, AccountId(1), stones, stage.clock.now())
                person(trashes=True)
            stage.disk.write(b"d/again.raw", b"a.raw", stage.clock.now())
            await anyio.sleep(180)
            return trashed()

    assert simulate(partial(scenario, by_hand=False), seed=3) == []
    assert simulate(partial(scenario, by_hand=True), seed=3) == ["a.raw"]
