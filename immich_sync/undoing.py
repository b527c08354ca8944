"""Brings back what cleanup took: out of quarantine, to its place, with all that went along.

Its own module because it works with the daemon, under its lock, and without one.
"""

from collections.abc import Iterable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path

from immich_sync.aside import finish, restore, say, shown_aside
from immich_sync.core.errors import FileTrouble, Misconfigured
from immich_sync.core.folder import Folder, Setup
from immich_sync.core.naming import shown
from immich_sync.core.ports import Lane
from immich_sync.core.types import FolderId, below
from immich_sync.filesystem.disk import LocalDisk
from immich_sync.journal import Journal
from immich_sync.machine import Threads, WallClock
from immich_sync.store import accounts, cleanups
from immich_sync.store.cleanups import Cleaned, State
from immich_sync.store.database import STATE_FILE, lock_state, open_database
from immich_sync.store.door import Store
from immich_sync.store.holdings import folder_at
from immich_sync.world import World


@dataclass(frozen=True, slots=True)
class Undone:
    """What became of one file; `note` is a sentence for people if it is not back."""

    path: str
    back: bool
    note: str = ""


@dataclass(frozen=True, slots=True)
class Wish:
    """What is to come back: these paths and all below them, or all since then, or both."""

    paths: tuple[bytes, ...] = ()  # absolute
    since: float | None = None  # wall-clock seconds

    def takes(self, folder: Folder, row: Cleaned) -> bool:
        """Whether the file is meant."""
        if self.since is not None and row.at < self.since:
            return False
        path = _path(folder, row)
        return not self.paths or any(
            path == one or path.startswith(one.rstrip(b"/") + b"/") for one in self.paths
        )


async def undo(world: World, folders: Mapping[FolderId, Folder], wish: Wish) -> list[Undone]:
    """Bring back what is meant, as far as it can be; never over something else.

    Nobody else takes files away, or brings them back, meanwhile. Raises Misconfigured if nothing
    is meant.
    """
    told: list[Undone] = []
    for folder_id, folder in folders.items():
        lane = Lane(f"undo {folder.name}", 1)
        rows = [
            row for row in await world.store(cleanups.away, folder_id) if wish.takes(folder, row)
        ]
        if not rows:
            continue
        there = await world.blocking(lane, world.disk.identify, folder.root)
        if there is None or str(there) != await world.store(accounts.identity, folder_id):
            told += [Undone(shown(_path(folder, row)), back=False, note=_OFFLINE) for row in rows]
            continue
        await finish(world, folder, folder_id, lane)
        seen: set[int] = set()
        for row in reversed(rows):
            if row.unit not in seen:
                seen.add(row.unit)
                unit = await world.store(cleanups.unit_of, row)
                told += [await _undo(world, folder, one, lane) for one in unit]
    if not told:
        raise Misconfigured("Nothing was cleaned away there that could be brought back.")
    return sorted(told, key=lambda one: one.path)


async def undo_alone(setup: Setup, wish: Wish) -> list[Undone]:
    """The same where no daemon runs. Raises Misconfigured if one does, StateTrouble."""
    state = Path(setup.state)
    if not (state / STATE_FILE).exists():
        raise Misconfigured("Nothing was cleaned away yet: there is no state.")
    with lock_state(state), closing(open_database(state / STATE_FILE)) as database:
        clock, blocking = WallClock(), Threads()
        store = Store(database, blocking, patient=False)
        world = World(clock, blocking, LocalDisk(), store, Journal(store, clock.now))
        folders: dict[FolderId, Folder] = {}
        for folder in setup.folders:
            known = await store(folder_at, folder.root)
            if known is not None:
                folders[known] = folder
        return await undo(world, folders, wish)


async def _undo(world: World, folder: Folder, row: Cleaned, lane: Lane) -> Undone:
    path = shown(_path(folder, row))
    if row.state is State.UNDONE:
        return Undone(path, back=True)
    if row.state is not State.QUARANTINED:
        return Undone(path, back=False, note=_gone(row))
    await world.store(cleanups.intend, [replace(row, state=State.UNDOING)])
    try:
        await restore(world, folder, row, lane)
    except FileTrouble as trouble:
        await world.store(cleanups.settle, row)
        return Undone(path, back=False, note=f"{trouble} It lies at {shown_aside(row)}.")
    await say(world, folder, replace(row, state=State.UNDONE, note=""))
    return Undone(path, back=True)


def _gone(row: Cleaned) -> str:
    what = (
        "A sidecar that was deleted here is in Immich with its photo"
        if row.sidecar
        else ("It was deleted here; Immich has it")
    )
    return f"{what}: immich-sync download {row.asset_id} --out DIRECTORY"


def _path(folder: Folder, row: Cleaned) -> bytes:
    return below(folder.root.rstrip(b"/"), row.place.relative)


_OFFLINE = "Its folder is not there, or is another one: is its disk mounted?"


def counted(told: Iterable[Undone]) -> tuple[Sequence[Undone], Sequence[Undone]]:
    """Those that are back, and those that are not."""
    found = list(told)
    return [one for one in found if one.back], [one for one in found if not one.back]
