"""What could keep photos from being synced: the machine, the folders, the key, the way there.

Its own module because it looks at everything once, changes nothing, and says of each thing how it
is and what to do about it. The judgements stand in `core.diagnosis` and `core.grounds`.
"""

import os
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

from immich_sync.core import diagnosis, grounds
from immich_sync.core.diagnosis import ERROR, OK, WARNING, Examination, Finding
from immich_sync.core.errors import Misconfigured, ServerTrouble, StateTrouble
from immich_sync.core.folder import Account, Folder, Setup
from immich_sync.core.grounds import Contents
from immich_sync.core.naming import shown
from immich_sync.engine import Surroundings
from immich_sync.filesystem.allowances import (
    free_bytes,
    ground_at,
    instance_limit,
    is_for_all_to_read,
    is_read_only,
    watch_limit,
)
from immich_sync.filesystem.following import disk_for
from immich_sync.filesystem.mounts import mode_for
from immich_sync.filesystem.scan import Policy, walk
from immich_sync.firstlook import NEEDED
from immich_sync.immich.client import Immich
from immich_sync.immich.passage import WORD, clock_ahead, lets_through, takes_questions
from immich_sync.immich.storage import room_left
from immich_sync.link import needed_permissions
from immich_sync.machine import this_machine
from immich_sync.store.database import STATE_FILE, open_read_only

LADDER = (1_000_000_000, 99_000_000, 9_000_000)
"""Bytes of uploads that are announced, largest first, until one is let through; the second passes
Cloudflare."""


def misconfigured(trouble: Misconfigured) -> Examination:
    """The examination of a configuration that cannot be used."""
    said = Finding("configuration", "", ERROR, str(trouble), "Mend it, and ask again.")
    return Examination(healthy=False, findings=(said,))


async def examine(setup: Setup) -> Examination:
    """Look at everything, change nothing; at most nine requests for each account.

    One of them is 2 MB long; uploads are announced and never made. Raises nothing but bugs.
    """
    surroundings = this_machine(setup.limits, setup.folders)
    names = ", ".join(one.name for one in setup.folders)
    findings = [Finding("configuration", "", OK, f"It can be used. Folders: {names}.")]
    findings += state(Path(setup.state))
    watched, largest = 0, dict.fromkeys((one.name for one in setup.accounts), 0)
    for folder in setup.folders:
        contents = await surroundings.blocking(surroundings.hashing(folder), look_through, folder)
        mode = _mode(folder)
        if folder.cleans:
            lane = surroundings.hashing(folder)
            findings.append(await surroundings.blocking(lane, cleanup, folder))
        findings += grounds.folder(folder.name, ground_at(folder.root), contents, mode)
        findings += [grounds.links(folder.name, mode)] if folder.follow_symlinks else []
        needed = grounds.drop_ins(folder.name, shown(folder.root), writes=folder.cleans)
        findings += [needed] if needed else []
        watched += contents.directories if mode != "poll" else 0
        largest[folder.account] = max(largest[folder.account], contents.largest)
    findings += limits(watched, sum(_mode(folder) != "poll" for folder in setup.folders))
    for account in setup.accounts:
        folders = [one for one in setup.folders if one.account == account.name]
        findings += await server(account, folders, largest[account.name], setup, surroundings)
    healthy = all(one.level != ERROR for one in findings)
    return Examination(healthy, tuple(findings))


def state(folder: Path) -> list[Finding]:
    """The state folder: its file system, its room, and whether its file can be read."""
    there = next(one for one in (folder, *folder.parents) if one.exists())
    path = str(folder)
    findings = [grounds.state_ground(path, ground_at(bytes(there)))]
    try:
        findings.append(grounds.room(path, free_bytes(there)))
        closed = is_read_only(there)
    except OSError as error:
        said = f"It cannot be looked at ({error.strerror})."
        return [*findings, Finding("state", path, ERROR, said, "Give it to the user that runs it.")]
    if closed:
        remedy = "Mount it for writing, and give it to the user that runs immich-sync."
        findings.append(Finding("state", path, ERROR, "It cannot be written to.", remedy))
    if there == folder and folder.stat().st_mode & 0o077:
        said = f"Others may look into it (mode {folder.stat().st_mode & 0o777:o})."
        findings.append(Finding("state", path, WARNING, said, f"chmod 700 {path}"))
    if (folder / STATE_FILE).exists():
        try:
            with closing(open_read_only(folder / STATE_FILE)):
                pass
        except (StateTrouble, Misconfigured) as trouble:
            remedy = "Restart immich-sync: what is damaged is made anew."
            findings.append(Finding("state", path, ERROR, str(trouble), remedy))
    return findings


