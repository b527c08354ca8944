"""How it is: from the running engine, or from the state file when nothing runs.

Its own module because people ask both, and must get the same words either way.
"""

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import anyio

from immich_sync.core.advice import on_server
from immich_sync.core.breaker import Breaker
from immich_sync.core.conditions import silences
from immich_sync.core.errors import Full, NotImmich, Refused, ServerTrouble, Untrusted
from immich_sync.core.explanation import Live
from immich_sync.core.folder import Folder, Setup
from immich_sync.core.inner import hides
from immich_sync.core.naming import shown
from immich_sync.core.roots import RootState
from immich_sync.core.status import (
    DaemonStatus,
    FolderStatus,
    JobsStatus,
    Problem,
    ServerStatus,
    Status,
)
from immich_sync.core.types import FolderId, Place, below
from immich_sync.engine import Engine
from immich_sync.inner import advice
from immich_sync.intake import Intake
from immich_sync.link import Link
from immich_sync.store import breakers, report
from immich_sync.store.breakers import Waiting
from immich_sync.store.database import STATE_FILE, open_read_only
from immich_sync.store.report import FileProblem, FolderReport
from immich_sync.version import VERSION

LISTED = 200
"""File problems shown at most; the oldest first."""
ASKED_FOR = 10_000
"""Settling files that the ledger is asked for at most: more than these are taken to be new."""

_ADVICE = {
    "rejected": "The server does not take this file. If it is not meant to be a photo, ignore it.",
    "empty": "It is looked at again when it changes.",
    "too_large": "Raise the limit of the proxy before Immich, then: immich-sync retry PATH",
    "removed": "To upload it again: immich-sync retry --force PATH",
    "missing": "If that was no accident, leave it; to upload it again: immich-sync retry --force"
    " PATH",
    "trashed": "It is in Immich's trash, where a person put it; restore it there to keep it.",
    "incomplete": "It is not whole; what is there was uploaded. Copy it again if you can.",
    "quarantine_kept": "It stays in quarantine. To bring it back: immich-sync undo PATH",
    "cleaned_missing": "It was cleaned away here, and is gone from Immich without having been seen"
    " in its trash. If it is in quarantine still: immich-sync undo PATH",
    "failing": "It is tried again by itself; at once with: immich-sync retry PATH",
}


async def of(engine: Engine, *, since: float) -> Status:
    """The running engine's status. `since` is when its process started, wall-clock seconds."""
    now = engine.world.clock.now()
    rows = {row.root: row for row in await engine.world.store.look(report.folders, now=now)}
    files = await engine.world.store.look(
        report.problems,
        limit=LISTED,
        folders=list(engine.intakes) or None,
        leaving=[i for i, one in engine.intakes.items() if one.folder.trashed != "report"],
    )
    waiting = await engine.world.store.look(breakers.waiting)
    settling = [place for one in engine.intakes.values() for place in one.unsettled()]
    new = await engine.world.store.look(report.new_among, settling[:ASKED_FOR])
    new.update(place.folder for place in settling[ASKED_FOR:])
    folders = tuple(_folder(one, rows.get(one.root), engine, new) for one in engine.setup.folders)
    servers = tuple(_server(link) for link in engine.links.values())
    mine = [row for row in rows.values() if row.folder in engine.intakes]
    problems = (
        *_world_problems(engine),
        *_doubts(engine.setup, rows),
        *_words(engine.setup, rows, waiting),
    )
    return Status(
        daemon=DaemonStatus(os.getpid(), VERSION, since, _state(engine, mine)),
        server=servers[0],
        servers=servers,
        jobs=_jobs(mine, len(engine.crew.busy)),
        folders=folders,
        problems=(
            *problems,
            *silences(folders, problems, engine.setup, started=since, now=now),
            *map(_problem, files),
        ),
    )


def read(setup: Setup, now: float) -> Status:
    """What the state file says while no daemon runs. Raises StateTrouble."""
    servers = tuple(
        ServerStatus(account.url, None, None, None, account.name) for account in setup.accounts
    )
    path = Path(setup.state) / STATE_FILE
    rows: dict[bytes, FolderReport] = {}
    files: Sequence[FileProblem] = ()
    waiting: Sequence[Waiting] = ()
    if path.exists():
        database = open_read_only(path)
        try:
            wanted = {folder.root for folder in setup.folders}
            rows = {
                one.root: one for one in report.folders(database, now=now) if one.root in wanted
            }
            ids = [one.folder for one in rows.values()]
            quiet = {folder.root for folder in setup.folders if folder.trashed != "report"}
            leaving = [one.folder for one in rows.values() if one.root in quiet]
            files = report.problems(database, limit=LISTED, folders=ids, leaving=leaving)
            waiting = breakers.waiting(database)
        finally:
            database.close()
    return Status(
        daemon=None,
        server=servers[0],
        servers=servers,
        jobs=_jobs(list(rows.values()), 0),
        folders=tuple(_at_rest(one, rows.get(one.root)) for one in setup.folders),
        problems=(*_doubts(setup, rows), *_words(setup, rows, waiting), *map(_problem, files)),
    )


