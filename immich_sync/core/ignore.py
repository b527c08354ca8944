"""Which names are passed over unless asked for, by which rule, and why.

Its own module because the table is what people argue about: each row can be read, named by
`explain` and tested, without anything else in the way. `core.media` is the door to it.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Rule:
    """Names that are passed over, and why; all in lower case, since names are compared folded.

    Each of `patterns` is a bytes regex for the whole name that begins with a literal byte, so that
    one look at a name's first byte is enough to know that no pattern can match.
    """

    name: str
    reason: str
    names: tuple[bytes, ...] = ()
    extensions: tuple[bytes, ...] = ()
    patterns: tuple[bytes, ...] = ()
    files: bool = True
    directories: bool = True


HIDDEN = Rule("hidden", "its name begins with a dot")
NOMEDIA = Rule("nomedia", "a .nomedia beside it says that its directory holds no photos")

RULES = (
    Rule(
        "android-trash",
        "an Android gallery's trash, deleted for good after 30 days",
        patterns=(rb"\.trashed-.*",),
    ),
    Rule(
        "android-pending",
        "an Android app is still writing it",
        patterns=(rb"\.pending-.*",),
    ),
    Rule(
        "syncthing",
        "Syncthing's own: a file being received, its marker or its list of ignored names",
        names=(b".stfolder", b".stignore"),
        patterns=(
            rb"\.syncthing\..*\.tmp",
            rb"~syncthing~.*\.tmp",
            rb"\.stfolder\.removed-.*",
        ),
    ),
    Rule(
        "syncthing-versions",
        "Syncthing's old versions of changed and deleted files",
        names=(b".stversions",),
    ),
    Rule(
        "appledouble",
        "what macOS keeps about a file on a disk that cannot keep it with the file",
        names=(b".appledouble",),
        patterns=(rb"\._.*",),
    ),
    Rule(
        "nextcloud",
        "Nextcloud's own: a file being received, its journal or its log",
        patterns=(
            rb"\..*\.~[0-9a-f]+",
            rb"\.sync_[0-9a-f]+\.db.*",
            rb"\.(?:own|next)cloudsync\.log.*",
        ),
    ),
    Rule(
        "rsync",
        "rsync is still writing it",
        patterns=(rb"\..+\.[0-9a-z]{2,4}\.[0-9a-z]{6}",),
        directories=False,
    ),
    Rule(
        "rsync-folder",
        "rsync keeps unfinished files in it",
        names=(b".~tmp~", b".rsync-partial", b".rsync-tmp"),
        files=False,
    ),
    Rule(
        "partial",
        "a download or copy that is still being written (browser, Nextcloud, WinSCP, rclone)",
        extensions=(
            b"part",
            b"crdownload",
            b"opdownload",
            b"partial",
            b"filepart",
            b"aria2",
            b"!sync",
            b"ffs_tmp",
        ),
        directories=False,
    ),
    Rule(
        "safari-download",
        "Safari keeps an unfinished download in it",
        extensions=(b"download",),
        files=False,
    ),
    Rule(
        "foldersync",
        "FolderSync is still writing it",
        extensions=(b"tacitpart",),
        directories=False,
    ),
    Rule(
        "temporary",
        "a temporary file, to be renamed when it is whole",
        extensions=(b"tmp", b"temp"),
        directories=False,
    ),
    Rule(
        "nfs-deleted",
        "deleted, but still open on an NFS client",
        patterns=(rb"\.nfs[0-9a-f]+",),
        directories=False,
    ),
    Rule(
        "smb-deleted",
        "deleted or renamed, but still open on an SMB client",
        patterns=(
            rb"\.smbdelete.*",
            rb"\.smb[0-9a-f]{4,}",
        ),
        directories=False,
    ),
    Rule(
        "fuse-deleted",
        "deleted, but still open on a FUSE mount",
        patterns=(rb"\.fuse_hidden[0-9a-f]+",),
        directories=False,
    ),
    Rule(
        "synology",
        "Synology's thumbnails, index and working folders",
        names=(b"@eadir", b"@tmp", b"@sharebin", b"@sharesnap"),
        patterns=(rb"synofile_thumb_.*",),
    ),
    Rule(
        "qnap",
        "QNAP's thumbnails and working folders",
        names=(b".@__thumb", b"@recently-snapshot", b".@upload_cache", b".streams"),
    ),
    Rule(
        "recycle-bin",
        "a recycle bin: what lies in it was deleted",
        names=(b"#recycle", b"@recycle", b"$recycle.bin", b"recycler", b".trashes", b".dtrash"),
        patterns=(rb"\.trash(?:-[0-9]+)?",),
        files=False,
    ),
    Rule(
        "snapshot",
        "a snapshot: older copies of what lies in the folder itself",
        names=(b"#snapshot", b".snapshot", b".snapshots", b".zfs"),
        files=False,
    ),
    Rule(
        "system",
        "the operating system's own",
        names=(b".ds_store", b"thumbs.db", b"ehthumbs.db", b"desktop.ini"),
        directories=False,
    ),
    Rule(
        "system-folder",
        "the operating system's own folder",
        names=(
            b"system volume information",
            b"lost+found",
            b".spotlight-v100",
            b".fseventsd",
            b".temporaryitems",
        ),
        files=False,
    ),
    Rule(
        "thumbnails",
        "small copies of other photos",
        names=(b".thumbnails", b".thumbcache"),
        extensions=(b"lrdata",),
        files=False,
    ),
    Rule(
        "photo-library",
        "the inside of a photo library of macOS: export from it what is to be synced",
        extensions=(b"photoslibrary", b"photolibrary", b"migratedphotolibrary", b"aplibrary"),
        files=False,
    ),
)
"""The built-in rules. Within a name: whole names first, then patterns in this order, then
extensions, and `HIDDEN` last, so that the rule that says most is the one that is named."""


@dataclass(frozen=True, slots=True)
class _Lookup:
    """The table turned into what answers in well under a microsecond."""

    names: dict[bytes, Rule]
    extensions: dict[bytes, Rule]
    firsts: frozenset[int]
    pattern: re.Pattern[bytes]
    patterned: tuple[Rule, ...]


def _lookup(rules: Sequence[Rule]) -> _Lookup:
    patterned = tuple(rule for rule in rules if rule.patterns)
    options = (b"(%b)" % b"|".join(rule.patterns) for rule in patterned)
    return _Lookup(
        names={name: rule for rule in rules for name in rule.names},
        extensions={end: rule for rule in rules for end in rule.extensions},
        firsts=frozenset(p.lstrip(b"\\")[0] for rule in patterned for p in rule.patterns),
        pattern=re.compile(b"|".join(options), re.DOTALL),
        patterned=patterned,
    )


# Compiled once: a scan asks 200,000 times.
_FILES = _lookup([rule for rule in RULES if rule.files])
_DIRECTORIES = _lookup([rule for rule in RULES if rule.directories])


def ignored_name(name: bytes, *, directory: bool, include_hidden: bool) -> Rule | None:
    """The built-in rule by which one file's or directory's name is passed over, or None.

    Only this name is looked at: a scan asks once for each directory and does not enter what is
    ignored. `include_hidden` lifts `HIDDEN` alone: what is a temporary or a thumbnail stays out.
    Syncthing's and Nextcloud's conflict copies are photos and no rule's.
    """
    folded = name.lower()
    lookup = _DIRECTORIES if directory else _FILES
    if folded in lookup.names:
        return lookup.names[folded]
    if (
        folded
        and folded[0] in lookup.firsts
        and (found := lookup.pattern.fullmatch(folded))
        and found.lastindex
    ):
        return lookup.patterned[found.lastindex - 1]
    _, dot, extension = folded.rpartition(b".")
    if dot and (rule := lookup.extensions.get(extension)):
        return rule
    return HIDDEN if not include_hidden and folded[:1] == b"." else None


def ignored_by(
    parts: Sequence[bytes], *, directory: bool, include_hidden: bool = False
) -> Rule | None:
    """The built-in rule by which a path is passed over: its own, or that of a directory above it.

    `parts` are the names below the folder's root, which itself is never looked at.
    """
    last = len(parts) - 1
    for depth, name in enumerate(parts):
        is_directory = directory or depth < last
        if rule := ignored_name(name, directory=is_directory, include_hidden=include_hidden):
            return rule
    return None
