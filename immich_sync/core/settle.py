"""Which files have held still for long enough to be read.

Its own module because waiting is data here: a table of sightings that is asked, never a sleeper
per file. How long a file must hold still depends on what was seen of it:

    container whole, and closed after writing or renamed into place    0.05 s
    cannot be told, or nobody saw it being closed                      the folder's `settle`
    the same, made under our eyes and not closed yet                   three times that
    container not whole                                                10 minutes
    no bytes at all                                                    `settle` and a minute

An empty file is often the first of one that is being written, and if it is not, somebody should
hear of it soon.
"""

from dataclasses import dataclass
from enum import Enum
from heapq import heappop, heappush

from immich_sync.core.types import Completeness, Evidence, Place, Stamp

QUICK = 0.05
"""Seconds between a hint and the first look."""
CUT_OFF = 600.0
"""Seconds after which even a damaged photo is better kept than lost."""
EMPTY = 60.0
"""Seconds beyond the folder's own after which a file is taken to stay empty."""
_NANO = 1e-9


def quiet_time(completeness: Completeness, evidence: Evidence, settle: float) -> float:
    """How long, in seconds, a stamp must hold still."""
    if completeness is Completeness.CUT:
        return max(CUT_OFF, settle)
    if completeness is Completeness.WHOLE and evidence is Evidence.FINISHED:
        return min(QUICK, settle)
    return settle * 3 if evidence is Evidence.BEGUN else settle


def lain_still(stamp: Stamp, wall: float) -> float:
    """Seconds since the file last moved, by its own times; 0 if they lie in the future."""
    return max(0.0, wall - max(stamp.mtime_ns, stamp.ctime_ns) * _NANO)


def _believable(needed: float) -> float:
    """How long, in seconds, a file's own times must say that it lay still.

    They are another machine's, whose clock may be wrong: a long stillness is believed, and so is a
    short one where no more than that is asked for.
    """
    return needed if needed <= QUICK else max(needed, CUT_OFF)


class Wants(Enum):
    """What a file that settles is waited for. Scripts read the values."""

    STILLNESS = "stillness"
    REST = "rest"  # its container is not whole
    BYTES = "bytes"  # it has none


@dataclass(frozen=True, slots=True)
class Waiting:
    """A file that settles; times are seconds on the monotonic clock."""

    place: Place
    wants: Wants
    until: float  # it goes on then, if it does not move any more
    anew: float  # so it does for a process that starts later and has only the file's own times


@dataclass(slots=True)
class _Sighting:
    evidence: Evidence
    look_at: float
    stamp: Stamp | None = None
    since: float = 0.0  # when `stamp` was first seen
    completeness: Completeness = Completeness.UNKNOWN
    until: float = 0.0  # when it has settled, if it moves no more
    anew: float = 0.0  # likewise, by its own times alone


class Settling:
    """The files that were seen moving. Times are seconds on a monotonic clock, unless `wall`."""

    def __init__(self, settle: float) -> None:
        self._settle = settle
        self._sightings: dict[Place, _Sighting] = {}
        self._order: list[tuple[float, int, Place]] = []
        self._count = 0

    def __len__(self) -> int:
        return len(self._sightings)

    def hint(self, place: Place, evidence: Evidence, now: float) -> None:
        """Something happened at `place`: it will be due for a look very soon."""
        sighting = self._sightings.get(place)
        if sighting is None:
            sighting = self._sightings[place] = _Sighting(evidence, now + QUICK)
        else:
            if evidence is not Evidence.NONE:
                sighting.evidence = evidence
            if sighting.look_at <= now + QUICK:
                return
            sighting.look_at = now + QUICK
        self._push(place, sighting)

    def due(self, now: float, most: int) -> list[Place]:
        """At most `most` places to look at now; `saw` or `lost` must be called for each."""
        places: list[Place] = []
        while self._order and self._order[0][0] <= now and len(places) < most:
            look_at, _, place = heappop(self._order)
            sighting = self._sightings.get(place)
            if sighting is not None and sighting.look_at == look_at:
                places.append(place)
        return places

    def next_due(self) -> float | None:
        """When to ask `due` again; None if nothing is settling."""
        return self._order[0][0] if self._order else None

    def looks_at(self, place: Place) -> float | None:
        """When this file is looked at next; None if it is not settling."""
        sighting = self._sightings.get(place)
        return None if sighting is None else sighting.look_at

    def waiting(self, place: Place) -> Waiting | None:
        """What this file is waited for, and how long; None if it is not settling."""
        sighting = self._sightings.get(place)
        if sighting is None:
            return None
        if sighting.stamp is None:  # nobody has looked yet
            return Waiting(place, Wants.STILLNESS, sighting.look_at, sighting.look_at)
        wants = Wants.REST if sighting.completeness is Completeness.CUT else Wants.STILLNESS
        if not sighting.stamp.size:
            wants = Wants.BYTES
        return Waiting(place, wants, sighting.until, sighting.anew)

    def places(self) -> list[Place]:
        """Everything that is settling, in the order of its arrival."""
        return list(self._sightings)

    def saw(
        self, place: Place, stamp: Stamp, completeness: Completeness, now: float, *, wall: float
    ) -> bool:
        """Take a look's result; True if the file has settled (and is no longer kept here)."""
        sighting = self._sightings.get(place)
        if sighting is None:
            sighting = self._sightings[place] = _Sighting(Evidence.NONE, now)
        sighting.completeness = completeness
        if sighting.stamp != stamp:
            sighting.stamp, sighting.since = stamp, now
        needed = quiet_time(completeness, sighting.evidence, self._settle)
        if not stamp.size:
            needed = self._settle + EMPTY
        sighting.anew = now + _believable(needed) - lain_still(stamp, wall)
        sighting.until = min(sighting.since + needed, sighting.anew)
        missing = sighting.until - now
        if missing <= 0:
            del self._sightings[place]
            return True
        sighting.look_at = now + max(QUICK, min(missing, self._settle))
        self._push(place, sighting)
        return False

    def lost(self, place: Place) -> None:
        """Nothing lies there any more."""
        self._sightings.pop(place, None)

    def growing(self, now: float) -> bool:
        """Whether any file is on its way; one that is not whole and moves no more is not."""
        return any(
            sighting.completeness is not Completeness.CUT or now - sighting.since < self._settle
            for sighting in self._sightings.values()
        )

    def _push(self, place: Place, sighting: _Sighting) -> None:
        self._count += 1  # places are not ordered; the count breaks ties in the order of arrival
        heappush(self._order, (sighting.look_at, self._count, place))
