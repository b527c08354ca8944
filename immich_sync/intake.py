"""Story one: watch + scan → settle → queue, for one folder.

Its own module because it only ever finds paths that may need work and never does any: it could
run beside a server that does not exist.
"""

from collections.abc import Callable, Collection, Sequence
from itertools import chain

import anyio
import structlog

from immich_sync.bell import Bell
from immich_sync.core.compare import compare
from immich_sync.core.errors import FileTrouble, FileVanished
from immich_sync.core.folder import Folder
from immich_sync.core.ports import Changes, ChangeSource, Lane, WatchHealth
from immich_sync.core.schedule import LastScan, next_asked, next_scan
from immich_sync.core.settle import Settling, Waiting
from immich_sync.core.types import (
    NO_STAMP,
    Arrival,
    Completeness,
    Evidence,
    FolderId,
    Place,
    Priority,
    Stamp,
)
from immich_sync.filesystem.digest import judge
from immich_sync.filesystem.scan import Listing, Policy, listing, passed_over, takes
from immich_sync.rooting import Root
from immich_sync.scanning import Tally, forget, scan, still_gone, still_there
from immich_sync.store import queue
from immich_sync.store.arrivals import arrive
from immich_sync.store.known import children, stamps
from immich_sync.world import World

GLANCE = 256
"""Files looked at in one hop to a thread."""
HANDFUL = 64
"""Directories listed in one hop to a thread."""
TROUBLED = 30.0
"""Seconds until a directory that could not be listed is tried again."""
TOLD = 20
"""Directories that could not be listed, named in the log after a scan; `status` has them all."""
RELIST = 1.0
"""Seconds between two listings of the same directory, however often it is dirty."""

log = structlog.get_logger()

Sight = tuple[Stamp, Completeness] | None
"""What a look at a moving file found; None: nothing lies there."""


