"""Story two: hash → check → upload → verify → album → record, for one due file.

Its own module because it should read as those steps and little else: `core.plan` decides which
one is next, each step here does it and says what it learnt.
"""

from dataclasses import dataclass, replace
from datetime import datetime
from enum import Enum

import anyio
import structlog

from immich_sync.changing import NOTE
from immich_sync.core import audit
from immich_sync.core.errors import (
    FileChanged,
    FileTrouble,
    FileUnreadable,
    FileVanished,
    NotImmich,
    OutcomeUnknown,
    Overloaded,
    Suspected,
    SyncTrouble,
)
from immich_sync.core.folder import Folder
from immich_sync.core.naming import album_name, shown, upload_name
from immich_sync.core.plan import Facts, Step, next_step
from immich_sync.core.ports import Disk, Lane, Source
from immich_sync.core.tombstones import Why
from immich_sync.core.types import (
    Asset,
    AssetId,
    Checksum,
    Completeness,
    Due,
    File,
    Held,
    Hold,
    Origin,
    Place,
    SidecarSent,
    Stamp,
)
from immich_sync.filesystem.digest import Digest, digest
from immich_sync.filesystem.sidecars import Sidecar, has_still, read_sidecar
from immich_sync.immich.trash import restore
from immich_sync.immich.upload import Announced, Uploaded, upload
from immich_sync.route import Route
from immich_sync.store import ledger
from immich_sync.world import World

log = structlog.get_logger()

SENDERS = 8
"""Reads at once of what one folder sends; apart from hashing, which may take hours."""


class Outcome(Enum):
    """How an attempt ended, in the words of the activity list."""

    UPLOADED = "uploaded"
    ALREADY_THERE = "already_there"
    TRASHED = "trashed"
    REMOVED = "removed"
    MISSING = "missing"
    HELD = "held"


@dataclass(frozen=True, slots=True)
class Result:
    """An attempt that came to an end; `asset` is what the server has of the file, if it does."""

    outcome: Outcome
    asset: Asset | None


async def sync(due: Due, route: Route, world: World, *, ask_first: bool = True) -> Result:
    """Bring one due file as far as it goes; each fact is noted in the journal as it comes true.

    Without `ask_first` it is sent at once, and the server says if it had it. Raises SyncTrouble;
    whoever catches it decides what becomes of the job.
    """
    climb = _Climb(due, route, world)
    seen = await climb.look() if due.file else None
    facts = Facts(seen, due.file, due.asset, absent=not ask_first)
    wants_album, restores = route.folder.wants_album, route.folder.trashed == "restore"
    while True:
        facts = await climb.remember(facts)
        taken_out = restores or (facts.departed and route.takes_back)
        match next_step(facts, wants_album=wants_album, now=world.clock.now(), restores=taken_out):
            case Step.HASH:
                facts = await climb.hash(facts)
            case Step.CHECK:
                facts = await climb.check(facts)
            case Step.UPLOAD:
                facts = (
                    await climb.upload(facts) if await climb.may_go(facts) else climb.hold(facts)
                )
            case Step.VERIFY:
                facts = await climb.verify(facts)
            case Step.JOIN:
                facts = await climb.join(facts)
            case Step.REST:
                return Result(Outcome.HELD, facts.asset)
            case Step.LEAVE:
                return Result(Outcome.TRASHED, facts.asset)
            case Step.RESTORE:
                facts = await climb.restore(facts)
            case Step.MISS:
                hold = await climb.miss(facts)
                return Result(_GONE[hold], None)
            case Step.DONE:
                return Result(_how(facts), facts.asset)


