"""Whether a file that is in Immich may be cleaned out of its folder: from facts to a verdict.

Its own module because every reason not to do it should stand on one page, and because it reads
nothing and does nothing: that no single missing fact is overlooked can be tried out.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import Enum, auto
from math import inf

from immich_sync.core.errors import FileTrouble
from immich_sync.core.media import Kind, kind_of
from immich_sync.core.naming import shown
from immich_sync.core.types import Asset, AssetId, Checksum, File, Stamp

SYNCTHING = b".stfolder"
"""Lies in the root of every folder that Syncthing shares (its marker, docs.syncthing.net)."""
SLACK = 60.0
"""Seconds by which the wall clock may run ahead of the monotonic one between two looks."""
FRESH = 60.0
"""Seconds for which the server's word that it has a file is good enough to take it away."""
DOWNTIME = 36 * 3600.0
"""Seconds that are believed to have passed while nobody was running: a cron job runs once a day."""


class Kept(FileTrouble):
    """The file stays where it is; the text says why."""


class NoPlace(FileTrouble):
    """The quarantine takes nothing: its disk is full, read-only or not there."""


@dataclass(frozen=True, slots=True)
class Jump:
    """At `at` (wall-clock seconds) the wall clock was set ahead `by` so many; back if negative."""

    at: float
    by: float


class Next(Enum):
    """What is to be done with a file now."""

    CLEAN = auto()
    PROVE = auto()  # all that is known speaks for it: read it again, and ask the server
    WAIT = auto()
    KEEP = auto()


@dataclass(frozen=True, slots=True)
class Proof:
    """What the bytes and the server said, just now."""

    checksum: Checksum
    asset_id: AssetId | None
    trashed: bool


@dataclass(frozen=True, slots=True)
class World:
    """How things stand with folder and server."""

    online: bool  # the folder's root is believed
    doubt: str  # why the server is not believed to be the one we know; ""
    newer: str | None  # why nothing may be deleted with this server; None: it may


@dataclass(frozen=True, slots=True)
class Facts:
    """What is known of one file. Times are wall-clock seconds."""

    world: World
    file: File | None  # the ledger
    asset: Asset | None  # the ledger
    due: bool  # a job waits for it
    undone: bool  # a person brought it back from a cleanup
    in_album: bool  # it was put into the album that its folder wants, or needs none
    ripe_at: float  # when it has been quiet for long enough
    now: float
    seen: Stamp | None  # the disk, now
    links: int  # names that the file has
    syncthing: bool  # a phone would be told of the deletion, and may not be
    sidecar: str  # why its sidecar keeps it here; ""
    proof: Proof | None = None


@dataclass(frozen=True, slots=True)
class Verdict:
    """What to do, until when, and why; `why` is a sentence for people."""

    next: Next
    why: str = ""
    until: float | None = None  # wall-clock seconds, where waiting has an end


def decide(facts: Facts) -> Verdict:
    """The verdict on one file. Without a proof it is never CLEAN."""
    for look in (_around, _known, _in_immich, _on_the_disk):
        verdict = look(facts)
        if verdict is not None:
            return verdict
    return _proved(facts)


def _around(facts: Facts) -> Verdict | None:
    if not facts.world.online:
        return Verdict(Next.WAIT, "The folder is offline.")
    if facts.world.doubt:
        return Verdict(Next.WAIT, f"The server is not believed: {facts.world.doubt}")
    if facts.world.newer is not None:
        return Verdict(Next.WAIT, facts.world.newer)
    return None


def _known(facts: Facts) -> Verdict | None:
    file = facts.file
    if file is None or file.checksum is None or facts.due:
        return Verdict(Next.WAIT, "It is not synced yet.")
    if file.hold is not None:
        return _keep("it is not in Immich")
    if file.incomplete:
        return _keep("it is cut off, and a whole one may still come")
    if facts.undone:
        return _keep("a person brought it back")
    return None


def _in_immich(facts: Facts) -> Verdict | None:
    file, asset = facts.file, facts.asset
    if file is None or asset is None or asset.checksum != file.checksum:
        return Verdict(Next.WAIT, "Immich has not proved yet to have it.")
    if asset.verified_at is None:
        return Verdict(Next.WAIT, "Immich has not proved yet to have it.")
    if asset.removed_at is not None:
        return _keep("it is gone from Immich")
    if asset.trashed_at is not None:
        return _keep("it lies in Immich's trash")
    if not facts.in_album:
        return Verdict(Next.WAIT, "It is not in its album yet.")
    return None


