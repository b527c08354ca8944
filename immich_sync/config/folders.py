"""Watched folders: defaults filled in, paths checked on the disk, owners of paths made unique.

Its own module because here alone the configuration meets the disk.
"""

import os
import uuid
from collections.abc import Iterable, Sequence
from pathlib import Path

from immich_sync.config.accounts import DEFAULT
from immich_sync.config.cleanups import quarantine_of
from immich_sync.config.load import Written
from immich_sync.config.settings import FolderRules
from immich_sync.core.folder import Folder
from immich_sync.core.media import compile_ignore
from immich_sync.core.naming import check_template, shown
from immich_sync.core.types import AlbumId
from immich_sync.filesystem.mounts import immich_storage

_TOGETHER = (("album", "album_id"), ("scan_at", "scan_every"))
"""Keys of which a folder says one: it then leaves the other one's default alone."""

_AS_THEY_ARE = {
    "include_hidden", "follow_symlinks", "settle", "poll_interval", "root_check", "scan_at",
    "scan_every", "watch", "trashed", "on_delete", "delete_after", "expect_new", "after_upload",
    "cleanup_after", "quarantine_for", "deletes_reach_phone",
}  # fmt: skip
"""Keys that mean in a `Folder` what they mean in the file; the others are read here."""


def resolve_folders(written: Written) -> tuple[Folder, ...]:
    """Every folder with every field filled, no path owned twice. Raises Misconfigured."""
    tables = written.settings.folders
    _check_rules(written, ("defaults",), written.settings.defaults)
    roots = []
    for number, table in enumerate(tables):
        _check_rules(written, ("folders", number), table)
        roots.append(_root(written, number, table.path))
    _check_owners(written, roots)
    names = _names(written, [root for _, root in roots])
    return tuple(
        _folder(written, number, name, root)
        for number, (name, (_, root)) in enumerate(zip(names, roots, strict=True))
    )


def apart(one: bytes, other: bytes) -> bool:
    """Whether neither of two real paths lies in the other."""
    first, second = one.rstrip(b"/") + b"/", other.rstrip(b"/") + b"/"
    return not first.startswith(second) and not second.startswith(first)


def _folder(written: Written, number: int, name: str, root: bytes) -> Folder:
    rules = _merged(written.settings.defaults, written.settings.folders[number])
    account = rules.account or DEFAULT
    if account != DEFAULT and account not in written.settings.accounts:
        raise written.wrong(
            ("folders", number, "account"),
            f"there is no account {account!r}; write it as [accounts.{account}]",
        )
    if rules.on_delete == "trash" and rules.after_upload not in {None, "keep"}:
        raise written.wrong(
            ("folders", number, "on_delete"),
            f'after_upload = "{rules.after_upload}" empties this folder by itself, and what is'
            ' gone from it would go into Immich\'s trash; write on_delete = "ignore"',
        )
    _check_links(written, ("folders", number), rules)
    said = rules.model_dump(include=_AS_THEY_ARE, exclude_none=True)
    return Folder(
        name=name,
        root=root,
        account=account,
        album=rules.album or None,
        album_id=AlbumId(rules.album_id.lower()) if rules.album_id else None,
        ignore=compile_ignore(rules.ignore or ()),
        quarantine_dir=quarantine_of(written, ("folders", number), rules),
        **said,
    )


def _check_links(written: Written, key: tuple[str | int, ...], rules: FolderRules) -> None:
    """What is behind a link is not the folder's own: nothing is to be deleted over it."""
    if not rules.follow_symlinks:
        return
    if rules.after_upload not in {None, "keep"}:
        raise written.wrong(
            (*key, "follow_symlinks"),
            f'after_upload = "{rules.after_upload}" would take away what links lead to, elsewhere;'
            ' write after_upload = "keep", or a [[folders]] of its own for each of these places',
        )
    if rules.on_delete == "trash":
        raise written.wrong(
            (*key, "follow_symlinks"),
            'with on_delete = "trash" a disk that is not mounted behind a link would look like'
            ' photos that were deleted; write on_delete = "ignore", or a [[folders]] of its own for'
            " each of these places",
        )


