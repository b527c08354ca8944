"""The library: upload files and folders into Immich, download assets from it.

Its own module because it is what other programs import. It opens what the daemon opens, for the
length of an `async with`, and everything it does is done by the daemon's own pipeline and client.
"""

import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, closing
from dataclasses import replace
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Literal, Self
from uuid import UUID

import anyio

from immich_sync.arguments import (
    account_of,
    album_or_assets,
    asset_id,
    at_least_one,
    kinds,
    template,
)
from immich_sync.core.errors import Misconfigured
from immich_sync.core.folder import Folder, Limits
from immich_sync.core.media import compile_ignore
from immich_sync.core.ports import Lane
from immich_sync.core.tombstones import Why
from immich_sync.core.types import AssetId, Checksum
from immich_sync.downloading import Destination, OnExists, Wanted
from immich_sync.fetching import Fetcher, checked_size
from immich_sync.filesystem.disk import LocalDisk
from immich_sync.filesystem.scan import Policy
from immich_sync.flights import Flights
from immich_sync.immich.check import checker
from immich_sync.immich.client import Immich, connect
from immich_sync.immich.download import Link
from immich_sync.immich.transport import AnyTransport
from immich_sync.joining import Joiner
from immich_sync.journal import Journal
from immich_sync.link import demand, needed_permissions
from immich_sync.machine import Threads, WallClock
from immich_sync.picking import Choice, Paths, starts
from immich_sync.progress import showing
from immich_sync.results import DownloadResult, UploadResult
from immich_sync.serving import first, serving
from immich_sync.sorting import Learnt
from immich_sync.store import accounts, tombstones
from immich_sync.store.database import STATE_FILE, Database, open_beside, open_read_only
from immich_sync.store.door import Store
from immich_sync.tombstones import Tombstones
from immich_sync.uploading import Server, Upload, Wish
from immich_sync.world import World

