"""The daily audit of one account, which asks whether all that was proved is still there.

Its own module because nothing else would notice: a person who empties the trash, a server that
comes back from an old backup and a disk that was not mounted tell nobody.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import time

import structlog

from immich_sync.bell import Bell
from immich_sync.core.audit import FEW, Finding, Findings
from immich_sync.core.errors import ServerTrouble, SyncTrouble
from immich_sync.core.schedule import next_audit
from immich_sync.core.tombstones import Why
from immich_sync.core.types import AccountId, Activity, Checksum, FolderId, Hold
from immich_sync.immich.check import MOST, bulk_check
from immich_sync.immich.client import Immich
from immich_sync.store import audit
from immich_sync.store.audit import Standing
from immich_sync.tombstones import Tombstones
from immich_sync.world import World

GLANCE = 60.0
"""Seconds between two looks at the clock, which may jump, and at whether a scan is over."""
DOUBTFUL = 3600.0
"""Seconds between two audits of a server that is not believed: what was wrong may be mended."""

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Audited:
    """An account as its audit sees it."""

    account: AccountId
    name: str
    immich: Immich
    at: time  # the daily scan's local time
    restoring: Collection[FolderId]  # folders that take their photos out of the trash
    is_scanning: Callable[[], bool]  # whether one of its folders is being scanned


class Auditor:
    """Audits one account: `first` before anything goes up, then `run` for the program's life.

    `changed` is called when files may have become due.
    """

    def __init__(
        self,
        audited: Audited,
        world: World,
        tombstones: Tombstones,
        changed: Callable[[], None] = lambda: None,
    ) -> None:
        self._audited = audited
        self._world = world
        self._tombstones = tombstones
        self._changed = changed
        self._standing = Standing()
        self._missed = 0  # gone and never seen in the trash, since the last audit
        self._word: Why | None = None  # a person's, on what was lost
        self._asked = False  # for an audit, by a person
        self._tried_at = 0.0  # when the last audit began, believed or not
        self._wanted = Bell()

    @property
    def doubt(self) -> str:
        """Why the server is not believed to be the one we know; "" if it is."""
        return self._standing.doubt

    @property
    def restored(self) -> bool:
        """Whether the ledger was put back from a backup, and not audited since.

        Then it tells what was once, and nothing may be deleted because of it.
        """
        return self._standing.restored_at is not None

    async def first(self) -> None:
        """If the last audit is older than a day or than the ledger, or was not believed: audit."""
        self._standing = await self._world.store(audit.standing, self._audited.account)
        if self.doubt or self.restored or self._due_at() <= self._world.clock.now():
            await self._audit()

    async def run(self) -> None:
        """Audit once a day, and whenever there is reason to, until cancelled."""
        while True:
            wait = self._due_at() - self._world.clock.now()
            if wait <= 0 and not self._audited.is_scanning():
                await self._audit()
            else:
                await self._wanted.heard(min(max(wait, 0.0), GLANCE) or GLANCE)

    def missed(self) -> None:
        """Something is gone that nobody saw in the trash: many of these are worth an audit."""
        self._missed += 1
        if self._missed > FEW:
            self._wanted.ring()

    def audit_soon(self) -> None:
        """A person wants to know now, and not in the night."""
        self._asked = True
        self._wanted.ring()

    def answer(self, *, removed: bool) -> None:
        """A person's word on a doubt: what was lost goes up again, or was `removed` on purpose."""
        if self.doubt:
            self._word = Why.REMOVED if removed else Why.WANTED
            self._wanted.ring()

    def _due_at(self) -> float:
        """When the next audit is due, in wall-clock seconds."""
        now = self._world.clock.now()
        if self._word is not None or self._asked or self._missed > FEW:
            return now
        if self.doubt:
            return self._tried_at + DOUBTFUL if self._tried_at <= now else now
        return next_audit(self._standing.audited_at, now=now, at=self._audited.at)

    async def _audit(self) -> None:
        """One audit, however long the server takes to answer."""
        while True:
            await self._audited.immich.gate.wait_open()
            self._tried_at = self._world.clock.now()
            self._missed, self._asked = 0, False
            try:
                found, back = await self._ask()
            except ServerTrouble as trouble:
                self._audited.immich.gate.close(trouble)
            except SyncTrouble as trouble:  # a proxy that takes no such request, say
                log.warning("audit_failed", account=self._audited.name, error=str(trouble))
                # Tried again tomorrow.
                self._standing = replace(self._standing, audited_at=self._tried_at)
                return
            else:
                await self._believe(found, back)
                return

    async def _ask(self) -> tuple[Findings, list[Checksum]]:
        """What the server says of all that it should have, and what outlived its tombstone.

        Raises SyncTrouble.
        """
        account, stones = self._audited.account, self._tombstones
        await stones.follow(account)
        found, back = Findings(self._world.clock.now()), list[Checksum]()
        since, after = self._standing.audited_at, b""
        while known := await self._world.store(audit.page, self._audited.account, after, MOST):
            after = known[-1].checksum
            present = await bulk_check(self._audited.immich, [one.checksum for one in known])
            for asset, there in zip(known, present, strict=True):
                departed = stones.departed(account, asset.checksum)
                finding = found.take(
                    asset, there.asset_id, trashed=there.trashed, since=since, departed=departed
                )
                alive = there.asset_id is not None and not there.trashed
                # The moving part of a departed photo is alive in the trash, and no more than that.
                stood = stones.hold(account, asset.checksum) is not None
                if alive and (stood or (departed and finding is Finding.ALIVE)):
                    back.append(asset.checksum)
        buried = await self._world.store(audit.without_asset, account, stones.all(account))
        present = await bulk_check(self._audited.immich, buried)
        for checksum, there in zip(buried, present, strict=True):
            if there.asset_id is not None:
                found.returned.append(checksum)
                back += [] if there.trashed else [checksum]
        return found, back

    async def _believe(self, found: Findings, back: Sequence[Checksum]) -> None:
        """Make facts of the findings, if they can be believed, or a person says so."""
        word, self._word = self._word, None
        doubt = found.doubt()
        if doubt and word is None:
            await self._world.store(audit.doubt, self._audited.account, doubt, found.began)
            self._standing = replace(self._standing, doubt=doubt)
            log.error("server_doubted", account=self._audited.name, why=doubt)
            return
        account, restoring = self._audited.account, self._audited.restoring
        stones = {
            **dict.fromkeys(back, Why.BACK),
            **{checksum: Why.TRASHED for checksum, _ in found.trashed},
            **dict.fromkeys(found.removed, Why.REMOVED),
            **dict.fromkeys(found.lost, word or Why.MISSING),
        }
        await self._tombstones.write_all(account, stones)
        await self._world.journal.commit()  # what was learnt before is written before
        fate = _FATES[word]
        now = self._world.clock.now()
        await self._world.store(
            audit.settle, account, found, restoring=restoring, lost=fate, now=now
        )
        self._standing = Standing(found.began)
        if found.removed or found.lost or found.alive:
            told = f"{len(found.removed)} removed, {len(found.lost)} missing"
            told += f", {len(found.alive)} back"
            self._world.journal.note(Activity(now, "audited", None, told))
        log.info(
            "audited",
            account=self._audited.name,
            expected=found.expected,
            trashed=len(found.trashed),
            back=len(found.alive),
            removed=len(found.removed),
            lost=len(found.lost),
        )
        self._changed()


_FATES: Mapping[Why | None, Hold | None] = {
    None: Hold.MISSING,
    Why.REMOVED: Hold.REMOVED,
    Why.WANTED: None,
}
"""What becomes of the files that were lost, by a person's word; None: they are due."""