def look_through(folder: Folder) -> Contents:
    """What a scan would meet. Blocks."""
    files = directories = total = largest = 0
    unlisted: list[str] = []
    for one in walk(disk_for([folder]), folder.root, Policy.of(folder)):
        directories += 1
        if one.trouble:
            unlisted.append(one.trouble)
        for _, stamp in one.media:
            if stamp is not None:
                files += 1
                total += stamp.size
                largest = max(largest, stamp.size)
    return Contents(files, directories, total, largest, tuple(unlisted))


def cleanup(folder: Folder) -> Finding:
    """Whether this user may take files out of the folder. Blocks."""
    root = Path(os.fsdecode(folder.root))
    closed = 0
    for one in walk(disk_for([folder]), folder.root, Policy.of(folder)):
        place = root / os.fsdecode(one.directory)
        closed += not os.access(place, os.W_OK | os.X_OK)
    aside = os.fsdecode(folder.quarantine_dir)
    same = not aside or Path(aside).stat().st_dev == root.stat().st_dev
    return grounds.cleanup(folder.name, closed, aside, same_disk=same)


def limits(watched: int, folders: int) -> Iterator[Finding]:
    """What the kernel allows, against so many directories in so many watched folders."""
    if not folders:
        return
    yield grounds.watches(watched, watch_limit())
    few = grounds.instances(folders, instance_limit())
    if few is not None:
        yield few


async def server(
    account: Account, folders: list[Folder], largest: int, setup: Setup, surroundings: Surroundings
) -> list[Finding]:
    """One account's server: version, key, clock, and what the way there lets through."""
    findings = [*filter(None, (diagnosis.secrecy(account.name, account.url),))]
    if account.key_file is not None:
        is_open = is_for_all_to_read(account.key_file)
        findings.append(diagnosis.key_file(account.name, account.key_file, open_to_all=is_open))
    try:
        async with surroundings.connect(account, setup.limits) as immich:
            version = await immich.version()
            found = (version.major, version.minor, version.patch)
            findings.append(diagnosis.version(account.name, found))
            needed = needed_permissions(folders)
            missing = (await immich.whoami()).missing(needed)
            findings.append(diagnosis.key(account.name, needed, missing))
            may_look = not (await immich.whoami()).missing([NEEDED])
            findings += filter(None, (diagnosis.libraries(account.name, may_look=may_look),))
            if account.min_server_free:
                free = await room_left(immich)
                findings.append(diagnosis.room(account.name, free, account.min_server_free))
            ahead = await clock_ahead(immich, surroundings.clock.now)
            findings.append(diagnosis.clock(account.name, ahead))
            if "asset.upload" not in missing:
                findings.append(await _way(account.name, immich, largest))
    except (ServerTrouble, Misconfigured) as trouble:
        remedy = "Mend this first; the rest can only be looked at after it."
        findings.append(Finding("server", account.name, ERROR, str(trouble), remedy))
    return findings


async def _way(name: str, immich: Immich, largest: int) -> Finding:
    if not await takes_questions(immich):
        return diagnosis.passage(name, 0, WORD, max(largest, 1))
    refused: int | None = None
    for size in (max(largest, LADDER[0]), *LADDER[1:]):
        let = await lets_through(immich, size)
        if let is None:
            said = "Whether large uploads are let through could not be told."
            return Finding("way", name, OK, said)
        if let:
            return diagnosis.passage(name, size, refused, largest)
        refused = size
    return diagnosis.passage(name, WORD, refused, largest)


def _mode(folder: Folder) -> str:
    if folder.watch != "auto":
        return folder.watch
    return mode_for(folder.root, follows=folder.follow_symlinks)
