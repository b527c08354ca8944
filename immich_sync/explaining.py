"""Everything known about one path: the disk, the rules, the ledger, and what happens next.

Its own module because it only reads, from three places that know nothing of each other, and says
all of it in words for a person.
"""

import os
from collections.abc import Collection, Iterator, Sequence
from pathlib import Path

from immich_sync.core.departure import State
from immich_sync.core.errors import FileTrouble
from immich_sync.core.explanation import Explanation, Fact, InImmich, Live, Marks, Sight
from immich_sync.core.folder import Folder, Setup
from immich_sync.core.media import motion_of, sidecar_of, still_of
from immich_sync.core.naming import shown
from immich_sync.core.outlook import Prospect, outlook
from immich_sync.core.ports import Entry
from immich_sync.core.types import Activity, Completeness, Place, SidecarSent, Stamp, below
from immich_sync.filesystem.digest import judge
from immich_sync.filesystem.following import disk_for
from immich_sync.filesystem.scan import Policy
from immich_sync.filesystem.sidecars import read_sidecar
from immich_sync.filesystem.taking import SIDECAR, Taking, taking
from immich_sync.ripening import ripening
from immich_sync.store import cleanups
from immich_sync.store.cleanups import Cleaned
from immich_sync.store.database import STATE_FILE, open_read_only
from immich_sync.store.dossier import Dossier, dossier
from immich_sync.store.holdings import folder_at

ERRORS = frozenset({"failed", "given_up"})
"""The events that tell of trouble."""
IN_IMMICH = frozenset({"uploaded", "already_there"})
"""The events that tell of a file that is in Immich, whole and proved."""


def explain(setup: Setup, path: bytes, *, now: float, live: Live | None = None) -> Explanation:
    """All that is known of an absolute `path`, which need not be there; changes nothing.

    `live` is what the daemon said of it; `now` is wall-clock seconds. Raises StateTrouble.
    """
    found = owner(setup, path)
    if found is None:
        names = ", ".join(f"{one.name} ({shown(one.root)})" for one in setup.folders)
        reason = f"it lies in no folder that is synced; these are: {names}"
        sight = Sight("unknown", taken=False, rule="outside", reason=reason, by="")
        return _nothing_known(path, sight)
    folder, relative = found
    if not relative:
        sight = Sight("directory", taken=True, rule="", reason="it is a folder's root", by="")
        return _nothing_known(path, sight)
    seen = taking(folder.root, relative, Policy.of(folder), follows=folder.follow_symlinks)
    known = _dossier(setup, folder, relative)
    return _explained(setup, folder, relative, seen, known, live, now)


def owner(setup: Setup, path: bytes) -> tuple[Folder, bytes] | None:
    """The folder that an absolute path belongs to, and the path below its root.

    First as it is written, so that a link inside a folder is seen as one; then without the links
    that lead to it.
    """
    directory, name = os.path.split(path)
    for candidate in (path, os.path.join(os.path.realpath(directory), name)):  # noqa: PTH118 - bytes
        for folder in setup.folders:
            inside = folder.root.rstrip(b"/") + b"/"
            if (candidate.rstrip(b"/") + b"/").startswith(inside):
                return folder, candidate.rstrip(b"/")[len(inside) :]
    return None


def _nothing_known(path: bytes, sight: Sight) -> Explanation:
    what = "Nothing: it is not synced." if not sight.taken else "Name a file in it."
    return Explanation(
        path=shown(path), folder=None, sight=sight, disk=None, ledger=None, checksum=None,
        same=None, live_photo="", sidecar="", facts=(), errors=(), events=(), copies=(),
        asset=None, next=what, next_at=None, daemon=None,
    )  # fmt: skip


def _dossier(setup: Setup, folder: Folder, relative: bytes) -> Dossier:
    state = Path(setup.state) / STATE_FILE
    if not state.exists():
        return Dossier()
    directory, _, name = relative.rpartition(b"/")
    database = open_read_only(state)
    try:
        folder_id = folder_at(database, folder.root)
        if folder_id is None:
            return Dossier()
        return dossier(database, Place(folder_id, directory, name))
    finally:
        database.close()


