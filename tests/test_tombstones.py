"""What people took out of Immich, in memory and on the disk."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from pathlib import Path

import pytest

from immich_sync.core.tombstones import Why
from immich_sync.core.types import AccountId, Checksum, Hold
from immich_sync.machine import Threads
from immich_sync.store import accounts
from immich_sync.store.database import Database, open_database
from immich_sync.store.door import Store
from immich_sync.store.tombstones import FILE
from immich_sync.tombstones import Tombstones

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