def live(engine: Engine, place: Place) -> Live:
    """What is known of a place only while the engine runs; its folder is one that is synced."""
    intake = engine.intakes[place.folder]
    link = engine.links[intake.folder.account]
    gate, headroom = link.immich.gate, link.headroom
    trouble = gate.trouble or headroom.trouble
    looks_at, waiting = intake.looks_at(place), intake.waiting(place)
    now = engine.world.clock.now()
    return Live(
        folder_state=_folder_state(intake, engine),
        why=intake.root.why,
        server_trouble="" if trouble is None else str(trouble),
        server_since=gate.since or headroom.since,
        in_hand=place in engine.crew.busy,
        looked_at=None if looks_at is None else now + looks_at - anyio.current_time(),
        next_scan=intake.scan_due(),
        waits_for="" if waiting is None else waiting.wants.value,
        settles_at=None if waiting is None else now + waiting.until - anyio.current_time(),
    )


def _state(engine: Engine, rows: Sequence[FolderReport]) -> str:
    if engine.stopping:
        return "stopping"
    if any(intake.scanning for intake in engine.intakes.values()):
        return (
            "starting" if any(i.last_scan is None for i in engine.intakes.values()) else "syncing"
        )
    if engine.crew.busy:
        return "syncing"
    settling = any(intake.settling() for intake in engine.intakes.values())
    due = any(row.pending + row.waiting for row in rows)
    return "waiting" if settling or due else "idle"


def _jobs(rows: Sequence[FolderReport], running: int) -> JobsStatus:
    return JobsStatus(
        pending=max(0, sum(row.pending for row in rows) - running),
        waiting=sum(row.waiting for row in rows),
        running=running,
        failed=sum(row.failed for row in rows),
    )


def _server(link: Link) -> ServerStatus:
    trouble = link.immich.gate.trouble
    reachable = None if link.version is None and trouble is None else trouble is None
    return ServerStatus(
        url=link.account.url,
        version=None if link.version is None else str(link.version),
        reachable=reachable,
        error=None if trouble is None else str(trouble),
        account=link.name,
        trouble=_kind(trouble),
        since=link.immich.gate.since,
    )


def _kind(trouble: ServerTrouble | None) -> str:
    return "" if trouble is None else _KINDS.get(type(trouble), "unreachable")


_KINDS: Mapping[type[ServerTrouble], str] = {
    Refused: "refused",
    Full: "full",
    Untrusted: "untrusted",
    NotImmich: "not_immich",
}


def _folder(
    folder: Folder, row: FolderReport | None, engine: Engine, new: Mapping[FolderId, int]
) -> FolderStatus:
    status = _at_rest(folder, row)
    intake = None if row is None else engine.intakes.get(row.folder)
    if row is None or intake is None:
        return replace(status, state="starting")
    is_open = row.folder in engine.crew.open_folders()
    return replace(
        status,
        state=_folder_state(intake, engine),
        watch=intake.health().mode,
        ignored=intake.tally.ignored.total(),
        last_scan=None if intake.last_scan is None else intake.last_scan.began,
        # While nothing of it may go up, nobody can say how long it takes.
        eta_seconds=engine.crew.eta(row.pending + row.waiting) if is_open else None,
        settling=intake.settling(),
        files=status.files + new.get(row.folder, 0),
    )


def _folder_state(intake: Intake, engine: Engine) -> str:
    if engine.unapproved(intake.folder_id) or intake.root.state is RootState.UNAPPROVED:
        return "unapproved"
    if intake.folder_id in engine.crew.paused:
        return "paused"
    if intake.root.unseen:
        return "starting"
    if intake.scanning:
        return "scanning"
    if intake.root.online and engine.waiting(intake.folder_id):
        return "waiting"
    return "watching" if intake.root.online else "offline"


def _at_rest(folder: Folder, row: FolderReport | None) -> FolderStatus:
    """A folder as the state file alone knows it."""
    return FolderStatus(
        name=folder.name,
        path=shown(folder.root),
        account=folder.account,
        state="stopped",
        watch=folder.watch,
        files=row.files + row.unread if row else 0,
        verified=row.verified if row else 0,
        pending=row.pending + row.waiting if row else 0,
        trashed=row.trashed if row else 0,
        failed=row.failed if row else 0,
        ignored=0,
        bytes=row.bytes if row else 0,
        last_new=row.last_new if row else None,
        waiting_since=row.waiting_since if row else None,
        last_done=row.last_done if row else None,
        cleaned=row.cleaned if row else 0,
        quarantined=row.quarantined if row else 0,
        last_scan=None,
        eta_seconds=None,
    )


