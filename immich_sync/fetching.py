"""What of Immich goes into which folder: single files, archives, whole albums.

Its own module because one download knows nothing of the others, and a caller should not have to.
"""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from uuid import UUID

import anyio
import structlog

from immich_sync.core.errors import NotImmich, Refused, ServerTrouble, SyncTrouble, Untrusted
from immich_sync.core.ports import Blocking
from immich_sync.core.types import AlbumId, AssetId
from immich_sync.downloading import Arrived, Download, Wanted
from immich_sync.filesystem.claiming import InTheWay
from immich_sync.immich import albums, download
from immich_sync.immich.client import Immich
from immich_sync.immich.download import Unavailable
from immich_sync.immich.public import Link
from immich_sync.patience import Patience
from immich_sync.placing import Destination
from immich_sync.progress import Progress
from immich_sync.results import (
    DownloadedEntry,
    DownloadResult,
    NotDownloadedEntry,
    SkippedEntry,
)

log = structlog.get_logger()

SIZES = ("thumbnail", "preview", "fullsize")


@dataclass(frozen=True, slots=True)
class Fetcher:
    """One server, asked as a user or by a public link."""

    immich: Immich
    link: Link
    blocking: Blocking
    progress: Progress
    patience: Patience = field(default_factory=Patience)

    async def original(self, asset: AssetId, *, edited: bool = False) -> Wanted:
        """The file as it was uploaded, to be proved by its checksum; or as it was edited."""
        call = download.original(asset, self.link, edited=edited)
        kind = "edited" if edited else "original"
        info = None if edited else await self._info(asset)
        return Wanted(call, f"orig-{asset}", f"{kind} {asset}", info)

    async def view(self, asset: AssetId, size: str | None) -> Wanted:
        """A picture of it in one of the SIZES, each of which has a name of its own."""
        call = download.thumbnail(asset, self.link, size)
        name = "thumb" if size in {None, SIZES[0]} else size
        return Wanted(call, f"{name}-{asset}", f"{size or SIZES[0]} {asset}")

    async def video(self, asset: AssetId) -> Wanted:
        """The video as browsers play it."""
        call = download.playback(asset, self.link)
        return Wanted(call, f"video-{asset}", f"video {asset}")

    async def one(
        self,
        asset: AssetId,
        want: Callable[[AssetId], Awaitable[Wanted]],
        destination: Destination,
    ) -> Path:
        """The path of the only file there is to fetch, or of another that was left in its place."""
        self.progress.expect(1, 0)
        path = (await self._of(asset, want, destination)).path
        self.progress.finished()
        return path

    async def archives(
        self,
        destination: Destination,
        *,
        album: AlbumId | None,
        assets: Sequence[AssetId],
        archive_size: int | None,
    ) -> list[Path]:
        """The originals in zip files, one after the other: the server makes them as it sends."""
        contents = partial(
            download.contents, self.immich, self.link, album=album, assets=assets,
            archive_size=archive_size,
        )  # fmt: skip
        try:
            parts = [part for part in await self.patience.ask(contents) if part.assets]
        except Unavailable as trouble:
            raise await self._explained(trouble, assets) from None
        base = destination.filename or (f"album-{album}" if album else "archive")
        stem = base[: -len(".zip")] if base.lower().endswith(".zip") else base
        self.progress.expect(len(parts), 0)
        paths = []
        for number, part in enumerate(parts, start=1):
            name = f"{stem}.zip" if len(parts) == 1 else f"{stem}-{number}.zip"
            call = download.archive(part.assets, self.link)
            identity = f"archive {' '.join(part.assets)}"
            wanted = Wanted(call, stem, identity, is_zip=True)
            named = replace(destination, filename=name)
            paths.append((await self._get(wanted, named)).path)
            self.progress.finished()
        return paths

    async def several(
        self,
        destination: Destination,
        assets: Sequence[AssetId],
        concurrency: int,
        want: Callable[[AssetId], Awaitable[Wanted]],
    ) -> DownloadResult:
        """A file of each asset in the folder, some at a time; what is there is not sent again.

        Raises NotImmich, Refused or Untrusted: then no other asset would fare better. Raises
        other ServerTrouble if it was all that any asset met.
        """
        wanted = list(dict.fromkeys(assets))
        self.progress.expect(len(wanted), 0)
        result = DownloadResult(downloaded=[], failed=[])
        troubles: list[SyncTrouble] = []
        destination = replace(destination, searched=len(wanted) > 1)
        # Whose file has the name may still be on its way: before others are told to be in the way,
        # every file of this run is in its place.
        first = replace(destination, on_exists="error")
        later: list[AssetId] = []
        run = partial(self._some, concurrency=concurrency, want=want, result=result)
        if destination.on_exists == "rename":
            await run(wanted, destination, troubles)
        else:
            await run(wanted, first, troubles, later)
            await run(later, destination, troubles)
        worst = [one for one in troubles if isinstance(one, ServerTrouble)]
        if worst and len(worst) == len(wanted):
            raise worst[0]
        result.downloaded.sort(key=lambda one: one.filepath)
        return result

    async def members(self, album: AlbumId) -> list[AssetId]:
        """The assets of an album, motion parts included."""
        contents = partial(download.contents, self.immich, self.link, album=album)
        return [asset for part in await self.patience.ask(contents) for asset in part.assets]

    async def _some(
        self,
        assets: Sequence[AssetId],
        destination: Destination,
        troubles: list[SyncTrouble],
        later: list[AssetId] | None = None,
        *,
        concurrency: int,
        want: Callable[[AssetId], Awaitable[Wanted]],
        result: DownloadResult,
    ) -> None:
        waiting = iter(assets)

        async def work() -> None:
            for asset in waiting:
                try:
                    arrived = await self._of(asset, want, destination)
                except (NotImmich, Refused, Untrusted):
                    raise
                except SyncTrouble as trouble:
                    if later is not None and isinstance(trouble, InTheWay):
                        later.append(asset)
                        continue
                    troubles.append(trouble)
                    failed = NotDownloadedEntry(asset_id=UUID(asset), error=str(trouble))
                    result.failed.append(failed)
                else:
                    _sort(result, UUID(asset), arrived)
                    self.progress.finished()

        async with anyio.create_task_group() as tasks:
            for _ in range(min(concurrency, len(assets))):
                tasks.start_soon(work)

    async def _info(self, asset: AssetId) -> download.Info | None:
        """What the server says of the asset; None if it may not be asked.

        Reading takes another permission (`asset.read`) than downloading: without it the file comes
        all the same, and nothing proves it.
        """
        try:
            return await self.patience.ask(partial(download.info, self.immich, asset, self.link))
        except Refused as refused:
            log.warning("not_verified", asset=asset, because=str(refused))
            return None

    async def _of(
        self,
        asset: AssetId,
        want: Callable[[AssetId], Awaitable[Wanted]],
        destination: Destination,
    ) -> Arrived:
        try:
            return await self._get(await want(asset), destination)
        except Unavailable as trouble:
            raise await self._explained(trouble, [asset]) from None

    async def _explained(self, trouble: Unavailable, assets: Sequence[AssetId]) -> Unavailable:
        """The trouble with these assets; if the first of them is an album, that."""
        if not assets:
            return trouble
        try:
            found = await albums.exists(self.immich, AlbumId(assets[0]), self.link)
        except ServerTrouble:
            return trouble
        taken = "`download` and `archive` take it as --album, the library as a single id."
        if found:
            return Unavailable(f"{assets[0]} is an album, not an asset: {taken}")
        return trouble if found is False else Unavailable(f"{trouble} If it is an album: {taken}")

    async def _get(self, wanted: Wanted, destination: Destination) -> Arrived:
        run = Download(
            self.immich, self.blocking, self.progress, self.patience, wanted, destination
        )
        return await run.run()


def checked_size(size: str | None) -> str | None:
    """The size. Raises ValueError if it is none of SIZES."""
    if size is not None and size not in SIZES:
        raise ValueError(f"size must be one of {', '.join(SIZES)}")
    return size


def _sort(result: DownloadResult, asset: UUID, arrived: Arrived) -> None:
    if arrived.skipped:
        result.skipped.append(SkippedEntry(asset_id=asset, filepath=arrived.path))
        return
    entry = DownloadedEntry(asset_id=asset, filepath=arrived.path, verified=arrived.verified)
    result.downloaded.append(entry)
