"""What a person may order a running daemon to do, over its control socket.

Its own module because here words and paths from outside become folders and places; the engine
knows neither.
"""

import os
from collections.abc import AsyncIterator, Callable, Iterable
from dataclasses import asdict
from datetime import datetime

import anyio
import anyio.to_thread

from immich_sync import status
from immich_sync.control import Request
from immich_sync.core.breaker import Breaker
from immich_sync.core.errors import Misconfigured
from immich_sync.core.explanation import Live
from immich_sync.core.naming import shown
from immich_sync.core.settle import Wants
from immich_sync.core.tombstones import Why
from immich_sync.core.types import FolderId, Place
from immich_sync.engine import Engine
from immich_sync.pulse import ALIVE_WITHIN, turns
from immich_sync.store import breakers, mend, report
from immich_sync.store.mend import Retried
from immich_sync.undoing import Wish, undo

EVERY = 1_000_000
"""More problems than this are not looked through for those below a directory."""


class Orders:
    """Answers requests for one engine."""

    def __init__(self, engine: Engine, since: float | None = None) -> None:
        self._engine = engine
        self._since = engine.world.clock.now() if since is None else since

    def to(self, engine: Engine) -> "Orders":
        """The same for the engine that took this one's place."""
        return Orders(engine, self._since)

    async def handle(self, request: Request) -> object:
        """The result, as a dataclass or plain values. Raises Misconfigured with a sentence."""
        crew = self._engine.crew
        match request.command:
            case "status":
                return await status.of(self._engine, since=self._since)
            case "alive":
                if not await turns(self._engine, ALIVE_WITHIN):
                    raise Misconfigured("The daemon stands still: please restart and report it.")
                return "alive"
            case "retry":
                done = await self._retry(request.paths, force=request.force)
                return {"retried": done.due, "gone": done.gone}
            case "dismiss":
                return await self._dismiss(request.paths)
            case "explain":
                return self._live(request.paths)
            case "approve":
                return await self._approve(request.folder, removed=request.removed)
            case "scan":
                return self._all(request.folder, self._engine.scan)
            case "pause":
                return self._all(request.folder, crew.pause)
            case "resume":
                return self._all(request.folder, crew.resume)
            case "undo":
                return await self._undo(request)
            case other:
                raise Misconfigured(f"This daemon does not know the command {other!r}.")

    async def _undo(self, request: Request) -> list[dict[str, object]]:
        wish = Wish(tuple(map(os.fsencode, request.paths or ())), request.since)
        folders = {one: intake.folder for one, intake in self._engine.intakes.items()}
        async with self._engine.one_at_a_time:
            told = await undo(self._engine.world, folders, wish)
        return [asdict(one) for one in told]

    async def _approve(self, name: str | None, *, removed: bool) -> dict[str, list[str]]:
        """The folders for which something waited, and a sentence for each thing that follows."""
        follows: dict[str, list[str]] = {}
        for folder in self._named(name):
            said = [one async for one in self._follows(folder, removed=removed)]
            follows[self._engine.intakes[folder].folder.name] = said
            await self._engine.approve(folder, removed=removed)
        return follows

    async def _follows(self, folder: FolderId, *, removed: bool) -> AsyncIterator[str]:
        """What waits for a person's word, as what becomes of it then."""
        intake = self._engine.intakes[folder]
        keeper = self._engine.keepers.get(intake.folder.account)
        if not intake.root.online:
            yield "what lies there now is taken for the folder, and scanned"
        for place in sorted(intake.root.inner.away) if intake.root.online else ():
            yield f"{shown(place)} was taken away for good, and its photos stay in Immich"
        if keeper is None:
            return
        if folder in keeper.strangers:
            yield "it is synced to this key's user from now on"
        if keeper.doubt and removed:
            yield "what the server lost counts as removed on purpose"
        elif keeper.doubt:
            yield "what the server lost goes up again"
        for one in await self._engine.world.store(breakers.waiting):
            if one.folder == folder and (intake.root.online or one.breaker is Breaker.LIBRARY):
                files = f"{one.files:,} {'file' if one.files == 1 else 'files'}"
                yield _FOLLOWS[one.breaker].format(files)

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

    async def _retry(self, paths: tuple[str, ...] | None, *, force: bool) -> Retried:
        store, now = self._engine.world.store, self._engine.world.clock.now()
        if paths is None:
            if force:
                raise Misconfigured("What is gone from Immich goes up again only if it is named.")
            done = await store(mend.retry, None, now)
        else:
            wanted = [os.fsencode(path).rstrip(b"/") for path in paths]
            places = [place for path in wanted for place in await self._places(path)]
            if force:
                await self._want_again(places)
            done = await store(mend.retry, places, now, force=force)
            if not done.due:
                raise Misconfigured(await self._why_in_vain(wanted[0], done))
        self._engine.crew.bell.ring()
        return done

    async def _want_again(self, places: Iterable[Place]) -> None:
        """Whatever a person did to these bytes in Immich before counts no more."""
        found = await self._engine.world.store(mend.checksums, places)
        for account, checksums in found.items():
            await self._engine.tombstones.open(account)
            await self._engine.tombstones.write(account, checksums, Why.WANTED)

    async def _why_in_vain(self, path: bytes, done: Retried) -> str:
        """Why a retry of this path came to nothing."""
        place = self._place(path)
        waiting = None if place is None else self._engine.intakes[place.folder].waiting(place)
        if waiting is not None:
            at = self._engine.world.clock.now() + waiting.until - anyio.current_time()
            until = datetime.fromtimestamp(at).astimezone().strftime("%Y-%m-%d %H:%M:%S")
            return f"{shown(path)} is still settling until {until}: {_SETTLING[waiting.wants]}"
        if await anyio.to_thread.run_sync(os.path.isdir, path, abandon_on_cancel=True):
            return f"Nothing in {shown(path)} failed or waits to be tried again."
        return _nothing_due(shown(path), done)

    async def _dismiss(self, paths: tuple[str, ...] | None) -> dict[str, int | list[str]]:
        if not paths:
            raise Misconfigured("What is to be listed no more has to be named.")
        wanted = [os.fsencode(path).rstrip(b"/") for path in paths]
        count, unlisted = 0, list[str]()
        for path, places in [(one, await self._places(one)) for one in wanted]:
            dismissed = await self._engine.world.store(mend.dismiss, places)
            count += dismissed
            unlisted += [] if dismissed else [shown(path)]
        if not count:
            raise Misconfigured(
                f"Nothing at {', '.join(unlisted)} is listed as a problem that could be dismissed."
            )
        return {"dismissed": count, "not_listed": unlisted}

    def _live(self, paths: tuple[str, ...] | None) -> Live | None:
        """What only we know of the one path; None for one that lies in no folder."""
        found = self._place(os.fsencode(paths[0]).rstrip(b"/")) if paths else None
        return None if found is None else status.live(self._engine, found)

    def _place(self, path: bytes) -> Place | None:
        for folder, intake in self._engine.intakes.items():
            inside = intake.folder.root.rstrip(b"/") + b"/"
            if (path + b"/").startswith(inside):
                directory, _, name = path[len(inside) :].rpartition(b"/")
                return Place(folder, directory, name)
        return None

    async def _places(self, path: bytes) -> list[Place]:
        """The file at `path`, and every file in trouble below it, if it is a directory."""
        place = self._place(path)
        if place is None or not self._engine.intakes[place.folder].folder.follow_symlinks:
            path = await anyio.to_thread.run_sync(_real, path, abandon_on_cancel=True)
            place = self._place(path)
        if place is None:
            raise Misconfigured(f"{shown(path)} lies in no folder that is synced.")
        troubled = await self._engine.world.store(
            report.problems, limit=EVERY, folders=[place.folder]
        )
        below = [one.place for one in troubled if one.path.startswith(path + b"/")]
        return [*([place] if place.name else []), *below]


_FOLLOWS = {
    Breaker.DELETIONS: "of {}, deleted here, the photos go into Immich's trash",
    Breaker.CHANGES: "{} that changed may go up",
    Breaker.LIBRARY: "{} may go up, though they are in an external library",
}


def _real(path: bytes) -> bytes:
    """No link on the way to its last name, which may be one or not be there."""
    directory, name = os.path.split(path)
    return os.path.join(os.path.realpath(directory), name)  # noqa: PTH118 -- paths are bytes


_SETTLING = {
    Wants.STILLNESS: "it goes up once it holds still.",
    Wants.REST: "it is not whole, and goes up then all the same.",
    Wants.BYTES: "it has no bytes, and is listed as a problem then.",
}


def _nothing_due(path: str, done: Retried) -> str:
    if done.gone:
        return (
            f"{path} was in Immich and is gone from there, so it does not go up again by itself."
            f" To upload it again: immich-sync retry --force {path}"
        )
    return (
        f"Nothing is known of {path}: does it lie in a folder that is synced, and is it a photo or"
        " a video that is not ignored?"
    )
