"""Due jobs to workers, trouble to verdicts.

Its own module because this is the one place that retries: whatever goes wrong below arrives here
as SyncTrouble, `core.backoff` judges it, and the queue keeps the judgement.
"""

from collections import Counter, deque
from collections.abc import Callable, Mapping, Sequence

import anyio
import structlog
from anyio.streams.memory import MemoryObjectReceiveStream, MemoryObjectSendStream

from immich_sync.bell import Bell
from immich_sync.core import backoff
from immich_sync.core.errors import (
    FileTrouble,
    FileVanished,
    Overloaded,
    Suspected,
    SyncTrouble,
)
from immich_sync.core.folder import Limits
from immich_sync.core.measures import Measures
from immich_sync.core.types import (
    AccountId,
    Activity,
    Again,
    Done,
    Due,
    FolderId,
    Forgotten,
    Held,
    Job,
    Place,
    Priority,
    Record,
)
from immich_sync.pipeline import Outcome, sync
from immich_sync.rooting import Root
from immich_sync.route import Route
from immich_sync.store import queue
from immich_sync.world import World

RESERVED = 8
"""One worker in so many is for files that are not large."""
RECENT = 200
"""Jobs whose ends tell the pace."""
SUSPICIOUS = 3
"""Files whose uploads break, with none accepted in between, that make the server the suspect."""
LONGEST_REST = 60.0
"""Seconds until the queue is looked at though nobody rang: the wall clock may have jumped."""
EMPTY_REST = 600.0
"""The same while nothing waits in it, and no clock makes anything due."""
AWAY = 300.0
"""Seconds until a file is tried again whose disk, within its folder, is away, perhaps for weeks."""
BREATH = 0.02
"""Seconds between two looks into the queue: what comes due in between is taken together."""

log = structlog.get_logger()


