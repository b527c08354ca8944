"""One upload by hand: what is gathered goes through the pipeline, and each file ends in a list.

Its own module because this is the daemon's work without its patience: nothing waits in a queue,
a few quick tries are all, and at the end everything has an answer.

A file that meets trouble which may pass (the server does not answer or asks for less, an upload
broke, the file is being written) is tried `retries` times in all, see `patience`. A server that
has still not answered then, a refused key and the like end the run: what is left fails with the
same sentence, untried.
"""

import os
from collections.abc import Callable, Sequence
from contextlib import aclosing
from dataclasses import dataclass, replace
from pathlib import Path

import anyio
import structlog
from anyio.streams.memory import MemoryObjectReceiveStream, MemoryObjectSendStream

from immich_sync.coalesce import Coalescer
from immich_sync.core.errors import Rejected, ServerTrouble, StateTrouble, SyncTrouble
from immich_sync.core.folder import Folder
from immich_sync.core.naming import shown
from immich_sync.core.ports import Lane
from immich_sync.core.types import (
    AccountId,
    Asset,
    Checksum,
    Due,
    File,
    FolderId,
    Forgotten,
    Origin,
    Place,
)
from immich_sync.filesystem.digest import digest
from immich_sync.filesystem.disk import LocalDisk
from immich_sync.filesystem.mounts import hash_lane
from immich_sync.flights import Flights
from immich_sync.gathering import Gathered, Gatherer
from immich_sync.immich.check import Presence, UnsupportedFormat
from immich_sync.immich.client import Immich
from immich_sync.joining import Joiner
from immich_sync.patience import pause
from immich_sync.picking import Choice, Miss, Start, absolute
from immich_sync.pipeline import Outcome, Result, sync
from immich_sync.progress import Progress
from immich_sync.removing import Gate, delete_all
from immich_sync.results import FailedEntry, UploadResult
from immich_sync.route import Route
from immich_sync.slots import Slots
from immich_sync.sorting import Ended, Learnt, Sorter
from immich_sync.store import accounts, departures
from immich_sync.store.door import Store
from immich_sync.world import World

_MIRRORED = (
    'It is kept: what is deleted in its folder goes into Immich\'s trash (on_delete = "trash").'
)
IN_FLIGHT = 64
"""Files that are worked on at once; how many of them go up at once is the caller's to say."""
LOOKERS = 2
"""Small questions asked at once of the disk."""

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Wish:
    """What is wanted of one upload."""

    choice: Choice
    album: str | None = None  # a template, see `core.naming`
    ask_first: bool = True
    concurrency: int = 5
    retries: int = 3
    delete_uploads: bool = False
    delete_duplicates: bool = False
    dry_run: bool = False
    hash_threads: int | None = None  # per disk; None: as many as suit it


@dataclass(frozen=True, slots=True)
class Server:
    """One account on one server, while an upload runs."""

    account: AccountId
    immich: Immich
    checker: Coalescer[Checksum, Presence]
    joiner: Joiner
    flights: Flights


