"""A state file with one account and one folder, and a disk that is soon full."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from immich_sync.core.types import AccountId, FolderId
from immich_sync.store.accounts import Kind, assign, ensure_account, ensure_folder
from immich_sync.store.database import Database, open_database


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    """A new state file, open."""
    opened = open_database(tmp_path / "state" / "state.db")
    yield opened
    opened.close()


@pytest.fixture
def account(database: Database) -> AccountId:
    """An account in it."""
    return ensure_account(database, "http://nas:2283", "anna")


@pytest.fixture
def folder(database: Database, account: AccountId) -> FolderId:
    """A folder of that account."""
    row = ensure_folder(
        database, name="photos", root=b"/volume1/photos", kind=Kind.WATCHED, policy="", now=0.0
    )
    assign(database, row.id, account, now=0.0)
    return row.id


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of one megabyte. Skips unless we are root on Linux."""
    if not sys.platform.startswith("linux") or os.geteuid() != 0:
        pytest.skip("a small disk needs root on Linux")
    disk = tmp_path / "small"
    disk.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=1m", "none", str(disk)]
    if subprocess.run(command, check=False).returncode:  # noqa: S603 — our own command, for root
        pytest.skip("mounting is not allowed here")
    yield disk
    subprocess.run(["umount", "--lazy", str(disk)], check=True)  # noqa: S603, S607 — likewise
