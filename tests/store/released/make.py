"""Makes the state file of the version at hand, for every later version to open.

Its own module because it is run by hand, once for each release: see CONTRIBUTING.md.
"""

import sys
import tempfile
from contextlib import closing
from pathlib import Path

from immich_sync.core.tombstones import Why
from immich_sync.core.types import AccountId, Checksum
from immich_sync.store import tombstones
from immich_sync.store.backup import write_backup
from immich_sync.store.database import STATE_FILE, open_database
from immich_sync.version import VERSION
from tests.store.filling import fill

HERE = Path(__file__).parent
RELEASED_AT = 1_800_000_000.0
"""Wall-clock seconds; any moment will do."""
REMOVED = Checksum(b"\xff" * 20)
"""What a person took out of Immich."""


def make(target: Path) -> None:
    """A small state with some of everything lies at `target`, as a backup of this version."""
    with tempfile.TemporaryDirectory() as folder:
        state, made = Path(folder, "state"), Path(folder, "made.tar")
        with closing(open_database(state / STATE_FILE)) as database:
            fill(database, files=6)
            tombstones.write(database, AccountId(1), {REMOVED: Why.REMOVED}, RELEASED_AT)
        write_backup(state, made, now=RELEASED_AT, version=VERSION)
        target.write_bytes(made.read_bytes())


if __name__ == "__main__":
    make(HERE / f"{VERSION}.tar")
    sys.stdout.write(f"{HERE / VERSION}.tar\n")
