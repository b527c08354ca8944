"""A restored ledger on a simulated machine: nothing is deleted on its word."""

import sqlite3
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import anyio

from immich_sync.core.folder import Setup
from immich_sync.engine import Engine
from immich_sync.sandbox import Status as Answer
from immich_sync.sandbox import stored_assets
from immich_sync.store.backup import write_backup
from immich_sync.store.restoring import restore
from tests.faults.stage import Stage, simulate, until
from tests.nights import LONG, SCAN_AT, first_night, next_night

CHECKS = "/api/assets/bulk-upload-check"


def _setup(stage: Stage) -> Setup:
    """A folder whose deletions reach Immich."""
    setup = stage.setup()
    return replace(
        setup,
        folders=(replace(setup.folders[0], on_delete="trash", root_check=600.0, scan_at=SCAN_AT),),
    )


async def _synced(stage: Stage, engine: Engine, count: int) -> None:
    for number in range(count):
        stage.disk.write(b"d/%04d.raw" % number, b"photo %d" % number, stage.clock.now())
    await until(lambda: len(stored_assets(stage.server)) == count, within=900)
    await until(lambda: not engine.crew.busy, within=60)


def _trashed(stage: Stage) -> list[str]:
    return sorted(one.name for one in stored_assets(stage.server) if one.trashed)


def _marks(stage: Stage) -> tuple[int, int, int]:
    """Accounts and folders that are restored, and departures."""
    with closing(sqlite3.connect(stage.state)) as connection:
        accounts, folders, departed = (
            int(connection.execute(f"SELECT count(*) FROM {table}").fetchone()[0])  # noqa: S608 -- our own words
            for table in (
                "account WHERE restored_at IS NOT NULL",
                "folder WHERE restored_at IS NOT NULL",
                "departed WHERE state IN ('waiting', 'meant')",
            )
        )
        return accounts, folders, departed


def test_what_went_before_a_restore_is_trashed_by_nobody(tmp_path: Path) -> None:
    """Neither what waited to be when the backup was made, nor what went unseen after it.

    Whether these were deleted, moved or tidied away, nobody knows. What is deleted later counts.
    """

    async def scenario() -> tuple[list[list[str]], list[tuple[int, int, int]]]:
        stage, trashed, marks = Stage(1, tmp_path / "stage"), [], []
        setup = _setup(stage)
        async with stage.daemon(setup) as engine:
            await _synced(stage, engine, 30)
            await first_night(stage)
            stage.disk.remove(b"d/0000.raw")
            await until(lambda: _marks(stage)[2] == 1, within=300)
            write_backup(stage.path, tmp_path / "kept.tar", now=stage.clock.now(), version="1")
        stage.disk.remove(b"d/0001.raw")
        restore(stage.path, tmp_path / "kept.tar", now=stage.clock.now())
        marks.append(_marks(stage))
        async with stage.daemon(setup):
            await anyio.sleep(LONG)
            await next_night(stage)
            marks.append(_marks(stage))
            trashed.append(_trashed(stage))
            stage.disk.remove(b"d/0002.raw")
            await anyio.sleep(LONG)
            trashed.append(_trashed(stage))
        return trashed, marks

    (tmp_path / "stage").mkdir()
    trashed, marks = simulate(scenario, seed=1)

    assert trashed == [[], ["0002.raw"]]
    assert marks == [(1, 1, 0), (0, 0, 0)]


def test_until_the_audit_nothing_is_deleted(tmp_path: Path) -> None:
    """While the server cannot be asked what is still true, the ledger is what it was: old."""

    async def scenario() -> tuple[list[str], str | None, list[str]]:
        stage = Stage(2, tmp_path / "stage")
        setup = _setup(stage)
        async with stage.daemon(setup) as engine:
            await _synced(stage, engine, 30)
            write_backup(stage.path, tmp_path / "kept.tar", now=stage.clock.now(), version="1")
        restore(stage.path, tmp_path / "kept.tar", now=stage.clock.now())
        refusing = stage.faults.add(Answer(503), path=CHECKS)
        async with stage.daemon(setup) as engine:
            await until(lambda: _marks(stage)[:2] == (1, 0), within=60)
            stage.disk.remove(b"d/0003.raw")
            await first_night(stage)
            early, why = _trashed(stage), engine.links["default"].deletions_forbidden
            stage.faults.remove(refusing)
            await anyio.sleep(LONG)
            return early, why, _trashed(stage)

    (tmp_path / "stage").mkdir()
    early, why, later = simulate(scenario, seed=2)

    assert early == []
    assert why is not None
    assert "restored from a backup" in why
    assert later == ["0003.raw"]
