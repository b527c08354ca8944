"""Disk, ledger and server against each other: whether every photo here is in Immich.

Its own module because it trusts nobody's memory and changes nothing: files come from the disk,
their checksums from the ledger where it knows their very stamp, and the last word is the server's.
"""

from collections import Counter
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

import anyio

from immich_sync.core.errors import (
    FileTrouble,
    FileVanished,
    NotImmich,
    Refused,
    ServerTrouble,
    Untrusted,
)
from immich_sync.core.folder import Folder, Setup
from immich_sync.core.media import extension_of, media_types
from immich_sync.core.naming import shown
from immich_sync.core.roots import RootFacts, RootState
from immich_sync.core.roots import judge as judge_root
from immich_sync.core.standing import GAPS, NOTHING, PICTURES_TOO, Holding, Seen, Standing, stand
from immich_sync.core.types import AccountId, Checksum, FolderId, Stamp, below
from immich_sync.core.verification import FolderVerification, Gap, Verification
from immich_sync.engine import Surroundings
from immich_sync.filesystem.digest import digest
from immich_sync.filesystem.scan import Listing, Policy, walk
from immich_sync.immich.check import bulk_check
from immich_sync.immich.client import Immich
from immich_sync.machine import this_machine
from immich_sync.progress import Progress, Silent
from immich_sync.scanning import chunk
from immich_sync.store import accounts, ledger
from immich_sync.store.cleanups import State, away
from immich_sync.store.database import STATE_FILE, open_read_only
from immich_sync.store.door import Store
from immich_sync.store.holdings import account_of, folder_at, holdings, owner_of
from immich_sync.store.tombstones import removed

ALL = -1
"""A count without an end."""
NO_BYTES = Checksum(bytes.fromhex("da39a3ee5e6b4b0d3255bfef95601890afd80709"))
"""The SHA-1 of nothing, which Immich stores no asset of."""


@dataclass(frozen=True, slots=True)
class _Server:
    """An account's server, reached."""

    immich: Immich
    user: str
    takes: frozenset[bytes]  # extensions
    removed: frozenset[Checksum]  # by a person, as the tombstones tell


@dataclass(frozen=True, slots=True)
class _Found:
    """A file that was met on the disk, and what is known of it."""

    relative: bytes
    stamp: Stamp
    known: Holding

    def needs_reading(self, *, rehash: bool) -> bool:
        """Whether the ledger does not say which bytes these are, or is not to be believed."""
        if self.stamp.size == 0:
            return False
        return rehash or self.known.checksum is None or self.known.stamp != self.stamp


@dataclass(slots=True)
class _Count:
    """One folder while it is being looked through."""

    seen: Counter[Standing] = field(default_factory=Counter)
    ignored: Counter[str] = field(default_factory=Counter)
    others: Counter[bytes] = field(default_factory=Counter)
    gaps: list[Gap] = field(default_factory=list)
    bytes: int = 0
    hashed: int = 0
    cleaned: int = 0
    met: int = 0  # files that the ledger knows too


async def verify(
    setup: Setup, *, rehash: bool = False, progress: Progress | None = None
) -> Verification:
    """Look through the folders of `setup`, ask their servers, and change nothing.

    Read are the files that the ledger does not know by their stamp, or with `rehash` all. Raises
    Refused, NotImmich and Untrusted if a server will not answer at all, ServerTrouble if it cannot
    be reached, and StateTrouble; a server that fails later on leaves files unverified.
    """
    surroundings = this_machine(setup.limits, setup.folders)
    wanted = {folder.account for folder in setup.folders}
    async with AsyncExitStack() as connections:
        store = await connections.enter_async_context(_ledger(setup, surroundings))
        servers = {}
        for account in setup.accounts:
            if account.name in wanted:
                immich = await connections.enter_async_context(
                    surroundings.connect(account, setup.limits)
                )
                servers[account.name] = await _reached(immich, Path(setup.state))
        shown_to = progress or Silent()
        urls = {account.name: account.url for account in setup.accounts}
        done: list[tuple[FolderVerification, list[Gap]]] = []
        for folder in setup.folders:
            look = _Look(folder, servers[folder.account], surroundings, store, rehash, shown_to)
            done.append(await look.through(urls[folder.account]))
    gaps = tuple(gap for _, found in done for gap in found)
    return Verification(not gaps, tuple(one for one, _ in done), gaps)