class Crew:
    """The feeder and the workers, and what is being worked on (which only memory knows)."""

    def __init__(
        self,
        world: World,
        limits: Limits,
        *,
        root: Callable[[FolderId], Root | None],
        resettle: Callable[[Place], None],
        tell: Callable[[Activity], None],
        measures: Measures | None = None,
    ) -> None:
        self.bell = Bell()
        self.routes: dict[FolderId, Route] = {}  # of the folders whose account has been reached
        self.paused: set[FolderId] = set()  # by a person
        self.busy: dict[Place, Job] = {}
        self._large: set[Place] = set()  # of those that are busy
        self.failures = 0  # attempts that failed since the start
        self.outcomes: Counter[str] = Counter()  # how attempts ended since the start
        self.measures = measures or Measures()
        self._suspects: dict[AccountId, set[Place]] = {}  # since the last accepted upload
        self.rounds = 0  # how often the feeder looked for work, and had it taken from it
        self._ends: deque[float] = deque(maxlen=RECENT)  # when jobs ended (monotonic)
        self._world = world
        self._limits = limits
        self._root = root  # of a folder, once somebody looks after it
        self._resettle = resettle
        self._tell = tell

    def open_folders(self) -> Sequence[FolderId]:
        """The folders whose files may go up just now."""
        return [
            folder
            for folder, route in self.routes.items()
            if route.is_open() and folder not in self.paused and self._is_online(folder)
        ]

    def _is_online(self, folder: FolderId) -> bool:
        root = self._root(folder)
        return root is not None and root.online

    def pause(self, folder: FolderId) -> None:
        """Start on none of the folder's files until told otherwise."""
        self.paused.add(folder)
        log.info("paused", folder=self._name(folder))

    def resume(self, folder: FolderId) -> None:
        """Go on with the folder's files."""
        self.paused.discard(folder)
        log.info("resumed", folder=self._name(folder))
        self.bell.ring()

    def _name(self, folder: FolderId) -> str:
        return self.routes[folder].folder.name if folder in self.routes else ""

    def eta(self, jobs: int) -> float | None:
        """Seconds that so many jobs will take at the pace of late; None if there is none."""
        span = anyio.current_time() - self._ends[0] if self._ends else 0.0
        return jobs * span / len(self._ends) if span > 0 else None

    async def work(self, jobs: MemoryObjectReceiveStream[Due]) -> None:
        """Work on jobs, many at a time, until the stream ends."""
        async with anyio.create_task_group() as tasks, jobs:
            for _ in range(self._limits.in_flight):
                tasks.start_soon(self._one_by_one, jobs.clone())

    async def feed(self, jobs: MemoryObjectSendStream[Due]) -> None:
        """Hand out due jobs until cancelled; the stream ends with this."""
        async with jobs:
            while True:
                wait = await self._hand_out(jobs)
                self.rounds += 1
                await self.bell.heard(wait)
                await anyio.sleep(BREATH)

    async def _hand_out(self, jobs: MemoryObjectSendStream[Due]) -> float:
        """Hand out what is due and can be taken on; how long to wait for more, in seconds."""
        folders, busy, now = self.open_folders(), tuple(self.busy), self._world.clock.now()
        room = self._limits.in_flight - len(busy)
        if room <= 0 or not folders:
            return LONGEST_REST
        store = self._world.store
        due: list[Due] = []
        shares, large = self._shares(folders), self._room_for_large()
        for folder, share in shares.items():
            limit = min(room - len(due), share)
            due += await store(
                queue.take, now=now, limit=limit, folders=[folder], busy=busy,
                large=large - sum(one.is_large for one in due),
            )  # fmt: skip
        if not due:
            at = await store(queue.next_due, now=now, folders=list(shares), busy=busy, large=large)
            return EMPTY_REST if at is None else min(LONGEST_REST, max(0.0, at - now))
        for one in due:
            self.busy[one.job.place] = one.job
            if one.is_large:
                self._large.add(one.job.place)
            await jobs.send(one)
        return LONGEST_REST  # the first of them to finish rings

    def _room_for_large(self) -> int:
        """How many more large files may be taken on: a photo must not wait for sixty videos."""
        whole = self._limits.in_flight
        return whole - max(whole // RESERVED, min(1, whole - 1)) - len(self._large)

    def _shares(self, folders: Sequence[FolderId]) -> Mapping[FolderId, int]:
        """How many more files of each folder may be taken on.

        Half of all at most, if there are several: one disk that hangs must not hold up the others.
        """
        whole = self._limits.in_flight
        most = whole if len(self.routes) == 1 else max(1, whole // 2)
        held = Counter(place.folder for place in self.busy)
        return {folder: most - held[folder] for folder in folders if held[folder] < most}

    async def _one_by_one(self, jobs: MemoryObjectReceiveStream[Due]) -> None:
        async with jobs:
            async for due in jobs:
                job = due.job
                route = self.routes[job.place.folder]
                with structlog.contextvars.bound_contextvars(
                    folder=route.folder.name, file=job.place.relative
                ):
                    records = await self._attempt(due, route)
                if records:
                    await self._world.journal.commit(*records)
                del self.busy[job.place]
                self._large.discard(job.place)
                self._ends.append(anyio.current_time())
                self.bell.ring()

    async def _attempt(self, due: Due, route: Route) -> Sequence[Record]:
        """Work on one file; what the ledger is to be told of how it ended."""
        try:
            result = await sync(due, route, self._world)
        except SyncTrouble as trouble:
            if isinstance(trouble, FileVanished) and not await self._look_at_root(due.job):
                return ()  # the whole folder is away: nothing in it counts as gone
            if isinstance(trouble, FileVanished) and await self._is_hidden(due.job):
                later = self._world.clock.now() + AWAY
                return (Again(due.job, later, due.job.attempts, due.job.error),)
            return self._judge(trouble, due, route)
        except anyio.ClosedResourceError:
            return ()  # all is ending, and a coalescer ended first: the job is still due
        except Exception as bug:
            log.exception("unexpected")
            return self._judge(
                FileTrouble(f"unexpected {type(bug).__name__}; please report it"), due, route
            )
        if result.outcome is Outcome.UPLOADED:
            self._suspects.pop(route.account, None)
        if result.outcome in {Outcome.UPLOADED, Outcome.ALREADY_THERE}:
            self._proved(due.job)
        log.info(result.outcome.value)
        return (Done(due.job), self._report(result.outcome.value, due.job))

    def _proved(self, job: Job) -> None:
        """Of a file that came under our eyes, how long it took from its last change to now."""
        if job.priority is Priority.NEW and job.stamp is not None:
            closed_at = job.stamp.ctime_ns / 1e9
            self.measures.latency.observe(self._world.clock.now() - closed_at)

    async def _look_at_root(self, job: Job) -> bool:
        root = self._root(job.place.folder)
        return root is not None and await root.check()

    async def _is_hidden(self, job: Job) -> bool:
        """Whether the disk within the folder that it lies on is away, or another one by now."""
        root = self._root(job.place.folder)
        return root is not None and not (await root.inner.sift([job.place], (), ()))[0]

    def _judge(self, trouble: SyncTrouble, due: Due, route: Route) -> Sequence[Record]:
        clock, job = self._world.clock, due.job
        now = clock.now()
        self.measures.errors[type(trouble).__name__] += 1
        match backoff.decide(
            trouble, job.attempts, now=now, jitter=clock.jitter(), limits=self._limits
        ):
            case backoff.Resettle(due_at):
                self._resettle(job.place)
                return (Again(job, due_at, job.attempts, job.error),)
            case backoff.Forget():
                return (Forgotten(job.place, job.round), self._report("vanished", job))
            case backoff.RetryAt(due_at, attempts):
                self.failures += 1
                log.warning("retry_scheduled", error=str(trouble), seconds=round(due_at - now))
                if isinstance(trouble, Suspected):
                    self._suspect_server(route, job)
                return (
                    Again(job, due_at, attempts, str(trouble)),
                    self._report("failed", job, str(trouble)),
                )
            case backoff.GiveUp(hold):
                self.failures += 1
                log.error("given_up", error=str(trouble))
                return (
                    Held(job.place, hold, str(trouble)),
                    Done(job),
                    self._report("given_up", job, str(trouble)),
                )
            case backoff.PauseAccount(why):
                route.immich.gate.close(why)
                return ()  # still due, and no attempt used up
            case backoff.PauseUploads():
                return ()

    def _suspect_server(self, route: Route, job: Job) -> None:
        """Several files that fail one after the other are hardly all at fault themselves."""
        suspects = self._suspects.setdefault(route.account, set())
        suspects.add(job.place)
        if len(suspects) >= SUSPICIOUS:
            route.immich.gate.close(
                Overloaded(
                    f"Uploads fail, one file after the other ({len(suspects)} by now), although the"
                    " server answers: is its disk full, or does a proxy refuse them?"
                )
            )

    def _report(self, event: str, job: Job, detail: str = "") -> Activity:
        activity = Activity(self._world.clock.now(), event, job.place, detail)
        self.outcomes[event] += 1
        self.measures.outcomes[event] += 1
        self._tell(activity)
        return activity
