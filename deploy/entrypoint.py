#!/opt/immich-sync/bin/python -I
"""What a container runs: as whom, with which defaults, and then immich-sync in its place.

Its own file because a container may be started as root (PUID, PGID and UMASK say who is meant) or
as anybody (`--user`), and because health checks and `docker exec` have to become the same user.
"""

import os
import signal
import sys
from pathlib import Path

WRONG = 2
"""Exit code for what is configured wrongly, as immich-sync has it."""
SOMEBODY = 1000
"""The user and group of the image."""
CONFIG = "/etc/immich-sync/config.toml"
PHOTOS, STATE = "/photos", "/state"


def main() -> None:
    """Become the user, fill in the defaults, and be replaced by immich-sync; ends the process."""
    if os.getpid() == 1 and sys.argv[1:2] == ["run"]:
        # Of process 1 the kernel drops what it neither blocks nor handles; `run` heeds it later.
        signal.pthread_sigmask(signal.SIG_BLOCK, (signal.SIGTERM, signal.SIGINT))
    os.umask(_number("UMASK", 0o077, base=8))
    state = os.environ.setdefault("IMMICH_SYNC_STATE_DIR", STATE)
    _become(_number("PUID", SOMEBODY), _number("PGID", SOMEBODY), state)
    os.environ.setdefault("SQLITE_TMPDIR", state)  # the rest may be read-only
    if not _is_configured():
        os.environ["IMMICH_SYNC_FOLDERS"] = PHOTOS
    program = str(Path(sys.executable).with_name("immich-sync"))
    os.execv(program, [program, *sys.argv[1:]])  # noqa: S606 - our own program, with its arguments


def _is_configured() -> bool:
    """Whether folders are named; a variable would win over a file's."""
    file = os.environ.get("IMMICH_SYNC_CONFIG") or CONFIG
    return "IMMICH_SYNC_FOLDERS" in os.environ or Path(file).exists()


def _become(user: int, group: int, state: str) -> None:
    """Be `user` and `group` from now on, if we are root; whoever else we are, we stay."""
    me = os.geteuid()
    if me != 0:
        if "PUID" in os.environ and me != user:
            _refuse(
                f"PUID={user} is set, but the container was started as user {me}: start it with"
                f" --user {user}:{group} and without PUID, or with --user 0."
            )
        return
    try:
        if sys.argv[1:2] == ["run"]:  # a command beside it takes nothing away from it
            _hand_over(Path(state), user, group)
        os.setgroups(sorted({group, *(one for one in os.getgroups() if one != 0)}))
        os.setresgid(group, group, group)
        os.setresuid(user, user, user)
    except OSError as error:
        _refuse(
            f"This is root, and cannot become user {user} ({error}): start the container with"
            f" --user {user}:{group}, or give it the capabilities CHOWN, SETGID and SETUID."
        )
    os.environ["HOME"] = state


def _hand_over(folder: Path, user: int, group: int) -> None:
    """The state belongs to `user`: a new volume is root's, or that of the image's own user."""
    if not folder.is_dir() or folder.stat().st_uid == user:
        return
    # Root that may change owners and nothing else cannot look into a folder that is not its own.
    # The folder goes last: if this is interrupted, it is begun anew.
    os.chown(folder, 0, 0)
    for one in folder.iterdir():
        if one.is_dir() and not one.is_symlink():
            _hand_over(one, user, group)
        else:
            os.chown(one, user, group, follow_symlinks=False)
    os.chown(folder, user, group)


def _number(variable: str, default: int, *, base: int = 10) -> int:
    text = os.environ.get(variable, "").strip()
    try:
        number = int(text, base) if text else default
    except ValueError:
        number = -1
    if not 0 <= number < (0o1000 if base == 8 else 2**32 - 1):  # noqa: PLR2004 - permissions are octal
        _refuse(f"{variable}={text} is no {'file mode' if base == 8 else 'number of a user'}.")  # noqa: PLR2004
    return number


def _refuse(sentence: str) -> None:
    sys.stderr.write(f"immich-sync: {sentence}\n")
    raise SystemExit(WRONG)


main()
