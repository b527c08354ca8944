"""The dry run: what a run would do, found out by reading and asking only.

Its own module because it shares the pipeline's eyes but none of its hands: nothing here writes to
a disk, the state or a server.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AsyncExitStack, closing
from dataclasses import dataclass, field, replace
from itertools import islice
from pathlib import Path

import anyio

from immich_sync.core.cleanup import ripe_at
from immich_sync.core.errors import FileTrouble
from immich_sync.core.folder import Folder, Setup
from immich_sync.core.naming import shown
from immich_sync.core.ports import Lane
from immich_sync.core.types import Checksum, Place, Stamp, below
from immich_sync.engine import Surroundings
from immich_sync.filesystem.digest import Digest, digest
from immich_sync.filesystem.scan import Listing, Policy, walk
from immich_sync.immich.albums import find
from immich_sync.immich.check import bulk_check
from immich_sync.immich.client import Immich
from immich_sync.machine import this_machine
from immich_sync.pipeline import album_for
from immich_sync.store.cleanups import Candidate, candidates, clock
from immich_sync.store.database import STATE_FILE, open_read_only
from immich_sync.store.holdings import folder_at

HANDFUL = 32
"""Directories listed in one hop to a thread."""
BATCH = 500
"""Files read and asked for together."""
_LOOKING = Lane("look", 2)


@dataclass(frozen=True, slots=True)
class FolderRehearsal:
    """What a run would do for one folder; sizes in bytes."""

    name: str
    path: str
    files: int
    bytes: int
    already_there: int  # or there by then: a copy of another file that would go up
    to_upload: int
    trashed: int
    unreadable: int  # files, and directories that could not be listed
    ignored: Mapping[str, int]  # by rule
    others: Mapping[str, int]  # not media, by extension
    albums_to_make: tuple[str, ...]
    empty: int = 0  # without any bytes: among `files`, and a problem in `status`
    to_clean: tuple[str, ...] = ()  # paths that are old enough, and in Immich; each is proved again


@dataclass(frozen=True, slots=True)
class Rehearsal:
    """What a run would do."""

    folders: tuple[FolderRehearsal, ...]


@dataclass(slots=True)
class _Count:
    """One folder's numbers while they are being found out."""

    seen: Counter[str] = field(default_factory=Counter)
    ignored: Counter[str] = field(default_factory=Counter)
    others: Counter[str] = field(default_factory=Counter)
    albums: dict[str, None] = field(default_factory=dict)


async def rehearse(setup: Setup) -> Rehearsal:
    """Scan, hash and ask, and change nothing. Raises ServerTrouble."""
    surroundings = this_machine(setup.limits, setup.folders)
    async with AsyncExitStack() as connections:
        servers: dict[str, Immich] = {}
        for account in setup.accounts:
            servers[account.name] = await connections.enter_async_context(
                surroundings.connect(account, setup.limits)
            )
            await servers[account.name].whoami()
        sending: dict[str, set[Checksum]] = {name: set() for name in servers}
        return Rehearsal(
            tuple(
                [
                    replace(
                        await _folder(
                            one, surroundings, servers[one.account], sending[one.account]
                        ),
                        to_clean=await _ripe(one, setup, surroundings, servers[one.account]),
                    )
                    for one in setup.folders
                ]
            )
        )


