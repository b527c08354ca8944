"""The full scan: the whole folder on the disk against the whole folder in the ledger.

Its own module because it is the truth that events only hint at; it must read well and stay lean,
since it looks at every file there is.
"""

from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field

from immich_sync.core.compare import Difference, compare
from immich_sync.core.errors import FileTrouble
from immich_sync.core.folder import Folder
from immich_sync.core.ports import Disk, Hands, Lane
from immich_sync.core.types import Arrival, FolderId, Forgotten, Place, Priority
from immich_sync.filesystem.scan import Listing, Policy, walk
from immich_sync.rooting import Root
from immich_sync.store import queue
from immich_sync.store.known import forget_below, scanned, stamps, subdirectories_known
from immich_sync.world import World

CHUNK = 5000
"""Names taken from the disk, and from the ledger, in one hop to a thread."""


@dataclass(slots=True)
class Tally:
    """What a scan met; filled in while it goes on."""

    files: int = 0
    due: int = 0
    gone: int = 0
    ignored: Counter[str] = field(default_factory=Counter)
    others: Counter[bytes] = field(default_factory=Counter)  # not media, by extension
    troubles: list[tuple[bytes, str]] = field(default_factory=list)  # directories not listed
    moving: list[Place] = field(default_factory=list)  # to be watched until they hold still
    finished: bool = False  # began and ended on a healthy root

    def count(self, one: Listing) -> None:
        """Take one directory's listing into account."""
        if one.trouble:
            self.troubles.append((one.directory, one.trouble))
        self.files += len(one.media)
        self.ignored.update(one.ignored)
        self.others.update(one.others)


async def scan(
    folder: Folder, folder_id: FolderId, root: Root, world: World, looking: Lane
) -> Tally:
    """Scan the folder once: what is new or rewritten becomes due, what is gone is forgotten.

    Nothing is forgotten unless the root was healthy before and after, nor below a directory that
    could not be listed, nor on a disk within the folder that is away. Raises StateTrouble.
    """
    tally = Tally()
    if not await root.check(closely=True):
        return tally
    outages, away = root.outages, tuple(root.inner.away)
    # Asked for before the walk: what arrives while it goes on is not lost, it is only not met.
    before = await world.store(subdirectories_known, folder_id, b"")
    walker = walk(world.disk, folder.root, Policy.of(folder))
    visited: set[bytes] = set()
    gone: list[Place] = []
    while some := await world.blocking(looking, chunk, walker):
        listed = [one.directory for one in some if not one.trouble]
        visited.update(listed)
        known = await world.store(stamps, folder_id, listed)
        arrivals: list[Arrival] = []
        for one in some:
            tally.count(one)
            if one.trouble:
                continue
            differs = compare(one.media, known.get(one.directory, {}), wall=world.clock.now())
            arrivals += _due(folder_id, one.directory, differs)
            tally.moving += (Place(folder_id, one.directory, name) for name in differs.moving)
            gone += (Place(folder_id, one.directory, name) for name in differs.gone)
        if arrivals:
            tally.due += await world.store(queue.put, arrivals, now=world.clock.now())
    if not await root.check():
        return tally
    lost = _provably(before - visited, tally.troubles)
    gone, lost = await root.inner.sift(gone, lost, away)
    gone = await world.blocking(looking, still_gone, world.disk, folder.root, gone)
    passed = await world.blocking(looking, still_there, world.disk, folder.root, lost)
    tally.gone = await forget(gone, lost, passed, folder_id, world)
    if root.outages == outages:  # else a disk came back meanwhile, and was not looked through
        await world.store(scanned, folder_id)
    tally.finished = True
    return tally


def chunk(walker: Iterator[Listing]) -> list[Listing]:
    """The next listings, together about CHUNK names; [] at the end. Blocks."""
    taken: list[Listing] = []
    names = 0
    for one in walker:
        taken.append(one)
        names += len(one.media) + 1
        if names >= CHUNK:
            break
    return taken


def _due(folder_id: FolderId, directory: bytes, differs: Difference) -> Iterator[Arrival]:
    for name, stamp in differs.due:
        yield Arrival(Place(folder_id, directory, name), Priority.BACKLOG, stamp)
    for name, stamp in differs.touched:
        yield Arrival(Place(folder_id, directory, name), Priority.RECHECK, stamp)


def _provably(lost: set[bytes], troubles: Sequence[tuple[bytes, str]]) -> list[bytes]:
    """The directories that are gone: what lies below one that could not be listed may be there."""
    unsure = [directory for directory, _ in troubles]
    return sorted(
        directory for directory in lost if not any(_within(directory, above) for above in unsure)
    )


def _within(directory: bytes, above: bytes) -> bool:
    return not above or directory == above or directory.startswith(above + b"/")


def still_gone(disk: Disk, root: bytes, gone: Sequence[Place]) -> list[Place]:
    """Those at whose place there is nothing now, either. Blocks.

    The ledger is asked after the disk, so it may know files that came after the listing.
    """
    found = []
    for place in gone:
        try:
            if disk.stat(root, place.relative) is None:
                found.append(place)
        except FileTrouble:
            continue  # it cannot be told
    return found


def still_there(disk: Hands, root: bytes, lost: Sequence[bytes]) -> frozenset[bytes]:
    """Those directories that only nobody looks into any more, or a link lies there. Blocks."""
    found = []
    for directory in lost:
        try:
            if disk.links(root, directory):
                found.append(directory)
        except FileTrouble:
            found.append(directory)  # it cannot be told
    return frozenset(found)


async def forget(
    gone: Sequence[Place],
    lost: Sequence[bytes],
    passed: Collection[bytes],
    folder_id: FolderId,
    world: World,
) -> int:
    """Nothing is known of these files, nor of what lay at or below these directories; how many.

    The directories in `passed` were not deleted: they are passed over from now on.
    """
    if gone:
        await world.journal.commit(*(Forgotten(place) for place in gone))
    count = len(gone)
    for directory in lost:
        now = world.clock.now()
        deleted = directory not in passed
        count += await world.store(forget_below, folder_id, directory, now, deleted=deleted)
    return count