async def _reached(immich: Immich, state: Path) -> _Server:
    me = await immich.whoami()
    types = await immich.media_types()
    image = [end.encode() for end in types.image]
    video = [end.encode() for end in types.video]
    taken = frozenset(media_types(image, video))
    return _Server(immich, me.identity, taken, removed(state, me.identity))


@asynccontextmanager
async def _ledger(setup: Setup, surroundings: Surroundings) -> AsyncIterator[Store | None]:
    path = Path(setup.state) / STATE_FILE
    if not path.exists():
        yield None
        return
    database = open_read_only(path)
    try:
        yield Store(database, surroundings.blocking, patient=False)
    finally:
        database.close()


@dataclass(frozen=True, slots=True)
class _Look:
    """A look through one folder."""

    folder: Folder
    server: _Server
    surroundings: Surroundings
    store: Store | None
    rehash: bool
    progress: Progress
    count: _Count = field(default_factory=_Count)

    async def through(self, url: str) -> tuple[FolderVerification, list[Gap]]:
        """What the folder's files are like, and its gaps."""
        folder_id, account, rows = await self._known(url)
        foreign = False
        if self.store is not None and folder_id is not None:
            owner = await self.store(owner_of, folder_id)
            foreign = owner not in {None, account}
            account = owner if foreign else account
        if why := await self._unbelievable(folder_id, rows):
            self._gap(Standing.UNVERIFIED, b"", why)
            return self._result(0), self.count.gaps
        walker = walk(self.surroundings.disk, self.folder.root, Policy.of(self.folder))
        lane = self.surroundings.hashing(self.folder)
        while listings := await self.surroundings.blocking(lane, chunk, walker):
            known: Mapping[bytes, Mapping[bytes, Holding]] = {}
            if self.store is not None and folder_id is not None:
                directories = [one.directory for one in listings]
                known = await self.store(holdings, folder_id, account, directories)
            await self._files([*self._found(listings, known, foreign=foreign)])
        await self._cleaned(folder_id)
        for extension in sorted(PICTURES_TOO & self.count.others.keys()):
            end, number = shown(extension), self.count.others[extension]
            self._gap(
                Standing.UNSUPPORTED,
                b"",
                f"Immich takes no .{end} files, and {number:,} of them lie here. If they need not"
                f' be in Immich: ignore = ["*.{end}"]',
            )
        return self._result(rows), self.count.gaps

    async def _known(self, url: str) -> tuple[FolderId | None, AccountId | None, int]:
        if self.store is None:
            return None, None, 0
        folder_id = await self.store(folder_at, self.folder.root)
        account = await self.store(account_of, url, self.server.user)
        rows = 0 if folder_id is None else await self.store(ledger.file_count, folder_id, ALL)
        return folder_id, account, rows

    async def _unbelievable(self, folder_id: FolderId | None, rows: int) -> str:
        """Why what lies at the root is not the folder; "" if it may be."""
        remembered = None
        if self.store is not None and folder_id is not None:
            remembered = await self.store(accounts.identity, folder_id)
        disk, root = self.surroundings.disk, self.folder.root
        try:
            facts = RootFacts(disk.identify(root), remembered, disk.is_empty(root), rows)
        except OSError as error:
            return f"the folder cannot be looked at ({error.strerror})"
        state, why = judge_root(facts)
        return why if state is RootState.OFFLINE else ""

    def _found(
        self,
        listings: Sequence[Listing],
        known: Mapping[bytes, Mapping[bytes, Holding]],
        *,
        foreign: bool,
    ) -> list[_Found]:
        found: list[_Found] = []
        for one in listings:
            self.count.ignored.update(one.ignored)
            self.count.others.update(one.others)
            if one.trouble:
                self._gap(Standing.UNVERIFIED, one.directory, one.trouble)
            here = known.get(one.directory, {})
            for name, stamp in one.media:
                if stamp is not None:
                    held = here.get(name, NOTHING)
                    if foreign:  # whoever has taken what out of that one's Immich
                        held = replace(held, of_another=True, trashed_at=None)
                    self.count.met += held.stamp is not None
                    found.append(_Found(below(one.directory, name), stamp, held))
        return found

    async def _files(self, found: Sequence[_Found]) -> None:
        claims: dict[int, tuple[Stamp, Checksum]] = {}
        unread = [one for one in found if one.needs_reading(rehash=self.rehash)]
        self.progress.expect(len(found), sum(one.stamp.size for one in unread))
        async with anyio.create_task_group() as readers:
            for index, one in enumerate(found):
                if one.needs_reading(rehash=self.rehash):
                    readers.start_soon(self._read, index, one, claims)
                else:  # a file without bytes has no checksum that a server could know
                    claims[index] = (one.stamp, one.known.checksum or NO_BYTES)
        indexes = sorted(claims)
        try:
            presences = await bulk_check(self.server.immich, [claims[one][1] for one in indexes])
        except (Refused, NotImmich, Untrusted):
            raise
        except ServerTrouble as trouble:
            for index in indexes:
                self._judged(found[index], Standing.UNVERIFIED, str(trouble))
            presences, indexes = [], []
        for index, presence in zip(indexes, presences, strict=True):
            one = found[index]
            stamp, checksum = claims[index]
            seen = Seen(
                stamp,
                checksum,
                there=presence.asset_id is not None,
                trashed=presence.trashed,
                taken=extension_of(one.relative.rpartition(b"/")[2]) in self.server.takes,
                removed=checksum in self.server.removed,
            )
            self._judged(one, *stand(seen, one.known))
        self.progress.finished(len(found))

    async def _read(
        self, index: int, one: _Found, claims: dict[int, tuple[Stamp, Checksum]]
    ) -> None:
        try:
            read = await self.surroundings.blocking(
                self.surroundings.hashing(self.folder),
                digest, self.surroundings.disk, self.folder.root, one.relative,
            )  # fmt: skip
        except FileVanished:
            return  # it is not here
        except FileTrouble as trouble:
            self._judged(one, Standing.UNVERIFIED, str(trouble))
            return
        claims[index] = (read.stamp, read.checksum)
        self.count.hashed += 1
        self.progress.moved(one.stamp.size)

    async def _cleaned(self, folder_id: FolderId | None) -> None:
        """What cleanup took is no gap, as long as Immich has it or a person removed it there."""
        if self.store is None or folder_id is None:
            return
        rows = [one for one in await self.store(away, folder_id) if not one.sidecar]
        checksums = [row.asset_checksum for row in rows]
        try:
            present = await bulk_check(self.server.immich, checksums)
        except ServerTrouble as trouble:
            self._gap(Standing.UNVERIFIED, b"", f"What was cleaned away: {trouble}")
            return
        for row, there in zip(rows, present, strict=True):
            removed = row.asset_checksum in self.server.removed
            if there.asset_id is not None or removed:
                self.count.cleaned += there.asset_id is not None and not there.trashed
                continue
            note = "It was cleaned away here, and the server does not have it any more."
            if row.state is State.QUARANTINED:
                note += " It lies in quarantine: immich-sync undo PATH"
            self._gap(Standing.MISSING, row.place.relative, note)

    def _judged(self, one: _Found, standing: Standing, note: str) -> None:
        self.count.seen[standing] += 1
        self.count.bytes += one.stamp.size
        if standing in GAPS:
            self._gap(standing, one.relative, note)

    def _gap(self, standing: Standing, relative: bytes, note: str) -> None:
        path = below(self.folder.root.rstrip(b"/"), relative) if relative else self.folder.root
        self.count.gaps.append(Gap(standing.value, self.folder.name, shown(path), note))

    def _result(self, rows: int) -> FolderVerification:
        count, seen = self.count, self.count.seen
        return FolderVerification(
            name=self.folder.name,
            path=shown(self.folder.root),
            files=seen.total(),
            bytes=count.bytes,
            **{standing.value: seen[standing] for standing in Standing},
            cleaned=count.cleaned,
            hashed=count.hashed,
            gone=max(0, rows - count.met),
            ignored=dict(count.ignored),
            others={shown(name): number for name, number in count.others.items()},
        )