@dataclass(frozen=True, slots=True)
class _Climb:
    """One attempt at one file: each method is a step, and returns what is known after it."""

    due: Due
    route: Route
    world: World

    @property
    def path(self) -> str:
        return shown(self.due.job.place.relative)

    async def look(self) -> Stamp:
        relative = self.due.job.place.relative
        stamp = await self.world.blocking(
            self.route.looking, self.world.disk.stat, self.route.folder.root, relative
        )
        if stamp is None:
            raise FileVanished(f"{self.path} is not there any more")
        return stamp

    async def remember(self, facts: Facts) -> Facts:
        """Whether it was put into the trash by us: a file that is here again is its way out."""
        stones, file = self.route.tombstones, facts.file
        if stones is None or file is None or file.checksum is None:
            return facts
        await stones.follow(self.route.account, [file.checksum])
        departed = stones.departed(self.route.account, file.checksum)
        return facts if departed == facts.departed else replace(facts, departed=departed)

    async def hash(self, facts: Facts) -> Facts:
        place, disk = self.due.job.place, self.world.disk
        root = self.route.folder.root
        read: Digest = await self.world.blocking(
            self.route.hashing_of(self.due), digest, disk, root, place.relative, self.due.job.stamp
        )
        motion = read.content_identifier is not None and await self.world.blocking(
            self.route.looking, has_still, disk, root, place.directory, place.name
        )
        file = File(
            place,
            read.stamp,
            read.checksum,
            incomplete=read.completeness is Completeness.CUT,
            motion=motion,
        )
        if read.stamp.size == 0:
            file = replace(file, hold=Hold.EMPTY, note="The file has no bytes.", incomplete=False)
        self.world.journal.note(file)
        same = facts.file is not None and facts.file.checksum == read.checksum
        return replace(facts, stamp=read.stamp, file=file, asset=facts.asset if same else None)

    async def check(self, facts: Facts) -> Facts:
        checksum, flights = _checksum(facts), self.route.flights
        while True:
            asked_at, mark = self.world.clock.now(), flights.landings
            presence = await self.route.checker.ask(checksum)
            if presence.asset_id is not None:
                trashed = presence.trashed
                return await self._named(facts, Origin.FOUND, presence.asset_id, trashed=trashed)
            absent = await self._absent(facts)
            # An answer may be older than what another file with these bytes did meanwhile: acted
            # upon, it would send them twice, or call what has just arrived gone.
            if not flights.landed_since(checksum, mark) and not self._heard_since(absent, asked_at):
                return absent

    async def may_go(self, facts: Facts) -> bool:
        """Whether it may be uploaded; what took the place of another waits if many did so."""
        ask = self.route.may_change
        if ask is None or self.due.file is None:
            return True
        await self.world.journal.commit()  # whether it is a change stands in the ledger
        return await ask(self.due.job.place, _checksum(facts))

    def hold(self, facts: Facts) -> Facts:
        if facts.file is None:
            raise AssertionError("the plan uploads nothing unknown")
        self.world.journal.note(Held(self.due.job.place, Hold.CHANGED, NOTE))
        return replace(facts, file=replace(facts.file, hold=Hold.CHANGED, note=NOTE))

    async def upload(self, facts: Facts) -> Facts:
        checksum = _checksum(facts)
        async with self.route.flights.only(checksum) as alone:
            if not alone:
                return replace(facts, absent=False)  # these bytes were just sent: ask again
            if self.route.headroom and facts.stamp:
                await self.route.headroom.reserve(facts.stamp.size)
            async with self.route.uploads.taken(facts.stamp.size if facts.stamp else 0):
                began = anyio.current_time()
                try:
                    sidecar, uploaded = await self._send(facts)
                except (OutcomeUnknown, NotImmich, Overloaded) as unclear:
                    return await self._settle(facts, unclear)
                self.route.answered(anyio.current_time() - began)
        origin = Origin.FOUND if uploaded.duplicate else Origin.UPLOADED
        asset = Asset(self.route.account, checksum, uploaded.asset_id, origin)
        self.world.journal.note(asset)
        if sidecar and not uploaded.duplicate:  # with a duplicate, Immich throws the sidecar away
            sent = SidecarSent(self.route.account, checksum, sidecar.name, sidecar.checksum)
            self.world.journal.note(sent)
        return replace(facts, asset=asset, absent=False, sent=True)

    async def verify(self, facts: Facts) -> Facts:
        presence = await self.route.checker.ask(_checksum(facts))
        if presence.asset_id is None:
            raise Suspected(
                f"{self.path} was uploaded, but the server does not have its checksum:"
                " something on the way may be changing what is sent"
            )
        origin = facts.asset.origin if facts.asset else Origin.UPLOADED
        return await self._named(facts, origin, presence.asset_id, trashed=presence.trashed)

    async def join(self, facts: Facts) -> Facts:
        folder, place = self.route.folder, self.due.job.place
        asset, stamp = facts.asset, facts.stamp
        if asset is None or stamp is None:
            raise AssertionError("the plan joins nothing that is not there")
        if folder.album_id is not None:
            await self.route.joiner.join_by_id(folder.album_id, asset.asset_id)
        elif name := album_for(folder, place.directory, stamp):
            await self.route.joiner.join_by_name(name, asset.asset_id)
        return replace(facts, joined=True)

    async def restore(self, facts: Facts) -> Facts:
        asset = facts.asset
        if asset is None:
            raise AssertionError("the plan restores only what is in the trash")
        await restore(self.route.immich, asset.asset_id)
        presence = await self.route.checker.ask(_checksum(facts))
        if presence.asset_id is None:
            return await self._absent(facts)
        if presence.trashed:
            raise FileTrouble(
                f"{self.path} is still in Immich's trash after it was taken out of it"
            )
        return await self._named(facts, asset.origin, presence.asset_id, trashed=False)

    async def miss(self, facts: Facts) -> Hold:
        asset, checksum = facts.asset, _checksum(facts)
        stones, account = self.route.tombstones, self.route.account
        hold = audit.hold_for(asset, stones.hold(account, checksum) if stones else None)
        if stones:
            why = Why.REMOVED if hold is Hold.REMOVED else Why.MISSING
            await stones.write(account, [checksum], why)
        if asset is not None:
            removed_at = asset.removed_at or self.world.clock.now()
            self.world.journal.note(replace(asset, removed_at=removed_at))
        self.world.journal.note(Held(self.due.job.place, hold, audit.note(hold)))
        if hold is Hold.MISSING:
            self.route.missed()
        return hold

    async def _absent(self, facts: Facts) -> Facts:
        """The server lacks these bytes; what is known of them, perhaps under another name here."""
        checksum, account, stones = _checksum(facts), self.route.account, self.route.tombstones
        if stones is None:
            return replace(facts, absent=True)
        asset = facts.asset or await self.world.store(ledger.asset, account, checksum)
        await stones.follow(account, [checksum])
        buried = stones.hold(account, checksum) is not None
        return replace(facts, asset=asset, absent=True, tombstoned=buried)

    async def _send(self, facts: Facts) -> tuple[Sidecar | None, Uploaded]:
        place, world, root = self.due.job.place, self.world, self.route.folder.root
        stamp = facts.stamp
        if stamp is None:
            raise AssertionError("the plan uploads nothing unread")
        sidecar, source = await world.blocking(
            self.route.looking, _open, world.disk, root, place, wall=world.clock.now()
        )
        try:
            if source.stamp() != stamp:
                raise FileChanged(f"{self.path} changed before it was uploaded")
            announced = Announced(upload_name(place.name), _checksum(facts), stamp)
            data = sidecar.data if sidecar else None
            sending = Lane(f"send {self.route.folder.name}", SENDERS)
            return sidecar, await upload(
                self.route.immich, announced, source, data, world.blocking, sending,
                moved=self.route.moved,
            )  # fmt: skip
        finally:
            source.close()

    async def _settle(self, facts: Facts, unclear: SyncTrouble) -> Facts:
        """An upload broke, or a stranger answered it: only the server knows whether it has it.

        If that can be asked, it is not the server that is in trouble but this file's way to it.
        """
        if isinstance(unclear, Overloaded) and unclear.retry_after is not None:
            raise unclear  # somebody wishes to be left alone for so long
        presence = await self.route.checker.ask(_checksum(facts))
        if presence.asset_id is None:
            raise Suspected(f"{self.path}: {unclear}") from unclear
        trashed = presence.trashed
        facts = await self._named(facts, Origin.UPLOADED, presence.asset_id, trashed=trashed)
        return replace(facts, sent=True)

    def _heard_since(self, facts: Facts, asked_at: float) -> bool:
        verified_at = facts.asset.verified_at if facts.asset else None
        return verified_at is not None and asked_at < verified_at <= self.world.clock.now()

    async def _named(
        self, facts: Facts, origin: Origin, asset_id: AssetId, *, trashed: bool
    ) -> Facts:
        """The server has just named these very bytes."""
        if stones := self.route.tombstones:
            why = Why.TRASHED if trashed else Why.BACK
            await stones.write(self.route.account, [_checksum(facts)], why)
        now, known = self.world.clock.now(), facts.asset
        asset = Asset(
            self.route.account,
            _checksum(facts),
            asset_id,
            known.origin if known and known.asset_id == asset_id else origin,
            verified_at=now,
            trashed_at=(known and known.trashed_at) or now if trashed else None,
        )
        self.world.journal.note(asset)
        return replace(facts, asset=asset, absent=False)


