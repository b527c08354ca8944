"""The record beside a half-written download: what its bytes are of, and how many can be trusted.

Its own module because it alone tells our leftovers from a file that only bears such a name, and
must itself never be half of a record nor overwrite what is none.
"""

import errno
import json
import os
import tempfile
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path

ORIGIN = ".temp.json"
"""What is behind the name of the file that the record is about."""
_LONGEST = 64 * 1024


class Foreign(Exception):
    """What lies where the record should is none."""


@dataclass(frozen=True, slots=True)
class Origin:
    """What a download's bytes are of; `validator` as the server named it, if it did."""

    what: str
    validator: str | None
    on_disk: int  # bytes that a power cut cannot take any more


def read_origin(path: Path) -> Origin | None:
    """The record; None if nothing lies there. Raises Foreign, OSError."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except FileNotFoundError:
        return None
    except OSError as error:
        if error.errno == errno.ELOOP:
            raise Foreign from None
        raise
    with os.fdopen(descriptor, "rb") as file:
        try:
            said = json.loads(file.read(_LONGEST))
            validator = said["validator"]
            return Origin(
                str(said["what"]),
                None if validator is None else str(validator),
                max(0, int(said["on_disk"])),
            )
        except (ValueError, TypeError, KeyError, RecursionError, IsADirectoryError):
            raise Foreign from None


def note_origin(path: Path, origin: Origin) -> None:
    """The record lies there, whole and on the disk. Raises OSError.

    It is written aside, to a name that nobody has, and takes the place of an older one at once.
    """
    descriptor, name = tempfile.mkstemp(prefix=".immich-sync-", dir=path.parent)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(json.dumps(asdict(origin)).encode())
            file.flush()
            os.fsync(descriptor)
        Path(name).replace(path)
    except BaseException:
        with suppress(OSError):
            Path(name).unlink()
        raise
