"""A folder that was synced: a server, a state, photos, and the real engine run over them once.

Its own module because fixtures cannot be typed by those who use them.
"""

import os
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager, closing
from dataclasses import dataclass, field, replace
from pathlib import Path

import anyio
import httpx

from immich_sync import daemon
from immich_sync.core.folder import Account, Folder, Limits, Setup
from immich_sync.core.types import FolderId, Place, Record, Secret
from immich_sync.engine import Engine
from immich_sync.machine import this_machine
from immich_sync.sandbox import Sandbox
from immich_sync.sandbox.tiny_jpeg import TINY_JPEG
from immich_sync.store import ledger
from immich_sync.store.database import open_database

VERSIONS = ("3.1.0", "2.7.5")
FOLDER = FolderId(1)


def photo(number: int) -> bytes:
    """A whole JPEG, another one for each number."""
    return TINY_JPEG[:2] + b"\xff\xfe\x00\x0a" + number.to_bytes(8, "big") + TINY_JPEG[2:]


@dataclass(slots=True)
class Household:
    """A sandbox, a folder of photos, and what is configured about them."""

    sandbox: Sandbox
    home: Path
    photos: Path = field(init=False)
    setup: Setup = field(init=False)

    def __post_init__(self) -> None:
        self.photos = self.home / "photos"
        self.photos.mkdir()
        self.setup = Setup(
            accounts=(Account("default", self.sandbox.url, Secret(self.sandbox.api_key)),),
            folders=(Folder("photos", os.fsencode(self.photos), "default", settle=0.05),),
            limits=Limits(connect_timeout=2.0),
            state=str(self.home / "state"),
        )

    def configure(self, **changes: object) -> None:
        """The folder is another one in this."""
        [folder] = self.setup.folders
        self.setup = replace(self.setup, folders=(replace(folder, **changes),))  # type: ignore[arg-type] # any of its fields

    def put(self, name: str, content: bytes) -> Path:
        """A file below the folder, which has lain there for a day."""
        path = self.photos / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        return path

    async def sync(self) -> int:
        """Scan and bring in all that is due; the exit code of `run --once`."""
        return await daemon.run(self.setup, once=True, within=20)

    def learn(self, *records: Record) -> None:
        """The ledger is told something."""
        with closing(open_database(self.home / "state" / "state.db")) as database:
            ledger.apply(database, records, now=1.0)

    def place(self, name: str) -> Place:
        """Where the ledger keeps a file."""
        directory, _, last = name.rpartition("/")
        return Place(FOLDER, os.fsencode(directory), os.fsencode(last))

    async def request(self, method: str, path: str, body: object) -> None:
        """A person does something to the server."""
        headers = {"x-api-key": self.sandbox.api_key}
        async with httpx.AsyncClient(base_url=f"{self.sandbox.url}/api", headers=headers) as http:
            answer = await http.request(method, path, json=body)
            answer.raise_for_status()

    async def throw_away(self, names: Iterable[str], *, for_good: bool) -> None:
        """A person puts these assets into the trash, or deletes them."""
        wanted = set(names)
        ids = [asset.id for asset in self.sandbox.assets() if asset.name in wanted]
        await self.request("DELETE", "/assets", {"ids": ids, "force": for_good})


@asynccontextmanager
async def household(
    home: Path, version: str = VERSIONS[0], *, relay: bool = False
) -> AsyncIterator[Household]:
    """One on a fresh sandbox."""
    async with Sandbox(version=version, relay=relay) as sandbox:
        yield Household(sandbox, home)


@asynccontextmanager
async def running(home: Household) -> AsyncIterator[Engine]:
    """The real engine over a household, stopped at the end."""
    state = home.home / "state"
    state.mkdir(exist_ok=True)
    with closing(open_database(state / "state.db")) as database:
        engine = Engine(home.setup, this_machine(home.setup.limits), database)
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(engine.run)
            yield engine
            engine.stop()