_GONE = {Hold.REMOVED: Outcome.REMOVED, Hold.MISSING: Outcome.MISSING}


FIRST, LAST = 86_400.0, 253_402_128_000.0
"""Seconds: a day inside the years 1970 and 9999, which every time zone has a date for."""


def album_for(folder: Folder, directory: bytes, stamp: Stamp) -> str | None:
    """The name of the album that a file with this stamp belongs into, if its folder has any."""
    if folder.album is None:
        return None
    seconds = min(max(stamp.mtime_ns / 1e9, FIRST), LAST)
    local_time = datetime.fromtimestamp(seconds)  # noqa: DTZ006 - local time is meant
    return album_name(folder.album, folder=folder.name, directory=directory, local_time=local_time)


def _how(facts: Facts) -> Outcome:
    """How the file came to be in Immich: an upload may have been answered with a duplicate."""
    ours = facts.asset is not None and facts.asset.origin is Origin.UPLOADED
    return Outcome.UPLOADED if facts.sent and ours else Outcome.ALREADY_THERE


def _open(disk: Disk, root: bytes, place: Place, *, wall: float) -> tuple[Sidecar | None, Source]:
    """Blocking: the sidecar, read, and the file, open; in one hop, which costs more than both."""
    try:
        sidecar = read_sidecar(disk, root, place.directory, place.name, wall=wall)
    except FileUnreadable as trouble:  # the photo itself must not stay out for that
        log.warning("sidecar_left_out", error=str(trouble))
        sidecar = None
    return sidecar, disk.open(root, place.relative)


def _checksum(facts: Facts) -> Checksum:
    if facts.file is None or facts.file.checksum is None:
        raise AssertionError("the plan asks for nothing before it has hashed")
    return facts.file.checksum
