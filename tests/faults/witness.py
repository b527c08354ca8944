"""Sees everything that happens on the stage, and says when a promise was broken.

Its own module because the promises are one list, whoever plays the scenario; the numbers are those
of the invariants in docs/operations.md.
"""

import json
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import sha1

import anyio
import httpx

from immich_sync.core.breaker import CHANGED, LOST
from immich_sync.core.complete import judge
from immich_sync.core.settle import CUT_OFF, QUICK, lain_still
from immich_sync.core.types import Activity, Completeness, Stamp
from immich_sync.sandbox import State
from immich_sync.sandbox.records import Asset
from tests.faults.ledger import Ledger, Path_, Row
from tests.faults.memory_disk import ASIDE, Inode, MemoryDisk

SETTLE = 1.0
BELIEVED = 600.0
"""Seconds for which the server's word may be taken, by docs/decisions/0006."""
TRANSIT = 1.0
"""Seconds that an answer may be on its way."""
ASKING = 120.0
"""Seconds that an audit may ask: what it proves carries the time at which it began.

That is right. When it writes, all it knows is that the server said so since then, and the earlier
time errs on the safe side: such a word grows old sooner (BELIEVED), and gives way to whatever was
learnt while the audit went on (`store.audit` leaves alone what was verified after its beginning).
Only `proved_at` gains by it, from which cleanup counts its days: by the length of an audit, and
the server is asked anew before the deed.
"""


