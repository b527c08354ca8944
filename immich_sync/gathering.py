"""From what lies at a start to jobs: each file once, with what the state knows of it.

Its own module because how files are found decides nothing about what becomes of them: this knows
neither a server nor an end.
"""

import os
from collections.abc import AsyncGenerator, Iterable
from dataclasses import dataclass
from pathlib import Path

from immich_sync.core.ports import Lane
from immich_sync.core.types import Due, FolderId, Place, Stamp, below
from immich_sync.filesystem.disk import LocalDisk
from immich_sync.picking import Choice, Found, Handful, Miss, Start, absolute, pick
from immich_sync.progress import Progress
from immich_sync.sorting import Sorter
from immich_sync.store.door import Store
from immich_sync.store.recall import recall, recall_of_root
from immich_sync.world import World

MOST = 500
"""Paths that are looked up in the state in one hop to a thread."""


@dataclass(frozen=True, slots=True)
class Gathered:
    """A file that is to be uploaded, and what is known of it."""

    due: Due
    size: int  # in bytes, when it was found
    linked: bool  # it was a link to it that was named


class Gatherer:
    """The files of one run; each of them comes once, however often it is named."""

    def __init__(
        self,
        choice: Choice,
        world: World,
        sorter: Sorter,
        progress: Progress,
        *,
        several: bool,
        remembered: Store | None = None,
    ) -> None:
        self._choice = choice
        self._world = world
        self._sorter = sorter
        self._progress = progress
        self._remembered = remembered  # a dry run looks up here what it must not read again
        self._disk = LocalDisk()
        self._met: set[bytes] | None = set() if several else None

    async def gather(
        self, start: Start, folder: FolderId, lane: Lane
    ) -> AsyncGenerator[Gathered, None]:
        """The files of one start, which is this folder of the state, a handful at a time.

        What is no file of ours goes to the sorter. Raises StateTrouble.
        """
        picker = pick(self._disk, start, self._choice)
        while handful := await self._world.blocking(lane, next, picker, None):
            self._sort(handful)
            found = self._new(handful, start.root)
            self._progress.expect(len(found), sum(one.stamp.size for one in found))
            for first in range(0, len(found), MOST):
                some = {
                    Place(folder, one.directory, one.name): one
                    for one in found[first : first + MOST]
                }
                known = [(place, one.stamp) for place, one in some.items()]
                for due in await self._recall(start.root, known):
                    one = some[due.job.place]
                    yield Gathered(due, one.stamp.size, one.linked)

    def miss(self, missed: Iterable[Miss]) -> None:
        """Nothing can be had of these."""
        for one in missed:
            self._sorter.failed(Path(os.fsdecode(one.path)), one.why)

    def _sort(self, handful: Handful) -> None:
        self.miss(handful.missed)
        for named in handful.unsupported:
            self._sorter.unsupported(Path(os.fsdecode(named)))
        self._sorter.ignored.update(handful.ignored)

    def _new(self, handful: Handful, root: bytes) -> list[Found]:
        """The files of the handful that were not met below another root before."""
        met = self._met
        if met is None:
            return handful.found
        new = []
        for one in handful.found:
            path = absolute(root, below(one.directory, one.name))
            if path not in met:
                met.add(path)
                new.append(one)
        return new

    async def _recall(self, root: bytes, some: list[tuple[Place, Stamp]]) -> list[Due]:
        now = self._world.clock.now()
        if self._remembered is None:
            return await self._world.store(recall, some, now)
        return await self._remembered(recall_of_root, root, some, now)
