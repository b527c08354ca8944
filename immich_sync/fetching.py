"""What of Immich goes into which folder: single files, archives, whole albums.

Its own module because one download knows nothing of the others, and a caller should not have to.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from uuid import UUID

import anyio

from immich_sync.core.errors import NotImmich, Refused, SyncTrouble, Untrusted
from immich_sync.core.ports import Blocking
from immich_sync.core.types import AlbumId, AssetId
from immich_sync.downloading import Destination, Download, Wanted
from immich_sync.immich import download
from immich_sync.immich.client import Immich
from immich_sync.immich.download import Link
from immich_sync.progress import Progress
from immich_sync.results import DownloadedEntry, DownloadResult, NotDownloadedEntry

SIZES = ("thumbnail", "preview", "fullsize")


@dataclass(frozen=True, slots=True)
class Fetcher:
    """One server, asked as a user or by a public link."""

    immich: Immich
    link: Link
    blocking: Blocking
    progress: Progress

    async def original(
        self, asset: AssetId, destination: Destination, *, edited: bool = False
    ) -> Path:
        """The file as it was uploaded, proved by its checksum; or as it was edited."""
        with self._single():
            return await self._original(asset, destination, edited=edited)

    async def view(self, asset: AssetId, destination: Destination, size: str | None) -> Path:
        """A picture of it in one of the SIZES, each of which has a name of its own."""
        if size is not None and size not in SIZES:
            raise ValueError(f"size must be one of {', '.join(SIZES)}")
        call = download.thumbnail(asset, self.link, size)
        name = "thumb" if size in {None, SIZES[0]} else size
        wanted = Wanted(call, f"{name}-{asset}", f"{size or SIZES[0]} {asset}")
        with self._single():
            return await self._get(wanted, destination)

    async def video(self, asset: AssetId, destination: Destination) -> Path:
        """The video as browsers play it."""
        call = download.playback(asset, self.link)
        wanted = Wanted(call, f"video-{asset}", f"video {asset}")
        with self._single():
            return await self._get(wanted, destination)

    async def archives(
        self,
        destination: Destination,
        *,
        album: AlbumId | None,
        assets: Sequence[AssetId],
        archive_size: int | None,
    ) -> list[Path]:
        """The originals in zip files, one after the other: the server makes them as it sends."""
        parts = await download.contents(
            self.immich, self.link, album=album, assets=assets, archive_size=archive_size
        )
        parts = [part for part in parts if part.assets]
        base = destination.filename or (f"album-{album}" if album else "archive")
        stem = base[: -len(".zip")] if base.lower().endswith(".zip") else base
        self.progress.expect(len(parts), 0)
        paths = []
        for number, part in enumerate(parts, start=1):
            name = f"{stem}.zip" if len(parts) == 1 else f"{stem}-{number}.zip"
            call = download.archive(part.assets, self.link)
            identity = f"archive {' '.join(part.assets)}"
            wanted = Wanted(call, stem, identity, is_zip=True)
            named = Destination(destination.folder, name, destination.on_exists, destination.taken)
            with self._counted():
                paths.append(await self._get(wanted, named))
        return paths

    async def originals(
        self, destination: Destination, assets: Sequence[AssetId], concurrency: int
    ) -> DownloadResult:
        """Each asset's original in the folder, several at a time; what is there is not sent again.

        Raises NotImmich, Refused or Untrusted: then no other asset would fare better.
        """
        wanted = dict.fromkeys(assets)
        self.progress.expect(len(wanted), 0)
        waiting = iter(wanted)
        downloaded: list[DownloadedEntry] = []
        failed: list[NotDownloadedEntry] = []
        async with anyio.create_task_group() as tasks:
            for _ in range(min(concurrency, len(assets))):
                tasks.start_soon(self._one_by_one, waiting, destination, downloaded, failed)
        return DownloadResult(
            downloaded=sorted(downloaded, key=lambda one: one.filepath), failed=failed
        )

    async def members(self, album: AlbumId) -> list[AssetId]:
        """The assets of an album, motion parts included."""
        parts = await download.contents(self.immich, self.link, album=album)
        return [asset for part in parts for asset in part.assets]

    async def _one_by_one(
        self,
        waiting: Iterator[AssetId],
        destination: Destination,
        downloaded: list[DownloadedEntry],
        failed: list[NotDownloadedEntry],
    ) -> None:
        for asset in waiting:
            try:
                with self._counted():
                    path = await self._original(asset, destination)
            except (NotImmich, Refused, Untrusted):
                raise
            except SyncTrouble as trouble:
                failed.append(NotDownloadedEntry(asset_id=UUID(asset), error=str(trouble)))
            else:
                downloaded.append(DownloadedEntry(asset_id=UUID(asset), filepath=path))

    async def _original(
        self, asset: AssetId, destination: Destination, *, edited: bool = False
    ) -> Path:
        info = None if edited else await download.info(self.immich, asset, self.link)
        call = download.original(asset, self.link, edited=edited)
        kind = "edited" if edited else "original"
        return await self._get(Wanted(call, f"orig-{asset}", f"{kind} {asset}", info), destination)

    @contextmanager
    def _single(self) -> Iterator[None]:
        """The only file there is to fetch."""
        self.progress.expect(1, 0)
        with self._counted():
            yield

    @contextmanager
    def _counted(self) -> Iterator[None]:
        """One of the expected files, which is done with at the end, well or badly."""
        try:
            yield
        finally:
            self.progress.finished()

    async def _get(self, wanted: Wanted, destination: Destination) -> Path:
        run = Download(self.immich, self.blocking, self.progress, wanted, destination)
        return await run.run()
