"""Puts accounts, folders, limits and the state's place together into a `Setup`.

Its own module because only here the whole is seen: which accounts are used, and whether the
state lies where photos are watched.
"""

import os
from pathlib import Path

from immich_sync.config.accounts import resolve_accounts
from immich_sync.config.cleanups import check_cleanups
from immich_sync.config.folders import apart, resolve_folders
from immich_sync.config.load import Written
from immich_sync.config.outside import resolve_health, resolve_notify
from immich_sync.core.errors import Misconfigured
from immich_sync.core.folder import Limits, Setup


def resolve(written: Written, *, folders: bool = True) -> Setup:
    """Everything checked and filled in; `folders`: whether there must be some to watch.

    Raises Misconfigured: one sentence that names the file or the variable and the key.
    """
    watched = resolve_folders(written)
    if folders and not watched:
        raise Misconfigured(
            f"{written.file or 'No configuration file was found, and nothing'} names a folder to "
            "watch: write [[folders]] with a path, or set IMMICH_SYNC_FOLDERS=/photos:/videos."
        )
    accounts = resolve_accounts(written, (folder.account for folder in watched))
    limits = resolve_limits(written)
    state = state_folder(written)
    for number, folder in enumerate(watched):
        if not apart(os.fsencode(state), folder.root):
            raise written.wrong(
                ("state_dir",) if written.settings.state_dir else ("folders", number, "path"),
                f"the state folder {state} and the watched folder {os.fsdecode(folder.root)} lie "
                "inside one another; put the state elsewhere with state_dir",
            )
    check_cleanups(written, watched, state)
    return Setup(accounts, watched, limits, state, resolve_health(written), resolve_notify(written))


def resolve_limits(written: Written) -> Limits:
    """The limits, those that nobody wrote filled in. Raises Misconfigured."""
    limits = Limits(**written.settings.limits.model_dump(exclude_none=True))
    if limits.retry_longest < limits.retry_first:
        raise written.wrong(("limits", "retry_longest"), "it is shorter than retry_first")
    return limits


def state_folder(written: Written) -> str:
    """The folder for the state, absolute and without links; nothing is made.

    `state_dir` (also IMMICH_SYNC_STATE_DIR), else $STATE_DIRECTORY, else the XDG state folder.
    """
    given = written.settings.state_dir
    if given is not None:
        try:
            place = Path(given).expanduser()
        except RuntimeError:
            place = Path(given)
        if not place.is_absolute():
            raise written.wrong(("state_dir",), f"{given!r} is not an absolute path")
    else:
        place = _customary(written)
    try:
        found = Path(os.path.realpath(place))
        if found.exists() and not found.is_dir():
            raise written.wrong(("state_dir",), f"{found} is not a folder")
    except OSError as error:
        raise written.wrong(
            ("state_dir",), f"{place} cannot be looked at ({error.strerror})"
        ) from None
    return str(found)


def _customary(written: Written) -> Path:
    by_systemd = Path(os.environ.get("STATE_DIRECTORY", "").partition(":")[0])
    if by_systemd.is_absolute():
        return by_systemd
    by_xdg = Path(os.environ.get("XDG_STATE_HOME", ""))
    try:
        base = by_xdg if by_xdg.is_absolute() else Path.home() / ".local" / "state"
    except RuntimeError:
        raise written.wrong(
            ("state_dir",), "this user has no home to keep the state in; say where"
        ) from None
    return base / "immich-sync"
