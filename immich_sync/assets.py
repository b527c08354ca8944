"""The library: upload files and folders into Immich, download assets from it.

Its own module because it is what other programs import: what they may write, and what comes of it.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Literal, Self
from uuid import UUID

from immich_sync.arguments import (
    account_of,
    album_or_assets,
    asset_id,
    at_least_one,
    public_link,
    template,
)
from immich_sync.core.folder import Limits
from immich_sync.core.media import compile_ignore
from immich_sync.core.types import AssetId
from immich_sync.downloading import Wanted
from immich_sync.fetching import checked_size
from immich_sync.filesystem.scan import Policy
from immich_sync.immich.transport import AnyTransport
from immich_sync.picking import Choice, Paths
from immich_sync.placing import Destination, OnExists
from immich_sync.results import DownloadResult, UploadResult
from immich_sync.session import Session
from immich_sync.uploading import Wish

__all__ = ["AssetsApi", "DownloadResult", "OnExists", "UploadResult"]


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
        self._session = Session(
            *account_of(base_url, api_key),
            state=None if state is None else Path(state),
            limits=limits or Limits(),
            transport=transport,
        )

    async def __aenter__(self) -> Self:
        await self._session.open()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self._session.close()

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
            hash_threads=self._session.limits.hash_threads,
        )
        return await self._session.upload(paths, wish, show_progress=show_progress)

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
        password: str | None = None,
        _headers: Mapping[str, str] | None = None,
    ) -> Path:
        """The path of the asset's original in `out_dir`, whole and proved by its checksum.

        An earlier download that broke is gone on with; a file that is there already is not sent
        again; another one in its way raises, or is dealt with as `on_exists` says (with "skip", its
        path is returned). `key` or `slug` are a public link's, and need no API key; `password` is
        what it may ask for. With `edited` it is the file as it was edited in Immich, which has no
        checksum to be proved by. `_headers` go along with each request, for what stands in front of
        the server.

        Raises ValueError, Misconfigured, FileTrouble, ServerTrouble.
        """
        asset, goal = asset_id(id), Destination(Path(out_dir), filename, on_exists)
        link = public_link(key, slug, password, _headers)
        async with self._session.fetcher(link, show_progress=show_progress) as fetcher:
            return await fetcher.one(asset, partial(fetcher.original, edited=edited), goal)

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
        password: str | None = None,
        _headers: Mapping[str, str] | None = None,
    ) -> Path:
        """The path of a picture of the asset: `size` is thumbnail, preview or fullsize.

        Otherwise as `download_asset_to_file`.
        """
        asset, size = asset_id(id), checked_size(size)
        goal = Destination(Path(out_dir), filename, on_exists)
        link = public_link(key, slug, password, _headers)
        async with self._session.fetcher(link, show_progress=show_progress) as fetcher:
            return await fetcher.one(asset, partial(fetcher.view, size=size), goal)

    async def play_asset_video_to_file(  # noqa: PLR0913 - the seed's parameters, and ours by keyword
        self,
        id: UUID | str,  # noqa: A002 - the seed's name for it
        out_dir: str | Path,
        key: str | None = None,
        slug: str | None = None,
        filename: str | None = None,
        show_progress: bool = False,  # noqa: FBT001, FBT002 - the seed's order
        *,
        on_exists: OnExists = "error",
        password: str | None = None,
        _headers: Mapping[str, str] | None = None,
    ) -> Path:
        """The path of the asset's video as browsers play it.

        Otherwise as `download_asset_to_file`.
        """
        asset, goal = asset_id(id), Destination(Path(out_dir), filename, on_exists)
        link = public_link(key, slug, password, _headers)
        async with self._session.fetcher(link, show_progress=show_progress) as fetcher:
            return await fetcher.one(asset, fetcher.video, goal)

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
        password: str | None = None,
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
        link = public_link(key, slug, password, _headers)
        async with self._session.fetcher(link, show_progress=show_progress) as fetcher:
            return await fetcher.archives(
                goal, album=album, assets=assets, archive_size=archive_size
            )

    async def download_originals_to_folder(  # noqa: PLR0913 - all but the first two by keyword
        self,
        what: UUID | str | Sequence[UUID | str],
        out_dir: str | Path,
        *,
        key: str | None = None,
        slug: str | None = None,
        concurrency: int = 4,
        show_progress: bool = False,
        on_exists: OnExists = "rename",
        password: str | None = None,
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
        link = public_link(key, slug, password, _headers)
        async with self._session.fetcher(link, show_progress=show_progress) as fetcher:
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
        password: str | None = None,
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
        link = public_link(key, slug, password, _headers)
        async with self._session.fetcher(link, show_progress=show_progress) as fetcher:
            wants: dict[str, Callable[[AssetId], Awaitable[Wanted]]] = {
                "original": fetcher.original,
                "edited": partial(fetcher.original, edited=True),
                "view": partial(fetcher.view, size=size),
                "video": fetcher.video,
            }
            return await fetcher.several(goal, assets, concurrency, wants[kind])
