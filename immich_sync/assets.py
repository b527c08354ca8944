"""The library: upload files and folders into Immich, download assets from it.

Its own module because it is what other programs import. It opens what the daemon opens, for the
length of an `async with`, and everything it does is done by the daemon's own pipeline and client.
"""

import tempfile
from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack, closing
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import Self

import anyio

from immich_sync.core.errors import Misconfigured
from immich_sync.core.folder import Account, Folder, Limits
from immich_sync.core.media import Kind, compile_ignore, media_types
from immich_sync.core.ports import Lane
from immich_sync.core.types import Secret
from immich_sync.filesystem.disk import LocalDisk
from immich_sync.filesystem.scan import Policy
from immich_sync.flights import Flights
from immich_sync.immich.about import MediaTypes
from immich_sync.immich.address import normalise
from immich_sync.immich.check import checker
from immich_sync.immich.client import Immich, connect
from immich_sync.immich.transport import AnyTransport
from immich_sync.joining import Joiner
from immich_sync.journal import Journal
from immich_sync.link import demand, needed_permissions
from immich_sync.machine import Threads, WallClock
from immich_sync.picking import Choice, Paths, starts
from immich_sync.progress import showing
from immich_sync.results import UploadResult
from immich_sync.serving import serving
from immich_sync.sorting import Learnt
from immich_sync.store import accounts
from immich_sync.store.database import STATE_FILE, Database, open_beside
from immich_sync.store.door import Store
from immich_sync.uploading import Server, Upload, Wish
from immich_sync.world import World

__all__ = ["AssetsApi", "UploadResult"]

LAST_WORDS = 1.0
"""Seconds to write down what was learnt until the end."""
_OPENING = Lane("open", 1)


