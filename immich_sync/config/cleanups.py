"""Whether a folder may be cleaned as it is configured: its disk, its quarantine, its Syncthing.

Its own module because here alone a configuration allows files to be taken away: all that speaks
against it is said before the first one goes.
"""

import os
from collections.abc import Iterable, Iterator
from pathlib import Path

from immich_sync.config.load import Written
from immich_sync.config.settings import FolderRules
from immich_sync.core.cleanup import SYNCTHING, shared
from immich_sync.core.errors import Misconfigured
from immich_sync.core.folder import Folder
from immich_sync.core.naming import shown
from immich_sync.filesystem.allowances import is_read_only

Key = tuple[str | int, ...]


def quarantine_of(written: Written, key: Key, rules: FolderRules) -> bytes:
    """The quarantine's folder, absolute and without links on the way; b"" if none is wanted.

    Raises Misconfigured if it is wanted and cannot be used.
    """
    if rules.after_upload != "quarantine":
        return b""
    key = (*key, "quarantine_dir")
    if rules.quarantine_dir is None:
        raise written.wrong(
            key,
            'after_upload = "quarantine" needs it: a folder outside of every watched one, best on'
            " the same disk",
        )
    place = Path(rules.quarantine_dir)
    if not place.is_absolute():
        raise written.wrong(key, f"{shown(bytes(place))} is not an absolute path; begin it with /")
    try:
        real = Path(os.path.realpath(place, strict=True))
        usable = real.is_dir() and not is_read_only(real)
    except OSError as error:
        raise written.wrong(
            key,
            f"the folder {shown(bytes(place))} cannot be used ({error.strerror}): make it"
            " (mkdir -m 700), or mount its disk",
        ) from None
    if not usable:
        raise written.wrong(
            key,
            f"{shown(bytes(place))} is no folder that this user (id {os.getuid()}) may write to",
        )
    return bytes(real)


def check_cleanups(written: Written, folders: Iterable[Folder], state: str) -> None:
    """Raises Misconfigured if a folder must not be cleaned, or its quarantine lies wrongly."""
    watched = tuple(folders)
    for number, folder in enumerate(watched):
        if folder.cleans:
            key = ("folders", number, "after_upload")
            if is_read_only(Path(os.fsdecode(folder.root))):
                raise written.wrong(
                    key,
                    f"{shown(folder.root)} is mounted read-only, or this user (id {os.getuid()})"
                    ' may not delete in it; allow it, or write after_upload = "keep"',
                )
            _check_phone(written, number, folder)
        if folder.quarantine_dir:
            _check_apart(written, number, folder.quarantine_dir, watched, os.fsencode(state))


def _check_phone(written: Written, number: int, folder: Folder) -> None:
    marker = None if folder.deletes_reach_phone else syncthing_at(folder.root)
    if marker is not None:
        raise written.wrong(("folders", number, "after_upload"), shared(marker))


def _check_apart(
    written: Written, number: int, quarantine: bytes, folders: Iterable[Folder], state: bytes
) -> None:
    key = ("folders", number, "quarantine_dir")
    inside = quarantine.rstrip(b"/") + b"/"
    others = [(one.root, "the watched folder") for one in folders] + [(state, "the state folder")]
    for other, what in others:
        path = other.rstrip(b"/") + b"/"
        if inside.startswith(path) or path.startswith(inside):
            raise _overlap(written, key, quarantine, what, other)


def _overlap(
    written: Written, key: Key, quarantine: bytes, what: str, other: bytes
) -> Misconfigured:
    return written.wrong(
        key,
        f"{shown(quarantine)} and {what} {shown(other)} lie inside one another; choose a folder"
        " apart from both",
    )


def syncthing_at(root: bytes) -> bytes | None:
    """A folder that Syncthing shares: the root, one above it, or one below.

    Below, two levels are looked at; what lies deeper is seen when its files are to be cleaned.
    """
    for directory in (*_above(root), *_below(root, 2)):
        if os.path.lexists(os.path.join(directory, SYNCTHING)):  # noqa: PTH118 -- paths are bytes
            return directory
    return None


def _above(root: bytes) -> Iterator[bytes]:
    yield root
    while root.strip(b"/"):
        root = os.path.dirname(root)  # noqa: PTH120 -- paths are bytes
        yield root


def _below(directory: bytes, levels: int) -> Iterator[bytes]:
    try:
        with os.scandir(directory) as found:
            inside = [each.path for each in found if each.is_dir(follow_symlinks=False)]
    except OSError:
        return
    for one in sorted(inside):
        yield one
        if levels > 1:
            yield from _below(one, levels - 1)