def _explained(
    setup: Setup,
    folder: Folder,
    relative: bytes,
    seen: Taking,
    known: Dossier,
    live: Live | None,
    now: float,
) -> Explanation:
    url = next(one.url for one in setup.accounts if one.name == folder.account)
    stamp, completeness = _look(folder, relative, seen)
    file = known.file
    stamps = (stamp, None if file is None else file.stamp)
    beside = _beside(folder, relative)
    prospect = Prospect(
        taken=seen.taken, stamp=stamp, completeness=completeness, file=file, asset=known.asset,
        job=known.job, dismissed=known.dismissed, wants_album=folder.wants_album,
        settle=folder.settle, live=live, now=now,
        was_in=any(one.event in IN_IMMICH for one in known.activities),
        mirrors=folder.on_delete == "trash",
        departs_at=next(
            (one.at + folder.delete_after for one in known.gone if one.state is State.WAITING), None
        ),
    )  # fmt: skip
    coming, coming_at = outlook(prospect)
    if taken := _in_quarantine(known, stamp):
        coming, coming_at = taken, None
    elif ripe := ripening(
        Path(setup.state), folder, relative, has_album=bool(known.albums), now=now
    ):
        coming, coming_at = ripe.what, ripe.at
    if seen.lies == "directory":
        coming, coming_at = "Directories are only looked into: name a file in it.", None
    return Explanation(
        path=shown(below(folder.root.rstrip(b"/"), relative)),
        folder=folder.name,
        sight=Sight(seen.lies, seen.taken, seen.rule, seen.reason, shown(seen.by)),
        disk=_marks(stamps[0]),
        ledger=_marks(stamps[1]),
        checksum=file.checksum.hex() if file is not None and file.checksum is not None else None,
        same=None if None in stamps else stamps[0] == stamps[1],
        live_photo=_live_photo(relative, beside, known),
        sidecar=_sidecar(folder, relative, beside, known.sidecars, seen, now),
        facts=tuple(
            sorted(
                (*_past(known), *_facts(known, stamp)),
                key=lambda fact: (fact.at is None, fact.at or 0.0),
            )
        ),
        errors=tuple(_errors(known)),
        events=tuple(_event(one) for one in known.activities),
        copies=tuple(map(shown, known.copies)),
        asset=_in_immich(known, url),
        next=coming,
        next_at=coming_at,
        daemon=live,
    )


def _look(folder: Folder, relative: bytes, seen: Taking) -> tuple[Stamp | None, Completeness]:
    if seen.lies != "file":
        return None, Completeness.UNKNOWN
    disk = disk_for([folder])
    try:
        if seen.taken:
            return judge(disk, folder.root, relative)
        return disk.stat(folder.root, relative), Completeness.UNKNOWN
    except FileTrouble:
        return None, Completeness.UNKNOWN


def _beside(folder: Folder, relative: bytes) -> frozenset[bytes]:
    """The names of the regular files in the same directory."""
    try:
        entries = disk_for([folder]).list(folder.root, relative.rpartition(b"/")[0])
    except OSError:
        return frozenset()
    return frozenset(
        one.name for one in entries if isinstance(one, Entry) and one.stamp is not None
    )


def _marks(stamp: Stamp | None) -> Marks | None:
    return None if stamp is None else Marks(*stamp)


def _live_photo(relative: bytes, beside: Collection[bytes], known: Dossier) -> str:
    name = relative.rpartition(b"/")[2]
    still, motion = still_of(name, beside), motion_of(name, beside)
    if known.file is not None and known.file.motion:
        of = f" of {shown(still)}" if still else ""
        return f"the moving part{of}; Immich shows it within the still, so it joins no album"
    if still is not None:
        return f"a video beside {shown(still)}; nothing in it says that it is its moving part"
    if motion is not None:
        return f"a still; {shown(motion)} beside it may be its moving part"
    return ""


def _sidecar(
    folder: Folder,
    relative: bytes,
    beside: frozenset[bytes],
    sent: Sequence[SidecarSent],
    seen: Taking,
    now: float,
) -> str:
    directory, _, name = relative.rpartition(b"/")
    if seen.rule == SIDECAR:
        owners = [shown(one) for one in sorted(beside) if sidecar_of(one, beside) == name]
        return f"it belongs to {owners[0]}" if owners else "it belongs to no photo beside it"
    found = sidecar_of(name, beside) if seen.taken else None
    if found is None:
        return ""
    try:
        read = read_sidecar(disk_for([folder]), folder.root, directory, name, wall=now)
    except FileTrouble as trouble:
        return f"{shown(found)}: {trouble}"
    if read is None:
        return f"{shown(found)} is empty, or too large for a sidecar, and stays here"
    went = next((one.sidecar for one in sent if one.name == found), None)
    if went is None:
        return f"{shown(found)} has not been sent"
    return f"{shown(found)} went up" + ("" if went == read.checksum else ", and changed since")