__all__ = ["AssetsApi", "DownloadResult", "OnExists", "UploadResult"]

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
        self._account, self._no_key = account_of(base_url, api_key)
        self._state = None if state is None else Path(state)
        self._limits = limits or Limits()
        self._transport = transport
        self._clock = WallClock()
        self._blocking = Threads()
        self._flights = Flights()
        self._stack = AsyncExitStack()
        self._open_now = False
        self._immich: Immich | None = None
        self._public: Immich | None = None
        self._database: Database | None = None

    async def __aenter__(self) -> Self:
        self._open_now = True
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
        self._open_now = False
        self._immich = self._public = self._database = None
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
            album=template(album_name, by_folder=album),
            ask_first=not skip_duplicates,
            concurrency=at_least_one("concurrency", concurrency),
            retries=at_least_one("retries", retries),
            delete_uploads=delete_uploads,
            delete_duplicates=delete_duplicates,
            dry_run=dry_run,
            hash_threads=self._limits.hash_threads,
        )
        return await self._upload(paths, wish, show_progress=show_progress)

    async def download_asset_to_file(  # noqa: PLR0913 - the seed's parameters, and ours by keyword
        self,
        id: UUID | str,  # noqa: A002 - the seed's name for it
        out_dir: str | Path,
        key: str | None = None,
        slug: str | None = None,
        filename: str | None = None,
        show_progress: bool = False,  # noqa: FBT001, FBT002 - the seed's order
        *,
        on_exists: OnExists = "error",
        edited: bool = False,
        _headers: Mapping[str, str] | None = None,
    ) -> Path:
        """The path of the asset's original in `out_dir`, whole and proved by its checksum.

        An earlier download that broke is gone on with; a file that is there already is not sent
        again; another one in its way raises, or is dealt with as `on_exists` says (with "skip", its
        path is returned). `key` or `slug`
        are a public link's, and need no API key. With `edited` it is the file as it was edited in
        Immich, which has no checksum to be proved by. `_headers` go along with each request, for
        what stands in front of the server.

        Raises ValueError, Misconfigured, FileTrouble, ServerTrouble.
        """
        goal = Destination(Path(out_dir), filename, on_exists)
        async with self._fetcher(Link(key, slug, _headers), show_progress=show_progress) as fetcher:
            return await fetcher.one(fetcher.original(asset_id(id), edited=edited), goal)

    async def view_asset_to_file(  # noqa: PLR0913 - the seed's parameters, and ours by keyword
        self,
        id: UUID | str,  # noqa: A002 - the seed's name for it
        out_dir: str | Path,
        key: str | None = None,
        size: str | None = None,
        slug: str | None = None,
        filename: str | None = None,
        show_progress: bool = False,  # noqa: FBT001, FBT002 - the seed's order
        *,
        on_exists: OnExists = "error",
        _headers: Mapping[str, str] | None = None,
    ) -> Path:
        """The path of a picture of the asset: `size` is thumbnail, preview or fullsize.

        Otherwise as `download_asset_to_file`.
        """
        goal, size = Destination(Path(out_dir), filename, on_exists), checked_size(size)
        async with self._fetcher(Link(key, slug, _headers), show_progress=show_progress) as fetcher:
            return await fetcher.one(fetcher.view(asset_id(id), size), goal)

    async def play_asset_video_to_file(
        self,
        id: UUID | str,  # noqa: A002 - the seed's name for it
        out_dir: str | Path,
        key: str | None = None,
        slug: str | None = None,
        filename: str | None = None,
        show_progress: bool = False,  # noqa: FBT001, FBT002 - the seed's order
        *,
        on_exists: OnExists = "error",
        _headers: Mapping[str, str] | None = None,
    ) -> Path:
        """The path of the asset's video as browsers play it.

        Otherwise as `download_asset_to_file`.
        """
        goal = Destination(Path(out_dir), filename, on_exists)
        async with self._fetcher(Link(key, slug, _headers), show_progress=show_progress) as fetcher:
            return await fetcher.one(fetcher.video(asset_id(id)), goal)

    async def download_archive_to_file(  # noqa: PLR0913 - all but the first two by keyword
        self,
        what: UUID | str | Sequence[UUID | str],
        out_dir: str | Path,
        *,
        key: str | None = None,
        slug: str | None = None,
        filename: str | None = None,
        archive_size: int | None = None,
        show_progress: bool = False,
        on_exists: OnExists = "error",
        _headers: Mapping[str, str] | None = None,
    ) -> list[Path]:
        """The paths of zip files with the originals of an album, or of a list of assets.

        One id is an album's, a list is of assets. Each zip holds about `archive_size` bytes (the
        server's own measure is 4 GiB); zips are made as they are sent, so that one that breaks
        begins anew. Raises as `download_asset_to_file`.
        """
        album, assets = album_or_assets(what)
        if archive_size is not None:
            at_least_one("archive_size", archive_size)
        goal = Destination(Path(out_dir), filename, on_exists)
        async with self._fetcher(Link(key, slug, _headers), show_progress=show_progress) as fetcher:
            return await fetcher.archives(
                goal, album=album, assets=assets, archive_size=archive_size
            )

    async def download_originals_to_folder(
        self,
        what: UUID | str | Sequence[UUID | str],
        out_dir: str | Path,
        *,
        key: str | None = None,
        slug: str | None = None,
        concurrency: int = 4,
        show_progress: bool = False,
        on_exists: OnExists = "rename",
        _headers: Mapping[str, str] | None = None,
    ) -> DownloadResult:
        """The originals of an album, or of a list of assets, in `out_dir`, several at a time.

        One id is an album's, a list is of assets. A second call goes on where the first one ended.
        Two assets of one name become `a.jpg` and `a (2).jpg`. Single failures are listed in the
        result. Raises as `download_asset_to_file` if no asset could fare better.
        """
        album, assets = album_or_assets(what)
        at_least_one("concurrency", concurrency)
        goal = Destination(Path(out_dir), None, on_exists)
        async with self._fetcher(Link(key, slug, _headers), show_progress=show_progress) as fetcher:
            if album is not None:
                assets = await fetcher.members(album)
            return await fetcher.several(goal, assets, concurrency, fetcher.original)

    async def download_files(  # noqa: PLR0913 - all but the first two by keyword
        self,
        ids: Sequence[UUID | str],
        out_dir: str | Path,
        *,
        kind: Literal["original", "edited", "view", "video"] = "original",
        size: str | None = None,
        key: str | None = None,
        slug: str | None = None,
        filename: str | None = None,
        concurrency: int = 4,
        show_progress: bool = False,
        on_exists: OnExists = "error",
        _headers: Mapping[str, str] | None = None,
    ) -> DownloadResult:
        """What the three methods for single files do, for several assets, and what became of each.

        The result says which files were proved, and which were skipped for another one of their
        name. `size` is that of views; a `filename` goes with one asset only. Otherwise as
        `download_originals_to_folder`.
        """
        assets, size = [asset_id(one) for one in ids], checked_size(size)
        if filename is not None and len(assets) > 1:
            raise ValueError("a filename goes with one asset only")
        at_least_one("concurrency", concurrency)
        goal = Destination(Path(out_dir), filename, on_exists)
        async with self._fetcher(Link(key, slug, _headers), show_progress=show_progress) as fetcher:
            wants: dict[str, Callable[[AssetId], Awaitable[Wanted]]] = {
                "original": fetcher.original,
                "edited": partial(fetcher.original, edited=True),
                "view": partial(fetcher.view, size=size),
                "video": fetcher.video,
            }
            return await fetcher.several(goal, assets, concurrency, wants[kind])

    @asynccontextmanager
    async def _fetcher(self, link: Link, *, show_progress: bool) -> AsyncIterator[Fetcher]:
        if len(link.params) > 1:
            raise ValueError("a public link is opened by its key or by its slug, not by both")
        if not link.params:
            immich = self._signed_in()
        else:
            self._opened()
            if self._public is None:
                self._public = await self._stack.enter_async_context(
                    connect(self._account, self._limits, self._clock, self._transport, public=True)
                )
            immich = self._public
        immich.gate.opened()  # what ended an earlier upload may be over
        with showing("Downloading", wanted=show_progress) as progress:
            try:
                yield Fetcher(immich, link, self._blocking, progress)
            except BaseExceptionGroup as group:
                raise first(group) from None

    async def _upload(self, paths: Paths, wish: Wish, *, show_progress: bool) -> UploadResult:
        immich = self._signed_in()
        found, missed = await self._blocking(_OPENING, starts, paths)
        immich.gate.opened()  # what ended an earlier upload may be over
        me = await immich.whoami()
        taken = await immich.media_types()
        demand(me, needed_permissions([Folder("", b"/", "", album=wish.album)]), self._account)
        policy = replace(wish.choice.policy, types=kinds(taken))
        wish = replace(wish, choice=replace(wish.choice, policy=policy))

        store = Store(await self._state_for(wish), self._blocking, patient=False)
        remembered = await self._remembered() if wish.dry_run else None
        account = await store(accounts.ensure_account, self._account.url, me.identity)
        stones = Tombstones(store, self._clock.now)
        await stones.open(account)
        buried: Collection[Checksum] = stones.all(account)
        if remembered is not None and self._state is not None:
            buried = await remembered(_removed, self._state, me.identity)
        learnt = Learnt(buried=frozenset(buried))
        journal = Journal(store, self._clock.now, learnt.hear)
        world = World(self._clock, self._blocking, LocalDisk(), store, journal)
        server = Server(
            account=account,
            immich=immich,
            checker=checker(immich),
            joiner=Joiner(account, immich, store, journal, again=True),
            flights=self._flights,
        )
        with showing("Uploading", wanted=show_progress) as progress:
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
            return await self._open(None)
        if self._database is None:
            self._database = await self._open(self._state)
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

    async def _open(self, state: Path | None) -> Database:
        if state is None:
            folder = tempfile.TemporaryDirectory(prefix="immich-sync-")
            self._stack.callback(folder.cleanup)
            state = Path(folder.name)
        database = await self._blocking(_OPENING, open_beside, state / STATE_FILE)
        return self._stack.enter_context(closing(database))


def _removed(database: Database, state: Path, user: str) -> Collection[Checksum]:
    del database
    return tombstones.removed(state, user)
