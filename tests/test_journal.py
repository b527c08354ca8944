"""Writing in groups."""

from pathlib import Path

import anyio
import pytest

from immich_sync.core.types import Activity
from immich_sync.journal import Journal
from immich_sync.store import report
from immich_sync.store.database import open_database
from immich_sync.store.door import Store
from tests.faults.stage import inline


def _event(name: str) -> Activity:
    return Activity(1.0, name, None)


@pytest.mark.anyio
async def test_a_commit_returns_when_it_and_all_before_it_are_written(tmp_path: Path) -> None:
    """Facts handed over earlier, by anybody, are on the disk by then, in their order."""
    database = open_database(tmp_path / "state.db")
    journal = Journal(Store(database, inline), lambda: 1.0)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(journal.run)
        journal.note(_event("first"))
        with anyio.fail_after(5):
            await journal.commit(_event("second"))
        found = [one.event for one in report.recent(database, limit=10)]
        tasks.cancel_scope.cancel()
    database.close()

    assert found == ["second", "first"]


@pytest.mark.anyio
async def test_what_is_in_hand_at_the_end_is_written_by_the_last_flush(tmp_path: Path) -> None:
    """A journal whose writer was cancelled loses nothing."""
    database = open_database(tmp_path / "state.db")
    journal = Journal(Store(database, inline), lambda: 1.0)
    journal.note(_event("late"))

    await journal.flush()

    found = [one.event for one in report.recent(database, limit=10)]
    database.close()
    assert found == ["late"]