def _world_problems(engine: Engine) -> Iterator[Problem]:
    """What concerns no single file, most far-reaching first."""
    if trouble := engine.world.store.trouble:
        yield Problem("state", engine.setup.state, _state_since(engine), str(trouble))
    for link in engine.links.values():
        if server_trouble := link.immich.gate.trouble:
            since = link.immich.gate.since
            yield Problem("server", link.account.url, since, on_server(server_trouble))
        if no_room := link.headroom.trouble:
            yield Problem("no_room", link.account.url, link.headroom.since, str(no_room))
        if link.version is not None and (forbidden := link.deletions_forbidden):
            what = "restored" if link.restored() else "newer_server"
            yield Problem(what, link.account.url, link.version_since, forbidden)
        keeper = engine.keepers.get(link.name)
        if keeper is not None and keeper.trouble:
            yield Problem("not_deleted", link.account.url, None, keeper.trouble)
    for folder_id, intake in engine.intakes.items():
        path = shown(intake.folder.root)
        keeper = engine.keepers.get(intake.folder.account)
        if keeper is not None and folder_id in keeper.strangers:
            advice = (
                "The API key belongs to another user than the one this folder was synced to. If"
                f" that is right, run: immich-sync approve {intake.folder.name}"
            )
            yield Problem("other_user", path, None, advice)
        elif not intake.root.online and intake.root.why:
            yield Problem("folder", path, intake.root.since, intake.root.why)
        if intake.root.online and (watching := intake.health().trouble):
            yield Problem("watching", path, None, watching)
        yield from _unlisted(intake)
    yield from _cleanups(engine)


def _unlisted(intake: Intake) -> Iterator[Problem]:
    """What of a folder could not be listed; what is mounted on a disk that is away goes with it."""
    for directory, why in intake.tally.troubles[:LISTED]:
        place = shown(below(intake.folder.root, directory))
        right = f"{why}. Give the user that runs immich-sync the right to read it."
        began = None if intake.last_scan is None else intake.last_scan.began
        yield Problem("unlisted", place, began, right)
    away = intake.root.inner.away if intake.root.online else {}
    for inner, one in away.items():
        if not hides(away.keys() - {inner}, inner):
            path = shown(below(intake.folder.root, inner))
            yield Problem("mount", path, one.since, advice(intake.folder, inner, one.why))


def _cleanups(engine: Engine) -> Iterator[Problem]:
    for keeper in engine.keepers.values():
        for folder_id, cleaner in keeper.cleaners.items():
            if cleaner.trouble and folder_id in engine.intakes:
                path = shown(engine.intakes[folder_id].folder.root)
                yield Problem(
                    "shared" if cleaner.shared else "quarantine",
                    path,
                    cleaner.since,
                    cleaner.trouble,
                )


def _state_since(engine: Engine) -> float | None:
    since = engine.world.store.since
    now = engine.world.clock.now()
    return None if since is None else now - (anyio.current_time() - since)


def _doubts(setup: Setup, rows: Mapping[bytes, FolderReport]) -> Iterator[Problem]:
    """Servers that are not believed to be the ones we know."""
    for folder in setup.folders:
        row = rows.get(folder.root)
        if row is not None and row.doubt:
            advice = (
                f"{row.doubt} Nothing is uploaded until you say what happened. If the photos are to"
                f" be there: immich-sync approve {folder.name} (what is missing then goes up again,"
                " for all folders of this account, and nothing is read twice). If they were removed"
                f" on purpose: immich-sync approve --removed {folder.name}. If the wrong server"
                " answers, mend that: it is looked at again every hour."
            )
            yield Problem("doubtful_server", shown(folder.root), row.doubted_at, advice)


def _words(
    setup: Setup, rows: Mapping[bytes, FolderReport], waiting: Sequence[Waiting]
) -> Iterator[Problem]:
    """What waits for a person's word about a whole folder."""
    for folder in setup.folders:
        row = rows.get(folder.root)
        for one in waiting:
            if row is not None and one.folder == row.folder:
                said = _WORDS[one.breaker].format(files=f"{one.files:,}", folder=folder.name)
                path = shown(folder.root)
                yield Problem(one.breaker.value, path, one.since, f"{one.why} {said}")


_WORDS = {
    Breaker.DELETIONS: "Their photos stay in Immich until you say that they were deleted on purpose"
    " ({files} files now): immich-sync approve {folder}. If they were not, put them back: this ends"
    " by itself once all are there again.",
    Breaker.CHANGES: "Until you say that this is right, {files} files wait, so that Immich does not"
    " get all of them a second time: immich-sync approve {folder}. New files go up as ever.",
    Breaker.LIBRARY: "Uploaded, they would be there twice, so nothing is. If that is what you want"
    " ({files} files): immich-sync approve {folder}.",
}


def _problem(one: FileProblem) -> Problem:
    advice = _ADVICE.get(one.what, "")
    return Problem(one.what, shown(one.path), one.since, f"{one.note} {advice}".strip())
