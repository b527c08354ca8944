"""A restart that finds nothing to do, over 200,000 synced files: time and memory of the process.

Run: python -m tests.bench.restart
"""

import hashlib
import os
import statistics
import sys
import time
from pathlib import Path

from immich_sync.core.ports import Entry
from immich_sync.core.types import Asset, AssetId, Checksum, File, FolderId, Origin, Place
from immich_sync.filesystem.disk import LocalDisk
from immich_sync.store import accounts, ledger
from immich_sync.store.database import open_database
from tests.bench.stage import price, say, stage

DIRECTORIES = 400
IN_EACH = 500
RUNS = 3


def _fill(photos: Path) -> None:
    for d in range(DIRECTORIES):
        directory = photos / f"{2000 + d // 12}" / f"{d % 12 + 1:02}"
        directory.mkdir(parents=True)
        for n in range(IN_EACH):
            (directory / f"IMG_{n:04}.jpg").touch()


def _learn(photos: Path, state: Path) -> None:
    """The ledger knows all files as if they had been synced."""
    database, disk, root = open_database(state / "state.db"), LocalDisk(), os.fsencode(photos)
    with database.reading() as connection:
        folder, account = connection.execute("SELECT id, account FROM folder").fetchone()
    for here, _, _ in os.walk(root):
        directory = os.path.relpath(here, root)
        records: list[File | Asset] = []
        for entry in disk.list(root, directory):
            name, stamp = entry.name, entry.stamp if isinstance(entry, Entry) else None
            if stamp is None:
                continue
            place = Place(FolderId(folder), directory, name)
            checksum = Checksum(hashlib.sha1(place.relative, usedforsecurity=False).digest())
            asset = AssetId(f"{checksum.hex()[:8]}-0000-4000-8000-{checksum.hex()[:12]}")
            records.append(File(place, stamp, checksum))
            records.append(
                Asset(account, checksum, asset, Origin.UPLOADED, verified_at=time.time())
            )
        ledger.apply(database, records, time.time())
    assert accounts.identity(database, FolderId(folder))
    database.close()


def main() -> None:
    """Prints the figures."""
    with stage() as story:
        story.configure({"album": "{parent}"})
        command = [sys.executable, "-m", "immich_sync", "run", "--once", "--config"]
        once = [*command, str(story.config)]
        price(once)
        _fill(story.photos)
        _learn(story.photos, story.state)
        runs = [price(once) for _ in range(RUNS)]
        assert story.server.assets() == []
    wall = statistics.median(run.wall for run in runs)
    peak = max(run.peak for run in runs)
    cpu = statistics.median(run.cpu for run in runs)
    say(
        f"a restart over {DIRECTORIES * IN_EACH:,} synced files: {wall:.2f} s (aim 2.5),"
        f" {cpu:.2f} s CPU, peak memory {peak:.0f} MB (aim 120)"
    )


if __name__ == "__main__":
    main()
