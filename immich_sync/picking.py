"""From the paths that a person names to the files that are meant.

Its own module because a path given by hand is not a watched folder: it may be a file, a link or
nothing at all, and what was named outright is never passed over for its name.
"""

import os
import stat
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from itertools import islice
from pathlib import Path

from immich_sync.core.errors import FileUnreadable
from immich_sync.core.media import Kind, extension_of
from immich_sync.core.naming import shown
from immich_sync.core.ports import Disk
from immich_sync.core.types import Stamp, below
from immich_sync.filesystem.mounts import IMMICH_MARKER
from immich_sync.filesystem.scan import Listing, Policy, walk

HANDFUL = 32
"""Directories, or names given outright, that are looked at in one hop to a thread."""

Paths = str | Path | Sequence[str | Path]


@dataclass(frozen=True, slots=True)
class Start:
    """Where files are looked for: everything below `root`, or these names in it."""

    root: bytes  # absolute, without links
    names: tuple[bytes, ...] | None = None
    linked: frozenset[bytes] = frozenset()  # of the names: those that only a link was given for


@dataclass(frozen=True, slots=True)
class Miss:
    """A path of which nothing can be had; `why` is a sentence."""

    path: bytes
    why: str


@dataclass(frozen=True, slots=True)
class Found:
    """A file that is meant, below the root it was found in."""

    directory: bytes
    name: bytes
    stamp: Stamp
    linked: bool = False


@dataclass(slots=True)
class Handful:
    """What a few directories brought."""

    found: list[Found] = field(default_factory=list)
    missed: list[Miss] = field(default_factory=list)
    unsupported: list[bytes] = field(default_factory=list)  # named outright, and no media
    ignored: Counter[str] = field(default_factory=Counter)


@dataclass(frozen=True, slots=True)
class Choice:
    """Which files are meant; `pattern` is a shell pattern, see `passed_over`."""

    policy: Policy
    pattern: str | None = None


def starts(paths: Paths) -> tuple[list[Start], list[Miss]]:
    """Where to look for what `paths` name, each with links resolved. Raises ValueError for "".

    Files of one directory share a start. A path that leads to nothing is a Miss.
    """
    given = [paths] if isinstance(paths, str | Path) else list(paths)
    roots: dict[bytes, None] = {}
    names: dict[bytes, dict[bytes, bool]] = {}
    missed: list[Miss] = []
    for one in given:
        if not os.fspath(one):
            raise ValueError("an empty path names nothing; write '.' for the current folder")
        path = os.fsencode(os.path.realpath(one))
        try:
            mode = os.stat(path).st_mode  # noqa: PTH116 - paths are bytes
        except OSError as error:
            missed.append(Miss(os.fsencode(one), _why_missed(one, error)))
            continue
        if storage := _immich_above(path):
            missed.append(Miss(path, f"It lies in Immich's own storage ({shown(storage)})."))
        elif stat.S_ISDIR(mode):
            roots[path] = None
        else:  # what is no regular file is told apart when it is looked at
            directory, _, name = path.rpartition(b"/")
            these = names.setdefault(directory or b"/", {})
            these[name] = these.get(name, True) and Path(one).is_symlink()
    found = [Start(root) for root in roots]
    for root, these in names.items():
        linked = frozenset(name for name, by_link in these.items() if by_link)
        found.append(Start(root, tuple(these), linked))
    return found, missed


def pick(disk: Disk, start: Start, choice: Choice) -> Iterator[Handful]:
    """The files of one start, a handful of directories at a time. Blocks; never raises."""
    if start.names is not None:
        waiting = iter(start.names)
        while some := tuple(islice(waiting, HANDFUL)):
            yield _named(disk, start, some, choice)
        return
    walker = walk(disk, start.root, choice.policy)
    while listings := list(islice(walker, HANDFUL)):
        yield _listed(start.root, listings, choice)


def passed_over(root: bytes, relative: bytes, pattern: str | None) -> bool:
    """Whether the shell pattern of the seed matches: `*` is put in front of it (`.tmp`, `/raw/*`).

    It is held against the path below the given one, a slash in front, so that a folder above it
    decides nothing; a pattern that begins with the given path itself, against the whole.
    """
    if not pattern:
        return False
    whole = os.fsdecode(absolute(root, relative))
    if pattern.startswith(os.fsdecode(root).rstrip("/") + "/"):
        return fnmatchcase(whole, pattern)
    return fnmatchcase("/" + os.fsdecode(relative), "*" + pattern)


def absolute(root: bytes, relative: bytes) -> bytes:
    """The whole path of what lies below a root."""
    return root.rstrip(b"/") + b"/" + relative


def _immich_above(path: bytes) -> bytes | None:
    """The directory of Immich's own storage that a path is or lies in; see `filesystem.mounts`.

    Below a given folder `walk` passes it over.
    """
    for above in (Path(os.fsdecode(path)), *Path(os.fsdecode(path)).parents):
        if (above / os.fsdecode(IMMICH_MARKER)).is_file():
            return bytes(above)
    return None


def _why_missed(path: str | Path, error: OSError) -> str:
    name = shown(os.fsencode(path))
    if isinstance(error, FileNotFoundError):
        return f"There is nothing at {name}."
    return f"{name} cannot be looked at: {error.strerror}."


def _named(disk: Disk, start: Start, names: Iterable[bytes], choice: Choice) -> Handful:
    handful, root = Handful(), start.root
    for name in names:
        kind = choice.policy.types.get(extension_of(name))
        if kind is Kind.SIDECAR:  # it goes along with its photo
            handful.ignored[_extension(name)] += 1
            continue
        if passed_over(root, name, choice.pattern):
            handful.ignored["ignore_pattern"] += 1
            continue
        if rule := choice.policy.ignore.matches(name, directory=False):
            handful.ignored[rule] += 1
            continue
        path = absolute(root, name)
        if kind is None:
            handful.unsupported.append(path)
            continue
        try:
            stamp = disk.stat(root, name)
        except FileUnreadable as error:
            handful.missed.append(Miss(path, str(error)))
            continue
        if stamp is None:
            handful.missed.append(Miss(path, f"{shown(path)} is no regular file."))
        else:
            handful.found.append(Found(b"", name, stamp, linked=name in start.linked))
    return handful


def _listed(root: bytes, listings: Iterable[Listing], choice: Choice) -> Handful:
    handful = Handful()
    for one in listings:
        if one.trouble:
            path = absolute(root, one.directory) if one.directory else root
            handful.missed.append(Miss(path, one.trouble))
        handful.ignored.update(one.ignored)
        for extension, count in one.others.items():
            handful.ignored[f".{shown(extension)}" if extension else "no extension"] += count
        for name, stamp in one.media:
            if stamp is None:
                continue
            if passed_over(root, below(one.directory, name), choice.pattern):
                handful.ignored["ignore_pattern"] += 1
            else:
                handful.found.append(Found(one.directory, name, stamp))
    return handful


def _extension(name: bytes) -> str:
    extension = extension_of(name)
    return f".{shown(extension)}" if extension else "no extension"