@dataclass(slots=True)
class Witness:
    """What was true when, in the simulation's own seconds."""

    server: State
    ledger: Ledger
    versions: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    """By checksum: from when on bytes lay still that were whole enough to go up."""
    seen: set[tuple[Path_, Stamp]] = field(default_factory=set)
    told: dict[tuple[str, str, bool], list[float]] = field(
        default_factory=lambda: defaultdict(list)
    )
    """By checksum, asset and whether trashed: the wall-clock times at which the server said so."""
    present: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    """By checksum: times at which the server had it, out of the trash."""
    created: set[str] = field(default_factory=set)  # asset ids met so far
    removed: set[str] = field(default_factory=set)  # checksums a person purged, known to us
    touched: set[str] = field(default_factory=set)  # checksums a person trashed or purged
    taken_out: set[tuple[str, str]] = field(default_factory=set)  # album, asset: known to us
    excused: set[tuple[str, str]] = field(
        default_factory=set
    )  # a person took them out: they need not be there
    dropped: set[str] = field(default_factory=set)  # names of albums that a person deleted
    foreign: set[str] = field(default_factory=set)  # albums that are not ours
    others: set[str] = field(default_factory=set)  # assets that came by another way than ours
    trashed_by_us: int = 0  # assets that we were asked to put into the trash, and did
    may_trash: Callable[[], bool] = lambda: False  # it is wanted, and the folder's disk is there
    may_take: Callable[[], bool] = lambda: False  # cleanup is wanted, and the disk is there
    lies_here: Callable[[], set[str]] = set  # checksums of what lies in the folder
    trashed_by_person: set[str] = field(default_factory=set)  # asset ids
    taken: set[str] = field(default_factory=set)  # checksums that cleanup took away here
    gone: set[str] = field(default_factory=set)  # checksums of many that went at once, unapproved
    changed: dict[Path_, str] = field(default_factory=dict)  # many that changed at once, likewise
    slipped: int = 0  # how many of the changed went up
    broken: list[str] = field(default_factory=list)  # promises, in the middle of something else
    jumped: bool = False  # the wall clock was set forward
    rivalled: bool = False  # a second daemon was there, which knows nothing of what ours knows
    last: dict[Path_, Row] = field(default_factory=dict)
    checked_at: float = 0.0
    home_is_there: bool = True

    def look(self, files: Mapping[Path_, Inode], *, home: bool) -> None:
        """These files lie there now; `home`: in the folder, on its own disk."""
        now = anyio.current_time()
        if home and self.gone & {_sha1(inode.data) for inode in files.values()}:
            self.gone.clear()  # it counts anew: so few may be left that nobody is asked
        if home:  # under another name it is another photo
            there = {path: _sha1(files[path].data) for path in self.changed if path in files}
            kept = {path: to for path, to in self.changed.items() if there.get(path) == to}
            self.changed = kept
        for path, inode in files.items():
            if (path, inode.stamp) in self.seen:
                continue
            # Whoever sets a file's time back is done with writing it: it need not lie still.
            known = any(stamp.same_bytes(inode.stamp) for at, stamp in self.seen if at == path)
            self.seen.add((path, inode.stamp))
            checksum = _sha1(inode.data)
            lain = lain_still(inode.stamp, self.server.now().timestamp())
            quiet = 0.0 if known else max(0.0, _quiet(path, inode.data) - lain)
            self.versions[checksum].append(now + quiet)

    def answered(self, request: httpx.Request, answer: httpx.Response, wall: float) -> None:
        """The server has answered."""
        now = anyio.current_time()
        for asset in self.server.assets:
            if asset.trashed_at is None:
                self.present[asset.checksum].append(now)
        if request.url.path.endswith("/bulk-upload-check") and answer.status_code == 200:
            for asset in self.server.assets:
                key = (asset.checksum, asset.id, asset.trashed_at is not None)
                self.told[key].append(wall)
        elif request.method == "DELETE" and answer.is_success:
            self._trashed(request)
        elif request.method == "POST" and "/trash/restore" in request.url.path:
            self._restored(request)
        elif request.method == "POST" and request.url.path == "/api/assets":
            for asset in self.server.assets:
                if asset.id not in self.created:
                    self.created.add(asset.id)
                    self._stored(asset, now)

    def set_clock(self, seconds: float, wall: float) -> None:
        """The wall clock stands at `wall`, having been moved by so many seconds."""
        self.jumped = self.jumped or seconds > 0
        for times in self.told.values():
            times += [t + seconds for t in times if wall - seconds - t <= TRANSIT]

    def purges(self, asset: Asset) -> None:
        """A person is about to remove an asset for good."""
        self.touched.add(asset.checksum)
        if asset.checksum in self.ledger.verified() and not self.rivalled:
            self.removed.add(asset.checksum)

    def takes_out(self, album: str, asset: str) -> None:
        """A person is about to take an asset out of an album."""
        self.excused.add((album, asset))  # it may be on its way into our ledger just now
        if (album, asset) in self.ledger.members() and not self.rivalled:
            self.taken_out.add((album, asset))

    def many_go(self, files: Mapping[Path_, Inode], going: Sequence[Path_]) -> None:
        """So many are about to be deleted at once: a person has to be asked, if they are known."""
        rows = self.ledger.rows()
        known = {
            path: checksum
            for path in going
            if (row := rows.get(path)) and (checksum := row.checksum) == _sha1(files[path].data)
        }
        left = {_sha1(inode.data) for path, inode in files.items() if path not in going}
        lost = {checksum for checksum in known.values() if checksum} - left
        if len(lost) > LOST.of(len(rows)):
            self.gone = lost

    def many_change(self, files: Mapping[Path_, Inode], to: Mapping[Path_, bytes]) -> None:
        """So many are about to change at once: a person has to be asked, if they are proved."""
        rows = self.ledger.rows()
        known = {asset.checksum for asset in self.server.assets}
        proved = {
            path: checksum
            for path, data in to.items()
            if (row := rows.get(path))
            and row.verified_at
            and not row.due
            and row.checksum == _sha1(files[path].data)
            and (checksum := _sha1(data)) not in known
        }
        if len(proved) > CHANGED.of(len(rows)) and not self.rivalled:
            self.changed, self.slipped = proved, 0

    def approves(self, *, removed: bool) -> None:
        """A person is about to say that all is right, and if not `removed`, to be uploaded anew."""
        self.gone.clear()
        self.changed.clear()
        if not removed:
            self.removed.clear()

    def forgets(self) -> None:
        """The state is an older one than it was: nothing is expected of what it does not know."""
        self.last = self.ledger.rows()
        self.gone.clear()
        self.changed.clear()
        self.taken.clear()
        self.trashed_by_person.clear()
        stones = self.ledger.path.with_name("tombstones.jsonl")
        buried = stones.read_text() if stones.exists() else ""
        verified = self.ledger.verified()
        self.removed = {one for one in self.removed if one in verified or one in buried}
        self.taken_out &= self.ledger.members()

    def meets_rival(self) -> None:
        """From now on somebody uploads who was told of nothing that a person did before."""
        self.rivalled = True
        self.changed.clear()
        self.removed.clear()
        self.taken_out.clear()

    def heard(self, activity: Activity) -> None:
        """The daemon says what it did; of a bug of its own it says that it is unexpected."""
        if activity.detail.startswith("unexpected"):
            self.broken.append(activity.detail)

    def _trashed(self, request: httpx.Request) -> None:
        """I2: into the trash only, only where wanted, only what is ours and lies here no more."""
        asked = json.loads(request.content)
        here = self.lies_here()
        if request.url.path != "/api/assets" or asked.get("force") or not self.may_trash():
            self.broken.append(f"I2: {request.method} {request.url.path} {asked}")
            return
        for asset in self.server.assets:
            if asset.id in asked["ids"]:
                self.touched.add(asset.checksum)
                self.trashed_by_us += 1
                if asset.id in self.others:
                    self.broken.append(f"I2: {asset.id} is not ours")
                if asset.checksum in here:
                    self.broken.append(f"I2: {asset.checksum} lies here still")
                if asset.checksum in self.gone:
                    self.broken.append(f"I2: {asset.checksum} is one of many; nobody was asked")
                if asset.checksum in self.taken:
                    self.broken.append(f"I2: {asset.checksum} was cleaned away, not deleted")

    def _restored(self, request: httpx.Request) -> None:
        """S17: only what we put into the trash comes out of it by us."""
        asked = json.loads(request.content or b"{}")
        theirs = self.trashed_by_person & set(asked.get("ids", self.trashed_by_person))
        if theirs or "ids" not in asked:
            self.broken.append(f"S17: {request.url.path} {asked}: a person trashed {theirs}")

    def _stored(self, asset: Asset, now: float) -> None:
        """I3, I4 and S17: what has just been created may be created."""
        name, ready = asset.original_file_name, self.versions.get(asset.checksum)
        if asset.checksum in self.removed:
            self.broken.append(f"S17: {name} was removed there and went up again")
        self.slipped += asset.checksum in self.changed.values()
        if self.slipped > CHANGED.of(len(self.ledger.rows())):
            self.broken.append(f"I2: {self.slipped} of many changed files went up unasked")
        if not ready:
            self.broken.append(f"I4: no file ever had the bytes of {name}")
        elif not self.jumped and min(ready) > now + 1e-6:
            self.broken.append(f"F1: {name} went up at {now}, to lie still until {min(ready)}")

    def takes(self, disk: MemoryDisk, root: bytes, path: Path_, inode: Inode) -> None:
        """I1: what the program itself took away is in Immich just now, and not in its trash.

        Its answer may be a moment old. What comes out of quarantine lies in the folder again, and
        a sidecar is no asset.
        """
        back = root == ASIDE and any(one is inode for one in disk.files.values())
        if back or path.endswith(b".xmp"):
            return
        checksum = _sha1(inode.data)
        alive = any(a.checksum == checksum and a.trashed_at is None for a in self.server.assets)
        since = anyio.current_time() - TRANSIT
        self.taken.add(checksum)
        if not self.may_take():
            self.broken.append(f"I1: {path!r} was taken from {root!r}, and nobody wants that")
        if not alive and not any(at >= since for at in self.present[checksum]):
            self.broken.append(f"I1: {path!r} was taken from {root!r}, and Immich has it not")

    def check(self, files: dict[Path_, Inode], *, home: bool) -> None:
        """The promises hold now; `files` is the folder's own disk, `home` whether it is mounted."""
        assert not self.broken, self.broken
        now, rows = anyio.current_time(), self.ledger.rows()
        by_checksum: dict[str, int] = defaultdict(int)
        for asset in self.server.assets:
            by_checksum[asset.checksum] += 1
        assert all(count == 1 for count in by_checksum.values()), "I3: an asset is there twice"
        for checksum, asset_id, verified, trashed, removed in self.ledger.assets():
            if verified is not None and removed is None:
                times = self.told[checksum, asset_id, False]
                if trashed is not None:  # it may have been seen alive, and in the trash later
                    times = times + self.told[checksum, asset_id, True]
                # 0: once believed, and to be asked again (`store.mend.retry`).
                assert any(not verified or -ASKING <= verified - at <= TRANSIT for at in times), (
                    f"I5: {checksum} is verified at {verified}, but the server said so at {times}"
                )
        for path, row in rows.items():
            done = row.checksum is not None and not row.due and row.hold is None
            if done:
                assert row.verified_at is not None, f"I5: {path!r} is over and not proved"
            believed = done and row.trashed_at is None and row.removed_at is None
            if believed and self.last.get(path) != row:
                since = self.checked_at - BELIEVED
                assert row.checksum is not None
                assert any(at >= since for at in self.present[row.checksum]), (
                    f"I5: {path!r} is done, but Immich has not had it since {since}"
                )
        if not home and not self.home_is_there:
            lost = [path for path in self.last if path not in rows and path in files]
            assert not lost, f"I6: {lost} were forgotten while their disk was away"
        pairs = {
            (album.id, a) for album in self.server.albums for a in self.server.members.of(album.id)
        }
        assert not pairs & self.taken_out, "I14: what a person took out is back"
        assert not {album for album, _ in pairs} & self.foreign, "I14: in a stranger's album"
        self.last, self.checked_at, self.home_is_there = rows, now, home


def _sha1(data: bytes) -> str:
    return sha1(data, usedforsecurity=False).hexdigest()


def _quiet(path: Path_, data: bytes) -> float:
    """Seconds that such bytes have to lie still at least."""

    def read(offset: int, length: int) -> bytes:
        return data[offset : offset + length]

    match judge(read, len(data), path.rpartition(b"/")[2]):
        case Completeness.WHOLE:
            return QUICK
        case Completeness.CUT:
            return CUT_OFF
        case Completeness.UNKNOWN:
            return SETTLE
