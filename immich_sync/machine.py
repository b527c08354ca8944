"""The real machine as the program's surroundings: wall clock, threads, local disk, network.

Its own module because it is the one counterpart of a simulation: everything here is what a
simulated run replaces.
"""

import random
import time
from collections.abc import Callable, Iterable
from contextlib import AbstractAsyncContextManager
from typing import ParamSpec, TypeVar

import anyio
import anyio.to_thread
import structlog

from immich_sync.core.folder import Account, Folder, Limits
from immich_sync.core.ports import Blocking, ChangeSource, Lane
from immich_sync.engine import Surroundings
from immich_sync.filesystem.allowances import is_for_all_to_read
from immich_sync.filesystem.following import disk_for
from immich_sync.filesystem.mounts import hash_lane
from immich_sync.filesystem.scan import Policy, skips, takes
from immich_sync.filesystem.watch import Patience, watching
from immich_sync.filesystem.watchtree import NOMEDIA
from immich_sync.immich.client import Immich, connect

log = structlog.get_logger()

T = TypeVar("T")
P = ParamSpec("P")


class WallClock:
    """The machine's clock and chance."""

    def now(self) -> float:
        """Seconds since the epoch."""
        return time.time()

    def jitter(self) -> float:
        """A number in [0, 1)."""
        return random.random()  # noqa: S311 - spreads waits, protects nothing


class Threads:
    """Runs blocking calls in threads, each lane with its own bound."""

    def __init__(self) -> None:
        self._limiters: dict[str, anyio.CapacityLimiter] = {}

    async def __call__(
        self, lane: Lane, function: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs
    ) -> T:
        """What `function` returns or raises. A cancellation waits for it, so it is never halved."""
        limiter = self._limiters.get(lane.name)
        if limiter is None:
            limiter = self._limiters[lane.name] = anyio.CapacityLimiter(lane.width)
        limiter.total_tokens = lane.width  # a reload may change it
        return await anyio.to_thread.run_sync(lambda: function(*args, **kwargs), limiter=limiter)


def this_machine(
    limits: Limits, folders: Iterable[Folder] = (), blocking: Blocking | None = None
) -> Surroundings:
    """The surroundings of a daemon that runs here over these folders.

    Two that share a state share what is `blocking` as well: its one writer is one lane of that.
    """
    clock = WallClock()

    def watch(folder: Folder) -> AbstractAsyncContextManager[ChangeSource]:
        policy = Policy.of(folder)

        def skip(directory: bytes, name: bytes, is_directory: bool) -> bool:  # noqa: FBT001 - a `Skip`
            if is_directory:
                return skips(policy, directory, name, is_directory=True)
            return name != NOMEDIA and not takes(policy, directory, name)

        patience = Patience(check=folder.root_check)
        return watching(
            folder.root, mode=folder.watch, skip=skip, patience=patience,
            follows=folder.follow_symlinks,
        )  # fmt: skip

    def link(account: Account, limits: Limits) -> AbstractAsyncContextManager[Immich]:
        if account.key_file and is_for_all_to_read(account.key_file):
            log.warning(
                "key_file_open_to_all", account=account.name, path=account.key_file,
                advice=f"chmod 600 {account.key_file}",
            )  # fmt: skip
        return connect(account, limits, clock)

    return Surroundings(
        clock=clock,
        blocking=blocking or Threads(),
        disk=disk_for(folders),
        watch=watch,
        hashing=lambda folder: hash_lane(folder.root, limits.hash_threads),
        connect=link,
    )
