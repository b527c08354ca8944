"""One account's link to its server: reached once, then kept.

Its own module because who the key belongs to is known only from the server, and nothing may be
written down for an account, or sent to it, before that.
"""

from collections.abc import Callable, Sequence

import anyio
import structlog

from immich_sync.coalesce import Coalescer
from immich_sync.core import diagnosis
from immich_sync.core.errors import NotImmich, Refused, ServerTrouble, Untrusted
from immich_sync.core.folder import Account, Folder, Limits
from immich_sync.core.types import AccountId, Checksum
from immich_sync.flights import Flights
from immich_sync.headroom import Headroom
from immich_sync.immich.about import Me, Version
from immich_sync.immich.check import Presence, checker
from immich_sync.immich.client import Immich
from immich_sync.slots import Slots
from immich_sync.store import accounts
from immich_sync.world import World

log = structlog.get_logger()

VERSION_EVERY = 3600.0
"""Seconds until the server's version is asked for again: it may be updated behind our back."""


class Link:
    """One account while the program runs; `opened` is called when its server answers again."""

    def __init__(
        self,
        account: Account,
        immich: Immich,
        world: World,
        limits: Limits,
        opened: Callable[[], None] = lambda: None,
    ) -> None:
        self.account = account
        self.immich = immich
        self.checker: Coalescer[Checksum, Presence] = checker(immich)
        self.flights = Flights()
        self.uploads = Slots(limits.uploads)
        self.user: str | None = None  # whose the key is, once the server has said so
        self.version: Version | None = None  # None until the server has answered
        self.restored: Callable[[], bool] = lambda: False  # the ledger, and not audited since
        self.version_since: float | None = None  # when we first saw it, wall-clock seconds
        self.headroom = Headroom(immich, account, world.clock, opened)
        self._world = world
        self._opened = opened

    async def run(self) -> None:
        """Serve those who ask, and probe while the gate is closed, until cancelled."""
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(self.checker.run)
            tasks.start_soon(self.immich.gate.probe, self.immich.ping)
            tasks.start_soon(self._tell_when_open)
            tasks.start_soon(self._keep_version)
            tasks.start_soon(self.headroom.run)

    async def _tell_when_open(self) -> None:
        gate = self.immich.gate
        while True:
            await gate.wait_closed()
            log.warning("server_in_trouble", account=self.name, error=str(gate.trouble))
            await gate.wait_open()
            log.info("server_answers_again", account=self.name)
            self._opened()
            if self.version is not None:
                await self._look_at_version()

    async def _keep_version(self) -> None:
        while True:
            await anyio.sleep(VERSION_EVERY)
            if self.version is not None and self.immich.gate.trouble is None:
                await self._look_at_version()

    async def _look_at_version(self) -> None:
        try:
            self._learn(await self.immich.version(anew=True))
        except ServerTrouble as trouble:
            log.debug("version_unknown", account=self.name, error=str(trouble))

    def _learn(self, version: Version) -> None:
        if version == self.version:
            return
        self.version, self.version_since = version, self._world.clock.now()
        log.info("server_reached", account=self.name, version=str(version))
        if why := self.deletions_forbidden:
            log.warning("server_newer_than_known", account=self.name, advice=why)

    @property
    def deletions_forbidden(self) -> str | None:
        """Why nothing may be deleted just now, neither here nor there; None if it may.

        Forbidden before the server has said which version it is, and where it is a newer one than
        any that is known; and while the ledger is a restored one that was not audited.
        """
        if self.version is None:
            return f"{self.account.url} has not said yet which version of Immich it is."
        found = (self.version.major, self.version.minor, self.version.patch)
        newer = diagnosis.unknown(found)
        if newer is None:
            return _OLD if self.restored() else None
        return (
            f"{newer} Uploads go on and are proved as ever; nothing is deleted, neither here nor"
            " there. Look for a newer immich-sync."
        )

    @property
    def name(self) -> str:
        """The account's name in the configuration."""
        return self.account.name

    async def reach(self, folders: Sequence[Folder]) -> AccountId:
        """Who we are there, waiting for a server that does not answer; `run` must be running.

        Raises NotImmich, Refused or Untrusted: no waiting mends an address, a key or a
        certificate that was wrong from the start. For a date it is waited: a clock may be wrong
        until the network is there, and certificates are renewed.
        """
        while True:
            try:
                return await self._introduce(needed_permissions(folders))
            except (NotImmich, Refused):
                raise
            except ServerTrouble as trouble:
                if isinstance(trouble, Untrusted) and not trouble.by_date:
                    raise
                self.immich.gate.close(trouble)
                await self.immich.gate.wait_open()

    async def _introduce(self, needed: Sequence[str]) -> AccountId:
        version = await self.immich.version()
        me = await self.immich.whoami()
        demand(me, needed, self.account)
        self.user = me.identity
        self._learn(version)
        return await self._world.store(accounts.ensure_account, self.account.url, me.identity)


_OLD = (
    "The state was restored from a backup, and the server has not been asked yet whether what that"
    " says is still true."
)


def demand(me: Me, needed: Sequence[str], account: Account) -> None:
    """Raises Refused, naming what is missing, if the key may not do all that is needed."""
    if missing := me.missing(needed):
        raise Refused(
            f"The API key of account {account.name!r} lacks the permission"
            f"{'s' if len(missing) > 1 else ''} {', '.join(missing)}: edit the key in Immich"
            " under Account Settings → API Keys.",
            permission=missing[0],
        )


def needed_permissions(folders: Sequence[Folder]) -> Sequence[str]:
    """What a key must be allowed for these folders (Immich 3.1: enum.ts), no more than that."""
    needed = ["asset.upload"]
    if any(folder.album is not None for folder in folders):
        needed += ["album.read", "album.create"]
    if any(folder.wants_album for folder in folders):
        needed += ["albumAsset.create"]
    if any(folder.trashed == "restore" for folder in folders):
        needed += ["asset.delete"]  # what Immich asks of whoever takes something out of the trash
    if any(folder.on_delete == "trash" for folder in folders):
        # To see whether a video is the moving part of a live photo, and to put into the trash.
        needed += [one for one in ("asset.read", "asset.delete") if one not in needed]
    return needed
