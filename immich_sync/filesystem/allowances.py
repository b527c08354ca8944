"""What this machine allows: watches, room on a disk, and whether it is a container.

Its own module because nothing but `doctor` asks this, and each answer is a file to be read.
"""

import os
from pathlib import Path

from immich_sync.core.grounds import Ground
from immich_sync.filesystem.mounts import is_remote, mount_of

_WATCHES = ("fs/inotify/max_user_watches", "user/max_inotify_watches")
_INSTANCES = ("fs/inotify/max_user_instances", "user/max_inotify_instances")
_PROC = Path("/proc/sys")
_CONTAINER = (Path("/.dockerenv"), Path("/run/.containerenv"))


def watch_limit(proc: Path = _PROC) -> int | None:
    """How many directories this user may watch, also by a namespace's limit; None if not told."""
    return _least(proc, _WATCHES)


def instance_limit(proc: Path = _PROC) -> int | None:
    """How many watchers this user may have; None if the system does not tell."""
    return _least(proc, _INSTANCES)


def in_container() -> bool:
    """Whether this process runs in a container, by the marks that Docker and Podman leave."""
    return any(mark.exists() for mark in _CONTAINER) or bool(os.environ.get("container"))  # noqa: SIM112 - systemd's own spelling


def ground_at(path: bytes) -> Ground:
    """The file system that an existing directory lies on."""
    mount = mount_of(path)
    if mount is None:
        return Ground("", remote=False, container=in_container(), mounted=False)
    return Ground(
        mount.filesystem,
        remote=is_remote(mount.filesystem),
        container=in_container(),
        mounted=mount.point != b"/",
        follows=mount.follows,
    )


def free_bytes(path: Path) -> int:
    """What this user may still write there. Raises OSError."""
    found = os.statvfs(path)
    return found.f_bavail * found.f_frsize


def is_read_only(path: Path) -> bool:
    """Whether this user may not write there: the mount, or its permissions. Raises OSError."""
    return bool(os.statvfs(path).f_flag & os.ST_RDONLY) or not os.access(path, os.W_OK | os.X_OK)


def _least(proc: Path, names: tuple[str, ...]) -> int | None:
    found: list[int] = []
    for name in names:
        try:
            found.append(int((proc / name).read_text()))
        except (OSError, ValueError):
            continue
    return min(found, default=None)


def is_for_all_to_read(path: str) -> bool:
    """Whether every user of this machine may read or change the file; false if it is not there."""
    try:
        return bool(Path(path).stat().st_mode & 0o007)
    except OSError:
        return False
