"""Lists directories the way the program sees them: media, sidecars, what is passed over and why.

Its own module because what is passed over must be the same for a full scan, for one dirty
directory and for a name that an event brought.
"""

import errno
from bisect import bisect_left
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from immich_sync.core.errors import FileUnreadable
from immich_sync.core.folder import Folder
from immich_sync.core.media import (
    BUILT_IN,
    NOMEDIA,
    IgnorePatterns,
    Kind,
    compile_ignore,
    extension_of,
    ignored_name,
)
from immich_sync.core.naming import shown
from immich_sync.core.ports import Disk, Entry, Link
from immich_sync.filesystem.mounts import IMMICH_MARKER

IMMICH_STORAGE = "immich-storage"
"""What the rule is called by which Immich's own directories are passed over."""
_MARKERS = ((b".nomedia", NOMEDIA.name), (IMMICH_MARKER, IMMICH_STORAGE))
_LINKS = frozenset({errno.ELOOP, errno.EXDEV})


@dataclass(frozen=True, slots=True)
class Policy:
    """What a folder passes over and what it takes."""

    ignore: IgnorePatterns = field(default_factory=lambda: compile_ignore(()))
    include_hidden: bool = False
    types: Mapping[bytes, Kind] = field(default_factory=lambda: BUILT_IN)

    @classmethod
    def of(cls, folder: Folder, types: Mapping[bytes, Kind] = BUILT_IN) -> "Policy":
        """The policy of a folder, for what its server takes."""
        return cls(folder.ignore, folder.include_hidden, types)


@dataclass(frozen=True, slots=True)
class Listing:
    """One directory of a folder; names in their order."""

    directory: bytes  # below the root; b"" is the root
    media: tuple[Entry, ...] = ()
    sidecars: tuple[bytes, ...] = ()
    subdirectories: tuple[bytes, ...] = ()  # names of those to be looked into
    ignored: Mapping[str, int] = field(default_factory=dict)  # by rule
    others: Mapping[bytes, int] = field(default_factory=dict)  # not media, by extension
    trouble: str = ""  # why nothing is known of it nor of what lies below it
    missing: bool = False  # it is not there, or a link lies there: only with `trouble`

    def paths_below(self) -> list[bytes]:
        """The paths, below the root, of the directories in it."""
        return [_join(self.directory, name) for name in self.subdirectories]


def listing(disk: Disk, root: bytes, directory: bytes, policy: Policy) -> Listing:
    """What lies in one directory now; empty if it or one above it is passed over. Never raises."""
    if rule := passed_over(disk, root, directory, policy):
        return Listing(directory, ignored={rule: 1})
    return _listed(disk, root, directory, policy)


def walk(disk: Disk, root: bytes, policy: Policy) -> Iterator[Listing]:
    """The listing of each directory that is not passed over, the root's first. Never raises.

    A directory that cannot be listed comes with its trouble: what lies below it is unknown. One
    that vanishes meanwhile does not come at all. Holds in memory the names of the directories
    beside the one it is at and beside those above it, no more.
    """
    waiting = [b""]
    while waiting:
        one = _listed(disk, root, waiting.pop(), policy)
        if one.missing and one.directory:
            continue
        waiting += reversed(one.paths_below())
        yield one


def takes(policy: Policy, directory: bytes, name: bytes) -> bool:
    """Whether a file of this name in this directory is media that is not passed over."""
    return (
        policy.types.get(extension_of(name), Kind.SIDECAR) is not Kind.SIDECAR
        and not skips(policy, directory, name, is_directory=False)
        and _rule_above(policy, directory) is None
    )


def skips(policy: Policy, directory: bytes, name: bytes, *, is_directory: bool) -> bool:
    """Whether a name is passed over; the directories above it are not asked."""
    return _rule(policy, directory, name, is_directory=is_directory) is not None


def _listed(disk: Disk, root: bytes, directory: bytes, policy: Policy) -> Listing:
    try:
        entries = disk.list(root, directory)
    except OSError as error:
        return _unlisted(directory, error)
    for marker, forbids in _MARKERS:
        if _has_file(entries, marker):
            return Listing(directory, ignored={forbids: len(entries) - 1})
    media: list[Entry] = []
    sidecars: list[bytes] = []
    subdirectories: list[bytes] = []
    ignored: Counter[str] = Counter()
    others: Counter[bytes] = Counter()
    types = policy.types
    for entry in entries:
        if isinstance(entry, Link):
            ignored[entry.rule] += 1
            continue
        name, stamp = entry
        if rule := _rule(policy, directory, name, is_directory=stamp is None):
            ignored[rule] += 1
        elif stamp is None:
            subdirectories.append(name)
        elif (kind := types.get(extension := extension_of(name))) is None:
            others[extension] += 1
        elif kind is Kind.SIDECAR:
            sidecars.append(name)
        else:
            media.append(entry)
    return Listing(directory, tuple(media), tuple(sidecars), tuple(subdirectories), ignored, others)


def _unlisted(directory: bytes, error: OSError) -> Listing:
    missing = isinstance(error, FileNotFoundError | NotADirectoryError) or error.errno in _LINKS
    return Listing(
        directory,
        trouble=f"{shown(directory) or 'the folder'} cannot be listed: {error.strerror or error}",
        missing=missing,
    )


def _rule(policy: Policy, directory: bytes, name: bytes, *, is_directory: bool) -> str | None:
    """The rule by which a name is passed over, or None."""
    built_in = ignored_name(name, directory=is_directory, include_hidden=policy.include_hidden)
    if built_in is not None:
        return built_in.name
    if not policy.ignore.patterns:
        return None
    return policy.ignore.matches(_join(directory, name), directory=is_directory)


def _rule_above(policy: Policy, directory: bytes) -> str | None:
    above = b""
    for name in directory.split(b"/") if directory else ():
        if rule := _rule(policy, above, name, is_directory=True):
            return rule
        above = _join(above, name)
    return None


def passed_over(disk: Disk, root: bytes, directory: bytes, policy: Policy) -> str | None:
    """The rule by which a directory or one above it is passed over, or None. Blocks."""
    if rule := _rule_above(policy, directory):
        return rule
    above = directory
    while True:
        for marker, forbids in _MARKERS:
            if _lies_there(disk, root, _join(above, marker)):
                return forbids
        if not above:
            return None
        above = above.rpartition(b"/")[0]


def _lies_there(disk: Disk, root: bytes, relative: bytes) -> bool:
    try:
        return disk.stat(root, relative) is not None
    except FileUnreadable:
        return False


def _has_file(entries: Sequence[Entry | Link], name: bytes) -> bool:
    place = bisect_left(entries, name, key=_name)
    found = entries[place] if place < len(entries) else None
    return isinstance(found, Entry) and found.name == name and found.stamp is not None


def _name(entry: Entry | Link) -> bytes:
    return entry.name


def _join(directory: bytes, name: bytes) -> bytes:
    return directory + b"/" + name if directory else name
