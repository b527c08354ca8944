"""Does to the state file what power cuts and backups do to it; no process has it open meanwhile.

Its own module because it knows how SQLite lays a state out in files, as nothing else here does.
"""

from pathlib import Path

from tests.faults.stage import Stage
from tests.faults.witness import Witness


def lose(stage: Stage, witness: Witness, share: float) -> None:
    """Of what SQLite had not waited for, so much is lost: the end of its write-ahead log."""
    log = Path(f"{stage.state}-wal")
    written = log.read_bytes() if log.exists() else b""
    whole = stage.state.read_bytes()
    kept = max(stage.synced, round(len(written) * (1.0 - share)))
    replace_state(stage, witness, whole, written[:kept])  # to close it takes the log into the file


def replace_state(stage: Stage, witness: Witness, whole: bytes, log: bytes = b"") -> None:
    """The state is this file and its write-ahead log."""
    witness.ledger.close()
    stage.state.write_bytes(whole)
    Path(f"{stage.state}-shm").unlink(missing_ok=True)
    Path(f"{stage.state}-wal").write_bytes(log)
    stage.synced = len(log)
    witness.forgets()
