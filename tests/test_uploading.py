"""One upload by hand, from within: pauses, and how many files are read at once."""

import threading
from collections.abc import AsyncIterator, Callable
from contextlib import closing
from pathlib import Path
from typing import ParamSpec, TypeVar

import pytest

from immich_sync.core.errors import (
    FileChanged,
    FileTrouble,
    FileUnreadable,
    FileVanished,
    Full,
    Maintenance,
    NotImmich,
    Overloaded,
    Refused,
    Rejected,
    Suspected,
    SyncTrouble,
    TooLarge,
    Unreachable,
    Untrusted,
)
from immich_sync.core.folder import Account, Limits
from immich_sync.core.ports import Lane
from immich_sync.core.types import Secret
from immich_sync.filesystem.digest import digest
from immich_sync.filesystem.disk import LocalDisk
from immich_sync.filesystem.scan import Policy
from immich_sync.flights import Flights
from immich_sync.immich.check import checker
from immich_sync.immich.client import connect
from immich_sync.joining import Joiner
from immich_sync.journal import Journal
from immich_sync.machine import Threads, WallClock
from immich_sync.patience import pause
from immich_sync.picking import Choice, starts
from immich_sync.progress import Silent
from immich_sync.sandbox import Sandbox
from immich_sync.serving import serving
from immich_sync.sorting import Learnt
from immich_sync.store import accounts
from immich_sync.store.database import open_database
from immich_sync.store.door import Store
from immich_sync.uploading import Server, Upload, Wish
from immich_sync.world import World
from tests.library import write_photo

T = TypeVar("T")
P = ParamSpec("P")


@pytest.mark.parametrize(
    ("trouble", "waits"),
    [
        (FileVanished("x"), [None]),
        (FileUnreadable("x"), [None]),
        (Rejected("x"), [None]),
        (TooLarge("x"), [None]),
        (Refused("x"), [None]),
        (NotImmich("x"), [None]),
        (Untrusted("x"), [None]),
        (Full("x"), [None]),
        (FileChanged("x"), [0.5, 2.0, 8.0, 10.0, 10.0]),
        (FileTrouble("x"), [0.5, 2.0, 8.0, 10.0, 10.0]),
        (Suspected("x"), [0.5, 2.0, 8.0, 10.0, 10.0]),
        (Unreachable("x"), [0.5, 2.0, 8.0, 10.0, 10.0]),
        (Maintenance("x"), [0.5, 2.0, 8.0, 10.0, 10.0]),
        (Overloaded("x"), [0.5, 2.0, 8.0, 10.0, 10.0]),
        (Overloaded("x", retry_after=7.0), [7.0, 7.0]),
        (Overloaded("x", retry_after=3600.0), [30.0]),
    ],
)
def test_pauses(trouble: SyncTrouble, waits: list[float | None]) -> None:
    """What may pass is tried again after growing pauses; what will not is given up at once."""
    assert [pause(trouble, attempt, jitter=0.5) for attempt in range(1, len(waits) + 1)] == waits


def test_the_longest_wait_of_all_is_bounded() -> None:
    """However many tries there were, and whatever the chance, a pause has its limits."""
    assert pause(Unreachable("x"), 1_000, jitter=0.0) == 7.5
    assert pause(Unreachable("x"), 1_000, jitter=1.0) == 12.5


class TwoAtOnce:
    """Threads in which a file is only read while another one is being read."""

    def __init__(self) -> None:
        self._threads = Threads()
        self._barrier = threading.Barrier(2)

    async def __call__(
        self, lane: Lane, function: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs
    ) -> T:
        """What `function` returns; reading waits for company, and gives up after ten seconds."""

        def accompanied(*args: P.args, **kwargs: P.kwargs) -> T:
            if function is digest:
                self._barrier.wait(10)
            return function(*args, **kwargs)

        return await self._threads(lane, accompanied, *args, **kwargs)


@pytest.fixture
async def sandbox() -> AsyncIterator[Sandbox]:
    """A server of this test's own."""
    async with Sandbox() as server:
        yield server


@pytest.mark.anyio
async def test_files_are_read_side_by_side(sandbox: Sandbox, tmp_path: Path) -> None:
    """Row 13: files are hashed in parallel, within what their disk bears."""
    photos, clock, blocking = tmp_path / "photos", WallClock(), TwoAtOnce()
    for number in range(4):
        write_photo(photos, f"{number}.jpg")
    account = Account("test", sandbox.url, Secret(sandbox.api_key))
    learnt = Learnt()
    with closing(open_database(tmp_path / "state.db")) as database:
        store = Store(database, blocking, patient=False)
        journal = Journal(store, clock.now, learnt.hear)
        world = World(clock, blocking, LocalDisk(), store, journal)
        async with connect(account, Limits(), clock) as immich:
            account_id = await store(accounts.ensure_account, sandbox.url, "me")
            server = Server(
                account_id, immich, checker(immich),
                Joiner(account_id, immich, store, journal), Flights(),
            )  # fmt: skip
            wish = Wish(Choice(Policy()), hash_threads=2)
            upload = Upload(wish, server, world, learnt, Silent())
            async with serving(journal.run, server.checker.run, server.joiner.run):
                result = await upload.run(*starts(photos))

    assert result.stats.uploaded == 4
