"""The queue against a plain dictionary, under any order of puts, takes and ends."""

import tempfile
from dataclasses import dataclass
from pathlib import Path

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    consumes,
    invariant,
    multiple,
    rule,
)

from immich_sync.core.types import Again, Arrival, Done, FolderId, Forgotten, Job, Place, Priority
from immich_sync.store import accounts, ledger, mend, queue
from immich_sync.store.database import open_database

NAMES = st.sampled_from([b"a", b"b", b"\xff", b"d/e", b"d/f"])
PRIORITIES = st.sampled_from(list(Priority))
SECONDS = st.integers(0, 100).map(float)


@dataclass
class Row:
    """What the model knows of a job."""

    priority: int
    due_at: float
    attempts: int = 0
    round: int = 0


class Queue(RuleBasedStateMachine):
    """Puts, takes, ends, failures, forgetting and retries; the clock only goes forward."""

    taken = Bundle("taken")

    def __init__(self) -> None:
        super().__init__()
        self.home = tempfile.TemporaryDirectory()
        self.database = open_database(Path(self.home.name) / "state.db")
        self.folders = [self.make_folder(root) for root in (b"/one", b"/two")]
        self.now = 1000.0
        self.rows: dict[Place, Row] = {}

    def make_folder(self, root: bytes) -> FolderId:
        """The row of a folder without account."""
        return accounts.ensure_folder(
            self.database, name="f", root=root, kind=accounts.Kind.WATCHED, policy="", now=0.0
        ).id

    def teardown(self) -> None:
        """Close and remove the state file."""
        self.database.close()
        self.home.cleanup()

    def place(self, path: bytes, number: int) -> Place:
        """The place of a path in the first or the second folder."""
        directory, _, name = path.rpartition(b"/")
        return Place(self.folders[number], directory, name)

    def order(self, place: Place) -> tuple[int, float, int, bytes, bytes]:
        """What jobs are sorted by."""
        row = self.rows[place]
        return row.priority, row.due_at, place.folder, place.directory, place.name

    @rule(seconds=SECONDS)
    def wait(self, seconds: float) -> None:
        """Time passes."""
        self.now += seconds

    @rule(path=NAMES, number=st.integers(0, 1), priority=PRIORITIES)
    def put(self, path: bytes, number: int, priority: Priority) -> None:
        """A path arrives, by whatever way."""
        place = self.place(path, number)
        queue.put(self.database, [Arrival(place, priority)], self.now)
        row = self.rows.get(place)
        if row is None:
            self.rows[place] = Row(priority.value, self.now, round=round(self.now * 1e6))
            return
        if priority is Priority.NEW or not row.attempts:
            row.due_at = min(row.due_at, self.now)
        if priority is Priority.NEW:
            row.attempts = 0
        row.priority = min(row.priority, priority.value)
        row.round += 1

    @rule(target=taken, limit=st.integers(0, 4), busy=st.sets(NAMES), both=st.booleans())
    def take(self, limit: int, busy: set[bytes], both: bool) -> object:  # noqa: FBT001 — drawn
        """What is taken is what the model would take."""
        folders = self.folders if both else self.folders[:1]
        busy_places = {self.place(path, 0) for path in busy}
        due = queue.take(
            self.database, now=self.now, limit=limit, folders=folders, busy=busy_places
        )
        wanted = sorted(
            (
                place
                for place, row in self.rows.items()
                if row.due_at <= self.now and place.folder in folders and place not in busy_places
            ),
            key=self.order,
        )[:limit]
        assert wanted == [one.job.place for one in due]
        return multiple(*(one.job for one in due))

    def current(self, job: Job) -> Row | None:
        """The model's row of a job, if no newer round has begun."""
        row = self.rows.get(job.place)
        return row if row is not None and row.round == job.round else None

    @rule(job=consumes(taken))
    def done(self, job: Job) -> None:
        """A job ends."""
        ledger.apply(self.database, [Done(job)], self.now)
        if self.current(job):
            del self.rows[job.place]

    @rule(job=consumes(taken), seconds=SECONDS, counted=st.booleans())
    def again(self, job: Job, seconds: float, counted: bool) -> None:  # noqa: FBT001 — drawn
        """A job fails, or is put off without a failure."""
        attempts = job.attempts + counted
        ledger.apply(self.database, [Again(job, self.now + seconds, attempts, "no")], self.now)
        if row := self.current(job):
            row.due_at, row.attempts = self.now + seconds, attempts

    @rule(job=consumes(taken))
    def vanished(self, job: Job) -> None:
        """A worker finds nothing at the path."""
        ledger.apply(self.database, [Forgotten(job.place, job.round)], self.now)
        if self.current(job):
            del self.rows[job.place]

    @rule(path=NAMES, number=st.integers(0, 1))
    def forget(self, path: bytes, number: int) -> None:
        """Intake finds nothing at the path, and ends no job."""
        place = self.place(path, number)
        ledger.apply(self.database, [Forgotten(place)], self.now)

    @rule()
    def retry(self) -> None:
        """A person asks for everything that waits or fails."""
        waiting = [row for row in self.rows.values() if row.due_at > self.now or row.attempts]
        assert len(waiting) == mend.retry(self.database, None, self.now).due
        for row in waiting:
            row.priority = min(row.priority, Priority.BACKLOG.value)
            row.due_at, row.attempts = self.now, 0
            row.round += 1

    @invariant()
    def the_counts_agree(self) -> None:
        """Due, waiting and failing are those of the model, and so is the time of the next."""
        waiting = [row.due_at for row in self.rows.values() if row.due_at > self.now]
        failing = sum(row.attempts > 0 for row in self.rows.values())
        counts = queue.counts(self.database, now=self.now, folders=self.folders)
        assert counts == queue.Counts(len(self.rows) - len(waiting), len(waiting), failing)
        following = self.now if counts.due else min(waiting, default=None)
        assert following == queue.next_due(self.database, now=self.now, folders=self.folders)


Queue.TestCase.settings = settings(max_examples=60, stateful_step_count=30, deadline=None)
TestQueue = Queue.TestCase
