"""Our own disk is full: everything waits, nothing is lost."""

import shutil
import subprocess
from contextlib import closing, suppress
from pathlib import Path

import pytest

from immich_sync.core.errors import Misconfigured, StateTrouble
from immich_sync.core.types import Arrival, FolderId, Place, Priority
from immich_sync.store import accounts, queue
from immich_sync.store.database import Database, open_database

pytestmark = pytest.mark.root


def use_up(disk: Path) -> Path:
    """A file that leaves no byte free."""
    filler = disk / "filler"
    with filler.open("wb", buffering=0) as file, suppress(OSError):
        while True:
            file.write(b"x" * 4096)
    assert shutil.disk_usage(disk).free == 0
    return filler


def put(database: Database, folder: FolderId, count: int, directory: bytes) -> None:
    """That many paths with long names are due."""
    places = [Place(folder, directory * 20, b"%d.jpg" % number) for number in range(count)]
    queue.put(database, [Arrival(place, Priority.NEW) for place in places], now=1.0)


def test_writing_goes_on_when_there_is_room_again(small_disk: Path) -> None:
    """A full disk is a sentence, reads go on, and what was refused is taken later."""
    with closing(open_database(small_disk / "state.db")) as database:
        folder = accounts.ensure_folder(
            database, name="p", root=b"/p", kind=accounts.Kind.WATCHED, policy="", now=0.0
        ).id
        put(database, folder, 10, b"before")
        filler = use_up(small_disk)
        with pytest.raises(StateTrouble, match="is full: free some space"):
            put(database, folder, 2000, b"while")

        assert queue.counts(database, now=1.0, folders=[folder]) == queue.Counts(10, 0, 0)
        filler.unlink()
        put(database, folder, 10, b"after")

        assert queue.counts(database, now=1.0, folders=[folder]) == queue.Counts(20, 0, 0)
        with database.reading() as connection:
            assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)


def test_opening_on_a_full_disk_is_a_sentence(small_disk: Path) -> None:
    """A new state cannot be made, which is trouble, not a bug."""
    use_up(small_disk)
    with pytest.raises(StateTrouble, match="disk that holds"):
        open_database(small_disk / "state.db")


def test_opening_on_a_read_only_disk_is_a_sentence(small_disk: Path) -> None:
    """A state that cannot be written ends the program with what to do."""
    open_database(small_disk / "state.db").close()
    command = ["mount", "-o", "remount,ro", str(small_disk)]
    subprocess.run(command, check=True)  # noqa: S603 — our own command, for root
    with pytest.raises(Misconfigured, match="Read-only file system"):
        open_database(small_disk / "state.db")