class AssetsApi:
    """One Immich, for as long as `async with` lasts.

    `base_url` may end with `/api`; what is left out comes from the environment
    (`IMMICH_INSTANCE_URL`, `IMMICH_API_KEY` and all else that the daemon reads). Public links need
    no key. With `state`, a folder, it is remembered there what was read before, so that a second
    upload reads only what changed; without it, everything is forgotten at the end.

    Raises Misconfigured if there is no address, or address or key cannot be one.
    """

    def __init__(
        self,
        base_url: str | None = None,
        api_key: str | None = None,
        *,
        state: str | Path | None = None,
        limits: Limits | None = None,
        transport: AnyTransport | None = None,
    ) -> None:
        self._account, self._no_key = _account(base_url, api_key)
        self._state = None if state is None else Path(state)
        self._limits = limits or Limits()
        self._transport = transport
        self._clock = WallClock()
        self._blocking = Threads()
        self._flights = Flights()
        self._stack = AsyncExitStack()
        self._immich: Immich | None = None
        self._database: Database | None = None

    async def __aenter__(self) -> Self:
        if self._no_key is None:
            self._immich = await self._stack.enter_async_context(
                connect(self._account, self._limits, self._clock, self._transport)
            )
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._immich = self._database = None
        await self._stack.aclose()

    async def upload(  # noqa: PLR0913 - the seed's parameters, all by keyword
        self,
        paths: Paths,
        *,
        ignore_pattern: str | None = None,
        ignore: Sequence[str] = (),
        include_hidden: bool = False,
        skip_duplicates: bool = False,
        concurrency: int = 5,
        retries: int = 3,
        show_progress: bool = False,
        album_name: str | None = None,
        album: bool = False,
        delete_uploads: bool = False,
        delete_duplicates: bool = False,
        dry_run: bool = False,
    ) -> UploadResult:
        """Upload files, and folders with all below them; what became of each file.

        `ignore_pattern` is a shell pattern with `*` put in front of it (`.tmp`, `/raw/*`), `ignore`
        holds gitignore patterns; both see the path below the given one, and so does the test
        whether a name is hidden. `skip_duplicates` skips asking before an upload; the server may
        still say that it has a file. Everything goes into the album `album_name`, or with `album`
        each file into one that is named as its folder; duplicates too. What was uploaded (or was
        there before) is deleted from the disk with `delete_uploads` (`delete_duplicates`), once
        the server has proved to have these very bytes outside its trash. `dry_run` reads and asks,
        and changes nothing. At most `concurrency` files go up at once; one that meets trouble which
        may pass is tried `retries` times in all.

        Raises ValueError for what cannot be meant, Misconfigured, StateTrouble, and ServerTrouble
        if the server cannot be used from the start; trouble after that fails single files.
        """
        wish = Wish(
            choice=Choice(
                Policy(ignore=compile_ignore(ignore), include_hidden=include_hidden),
                ignore_pattern,
            ),
            album=_template(album_name, by_folder=album),
            ask_first=not skip_duplicates,
            concurrency=_at_least_one("concurrency", concurrency),
            retries=_at_least_one("retries", retries),
            delete_uploads=delete_uploads,
            delete_duplicates=delete_duplicates,
            dry_run=dry_run,
            hash_threads=self._limits.hash_threads,
        )
        return await self._upload(paths, wish, show_progress=show_progress)

    async def _upload(self, paths: Paths, wish: Wish, *, show_progress: bool) -> UploadResult:
        immich = self._signed_in()
        found, missed = await self._blocking(_OPENING, starts, paths)
        immich.gate.opened()  # what ended an earlier upload may be over
        me = await immich.whoami()
        taken = await immich.media_types()
        demand(me, needed_permissions([Folder("", b"/", "", album=wish.album)]), self._account)
        policy = replace(wish.choice.policy, types=_kinds(taken))
        wish = replace(wish, choice=replace(wish.choice, policy=policy))

        learnt = Learnt()
        store = Store(await self._state_for(wish), self._blocking, patient=False)
        journal = Journal(store, self._clock.now, learnt.hear)
        world = World(self._clock, self._blocking, LocalDisk(), store, journal)
        account = await store(accounts.ensure_account, self._account.url, me.identity)
        server = Server(
            account=account,
            immich=immich,
            checker=checker(immich),
            joiner=Joiner(account, immich, store, journal, again=True),
            flights=self._flights,
        )
        with showing("Uploading", wanted=show_progress) as progress:
            upload = Upload(wish, server, world, learnt, progress)
            try:
                async with serving(journal.run, server.checker.run, server.joiner.run):
                    return await upload.run(found, missed)
            finally:
                with anyio.move_on_after(LAST_WORDS, shield=True):
                    await journal.flush()

    def _signed_in(self) -> Immich:
        if self._no_key is not None:
            raise self._no_key
        if self._immich is None:
            raise RuntimeError("an AssetsApi is used within `async with AssetsApi(…) as assets:`")
        return self._immich

    async def _state_for(self, wish: Wish) -> Database:
        """The state: the caller's own, or one that vanishes; a dry run leaves the former alone."""
        if wish.dry_run and self._state is not None:
            return await self._open(None)
        if self._database is None:
            self._database = await self._open(self._state)
        return self._database

    async def _open(self, state: Path | None) -> Database:
        if state is None:
            folder = tempfile.TemporaryDirectory(prefix="immich-sync-")
            self._stack.callback(folder.cleanup)
            state = Path(folder.name)
        database = await self._blocking(_OPENING, open_beside, state / STATE_FILE)
        return self._stack.enter_context(closing(database))


def _account(base_url: str | None, api_key: str | None) -> tuple[Account, Misconfigured | None]:
    """The account, and what is wrong if it has no key. Raises Misconfigured."""
    if base_url is not None and api_key is not None:
        url = normalise(base_url)
        return Account(url, url, Secret(api_key.strip())), None
    # Reading the environment as the daemon does costs imports that few callers need.
    from immich_sync.config.accounts import server_of  # noqa: PLC0415 - see above

    return server_of(base_url, api_key)


def _template(album_name: str | None, *, by_folder: bool) -> str | None:
    """The album's template: a name stands for itself, braces and all."""
    if by_folder and album_name is not None:
        raise ValueError("choose album_name or album, not both")
    if by_folder:
        return "{parent}"
    if album_name is not None and not album_name.strip():
        raise ValueError("an album's name must not be blank")
    return None if album_name is None else album_name.replace("{", "{{").replace("}", "}}")


def _at_least_one(name: str, number: int) -> int:
    if number < 1:
        raise ValueError(f"{name} must be 1 or more, not {number}")
    return number


def _kinds(taken: MediaTypes) -> Mapping[bytes, Kind]:
    image, video = ([end.encode() for end in ends] for ends in (taken.image, taken.video))
    return media_types(image, video)
