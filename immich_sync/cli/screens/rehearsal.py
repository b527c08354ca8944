"""What a dry run found, as lines.

Its own module because the numbers come as values and are also JSON.
"""

from collections.abc import Iterator

from immich_sync.cli.screens import words
from immich_sync.rehearsal import FolderRehearsal, Rehearsal

SHOWN = 20
"""Files that would be cleaned away, in the list; the rest is counted."""


def lines(rehearsal: Rehearsal) -> Iterator[str]:
    """A paragraph for each folder, then what would be done in all."""
    for folder in rehearsal.folders:
        yield from _folder(folder)
        yield ""
    sending = sum(folder.to_upload for folder in rehearsal.folders)
    yield f"Nothing was changed. {words.count(sending, 'file')} would be uploaded."


def _folder(folder: FolderRehearsal) -> Iterator[str]:
    yield f"{folder.name}  {folder.path}"
    found = words.count(folder.files, "photo or video", "photos and videos")
    yield f"  {found}, {words.size(folder.bytes)}"
    yield f"  {folder.already_there:,} already in Immich, {folder.to_upload:,} to upload"
    if folder.unreadable:
        yield f"  {folder.unreadable:,} cannot be read"
    if folder.empty:
        yield f"  {folder.empty:,} empty: a problem, unless copied again or dismissed"
    if folder.trashed:
        yield f"  {folder.trashed:,} in Immich's trash, where they stay"
    for what, counted in (("ignored", folder.ignored), ("other files", folder.others)):
        if counted:
            yield f"  {what}: {words.listed(counted)}"
    if folder.to_clean:
        number = words.count(len(folder.to_clean), "file")
        yield f"  {number} old enough to be cleaned away, once each is proved again:"
        yield from (f"    {path}" for path in folder.to_clean[:SHOWN])
        if len(folder.to_clean) > SHOWN:
            yield f"    and {len(folder.to_clean) - SHOWN:,} more: --json"
    if folder.albums_to_make:
        yield f"  albums to make: {', '.join(folder.albums_to_make)}"
