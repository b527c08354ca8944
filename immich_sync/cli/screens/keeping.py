"""What `state backup`, `state restore` and `state check` tell, as lines.

Its own module because the same values are also JSON.
"""

from collections.abc import Iterator

from immich_sync.cli.screens import examination, words
from immich_sync.core.diagnosis import Examination
from immich_sync.core.keeping import Contents, Kept, Restored, StateCheck


def backed_up(kept: Kept) -> Iterator[str]:
    """Where it is, and what is in it."""
    yield f"{kept.path}  {words.size(kept.bytes)}"
    yield f"  {_contents(kept.contents)}; read again, and whole"


def restored(found: Restored) -> Iterator[str]:
    """What is there now, what was there before, and what comes next."""
    made = words.moment(found.backup.made_at)
    yield f"{found.folder} is as it was at {made}: {_contents(found.backup.contents)}."
    if found.tombstones:
        yield f"  {words.count(found.tombstones, 'tombstone')} came back with it."
    if found.removed:
        photos = words.count(found.removed, "photo")
        yield f"  {photos} removed from Immich since, by the tombstones: these stay away."
    if found.aside:
        yield f"  What was there before lies in {found.aside}; remove it once all is well."
    yield ""
    yield (
        "Start immich-sync: it asks the server for all that the backup says, before it believes"
        " it, and reads only files that the backup does not know."
    )


def checked(found: StateCheck) -> Iterator[str]:
    """The folder, a line for each finding, and the sum."""
    yield found.folder
    yield from examination.lines(Examination(found.sound, found.findings))


def _contents(contents: Contents) -> str:
    files, assets = (contents.rows.get(table, 0) for table in ("file", "asset"))
    stones = contents.tombstones.lines if contents.tombstones else 0
    return (
        f"{words.count(files, 'file')}, {words.count(assets, 'asset')}"
        f", {words.count(stones, 'tombstone')}"
    )
