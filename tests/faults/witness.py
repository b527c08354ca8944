"""Sees everything that happens on the stage, and says when a promise was broken.

Its own module because the promises are one list, whoever plays the scenario; the numbers are those
of the invariants in docs/operations.md.
"""

import json
import sqlite3
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from hashlib import sha1
from pathlib import Path

import anyio
import httpx

from immich_sync.core.complete import judge
from immich_sync.core.settle import CUT_OFF, QUICK, lain_still
from immich_sync.core.types import Activity, Completeness, Stamp
from immich_sync.sandbox import State
from immich_sync.sandbox.records import Asset
from immich_sync.store.rows import UNSIGNED
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
Path_ = bytes


@dataclass(frozen=True, slots=True)
class Row:
    """What the ledger says of one path."""

    stamp: Stamp
    checksum: str | None
    hold: str | None
    due: bool  # a job waits
    asset_id: str | None
    verified_at: float | None
    trashed_at: float | None
    removed_at: float | None


@dataclass(slots=True)
class Ledger:
    """The state file, read from beside as it stands after the last commit."""

    path: Path
    _connection: sqlite3.Connection | None = None

    def rows(self) -> dict[Path_, Row]:
        """What is known of each path."""
        return {
            (directory + b"/" + name if directory else name): Row(
                Stamp(size, mtime, inode & UNSIGNED, ctime),
                None if checksum is None else checksum.hex(),
                hold,
                bool(due),
                *asset,
            )
            for directory, name, size, mtime, inode, ctime, checksum, hold, due, *asset in (
                self._query(_ROWS)
            )
        }

    def jobs(self) -> list[Path_]:
        """The paths that are due."""
        return [(d + b"/" + n if d else n) for d, n in self._query("SELECT dir, name FROM job")]

    def departed(self) -> list[Path_]:
        """The paths whose deletion has not reached Immich."""
        query = "SELECT dir, name FROM departed WHERE state IN ('waiting', 'meant')"
        return [(d + b"/" + n if d else n) for d, n in self._query(query)]

    def cleaned(self) -> list[tuple[Path_, str, str]]:
        """What was cleaned away, or is about to be: path, checksum, how far it came."""
        rows = self._query("SELECT dir, name, sha1, state FROM cleaned")
        return [(d + b"/" + n if d else n, sha1.hex(), state) for d, n, sha1, state in rows]

    def verified(self) -> set[str]:
        """The checksums that are known to be, or to have been, in Immich."""
        query = "SELECT sha1 FROM asset WHERE verified_at IS NOT NULL"
        return {checksum.hex() for (checksum,) in self._query(query)}

    def assets(self) -> list[tuple[str, str, float | None, float | None, float | None]]:
        """All that is known of assets: checksum, id, verified, trashed, removed."""
        query = "SELECT sha1, asset_id, verified_at, trashed_at, removed_at FROM asset"
        return [(row[0].hex(), *row[1:]) for row in self._query(query)]

    def members(self) -> set[tuple[str, str]]:
        """Album and asset of each pair that is known to have been put together."""
        return {(row[0], row[1]) for row in self._query("SELECT album_id, asset_id FROM member")}

    def close(self) -> None:
        """Give the connection back; the next question opens a new one."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def image(self) -> bytes:
        """The whole state, as a backup has it."""
        self._query("SELECT 1")
        assert self._connection is not None
        return self._connection.serialize()

    def _query(self, query: str) -> list[tuple]:  # type: ignore[type-arg]  # rows of any shape
        if self._connection is None:
            self._connection = sqlite3.connect(self.path)
        return self._connection.execute(query).fetchall()


_ROWS = """
SELECT file.dir, file.name, file.size, file.mtime_ns, file.inode, file.ctime_ns, file.sha1,
    file.hold, job.folder IS NOT NULL, asset.asset_id, asset.verified_at, asset.trashed_at,
    asset.removed_at
FROM file
LEFT JOIN job ON job.folder = file.folder AND job.dir = file.dir AND job.name = file.name
LEFT JOIN folder ON folder.id = file.folder
LEFT JOIN asset ON asset.account = folder.account AND asset.sha1 = file.sha1
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
    broken: list[str] = field(default_factory=list)  # promises, in the middle of something else
    jumped: bool = False  # the wall clock was set forward
    rivalled: bool = False  # a second daemon was there, which knows nothing of what ours knows
    last: dict[Path_, Row] = field(default_factory=dict)
    checked_at: float = 0.0
    home_is_there: bool = True

    def look(self, files: dict[Path_, Inode]) -> None:
        """These files lie there now."""
        now = anyio.current_time()
        for path, inode in files.items():
            if (path, inode.stamp) in self.seen:
                continue
            # Whoever sets a file's time back is done with writing it: it need not lie still.
            known = any(stamp.same_bytes(inode.stamp) for at, stamp in self.seen if at == path)
            self.seen.add((path, inode.stamp))
            checksum = sha1(inode.data, usedforsecurity=False).hexdigest()
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

    def forgets(self) -> None:
        """The state is an older one than it was: nothing is expected of what it does not know."""
        self.last = self.ledger.rows()
        stones = self.ledger.path.with_name("tombstones.jsonl")
        buried = stones.read_text() if stones.exists() else ""
        verified = self.ledger.verified()
        self.removed = {one for one in self.removed if one in verified or one in buried}
        self.taken_out &= self.ledger.members()

    def meets_rival(self) -> None:
        """From now on somebody uploads who was told of nothing that a person did before."""
        self.rivalled = True
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

    def _stored(self, asset: Asset, now: float) -> None:
        """I3, I4 and S17: what has just been created may be created."""
        name, ready = asset.original_file_name, self.versions.get(asset.checksum)
        if asset.checksum in self.removed:
            self.broken.append(f"S17: {name} was removed there and went up again")
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
        checksum = sha1(inode.data, usedforsecurity=False).hexdigest()
        alive = any(a.checksum == checksum and a.trashed_at is None for a in self.server.assets)
        since = anyio.current_time() - TRANSIT
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