def _merged(defaults: FolderRules, table: FolderRules) -> FolderRules:
    said = table.model_dump(include=set(FolderRules.model_fields), exclude_unset=True)
    base = defaults.model_dump(exclude_unset=True)
    for pair in _TOGETHER:
        if any(key in said for key in pair):
            base = {key: value for key, value in base.items() if key not in pair}
    return FolderRules.model_construct(**(base | said))


def _check_rules(written: Written, key: tuple[str | int, ...], rules: FolderRules) -> None:
    """What can be said of `[defaults]` or one folder without looking at the disk."""
    for first, second in _TOGETHER:
        if getattr(rules, first) and getattr(rules, second):
            raise written.wrong((*key, second), f"{first} is given as well; choose one of them")
    if rules.album:
        try:
            check_template(rules.album)
        except ValueError as error:
            raise written.wrong((*key, "album"), str(error)) from None
    if rules.album_id:
        try:
            uuid.UUID(rules.album_id)
        except ValueError:
            raise written.wrong(
                (*key, "album_id"),
                f"{rules.album_id!r} is not the id of an album; it stands at the end of the "
                "album's address in the browser",
            ) from None


def _root(written: Written, number: int, path: str) -> tuple[str, bytes]:
    """The path as written and the folder it leads to, without links on the way."""
    key = ("folders", number, "path")
    try:
        expanded = Path(path).expanduser()
    except RuntimeError:
        raise written.wrong(key, f"{path!r} cannot be resolved: there is no such home") from None
    as_shown = shown(os.fsencode(expanded))
    if not expanded.is_absolute():
        raise written.wrong(key, f"{as_shown} is not an absolute path; begin it with /")
    try:
        root = os.path.realpath(expanded, strict=True)
        if not Path(root).is_dir():
            raise written.wrong(key, f"{as_shown} is a file; a folder is expected")
    except FileNotFoundError:
        raise written.wrong(
            key, f"the folder {as_shown} does not exist; is its disk mounted?"
        ) from None
    except OSError as error:
        raise written.wrong(
            key, f"the folder {as_shown} cannot be looked at ({error.strerror})"
        ) from None
    if not os.access(root, os.R_OK | os.X_OK):
        raise written.wrong(
            key,
            f"the folder {as_shown} may not be read by this user (id {os.getuid()}); "
            "give it read access",
        )
    if (storage := immich_storage(os.fsencode(root))) is not None:
        raise written.wrong(
            key,
            f"{as_shown} is at, above or below Immich's own storage ({shown(storage)} holds "
            ".immich); watch the folder that photos come from instead",
        )
    return str(expanded), os.fsencode(root)


def _check_owners(written: Written, roots: Sequence[tuple[str, bytes]]) -> None:
    for number, (path, root) in enumerate(roots):
        key = ("folders", number, "path")
        for earlier_path, earlier in roots[:number]:
            if root == earlier or Path(os.fsdecode(root)).samefile(os.fsdecode(earlier)):
                raise written.wrong(key, f"{_both(path, earlier_path)} are the same folder")
            if not apart(root, earlier):
                raise written.wrong(
                    key, f"{_both(path, earlier_path)} overlap; a file can have one owner only"
                )


def _both(one: str, other: str) -> str:
    return f"{shown(os.fsencode(one))} and {shown(os.fsencode(other))}"


def _names(written: Written, roots: Iterable[bytes]) -> list[str]:
    """A name for each folder: its own, else the end of its path that no folder before it has."""
    given = [table.name for table in written.settings.folders]
    for number, name in enumerate(given):
        if name is not None and name in given[:number]:
            raise written.wrong(("folders", number, "name"), f"another folder is called {name!r}")
    names: list[str] = []
    for name, root in zip(given, roots, strict=True):
        names.append(name or _free_end(shown(root), {*names, *(one for one in given if one)}))
    return names


def _free_end(path: str, taken: set[str]) -> str:
    parts = [part for part in path.split("/") if part]
    for length in range(1, len(parts) + 1):
        end = "/".join(parts[-length:])
        if end not in taken:
            return end
    return path
