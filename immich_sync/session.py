"""What is open while an `AssetsApi` is: connections and the state; all that it does starts here.

Its own module because it opens what the daemon opens, for the length of an `async with`: everything
the library does is done by the daemon's own pipeline and client.
"""

import sys
import tempfile
from collections.abc import AsyncIterator, Collection
from contextlib import AsyncExitStack, asynccontextmanager, closing
from dataclasses import replace
from functools import partial
from pathlib import Path

import anyio
import structlog

from immich_sync.arguments import kinds
from immich_sync.core.errors import Misconfigured
from immich_sync.core.folder import Account, Folder, Limits
from immich_sync.core.ports import Lane
from immich_sync.core.tombstones import Why
from immich_sync.core.types import Checksum, Hold
from immich_sync.fetching import Fetcher
from immich_sync.filesystem.disk import LocalDisk
from immich_sync.flights import Flights
from immich_sync.immich.check import checker
from immich_sync.immich.client import Immich, connect
from immich_sync.immich.public import Link, unlock
from immich_sync.immich.transport import AnyTransport
from immich_sync.joining import Joiner
from immich_sync.journal import Journal
from immich_sync.link import demand, needed_permissions
from immich_sync.machine import Threads, WallClock
from immich_sync.patience import Patience
from immich_sync.picking import Paths, starts
from immich_sync.progress import showing
from immich_sync.results import UploadResult
from immich_sync.serving import first, serving
from immich_sync.sorting import Learnt
from immich_sync.store import accounts, tombstones
from immich_sync.store.database import STATE_FILE, Database, open_beside, open_read_only
from immich_sync.store.door import Store
from immich_sync.tombstones import Tombstones
from immich_sync.uploading import Server, Upload, Wish
from immich_sync.world import World

LAST_WORDS = 1.0
"""Seconds to write down what was learnt until the end."""
_OPENING = Lane("open", 1)


class Session:
    """One account on one server; `open` it before, and `close` it after all else.

    `no_key` is what is raised where a key is needed and there is none; without a `state` everything
    is forgotten at the end.
    """

    def __init__(
        self,
        account: Account,
        no_key: Misconfigured | None,
        *,
        state: Path | None,
        limits: Limits,
        transport: AnyTransport | None,
    ) -> None:
        self.limits = limits
        self._account, self._no_key = account, no_key
        self._state = state
        self._transport = transport
        self._clock = WallClock()
        self._blocking = Threads()
        self._flights = Flights()
        self._stack = AsyncExitStack()
        self._open_now = False
        self._immich: Immich | None = None
        self._public: Immich | None = None
        self._database: Database | None = None

    async def open(self) -> None:
        """It may be used."""
        self._open_now = True
        if not structlog.is_configured():  # standard output is the caller's, for results
            structlog.configure(logger_factory=lambda *_: structlog.PrintLogger(sys.stderr))
        if self._no_key is None:
            self._immich = await self._stack.enter_async_context(
                connect(self._account, self.limits, self._clock, self._transport)
            )

    async def close(self) -> None:
        """Nothing is open any more."""
        self._open_now = False
        self._immich = self._public = self._database = None
        await self._stack.aclose()

    @asynccontextmanager
    async def fetcher(self, link: Link, *, show_progress: bool) -> AsyncIterator[Fetcher]:
        """Downloads by this link, or as the user. Raises Misconfigured; what `unlock` raises."""
        if not link.params:
            immich = self._signed_in()
        else:
            self._opened()
            if self._public is None:
                self._public = await self._stack.enter_async_context(
                    connect(self._account, self.limits, self._clock, self._transport, public=True)
                )
            immich = self._public
        immich.gate.opened()  # what ended an earlier upload may be over
        with showing("Downloading", wanted=show_progress) as progress:
            patience = Patience()
            opened = await patience.ask(partial(unlock, immich, link))
            try:
                yield Fetcher(immich, opened, self._blocking, progress, patience)
            except BaseExceptionGroup as group:
                raise first(group) from None

    async def upload(self, paths: Paths, wish: Wish, *, show_progress: bool) -> UploadResult:
        """One upload, from what the paths name to its result; see `AssetsApi.upload`."""
        immich = self._signed_in()
        found, missed = await self._blocking(_OPENING, starts, paths)
        immich.gate.opened()  # what ended an earlier upload may be over
        patience = Patience(wish.retries)
        me = await patience.ask(immich.whoami)
        taken = await patience.ask(immich.media_types)
        demand(me, needed_permissions([Folder("", b"/", "", album=wish.album)]), self._account)
        policy = replace(wish.choice.policy, types=kinds(taken))
        wish = replace(wish, choice=replace(wish.choice, policy=policy))

        store = Store(await self._state_for(wish), self._blocking, patient=False)
        remembered = await self._remembered() if wish.dry_run else None
        account = await store(accounts.ensure_account, self._account.url, me.identity)
        stones = Tombstones(store, self._clock.now)
        await stones.open(account)
        buried = frozenset(stones.all(account))
        gone: Collection[Checksum] = frozenset(
            one for one in buried if stones.hold(account, one) is Hold.REMOVED
        )
        if remembered is not None and self._state is not None:
            gone = await remembered(_removed, self._state, me.identity)
        learnt = Learnt(buried=buried, removed=gone)
        journal = Journal(store, self._clock.now, learnt.hear)
        world = World(self._clock, self._blocking, LocalDisk(), store, journal)
        server = Server(
            account=account,
            immich=immich,
            checker=checker(immich),
            joiner=Joiner(account, immich, store, journal, again=True),
            flights=self._flights,
        )
        with showing("Checking" if wish.dry_run else "Uploading", wanted=show_progress) as progress:
            upload = Upload(wish, server, world, learnt, progress, remembered=remembered)
            try:
                async with serving(journal.run, server.checker.run, server.joiner.run):
                    return await upload.run(found, missed)
            finally:
                with anyio.move_on_after(LAST_WORDS, shield=True):
                    await journal.flush()
                    # What a person uploads by hand is wanted again: the daemon must not take it
                    # for removed if it goes missing another time.
                    await stones.write(account, learnt.risen, Why.BACK)

    def _signed_in(self) -> Immich:
        self._opened()
        if self._immich is None:
            raise self._no_key or AssertionError("an open AssetsApi with a key has a server")
        return self._immich

    def _opened(self) -> None:
        if not self._open_now:
            raise RuntimeError("an AssetsApi is used within `async with AssetsApi(…) as assets:`")

    async def _state_for(self, wish: Wish) -> Database:
        """The state: the caller's own, or one that vanishes; a dry run leaves the former alone."""
        if wish.dry_run and self._state is not None:
            return await self._open_state(None)
        if self._database is None:
            self._database = await self._open_state(self._state)
        return self._database

    async def _remembered(self) -> Store | None:
        """The caller's state, to be looked at only; None if there is none that can be read."""
        if self._state is None:
            return None
        try:
            database = await self._blocking(_OPENING, open_read_only, self._state / STATE_FILE)
        except Misconfigured:
            return None
        return Store(self._stack.enter_context(closing(database)), self._blocking, patient=False)

    async def _open_state(self, state: Path | None) -> Database:
        if state is None:
            folder = tempfile.TemporaryDirectory(prefix="immich-sync-")
            self._stack.callback(folder.cleanup)
            state = Path(folder.name)
        database = await self._blocking(_OPENING, open_beside, state / STATE_FILE)
        return self._stack.enter_context(closing(database))


def _removed(database: Database, state: Path, user: str) -> Collection[Checksum]:
    del database
    return tombstones.removed(state, user)
