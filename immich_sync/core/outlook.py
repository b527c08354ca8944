"""What happens next to one path, and when, in a sentence.

Its own module because it reads the same facts as the plan, but for a person who asks: what waits,
for what, and what could be done.
"""

from dataclasses import dataclass

from immich_sync.core.explanation import Live
from immich_sync.core.plan import Facts, Step, next_step
from immich_sync.core.settle import CUT_OFF, Wants, lain_still, quiet_time
from immich_sync.core.types import Asset, Completeness, Evidence, File, Hold, Job, Stamp

_STEPS = {
    Step.HASH: "its bytes are read",
    Step.CHECK: "the server is asked whether it has these bytes",
    Step.UPLOAD: "it is uploaded",
    Step.VERIFY: "the server is asked for the checksum of what it stored",
    Step.JOIN: "it is put into its album",
    Step.RESTORE: "it is taken out of Immich's trash",
}

_STANDSTILL = {
    "offline": "Nothing until the folder is there again",
    "unapproved": "Nothing until a person says that the folder is the right one (approve)",
    "paused": "Nothing until the folder goes on (resume)",
    "starting": "The daemon has just started: the folder is looked at soon",
}

_HELD = {
    Hold.REJECTED: "Nothing until the file changes: the server does not take it",
    Hold.EMPTY: "Nothing until the file changes: it has no bytes",
    Hold.TOO_LARGE: "Nothing until the limit on the way is raised: then immich-sync retry PATH",
    Hold.REMOVED: "Nothing: a person removed it from Immich. Again: immich-sync retry --force PATH",
    Hold.MISSING: "Nothing: it is gone from Immich. Again: immich-sync retry --force PATH",
    Hold.CHANGED: "Nothing until a person says that so many changes are right (approve)",
}


_SETTLING = {
    Wants.STILLNESS.value: "It was seen moving: if it holds still until then, it is read.",
    Wants.REST.value: "It is not whole: unless the rest comes until then, it goes up all the same.",
    Wants.BYTES.value: "It has no bytes: unless they come until then, it is listed as a problem.",
}


@dataclass(frozen=True, slots=True)
class Prospect:
    """All that decides what comes next; times in wall-clock seconds."""

    taken: bool  # no rule passes it over
    stamp: Stamp | None  # the disk, now
    completeness: Completeness
    file: File | None
    asset: Asset | None
    job: Job | None
    dismissed: bool
    wants_album: bool
    settle: float
    live: Live | None
    now: float
    mirrors: bool = False  # what is deleted here goes into Immich's trash
    departs_at: float | None = None  # when, if nothing is in the way
    was_in: bool = False  # a file of this path was seen to be in Immich once


def outlook(facts: Prospect) -> tuple[str, float | None]:
    """The sentence, and the time that it speaks of, if there is one."""
    live = facts.live
    if not facts.taken and facts.stamp is not None:
        return "Nothing: it is passed over.", None
    if live is None:
        return _without_daemon(facts)
    if live.folder_state in _STANDSTILL:
        why = f" ({live.why})" if live.why else ""
        return f"{_STANDSTILL[live.folder_state]}{why}.", None
    if live.in_hand:
        return "It is being worked on just now.", facts.now
    if live.looked_at is not None:
        said = _SETTLING.get(live.waits_for, _SETTLING[Wants.STILLNESS.value])
        return said, live.looked_at if live.settles_at is None else live.settles_at
    if facts.job is not None:
        return _due(facts, facts.job, live)
    if facts.stamp is None:
        return _gone(facts, live.next_scan)
    if facts.file is None or facts.file.stamp != facts.stamp:
        return _unnoticed(facts, facts.stamp, live)
    return _at_rest(facts, facts.file)


def _without_daemon(facts: Prospect) -> tuple[str, float | None]:
    known = facts.file is not None and facts.file.stamp == facts.stamp
    if facts.job is None and facts.file is not None and known:
        return _at_rest(facts, facts.file)
    if facts.job is None and facts.stamp is None:
        return _gone(facts, None)
    return f"No daemon runs. Once one does (immich-sync run), {_step(facts)}.", None


def _due(facts: Prospect, job: Job, live: Live) -> tuple[str, float | None]:
    step = _step(facts)
    if job.due_at > facts.now:
        return f"It is tried again then: {step}.", job.due_at
    if live.server_trouble:
        return f"It waits for the server ({live.server_trouble}); then {step}.", None
    return f"It is due, as soon as its turn comes: {step}.", facts.now


def _step(facts: Prospect) -> str:
    known = Facts(facts.stamp, facts.file, facts.asset)
    step = next_step(known, wants_album=facts.wants_album, now=facts.now)
    return _STEPS.get(step, "it is looked at again")


def _gone(facts: Prospect, next_scan: float | None) -> tuple[str, float | None]:
    if facts.departs_at is not None:
        if facts.live is not None and facts.live.folder_state == "waiting":
            return "So much is gone that it waits for a person's word: immich-sync approve.", None
        return "Unless it turns up again, its photo goes into Immich's trash.", facts.departs_at
    if facts.file is not None and facts.mirrors:
        return "It is not there any more: that is noticed then, and goes on to Immich.", next_scan
    if facts.file is None and facts.was_in:
        return "Nothing: it was in Immich, and is forgotten here. In Immich nothing changes.", None
    if facts.file is None:
        return "Nothing: no such file is there or known.", None
    return "It is not there any more: it is forgotten then. In Immich nothing changes.", next_scan


def _unnoticed(facts: Prospect, stamp: Stamp, live: Live) -> tuple[str, float | None]:
    quiet = quiet_time(facts.completeness, Evidence.NONE, facts.settle)
    left = quiet - lain_still(stamp, facts.now)
    if left > 0:
        cut = facts.completeness is Completeness.CUT
        why = f"it is not whole, and is given {CUT_OFF / 60:.0f} minutes" if cut else "it is new"
        return f"It must hold still until then ({why}); then it is read.", facts.now + left
    return "It has not been noticed yet: the next scan finds it.", live.next_scan


def _at_rest(facts: Prospect, file: File) -> tuple[str, float | None]:
    if facts.dismissed:
        return "Nothing: a person dismissed it, until its bytes change.", None
    if file.hold is not None:
        return f"{_HELD.get(file.hold, f'Nothing: {file.note}')}.", None
    asset = facts.asset
    if asset is None or asset.verified_at is None:
        return "Nothing is due. To ask the server again: immich-sync retry PATH", None
    if asset.trashed_at is not None:
        return "Nothing: it is in Immich's trash, where a person put it.", None
    if asset.removed_at is not None:
        return "Nothing: it is gone from Immich. Again: immich-sync retry --force PATH", None
    if file.incomplete:
        return "Nothing: it is not whole, and as much of it as there is is in Immich, proved.", None
    return "Nothing: it is in Immich, whole and proved, and stays known until it changes.", None