_FATES = {
    State.WAITING: "deleted here",
    State.MEANT: "deleted here; its photo is being put into Immich's trash",
    State.TRASHED: "deleted here, so its photo was put into Immich's trash",
    State.WITH_STILL: "deleted here with the photo that shows it",
    State.KEPT: "deleted here; its photo stays in Immich",
}


def _past(known: Dossier) -> Iterator[Fact]:
    """Of the bytes that lay here before."""
    for former in known.former:
        yield Fact("superseded", former.at, f"the bytes here before are asset {former.asset_id}")
    for gone in known.gone:
        yield Fact("deleted", gone.at, f"{_FATES[gone.state]}. {gone.note}".strip(". "))


def _facts(known: Dossier, stamp: Stamp | None) -> Iterator[Fact]:
    file, asset = known.file, known.asset
    if stamp is not None:
        yield Fact("modified", stamp.mtime_ns / 1e9, "by the file's own time")
    if file is not None:
        yield Fact("arrived", known.arrived_at, "first known here")
        if file.hold is not None:
            yield Fact(file.hold.value, known.changed_at, file.note)
        if file.incomplete:
            yield Fact("incomplete", known.changed_at, "it is not whole; what is there was kept")
        if known.dismissed:
            yield Fact("dismissed", None, "not listed as a problem until its bytes change")
    yield from map(_cleaned, known.cleaned)
    if known.failing_since is not None:
        yield Fact("failing", known.failing_since, "every try since then failed")
    if asset is None:
        return
    for what, at, detail in (
        ("verified", asset.verified_at, "the server named this checksum"),
        ("trashed", asset.trashed_at, "seen in Immich's trash"),
        ("gone", asset.removed_at, "the server did not know it any more"),
    ):
        if at:  # 0 where a person had the server asked anew
            yield Fact(what, at, detail)
    for album, name in known.albums:
        yield Fact("album", None, name or album)
    for one in known.sidecars:
        yield Fact("sidecar", None, f"{shown(one.name)} was sent with it")


def _cleaned(row: Cleaned) -> Fact:
    what = {
        cleanups.State.DELETED: "its original is in Immich",
        cleanups.State.EXPIRED: "its original is in Immich; its time in quarantine is over",
        cleanups.State.UNDONE: "and brought back; it is not cleaned again",
    }.get(row.state)
    if what is None:
        lies = shown(below((row.aside_root or b"").rstrip(b"/"), row.aside or b""))
        what = f"its original is in Immich, it lies in quarantine at {lies}"
    return Fact("cleaned", row.at, f"{what} [{row.asset_id}] {row.note}".strip())


def _in_quarantine(known: Dossier, stamp: Stamp | None) -> str:
    """What can be done about a file that cleanup took; "" if it did not."""
    latest = known.cleaned[0] if known.cleaned else None
    if stamp is not None or latest is None or latest.state is cleanups.State.UNDONE:
        return ""
    if latest.state is cleanups.State.QUARANTINED:
        return "Nothing: it was cleaned away. To bring it back: immich-sync undo PATH"
    return f"Nothing: it was cleaned away. A copy: immich-sync download {latest.asset_id} --out DIR"


def _errors(known: Dossier) -> Iterator[Fact]:
    job = known.job
    if job is not None and job.error:
        tries = f"try {job.attempts}" if job.attempts else "waiting"
        yield Fact(tries, known.failing_since, job.error)
    for one in known.activities:
        if one.event in ERRORS and (job is None or one.detail != job.error):
            yield _event(one)


def _event(one: Activity) -> Fact:
    return Fact(one.event, one.at, one.detail)


def _in_immich(known: Dossier, url: str) -> InImmich | None:
    asset = known.asset
    if asset is None and known.cleaned:
        gone = known.cleaned[0].asset_id
        return InImmich(gone, f"{url}/photos/{gone}", "cleaned", ())
    if asset is None:
        return None
    return InImmich(
        asset.asset_id,
        f"{url}/photos/{asset.asset_id}",
        asset.origin.value,
        tuple(f"{url}/albums/{album}" for album, _ in known.albums),
    )