async def _folder(
    folder: Folder, surroundings: Surroundings, immich: Immich, sending: set[Checksum]
) -> FolderRehearsal:
    count = _Count()
    walker = walk(surroundings.disk, folder.root, Policy.of(folder))
    hashing = await surroundings.blocking(_LOOKING, surroundings.hashing, folder)
    while listings := await surroundings.blocking(hashing, _next, walker):
        for one in listings:
            count.seen["unreadable"] += bool(one.trouble)
            count.ignored.update(one.ignored)
            count.others.update({shown(name): n for name, n in one.others.items()})
        files = [
            (one.directory, name, stamp)
            for one in listings
            for name, stamp in one.media
            if stamp is not None and stamp.size
        ]
        empty = sum(len(one.media) for one in listings) - len(files)
        count.seen.update(empty=empty, files=empty)
        for start in range(0, len(files), BATCH):
            part = files[start : start + BATCH]
            await _files(part, count, folder, hashing, surroundings, immich, sending)
    missing = [name for name in count.albums if await find(immich, name) is None]
    seen = count.seen
    return FolderRehearsal(
        name=folder.name,
        path=shown(folder.root),
        files=seen["files"],
        bytes=seen["bytes"],
        already_there=seen["already_there"],
        to_upload=seen["to_upload"],
        trashed=seen["trashed"],
        unreadable=seen["unreadable"],
        empty=seen["empty"],
        ignored=dict(+count.ignored),
        others=dict(count.others),
        albums_to_make=tuple(missing),
    )


async def _ripe(
    folder: Folder, setup: Setup, surroundings: Surroundings, immich: Immich
) -> tuple[str, ...]:
    """What a cleanup would look at now, by the state and the server."""
    path = Path(setup.state) / STATE_FILE
    if not folder.cleans or not path.exists():
        return ()
    now = surroundings.clock.now()
    old = await surroundings.blocking(_LOOKING, _old_enough, path, folder, now)
    checksums = [one.file.checksum or Checksum(b"") for one in old]
    present = await bulk_check(immich, checksums)
    return tuple(
        shown(below(folder.root.rstrip(b"/"), one.file.place.relative))
        for one, there in zip(old, present, strict=True)
        if one.asset is not None and there.asset_id == one.asset.asset_id and not there.trashed
    )


def _old_enough(path: Path, folder: Folder, now: float) -> list[Candidate]:
    """Blocking: files that have lain still, in Immich, for long enough, as far as is known."""
    found: list[Candidate] = []
    with closing(open_read_only(path)) as database:
        folder_id = folder_at(database, folder.root)
        _, jumps = clock(database)
        after: Place | None = None
        while folder_id is not None and (page := candidates(database, folder_id, after, BATCH)):
            after = page[-1].file.place
            found += (
                one
                for one in page
                if not one.undone
                and ripe_at(
                    folder.cleanup_after, (one.changed_at, one.proved_at), one.file.stamp, now,
                    jumps,
                )
                <= now
            )  # fmt: skip
    return found


def _next(walker: Iterator[Listing]) -> list[Listing]:
    return list(islice(walker, HANDFUL))


async def _files(
    files: Sequence[tuple[bytes, bytes, Stamp]],
    count: _Count,
    folder: Folder,
    hashing: Lane,
    surroundings: Surroundings,
    immich: Immich,
    sending: set[Checksum],
) -> None:
    digests: dict[int, Digest] = {}

    async def read(index: int, relative: bytes) -> None:
        try:
            digests[index] = await surroundings.blocking(
                hashing, digest, surroundings.disk, folder.root, relative
            )
        except FileTrouble:
            count.seen["unreadable"] += 1

    async with anyio.create_task_group() as readers:
        for index, (directory, name, _) in enumerate(files):
            readers.start_soon(read, index, below(directory, name))
    indexes = sorted(digests)
    presences = await bulk_check(immich, [digests[index].checksum for index in indexes])
    for index, presence in zip(indexes, presences, strict=True):
        directory, _, stamp = files[index]
        checksum = digests[index].checksum
        if presence.trashed:
            what = "trashed"
        elif presence.asset_id is not None or checksum in sending:
            what = "already_there"
        else:
            what = "to_upload"
            sending.add(checksum)
        count.seen[what] += 1
        album = None if presence.trashed else album_for(folder, directory, stamp)
        if album is not None:
            count.albums[album] = None
    count.seen["files"] += len(files)
    count.seen["bytes"] += sum(stamp.size for _, _, stamp in files)
