"""What a person may order a running daemon to do, over its control socket.

Its own module because here words and paths from outside become folders and places; the engine
knows neither.
"""

import os
from collections.abc import Awaitable, Callable, Iterable

from immich_sync import status
from immich_sync.control import Request
from immich_sync.core.errors import Misconfigured
from immich_sync.core.naming import shown
from immich_sync.core.types import FolderId, Place
from immich_sync.engine import Engine
from immich_sync.store import mend, report

EVERY = 1_000_000
"""More problems than this are not looked through for those below a directory."""


class Orders:
    """Answers requests for one engine."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._since = engine.world.clock.now()

    async def handle(self, request: Request) -> object:
        """The result, as a dataclass or plain values. Raises Misconfigured with a sentence."""
        crew, intakes = self._engine.crew, self._engine.intakes
        match request.command:
            case "status":
                return await status.of(self._engine, since=self._since)
            case "retry":
                return {"retried": await self._retry(request.paths)}
            case "approve":
                return await self._each(request.folder, self._engine.approve)
            case "scan":
                return self._all(request.folder, lambda one: intakes[one].scan_soon("asked for"))
            case "pause":
                return self._all(request.folder, crew.pause)
            case "resume":
                return self._all(request.folder, crew.resume)
            case other:
                raise Misconfigured(f"This daemon does not know the command {other!r}.")

    async def _each(
        self, name: str | None, order: Callable[[FolderId], Awaitable[None]]
    ) -> list[str]:
        folders = self._named(name)
        for folder in folders:
            await order(folder)
        return self._names(folders)

    def _all(self, name: str | None, order: Callable[[FolderId], None]) -> list[str]:
        folders = self._named(name)
        for folder in folders:
            order(folder)
        return self._names(folders)

    def _named(self, name: str | None) -> list[FolderId]:
        """The folders meant by a name or a path; all for None. Raises Misconfigured."""
        found = [
            folder
            for folder, intake in self._engine.intakes.items()
            if name is None or name in {intake.folder.name, os.fsdecode(intake.folder.root)}
        ]
        if not found:
            known = ", ".join(self._names(self._engine.intakes))
            raise Misconfigured(f"There is no folder {name!r}; there are: {known}.")
        return found

    def _names(self, folders: Iterable[FolderId]) -> list[str]:
        return [self._engine.intakes[folder].folder.name for folder in folders]

    async def _retry(self, paths: tuple[str, ...] | None) -> int:
        store, now = self._engine.world.store, self._engine.world.clock.now()
        if paths is None:
            count = await store(mend.retry, None, now)
        else:
            wanted = [os.fsencode(path).rstrip(b"/") for path in paths]
            places = [place for path in wanted for place in await self._places(path)]
            count = await store(mend.retry, places, now)
            if not count:
                raise Misconfigured(
                    f"Nothing is known of {shown(wanted[0])}: does it lie in a folder that is"
                    " synced, and is it a photo or a video that is not ignored?"
                )
        self._engine.crew.bell.ring()
        return count

    async def _places(self, path: bytes) -> list[Place]:
        """The file at `path`, and every file in trouble below it, if it is a directory."""
        for folder, intake in self._engine.intakes.items():
            inside = intake.folder.root.rstrip(b"/") + b"/"
            if not (path + b"/").startswith(inside):
                continue
            directory, _, name = path[len(inside) :].rpartition(b"/")
            troubled = await self._engine.world.store(
                report.problems, limit=EVERY, folders=[folder]
            )
            below = [one.place for one in troubled if one.path.startswith(path + b"/")]
            return [*([Place(folder, directory, name)] if name else []), *below]
        raise Misconfigured(f"{shown(path)} lies in no folder that is synced.")
