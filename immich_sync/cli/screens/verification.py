"""What `verify` found, as lines; the last one is the answer.

Its own module because the numbers come as values and are also JSON.
"""

from collections.abc import Iterator

from immich_sync.cli.screens import words
from immich_sync.core.verification import FolderVerification, Gap, Verification

SHOWN = 100
"""Gaps in the list; the rest is counted."""


def lines(found: Verification) -> Iterator[str]:
    """A paragraph for each folder, the gaps, and yes or no."""
    for folder in found.folders:
        yield from _folder(folder)
        yield ""
    for gap in found.gaps[:SHOWN]:
        yield from _gap(gap)
    if len(found.gaps) > SHOWN:
        yield f"and {len(found.gaps) - SHOWN:,} more: immich-sync verify --json"
    if found.gaps:
        yield ""
    yield _answer(found)


def _folder(folder: FolderVerification) -> Iterator[str]:
    yield f"{folder.name}  {folder.path}"
    number = words.count(folder.files, "photo or video", "photos and videos")
    yield f"  {number}, {words.size(folder.bytes)}; {folder.hashed:,} read just now"
    yield f"  {folder.safe:,} in Immich, by the server's word just now"
    if folder.cleaned:
        yield f"  {folder.cleaned:,} more cleaned away here, and in Immich just now"
    settled = (
        ("in Immich's trash", folder.trashed),
        ("removed there", folder.removed),
        ("dismissed", folder.dismissed),
    )
    if any(number for _, number in settled):
        said = ", ".join(f"{number:,} {what}" for what, number in settled if number)
        yield f"  settled by a person: {said}"
    gaps = (
        ("missing", folder.missing),
        ("different", folder.different),
        ("unverified", folder.unverified),
        ("unsupported", folder.unsupported),
    )
    yield from (f"  {number:,} {what}" for what, number in gaps if number)
    if folder.gone:
        yield f"  {folder.gone:,} known from before, and not met any more"
    for what, counted in (("ignored", folder.ignored), ("other files", folder.others)):
        if counted:
            yield f"  {what}: {words.listed(counted)}"


def _gap(gap: Gap) -> Iterator[str]:
    yield f"{gap.what}  {gap.path}"
    if gap.note:
        yield f"    {gap.note}"


def _answer(found: Verification) -> str:
    files = sum(folder.files for folder in found.folders)
    settled = sum(one.trashed + one.removed + one.dismissed for one in found.folders)
    if found.complete:
        apart = f", but for {settled:,} that a person settled otherwise" if settled else ""
        number = words.count(files, "photo or video", "photos and videos")
        return f"Yes: every photo and video here is in Immich ({number}){apart}."
    return f"No: {words.count(len(found.gaps), 'gap')} in {words.count(files, 'file')}, as listed."
