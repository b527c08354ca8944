"""How long `verify` takes over many files that the ledger knows: python -m tests.bench.verify_many.

Not collected as a test: a figure for the docs, to be taken by hand. It makes a tree of files, a
ledger and a server that know each other, and prints the seconds. The sandbox runs in a process of
its own, since the real server does so too.
"""

import json
import os
import subprocess
import sys
import tempfile
import time
from contextlib import closing
from hashlib import sha1
from pathlib import Path
from uuid import UUID

import anyio

from immich_sync.core.folder import Account, Folder, Limits, Setup
from immich_sync.core.types import (
    Asset,
    AssetId,
    Checksum,
    File,
    Origin,
    Place,
    Record,
    Secret,
    Stamp,
)
from immich_sync.filesystem.disk import LocalDisk
from immich_sync.sandbox import State
from immich_sync.sandbox.records import Asset as StoredAsset
from immich_sync.store import accounts, ledger
from immich_sync.store.database import open_database
from immich_sync.verifying import verify

PER_DIRECTORY = 500
KEY = "a-key-for-the-bench"
AT = "2026-01-01T00:00:00.000Z"


def checksum(number: int) -> Checksum:
    """Another one for each number."""
    return Checksum(sha1(str(number).encode(), usedforsecurity=False).digest())


def grow(root: Path, count: int) -> None:
    """`count` small files, PER_DIRECTORY in each directory."""
    for number in range(count):
        directory = root / f"{number // PER_DIRECTORY:05}"
        if number % PER_DIRECTORY == 0:
            directory.mkdir(parents=True)
        (directory / f"{number:07}.jpg").write_bytes(b"x")


def stock(data: Path, count: int) -> str:
    """A sandbox's folder in which every file's bytes are stored; who owns them."""
    state = State(data, version="3.1.0", api_key=KEY, keep=True)
    owner = state.admin.id
    for number in range(count):
        state.add_asset(
            StoredAsset(
                str(UUID(int=number)), owner, checksum(number).hex(), 1, "IMAGE",
                f"{number:07}.jpg", f"upload/{number}", AT, AT, AT, AT,
            )
        )  # fmt: skip
    state.close()
    return owner


def teach(setup: Setup, owner: str) -> None:
    """The ledger knows every file, and that it was verified long ago."""
    [folder], [account] = setup.folders, setup.accounts
    disk = LocalDisk()
    with closing(open_database(Path(setup.state) / "state.db")) as database:
        account_id = accounts.ensure_account(database, account.url, owner)
        row = accounts.ensure_folder(
            database, name="photos", root=folder.root, kind=accounts.Kind.WATCHED, policy="", now=1
        )
        accounts.assign(database, row.id, account_id, now=1)
        number = 0
        for directory, _ in disk.list(folder.root, b""):
            records: list[Record] = []
            for name, stamp in disk.list(folder.root, directory):
                if not isinstance(stamp, Stamp):
                    continue
                records.append(File(Place(row.id, directory, name), stamp, checksum(number)))
                asset = AssetId(str(UUID(int=number)))
                records.append(
                    Asset(account_id, checksum(number), asset, Origin.UPLOADED, verified_at=1.0)
                )
                number += 1
            ledger.apply(database, records, now=1)


def main(count: int) -> None:
    """Print how long it took."""
    with tempfile.TemporaryDirectory(prefix="verify-many-") as place:
        home = Path(place)
        began = time.monotonic()
        grow(home / "photos", count)
        owner = stock(home / "server", count)
        command = [sys.executable, "-m", "immich_sync", "sandbox", "--port", "0", "--api-key", KEY]
        command += ["--data", str(home / "server")]
        with subprocess.Popen(command, stdout=subprocess.PIPE) as server:  # noqa: S603 - our own
            assert server.stdout is not None
            url = json.loads(server.stdout.readline())["url"]
            folder = Folder("photos", os.fsencode(home / "photos"), "default")
            account = Account("default", url, Secret(KEY))
            setup = Setup((account,), (folder,), Limits(), str(home / "state"))
            teach(setup, owner)
            print(f"prepared in {time.monotonic() - began:.1f} s")  # noqa: T201 - its result
            began, used = time.monotonic(), time.process_time()
            found = anyio.run(verify, setup)
            took, used = time.monotonic() - began, time.process_time() - used
            server.terminate()
        [seen] = found.folders
        assert found.complete
        assert (seen.safe, seen.hashed) == (count, 0)
        print(f"{count:,} files verified in {took:.1f} s, {used:.1f} s of it CPU of ours")  # noqa: T201 - its result


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 200_000)