def _on_the_disk(facts: Facts) -> Verdict | None:
    if not facts.ripe_at <= facts.now:
        return Verdict(
            Next.WAIT, "It waits until it has lain still for long enough.", facts.ripe_at
        )
    if facts.file is None or facts.seen != facts.file.stamp:
        return Verdict(Next.WAIT, "It changed, and is synced again first.")
    if facts.links > 1:
        return _keep(f"it has {facts.links} names (hard links), of which this is one")
    if facts.syncthing:
        return _keep("Syncthing shares it, and would delete it from the phone as well")
    if facts.sidecar:
        return _keep(facts.sidecar)
    return None


def _proved(facts: Facts) -> Verdict:
    proof, file, asset = facts.proof, facts.file, facts.asset
    if proof is None or file is None or asset is None:
        return Verdict(Next.PROVE)
    if proof.checksum != file.checksum:
        return _keep("its bytes are others than those in Immich")
    if proof.asset_id != asset.asset_id:
        return _keep("Immich does not have it any more")
    if proof.trashed:
        return _keep("it lies in Immich's trash")
    return Verdict(Next.CLEAN)


def shared(directory: bytes) -> str:
    """Why nothing is cleaned away below a directory that holds the marker, without a full stop."""
    return (
        f"Syncthing shares {shown(directory)} (it holds .stfolder), and what is cleaned away here"
        " would be deleted on the phone too; if that is wanted, write deletes_reach_phone = true"
    )


def together(verdicts: Sequence[Verdict]) -> Verdict:
    """The verdict on files that go together or not at all: that of the one least ready."""
    ladder = (Next.KEEP, Next.WAIT, Next.PROVE, Next.CLEAN)
    return min(verdicts, key=lambda one: (ladder.index(one.next), -(one.until or 0.0)))


def _keep(why: str) -> Verdict:
    return Verdict(Next.KEEP, f"It is kept: {why}.")


def waited(since: float, now: float, jumps: Iterable[Jump]) -> float:
    """Seconds that really passed since then, what the clock's jumps made of them left out.

    `jumps` are in the order in which they happened. A time that the clock showed twice, before it
    was set back and after, is taken to be the later one, and one that it skipped to be when it
    had skipped it: in doubt, less was waited.
    """
    known = list(jumps)
    begin, skipped = -inf, sum(one.by for one in known)
    found: list[float] = []
    for one in (*known, None):
        if begin <= since <= (now if one is None else one.at):
            found.append(now - since - skipped)
        if one is not None:
            begin = one.at + one.by
            skipped -= one.by
            if one.at < since < begin:
                found.append(now - begin - skipped)
    return min(found, default=now - since)


def is_fresh(wall: float, steady: float) -> bool:
    """Whether what the server said so many seconds ago, by both clocks, may still be acted on.

    Both count: a machine that slept meanwhile does not notice by the one, and a clock that was
    set back by the other.
    """
    return steady <= FRESH and abs(wall) <= FRESH


def ripe_at(
    needed: float, ours: Sequence[float | None], stamp: Stamp, now: float, jumps: Sequence[Jump]
) -> float:
    """When a file has been quiet for `needed` seconds, by our own times and by the file's.

    The latest of all counts; a time of ours that is missing counts from now on.
    """
    times = [now if at is None else at for at in ours]
    times += [stamp.mtime_ns / 1e9, stamp.ctime_ns / 1e9]
    return now + max(needed - waited(since, now, jumps) for since in times)


def jumped(before: float, now: float, steady: float | None) -> Jump | None:
    """The jump that the wall clock made between two looks at it, if it did.

    `steady` seconds passed on the monotonic clock; None: nobody was running, and only what is too
    much for that is no waiting.
    """
    ahead = now - before - (steady or 0.0)
    if steady is None:
        return None if 0.0 <= ahead <= DOWNTIME else Jump(before, ahead)
    return None if abs(ahead) <= SLACK else Jump(before, ahead)


def sidecars_of(name: bytes, names: Iterable[bytes]) -> list[bytes]:
    """What among `names` may be a sidecar of the file `name`; in doubt it is one."""
    mine = {name.lower(), name.lower().rpartition(b".")[0]}
    return [
        one
        for one in names
        if kind_of(one) is Kind.SIDECAR and one.lower().rpartition(b".")[0] in mine
    ]


def aside_name(name: bytes, number: int) -> bytes:
    """A free name beside others in the quarantine: `a.jpg`, `a~2.jpg`, `a~3.jpg`."""
    if number <= 1:
        return name
    stem, dot, end = name.rpartition(b".")
    mark = b"~%d" % number
    return stem + mark + dot + end if stem else name + mark
