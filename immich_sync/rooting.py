"""One folder's root over time: online, offline, or waiting for a person's word.

Its own module because a mount comes and goes without any event, and because everything that
treats a file as gone has to ask here, before and after it looked.
"""

from collections.abc import Callable

import structlog

from immich_sync.core.folder import Folder
from immich_sync.core.ports import Lane, RootIdentity
from immich_sync.core.roots import RootFacts, RootState, judge
from immich_sync.core.types import FolderId
from immich_sync.inner import SAMPLE, InnerMounts, count
from immich_sync.store import accounts, ledger
from immich_sync.world import World

_NOT_YET = "not looked at yet"

log = structlog.get_logger()


class Root:
    """What is believed of a folder's root; `check` looks again, and tells `turned` of a change."""

    def __init__(
        self,
        folder: Folder,
        folder_id: FolderId,
        world: World,
        looking: Lane,
        turned: Callable[[], None],
    ) -> None:
        self.state = RootState.OFFLINE
        self.why = _NOT_YET
        self.since = world.clock.now()  # when `state` last changed, wall-clock seconds
        self.inner = InnerMounts(folder, folder_id, world)
        self._folder = folder
        self._id = folder_id
        self._world = world
        self._looking = looking
        self._turned = turned
        self._outages = 0
        self._asked_to_believe = False
        self._approved: str | None = None  # the identity that a person spoke of

    @property
    def online(self) -> bool:
        """Whether what lies there may be believed."""
        return self.state is RootState.ONLINE

    @property
    def outages(self) -> int:
        """How often it was online and then was not, or a disk within it came back."""
        return self._outages + self.inner.returns

    @property
    def unseen(self) -> bool:
        """Whether nobody has looked at it yet, since the start."""
        return self.why == _NOT_YET

    def approve(self) -> None:
        """A person says that what lies there now is the folder, empty or not.

        Believed from the next check on, until that is no longer needed: all that is known of files
        that are not there has to be forgotten first.
        """
        self._asked_to_believe = True

    async def check(self, *, closely: bool = False) -> bool:
        """Look at the root, and at the mounts within it; True if it is online.

        `closely`: of each mount, known files are looked up. Raises StateTrouble.
        """
        before = self.state
        remembered = await self._world.store(accounts.identity, self._id)
        seen, empty = await self._world.blocking(self._looking, self._look)
        as_ever = seen is not None and not empty and remembered == str(seen)  # then none matter
        known = 0 if as_ever else await self._world.store(ledger.file_count, self._id)
        facts = RootFacts(seen, remembered, empty, known)
        self.state, self.why = judge(facts)
        if self.state is RootState.DOUBTFUL:
            sample = await self._world.store(ledger.sample, self._id, SAMPLE)
            disk, root = self._world.disk, self._folder.root
            found = await self._world.blocking(self._looking, count, disk, root, sample)
            self.state, self.why = judge(
                RootFacts(seen, remembered, empty, known, len(sample), found)
            )
        if self._asked_to_believe and seen is not None:
            self._asked_to_believe, self._approved = False, str(seen)
        if self.online:
            self._approved = None
        elif seen is not None and self._approved == str(seen):
            self.state, self.why = RootState.ONLINE, ""
        if self.online and remembered != str(seen):
            await self._world.store(accounts.set_identity, self._id, str(seen))
        if self.state is not before:
            self.since = self._world.clock.now()
            self._outages += before is RootState.ONLINE
            self._turned()
            if self.online:
                log.info("folder_online", folder=self._folder.name)
            else:
                log.warning("folder_offline", folder=self._folder.name, why=self.why)
        if self.online:
            await self.inner.check(None if closely else ())
        return self.online

    def _look(self) -> tuple[RootIdentity | None, bool]:
        seen = self._world.disk.identify(self._folder.root)
        if seen is None:
            return None, True
        try:
            return seen, self._world.disk.is_empty(self._folder.root)
        except OSError:
            return None, True
