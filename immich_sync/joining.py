"""Assets into albums: once, many at a time, and never again what a person took out.

Its own module because three parties meet here: the ledger (who has been put where), the server
(which album a name stands for) and the many files that want the same album at once.
"""

from collections.abc import Sequence

import anyio

from immich_sync.coalesce import Coalescer
from immich_sync.core.errors import FileTrouble
from immich_sync.core.types import AccountId, AlbumId, AssetId, KnownAlbum, Member
from immich_sync.immich.albums import AddOutcome, AlbumGone, add, find_or_make
from immich_sync.immich.client import Immich
from immich_sync.journal import Journal
from immich_sync.store import ledger
from immich_sync.store.door import Store

MOST = 1000
"""Assets asked for in one go."""


class Joiner:
    """Puts one account's assets into albums; `run` must be running.

    With `again`, what was taken out of an album is put back: a person asks for it right now.
    """

    def __init__(
        self,
        account: AccountId,
        immich: Immich,
        store: Store,
        journal: Journal,
        *,
        again: bool = False,
    ) -> None:
        self._again = again
        self._account = account
        self._immich = immich
        self._store = store
        self._journal = journal
        self._albums: dict[str, AlbumId] = {}
        self._adding: Coalescer[Member, AddOutcome] = Coalescer(self._add, most=MOST)
        self._naming: Coalescer[str, AlbumId] = Coalescer(self._resolve, most=1, linger=0)

    async def run(self) -> None:
        """Serve until cancelled."""
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(self._adding.run)
            tasks.start_soon(self._naming.run)

    async def join_by_name(self, name: str, asset: AssetId) -> None:
        """The asset is, or once was, in the owned album called `name`, which is made if missing.

        Raises FileTrouble if the server does not take it, ServerTrouble.
        """
        album = self._albums.get(name) or await self._naming.ask(name)
        try:
            await self.join_by_id(album, asset)
        except AlbumGone:  # deleted by a person: the name is looked up once more, then believed
            if self._albums.get(name) == album:
                del self._albums[name]
                await self._store(ledger.forget_album, self._account, album)
            await self.join_by_id(await self._naming.ask(name), asset)

    async def join_by_id(self, album: AlbumId, asset: AssetId) -> None:
        """The asset is, or once was, in this album.

        Raises AlbumGone, FileTrouble if the server does not take it, ServerTrouble.
        """
        outcome = await self._adding.ask(Member(album, asset))
        if not outcome.is_member:
            raise FileTrouble(f"Immich does not put it into its album: {outcome.value}")

    async def _add(self, wanted: Sequence[Member]) -> Sequence[AddOutcome | Exception]:
        remembered = set() if self._again else await self._store(ledger.members, wanted)
        albums: dict[AlbumId, list[AssetId]] = {}
        for member in dict.fromkeys(wanted):
            if member not in remembered:
                albums.setdefault(member.album, []).append(member.asset)
        outcomes: dict[Member, AddOutcome | Exception] = {}
        for album, assets in albums.items():
            try:
                answers: Sequence[AddOutcome | Exception] = await add(self._immich, album, assets)
            except AlbumGone as gone:
                answers = [gone] * len(assets)
            for asset, answer in zip(assets, answers, strict=True):
                outcomes[Member(album, asset)] = answer
        self._journal.note(
            *(m for m, o in outcomes.items() if isinstance(o, AddOutcome) and o.is_member)
        )
        return [outcomes.get(member, AddOutcome.DUPLICATE) for member in wanted]

    async def _resolve(self, names: Sequence[str]) -> Sequence[AlbumId]:
        return [await self._album(name) for name in names]

    async def _album(self, name: str) -> AlbumId:
        if album := self._albums.get(name):
            return album
        album = await self._store(ledger.album, self._account, name)
        if album is None:
            album = await find_or_make(self._immich, name)
            self._journal.note(KnownAlbum(self._account, name, album))
        self._albums[name] = album
        return album