class Upload:
    """One run; `run` it once, while the server's checker and joiner and the journal run."""

    def __init__(
        self,
        wish: Wish,
        server: Server,
        world: World,
        learnt: Learnt,
        progress: Progress,
        *,
        remembered: Store | None = None,
    ) -> None:
        self._wish = wish
        self._server = server
        self._world = world
        self._learnt = learnt
        self._progress = progress
        self._remembered = remembered
        self._disk = LocalDisk()
        self._uploads = Slots(wish.concurrency, reserved=0)
        self._routes: dict[FolderId, Route] = {}
        self._over: ServerTrouble | None = None  # why nothing more is tried
        self._rehearsed: set[Checksum] = set()  # what a dry run would have sent
        self._sorter = Sorter(
            learnt,
            delete_uploads=wish.delete_uploads,
            delete_duplicates=wish.delete_duplicates,
            dry_run=wish.dry_run,
        )

    async def run(self, starts: Sequence[Start], missed: Sequence[Miss]) -> UploadResult:
        """What became of every file, once all of them have come to an end. Raises StateTrouble."""
        gatherer = Gatherer(
            self._wish.choice, self._world, self._sorter, self._progress,
            several=len(starts) > 1, remembered=self._remembered,
        )  # fmt: skip
        gatherer.miss(missed)
        send, receive = anyio.create_memory_object_stream[Gathered](IN_FLIGHT)
        async with anyio.create_task_group() as tasks, receive:
            tasks.start_soon(self._feed, send, gatherer, starts)
            for _ in range(max(IN_FLIGHT, self._wish.concurrency)):
                tasks.start_soon(self._work, receive.clone())
        await self._delete()
        return self._sorter.result()

    async def _feed(
        self,
        jobs: MemoryObjectSendStream[Gathered],
        gatherer: Gatherer,
        starts: Sequence[Start],
    ) -> None:
        async with jobs:
            for start in starts:
                folder, looking = await self._open(start.root)
                async with aclosing(gatherer.gather(start, folder, looking)) as found:
                    async for one in found:
                        await jobs.send(one)

    async def _open(self, root: bytes) -> tuple[FolderId, Lane]:
        """The root has a folder of its own in the state, and a route."""
        name = shown(root.rpartition(b"/")[2]) or "/"
        row = await self._world.store(
            accounts.ensure_folder,
            name=name,
            root=root,
            kind=accounts.Kind.ONCE,
            policy="",
            now=self._world.clock.now(),
        )
        looking = Lane(f"look {row.id}", LOOKERS)
        self._routes[row.id] = Route(
            folder=Folder(name, root, account="", album=self._wish.album),
            account=self._server.account,
            immich=self._server.immich,
            checker=self._server.checker,
            joiner=self._server.joiner,
            flights=self._server.flights,
            uploads=self._uploads,
            looking=looking,
            hashing=hash_lane(root, self._wish.hash_threads),
        )
        return row.id, looking

    async def _work(self, jobs: MemoryObjectReceiveStream[Gathered]) -> None:
        async with jobs:
            async for one in jobs:
                try:
                    await self._one(one)
                except StateTrouble:
                    raise
                except Exception as bug:
                    log.exception("unexpected")
                    why = f"unexpected {type(bug).__name__}; please report it"
                    self._sorter.failed(self._path(one.due.job.place), why)
                self._progress.finished()

    async def _one(self, one: Gathered) -> None:
        """One file, to its end. Raises StateTrouble."""
        due = one.due
        place, path = due.job.place, self._path(due.job.place)
        root = self._routes[place.folder].folder.root
        moved = attempt = 0

        def move(count: int) -> None:
            nonlocal moved
            moved += count
            self._progress.moved(count)

        while True:
            attempt += 1
            known = self._learnt.files.get(place, due.file)
            try:
                result = await self._attempt(Due(due.job, known, None), move)
            except StateTrouble:
                raise
            except SyncTrouble as trouble:
                wait = pause(trouble, attempt, self._world.clock.jitter())
                if wait is None or attempt >= self._wish.retries or self._over is not None:
                    self._fail(path, trouble)
                    break
                move(-moved)
                await anyio.sleep(wait)
            else:
                file = self._learnt.files.get(place, due.file)
                self._sorter.ended(Ended(path, root, place, file, attempt > 1, one.linked), result)
                if result.outcome is Outcome.HELD:  # no folder of the daemon's: nobody asks why
                    self._world.journal.note(Forgotten(place))
                break
        self._learnt.files.pop(place, None)
        if one.size > moved:
            self._progress.passed(one.size - moved)
        else:
            move(one.size - moved)

    async def _attempt(self, due: Due, moved: Callable[[int], None]) -> Result:
        if self._over is not None:
            raise self._over
        route = replace(self._routes[due.job.place.folder], moved=moved)
        if self._wish.dry_run:
            return await self._rehearse(due, route)
        return await sync(due, route, self._world, ask_first=self._wish.ask_first)

    def _fail(self, path: Path, trouble: SyncTrouble) -> None:
        if isinstance(trouble, UnsupportedFormat):
            self._sorter.unsupported(path)
            return
        self._sorter.failed(path, str(trouble))
        if isinstance(trouble, ServerTrouble) and self._over is None:
            self._over = trouble
            self._server.immich.gate.close(trouble)

    async def _rehearse(self, due: Due, route: Route) -> Result:
        """What would come of the file, found out by reading and asking only."""
        relative = due.job.place.relative
        known = due.file
        if known is None or known.checksum is None:
            read = await self._world.blocking(
                route.hashing, digest, self._disk, route.folder.root, relative
            )
            checksum, known = read.checksum, File(due.job.place, read.stamp, read.checksum)
            self._learnt.files[due.job.place] = known
        else:
            checksum = known.checksum
        if known.stamp.size == 0:
            raise Rejected(f"{shown(relative)} has no bytes to be uploaded.")
        presence = await route.checker.ask(checksum)
        if presence.asset_id is None:
            twice = checksum in self._rehearsed
            self._rehearsed.add(checksum)
            return Result(Outcome.ALREADY_THERE if twice else Outcome.UPLOADED, None)
        asset = Asset(route.account, checksum, presence.asset_id, Origin.FOUND)
        outcome = Outcome.TRASHED if presence.trashed else Outcome.ALREADY_THERE
        return Result(outcome, asset)

    async def _delete(self) -> None:
        """What was asked to be deleted is gone, as far as it may go."""
        gate = Gate(self._disk, self._world.blocking, self._server.checker, self._world.clock.now)
        mirrored = await self._world.store(departures.mirrored)
        doomed, kept = [], list[tuple[Place, str]]()
        for one in self._sorter.doomed:
            if any(lies_in(absolute(one.root, one.place.relative), root) for root in mirrored):
                kept.append((one.place, _MIRRORED))
            else:
                doomed.append(one)
        gone, more = await delete_all(gate, doomed, self._wish.concurrency)
        kept += more
        self._world.journal.note(*(Forgotten(place) for place in gone))
        self._sorter.deleted += (self._path(place) for place in gone)
        self._sorter.kept += (
            FailedEntry(filepath=self._path(place), error=why) for place, why in kept
        )

    def _path(self, place: Place) -> Path:
        root = self._routes[place.folder].folder.root
        return Path(os.fsdecode(absolute(root, place.relative)))


def lies_in(path: bytes, root: bytes) -> bool:
    """Whether an absolute path lies below a root; links on the way are followed."""
    return os.path.realpath(path).startswith(os.path.realpath(root).rstrip(b"/") + b"/")
