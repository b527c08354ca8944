"""What people took out of Immich, in memory while the program runs, and on the disk before that.

Its own module because the pipeline asks it for every absent file and the audit fills it; both
need the same promise: a tombstone is on the disk before the ledger says that an asset is gone.
"""

from collections.abc import Callable, Collection, Iterable, Mapping

from immich_sync.core.tombstones import Why, adds, after
from immich_sync.core.types import AccountId, Checksum, Hold
from immich_sync.store import tombstones
from immich_sync.store.door import Store


class Tombstones:
    """All accounts' tombstones; an account's are known once it has been opened."""

    def __init__(self, store: Store, now: Callable[[], float]) -> None:
        self._store = store
        self._now = now
        self._standing: dict[AccountId, dict[Checksum, Hold]] = {}
        self._ends: dict[AccountId, int] = {}  # bytes of the file that are known

    async def open(self, account: AccountId) -> None:
        """The account's tombstones are known; once they are, a call does nothing."""
        if account not in self._standing:
            await self.reopen(account)

    async def reopen(self, account: AccountId) -> None:
        """The same, with those of folders that were given to the account since."""
        end = await self._store(tombstones.end)
        found = await self._store(tombstones.open_tombstones, account, self._now())
        self._standing[account] = self._standing.get(account, {}) | found
        self._ends.setdefault(account, end)

    async def follow(self, account: AccountId, checksums: Iterable[Checksum] | None = None) -> None:
        """What others wrote meanwhile is known: an upload by hand revokes what it brought back.

        Asked of some checksums, the file is looked at only if one of them has a tombstone: nobody
        else writes new ones.
        """
        standing = self._standing[account]
        if checksums is not None and not any(one in standing for one in checksums):
            return
        said, end = await self._store(tombstones.since, account, self._ends[account])
        self._ends[account] = end
        self._take(account, said)

    def hold(self, account: AccountId, checksum: Checksum) -> Hold | None:
        """How a file with these bytes is held if the server has them no more; None: it is not."""
        found = self._standing[account].get(checksum)
        return None if found is Hold.DEPARTED else found

    def departed(self, account: AccountId, checksum: Checksum) -> bool:
        """Whether we put these bytes into the trash, because their file had been deleted here."""
        return self._standing[account].get(checksum) is Hold.DEPARTED

    def all(self, account: AccountId) -> Collection[Checksum]:
        """Every checksum with a tombstone that stands."""
        return self._standing[account].keys()

    async def write(self, account: AccountId, checksums: Iterable[Checksum], why: Why) -> None:
        """These lines are on the disk, as far as they say anything new."""
        await self.write_all(account, dict.fromkeys(checksums, why))

    async def write_all(self, account: AccountId, stones: Mapping[Checksum, Why]) -> None:
        """These lines are on the disk, as far as they say anything new."""
        await self.follow(account, stones)
        standing = self._standing[account]
        new = {one: why for one, why in stones.items() if adds(why, standing.get(one))}
        if not new:
            return
        await self._store(tombstones.write, account, new, self._now())
        self._take(account, {checksum: after(why) for checksum, why in new.items()})

    def _take(self, account: AccountId, said: Mapping[Checksum, Hold | None]) -> None:
        standing = self._standing[account]
        for checksum, hold in said.items():
            if hold is None:
                standing.pop(checksum, None)
            else:
                standing[checksum] = hold
