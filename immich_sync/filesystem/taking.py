"""Whether a scan would take one path, and by which rule not: its words are those of the table.

Its own module because a scan only counts what it passes over; here one path is followed down from
its root, in the order in which a scan would meet each rule.
"""

import os
import stat
from contextlib import suppress
from dataclasses import dataclass

from immich_sync.core.ignore import NOMEDIA, ignored_name
from immich_sync.core.media import Kind, extension_of
from immich_sync.core.naming import shown
from immich_sync.core.types import below
from immich_sync.filesystem.disk import LINK
from immich_sync.filesystem.following import REASONS, rule_of
from immich_sync.filesystem.mounts import IMMICH_MARKER
from immich_sync.filesystem.scan import IMMICH_STORAGE, Policy

IGNORE, SPECIAL, NOT_MEDIA, SIDECAR = "ignore", "special", "not-media", "sidecar"
"""What rules are called that are not in the table of names."""
_MARKERS = (
    (b".nomedia", NOMEDIA.name, NOMEDIA.reason),
    (IMMICH_MARKER, IMMICH_STORAGE, "its directory is Immich's own storage: it holds .immich"),
)


@dataclass(frozen=True, slots=True)
class Taking:
    """What lies at a path, and the rule by which it is passed over, if it is."""

    lies: str  # file | directory | link | special | nothing | unknown
    rule: str = ""
    reason: str = ""
    by: bytes = b""  # the path below the root that the rule is about

    @property
    def taken(self) -> bool:
        """Whether a scan takes it for a photo or a video."""
        return self.lies == "file" and not self.rule


def taking(root: bytes, relative: bytes, policy: Policy, *, follows: bool = False) -> Taking:
    """How a scan of `root` treats `relative`, which need not be there. Never raises, but blocks.

    `follows`: whether links below the root are followed.
    """
    parts = relative.split(b"/")
    above = b""
    for name in parts[:-1]:
        here = below(above, name)
        rule = _marker(root, above) or _named(policy, above, name, is_directory=True)
        rule = rule or (_not_followed if follows else _on_the_way)(root, here)
        if rule:
            return Taking(_lies(root, relative), *rule)
        above = here
    lies = _lies(root, relative, follows=follows)
    is_directory = lies == "directory"
    rule = _marker(root, above) or _named(policy, above, parts[-1], is_directory=is_directory)
    if not rule and follows:
        rule = _not_followed(root, relative)
    if not rule and not is_directory:
        rule = _by_kind(policy, relative, lies)
    return Taking(lies, *rule) if rule else Taking(lies)


def _named(
    policy: Policy, above: bytes, name: bytes, *, is_directory: bool
) -> tuple[str, str, bytes] | None:
    here = below(above, name)
    rule = ignored_name(name, directory=is_directory, include_hidden=policy.include_hidden)
    if rule is not None:
        return rule.name, rule.reason, here
    pattern = policy.ignore.matches(here, directory=is_directory)
    if pattern is None:
        return None
    return IGNORE, f"the folder's own pattern {pattern!r} (ignore, in the configuration)", here


def _marker(root: bytes, directory: bytes) -> tuple[str, str, bytes] | None:
    for marker, rule, reason in _MARKERS:
        here = below(directory, marker)
        if _lies(root, here) == "file":
            return rule, reason, here
    return None


def _on_the_way(root: bytes, directory: bytes) -> tuple[str, str, bytes] | None:
    if _lies(root, directory) != "link":
        return None
    reason = (
        "it is a symbolic link, and links are not followed: give what it points to a [[folders]]"
        " of its own"
    )
    return LINK, reason, directory


def _not_followed(root: bytes, relative: bytes) -> tuple[str, str, bytes] | None:
    try:
        rule = rule_of(root, relative)
    except OSError:
        return None
    return None if rule is None else (rule, REASONS[rule], relative)


def _by_kind(policy: Policy, relative: bytes, lies: str) -> tuple[str, str, bytes] | None:
    if lies == "link":
        return _LINK[0], _LINK[1], relative
    if lies == "special":
        return SPECIAL, "it is no regular file (a pipe, a socket or a device)", relative
    end = extension_of(relative.rpartition(b"/")[2])
    kind = policy.types.get(end)
    if kind is None:
        what = f"Immich takes no .{shown(end)} files" if end else "its name has no extension"
        return NOT_MEDIA, what, relative
    if kind is Kind.SIDECAR:
        return SIDECAR, "a sidecar travels with the photo that it belongs to", relative
    return None


_LINK = (LINK, "it is a symbolic link, and links are not followed")


def _lies(root: bytes, relative: bytes, *, follows: bool = False) -> str:
    path = below(root.rstrip(b"/"), relative)
    try:
        mode = os.lstat(path).st_mode
        if follows and stat.S_ISLNK(mode):
            with suppress(OSError):  # it leads nowhere: then it is a link
                mode = os.stat(path).st_mode  # noqa: PTH116 - a path of bytes
    except (FileNotFoundError, NotADirectoryError):
        return "nothing"
    except OSError:
        return "unknown"
    if stat.S_ISDIR(mode):
        return "directory"
    if stat.S_ISLNK(mode):
        return "link"
    return "file" if stat.S_ISREG(mode) else "special"
