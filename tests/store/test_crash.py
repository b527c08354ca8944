"""SIGKILL in the middle of commits loses nothing that had been acknowledged."""

import itertools
import random
import signal
import subprocess
import sys
from pathlib import Path

from immich_sync.core.types import FolderId
from immich_sync.store import known
from immich_sync.store.database import open_database

WRITER = """
import sys
from pathlib import Path
from immich_sync.core.types import Arrival, Checksum, File, Place, Priority, Stamp
from immich_sync.store import accounts, ledger, queue
from immich_sync.store.database import open_database

database = open_database(Path(sys.argv[1]))
folder = accounts.ensure_folder(
    database, name="p", root=b"/p", kind=accounts.Kind.WATCHED, policy="", now=0.0
).id
number = int(sys.argv[2])
while True:
    place = Place(folder, b"", b"%08d.jpg" % number)
    queue.put(database, [Arrival(place, Priority.NEW)], now=1.0)
    ledger.apply(database, [File(place, Stamp(number, 0, 0, 0), Checksum(bytes(20)))], now=1.0)
    print(number, flush=True)
    number += 1
"""


def test_what_was_acknowledged_survives_sigkill(tmp_path: Path) -> None:
    """After each of five kills the file is sound and holds every acknowledged fact and job."""
    path = tmp_path / "state.db"
    chance = random.Random(5)  # noqa: S311 — reproducible, not secret
    acknowledged: list[int] = []
    for _ in range(5):
        start = acknowledged[-1] + 1 if acknowledged else 0
        command = [sys.executable, "-c", WRITER, str(path), str(start)]
        with subprocess.Popen(command, stdout=subprocess.PIPE) as writer:  # noqa: S603 — our own
            assert writer.stdout is not None
            lines = itertools.islice(writer.stdout, chance.randrange(1, 400))
            acknowledged += map(int, lines)
            writer.send_signal(signal.SIGKILL)
            acknowledged += map(int, writer.stdout.read().split())
        database = open_database(path)
        facts = known.stamps(database, FolderId(1), [b""])[b""]
        with database.reading() as connection:
            jobs = {row[0] for row in connection.execute("SELECT name FROM job")}
            verdict = connection.execute("PRAGMA integrity_check").fetchone()
        database.close()
        wanted = {b"%08d.jpg" % number for number in acknowledged}

        assert verdict == ("ok",)
        assert wanted <= set(facts)
        assert wanted <= jobs
        assert len(acknowledged) == len(wanted)