class Intake:
    """One folder's eyes: dirty directories, files that move, and what has settled."""

    def __init__(
        self, folder: Folder, folder_id: FolderId, root: Root, world: World, source: ChangeSource,
        *, looking: Lane, arrived: Callable[[], None],
    ) -> None:  # fmt: skip
        self.folder = folder
        self.root = root
        self.tally = Tally()  # of the last full scan
        self.last_scan: LastScan | None = None
        self.last_new: float | None = None  # wall-clock seconds
        self.scanning = False
        self.folder_id = folder_id
        self._world = world
        self._source = source
        self._looking = looking
        self._arrived = arrived
        self._policy = Policy.of(folder)
        self._settling = Settling(folder.settle)
        self._dirty: dict[bytes, None] = {}
        self._listed: dict[bytes, float] = {}  # when a directory was last listed (monotonic)
        self._troubled: dict[bytes, float] = {}  # when one that could not be is tried again
        self._moved, self._soiled, self._asked = Bell(), Bell(), Bell()
        self._wanted = "start"  # why a full scan is due; "" if only time makes it so
        self._at_once = True  # whether that cannot wait
        self._last_asked: LastScan | None = None  # that events asked for; monotonic
        self._scan_began = 0.0  # monotonic, as is all waiting: the wall clock may be set
        self._outages = -1  # of the root, when the last finished scan began

    async def run(self) -> None:
        """Watch, scan and look until cancelled."""
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(self._listen)
            tasks.start_soon(self._scan_when_due)
            tasks.start_soon(self._list_dirty)
            tasks.start_soon(self._look_at_moving)

    def scan_soon(self, why: str) -> None:
        """A full scan is due at once: a person asks for it, or the disk was away."""
        self._at_once = True
        self._want_scan(why)

    def _want_scan(self, why: str) -> None:
        """A full scan is due as soon as the last one of this kind is over for long enough."""
        self._wanted = self._wanted or why
        self._asked.ring()

    def health(self) -> WatchHealth:
        """How well the folder is being watched just now."""
        return self._source.health()

    def resettle(self, place: Place) -> None:
        """This file moved while it was being worked on: watch it until it holds still."""
        self._settling.hint(place, Evidence.NONE, anyio.current_time())
        self._moved.ring()

    def scan_due(self) -> float:
        """When the next full scan is due, in wall-clock seconds."""
        return self._world.clock.now() + self._wait_for_scan()

    def settling(self) -> int:
        """How many files were seen moving and have not held still for long enough."""
        return len(self._settling)

    def looks_at(self, place: Place) -> float | None:
        """When a file that was seen moving is looked at next (monotonic); None for others."""
        return self._settling.looks_at(place)

    def waiting(self, place: Place) -> Waiting | None:
        """What a file that was seen moving is waited for; None for others."""
        return self._settling.waiting(place)

    def unsettled(self) -> list[Place]:
        """The files that were seen moving and have not held still for long enough."""
        return self._settling.places()

    def is_quiet(self) -> bool:
        """Whether nothing is on its way into the queue; a file known not to be whole may wait."""
        if self.scanning or self._wanted:
            return False
        if not self.root.online:
            return True  # nothing will come from there
        scanned = self.last_scan is not None
        return scanned and not self._dirty and not self._settling.growing(anyio.current_time())

    def unlisted(self) -> bytes | None:
        """A directory that could not be listed when it was tried last; None if all could be."""
        failed = (directory for directory, _ in self.tally.troubles)
        return next(chain(failed, self._troubled), None) if self.root.online else None

    def is_looking(self) -> bool:
        """Whether something was not looked through yet, a disk that came back say."""
        unseen = self.last_scan is None or self.root.outages != self._outages
        return self.scanning or bool(self._wanted) or (self.root.online and unseen)

    async def _listen(self) -> None:
        while True:
            self._take(await self._source.changes())

    def _take(self, changes: Changes) -> None:
        now = anyio.current_time()
        for directory, names in changes.directories.items():
            self._dirty[directory] = None
            for name, evidence in names.items():
                if takes(self._policy, directory, name):
                    self._settling.hint(Place(self.folder_id, directory, name), evidence, now)
        if changes.scan:
            self._want_scan(changes.scan)
        self._moved.ring()
        self._soiled.ring()

    async def _scan_when_due(self) -> None:
        while True:
            if self._wait_for_scan() <= 0.0:
                await self._scan(self._wanted or "time")
            if (wait := self._wait_for_scan()) > 0.0:
                await self._asked.heard(min(wait, self.folder.root_check))
            await self._notice_mounts()

    def _wait_for_scan(self) -> float:
        """Seconds until the next full scan, if the root stays as it is."""
        if self._wanted:
            rest = next_asked(self._last_asked) - anyio.current_time()
            return 0.0 if self._at_once else max(0.0, rest)
        if self.last_scan is None or not self.root.online:
            return self.folder.root_check  # once it is online, that alone is a reason
        now = self._world.clock.now()
        began = now - (anyio.current_time() - self._scan_began)
        due = next_scan(
            LastScan(began, self.last_scan.took),
            mode=self._source.health().mode,
            at=self.folder.scan_at,
            every=self.folder.scan_every,
            poll_interval=self.folder.poll_interval,
        )
        return max(0.0, due - now)

    async def _notice_mounts(self) -> None:
        if await self.root.check() and self.root.outages != self._outages:
            self.scan_soon("online again")

    async def _scan(self, why: str) -> None:
        asked = bool(self._wanted) and not self._at_once
        self._wanted, self._at_once, self.scanning = "", False, True
        began, last = anyio.current_time(), self._world.clock.now()
        outages = self.root.outages
        tally = await scan(self.folder, self.folder_id, self.root, self._world, self._looking)
        now = anyio.current_time()
        for place in tally.moving:
            self._settling.hint(place, Evidence.NONE, now)
        self._moved.ring()
        if tally.finished:
            self.tally, self.last_scan = tally, LastScan(last, now - began)
            self._scan_began, self._outages = began, outages
            if asked:
                self._last_asked = LastScan(began, now - began)
            log.info(
                "scanned", folder=self.folder.name, why=why, files=tally.files, due=tally.due,
                moving=len(tally.moving), gone=tally.gone, seconds=round(now - began, 2),
            )  # fmt: skip
            self._troubled.update((one, now + TROUBLED) for one, _ in tally.troubles)
            self._soiled.ring()
            for directory, trouble in tally.troubles[:TOLD]:
                log.warning("not_listed", folder=self.folder.name, file=directory, error=trouble)
        self.scanning = False
        if tally.due:
            self._note_new()

    async def _list_dirty(self) -> None:
        while True:
            now = anyio.current_time()
            for one in [one for one, at in self._troubled.items() if at <= now]:
                del self._troubled[one]
                self._dirty[one] = None
            ready = [one for one in self._dirty if self._listed.get(one, -RELIST) + RELIST <= now]
            if ready[:HANDFUL] and self.root.online:
                await self._list(ready[:HANDFUL], now)
            elif self._dirty:
                await anyio.sleep(RELIST / 4)
            else:
                self._listed = {one: at for one, at in self._listed.items() if at + RELIST > now}
                await self._soiled.heard(TROUBLED if self._troubled else None)

    async def _list(self, directories: Sequence[bytes], now: float) -> None:
        for directory in directories:
            del self._dirty[directory]
            self._listed[directory] = now
        away = tuple(self.root.inner.away)
        listings = await self._world.blocking(self._looking, self._listings, directories)
        for one in listings:
            if one.trouble and not one.missing:  # it may be over soon
                self._troubled[one.directory] = now + TROUBLED
        unlisted = {directory for directory, _ in self.tally.troubles} - self._troubled.keys()
        if any(one.directory in unlisted for one in listings):
            self._want_scan("can be listed again")  # with all that lies below it
        found = [one for one in listings if not one.trouble]
        listed = [one.directory for one in found]
        known = await self._world.store(stamps, self.folder_id, listed)
        below = await self._world.store(children, self.folder_id, listed)
        arrivals: list[Arrival] = []
        gone: list[Place] = []
        lost: list[bytes] = []
        for one in found:
            differs = compare(one.media, known.get(one.directory, {}), wall=self._world.clock.now())
            for name in (*(name for name, _ in differs.due), *differs.moving):
                self._settling.hint(Place(self.folder_id, one.directory, name), Evidence.NONE, now)
            arrivals += (
                Arrival(Place(self.folder_id, one.directory, name), Priority.RECHECK, stamp)
                for name, stamp in differs.touched
            )
            gone += (Place(self.folder_id, one.directory, name) for name in differs.gone)
            lost += below[one.directory].difference(one.paths_below())
        self._moved.ring()
        if arrivals:
            await self._world.store(queue.put, arrivals, now=self._world.clock.now())
            self._arrived()
        if gone or lost:
            await self._forget(gone, sorted(lost), away)

    async def _forget(
        self, gone: Sequence[Place], lost: Sequence[bytes], away: Collection[bytes]
    ) -> None:
        """What was not met in a listing is gone, if that can be believed."""
        disk, root = self._world.disk, self.folder.root
        if await self.root.check():
            gone, lost = await self.root.inner.sift(gone, lost, away)
            # A disk that was away for that listing alone is back by this second look.
            gone = await self._world.blocking(self._looking, still_gone, disk, root, gone)
            passed = await self._world.blocking(self._looking, still_there, disk, root, lost)
            # What came back since the listing has made its directory dirty anew: it is found then.
            await forget(gone, lost, passed, self.folder_id, self._world)

    def _listings(self, directories: Sequence[bytes]) -> list[Listing]:
        """Blocking: what lies in the directories."""
        disk, root = self._world.disk, self.folder.root
        return [listing(disk, root, directory, self._policy) for directory in directories]

    async def _look_at_moving(self) -> None:
        while True:
            places = self._settling.due(anyio.current_time(), GLANCE)
            if not places:
                due = self._settling.next_due()
                wait = None if due is None else max(0.0, due - anyio.current_time())
                await self._moved.heard(wait)
                continue
            sights = await self._world.blocking(self._looking, self._glance, places)
            settled: list[tuple[Place, Stamp]] = []
            now, wall = anyio.current_time(), self._world.clock.now()
            for place, sight in zip(places, sights, strict=True):
                if sight is None:
                    self._settling.lost(place)
                elif self._settling.saw(place, *sight, now, wall=wall):
                    settled.append((place, sight[0]))
            seen = [one for one in settled if one[1] != NO_STAMP]
            # What cannot even be looked at is no news, or each look would hurry its next try.
            unseen = [one for one in settled if one[1] == NO_STAMP]
            for some, priority in ((seen, Priority.NEW), (unseen, Priority.BACKLOG)):
                count = await self._world.store(arrive, some, priority, now=wall) if some else 0
                if count:
                    self._note_new()

    def _note_new(self) -> None:
        self.last_new = self._world.clock.now()
        self._arrived()

    def _glance(self, places: Sequence[Place]) -> list[Sight]:
        """Blocking: the stamp of each file, and whether its container is whole."""
        sights: list[Sight] = []
        disk, root = self._world.disk, self.folder.root
        hidden = {
            one: passed_over(disk, root, one, self._policy)
            for one in dict.fromkeys(place.directory for place in places)
        }
        for place in places:
            if hidden[place.directory]:  # an event knows no `.nomedia`, and no Immich storage
                sights.append(None)
                continue
            try:
                sights.append(judge(self._world.disk, self.folder.root, place.relative))
            except FileVanished:
                sights.append(None)
            except FileTrouble:  # it cannot be read now: the worker will say why
                sights.append(self._stat(place))
        return sights

    def _stat(self, place: Place) -> Sight:
        try:
            stamp = self._world.disk.stat(self.folder.root, place.relative)
        except FileTrouble:  # a moment's trouble, or a lasting one: the worker will tell
            return NO_STAMP, Completeness.UNKNOWN
        return None if stamp is None else (stamp, Completeness.UNKNOWN)
