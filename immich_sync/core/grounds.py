"""What `doctor` says of this machine: file systems, room, limits of the kernel, mounts.

Its own module because it is the other half of `core.diagnosis`, and knows nothing of servers.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from immich_sync.core.diagnosis import ERROR, OK, WARNING, Finding, size

ROOM_LEAST, ROOM_ENOUGH = 64 << 20, 512 << 20
"""Bytes free for the state: below the first it may stand still soon, below the second it is worth
a look. (200,000 files need some 100 MB.)"""


def watches(needed: int, limit: int | None) -> Finding:
    """Whether the kernel lets us watch every directory."""
    if limit is None:
        said = f"{needed:,} directories are to be watched; the kernel tells no limit."
        return Finding("watches", "inotify", OK, said)
    said = f"{needed:,} directories are to be watched, of {limit:,} that the kernel allows."
    if needed <= limit * 0.8:
        return Finding("watches", "inotify", OK, said)
    enough = 1 << max(16, (2 * needed).bit_length())
    return Finding(
        "watches", "inotify", ERROR if needed > limit else WARNING, said,
        f"As root, write fs.inotify.max_user_watches={enough} into /etc/sysctl.d/immich-sync.conf"
        " and run sysctl --system; until then folders are scanned every five minutes.",
    )  # fmt: skip


def instances(folders: int, limit: int | None) -> Finding | None:
    """A warning if the kernel allows fewer watchers than there are folders."""
    if limit is None or folders < limit:
        return None
    return Finding(
        "watches", "inotify", ERROR,
        f"{folders:,} folders are to be watched, and the kernel allows {limit:,} watchers.",
        f"As root, write fs.inotify.max_user_instances={max(512, 4 * folders)} into"
        " /etc/sysctl.d/immich-sync.conf and run sysctl --system.",
    )  # fmt: skip


def room(path: str, free: int) -> Finding:
    """Whether the state has room to grow; bytes."""
    said = f"{size(free)} are free for the state."
    remedy = "Free some space there, or put the state elsewhere (state_dir)."
    if free < ROOM_LEAST:
        return Finding("state", path, ERROR, said, remedy)
    return (
        Finding("state", path, WARNING, said, remedy)
        if free < ROOM_ENOUGH
        else Finding("state", path, OK, said)
    )


@dataclass(frozen=True, slots=True)
class Ground:
    """The file system that something lies on."""

    filesystem: str  # its type
    remote: bool  # others may write to it, over a network
    container: bool  # we run in a container
    mounted: bool  # something is mounted at or above it, below the system's own root
    follows: bool = True  # what the host mounts there later appears here too


def state_ground(path: str, ground: Ground) -> Finding:
    """Whether the state may lie there."""
    if ground.remote:
        return Finding(
            "state", path, ERROR,
            f"The state lies on {ground.filesystem}, where SQLite's locks and shared memory are"
            " not safe.",
            "Put it on a disk of this machine (state_dir); it is small.",
        )  # fmt: skip
    if ground.filesystem in {"tmpfs", "ramfs"}:
        return Finding(
            "state", path, WARNING,
            f"The state lies in memory ({ground.filesystem}): a restart of the machine forgets it.",
            "Put it on a disk (state_dir).",
        )  # fmt: skip
    if ground.container and not ground.mounted:
        return Finding(
            "state", path, WARNING,
            "The state lies within the container, and goes when the container is replaced.",
            "Mount a volume there.",
        )  # fmt: skip
    return Finding("state", path, OK, f"The state lies on {ground.filesystem or 'a disk'}.")


@dataclass(frozen=True, slots=True)
class Contents:
    """What a walk through a folder met."""

    files: int
    directories: int
    bytes: int
    largest: int
    unlisted: tuple[str, ...]  # sentences about directories that could not be listed


def folder(name: str, ground: Ground, contents: Contents, mode: str) -> list[Finding]:
    """What is to be said of a folder; `mode` is how it is watched: inotify, poll or both."""
    found = [*_troubles(name, ground, contents, mode)]
    if found:
        return found
    how = _HOW[mode]
    said = (
        f"{contents.files:,} photos and videos, {size(contents.bytes)}, in"
        f" {contents.directories:,} directories; on {ground.filesystem or 'a disk'}, {how}."
    )
    return [Finding("folder", name, OK, said)]


def links(name: str, mode: str) -> Finding:
    """What it means that links below the folder are followed; `mode` is how it is watched."""
    said = (
        "Symbolic links are followed: who may write into the folder has any file uploaded that this"
        " user may read."
    )
    if mode == "inotify":
        said += " What is new behind a link to a directory is found by the daily scan only."
        return Finding("folder", name, WARNING, said, "Leave watch out: it is then polled besides.")
    return Finding("folder", name, OK, f"{said} What lies behind them is found by scanning.")


def drop_ins(name: str, root: str, *, writes: bool) -> Finding | None:
    """What the systemd service needs besides to see the folder, or to write to it; None: nothing.

    The unit of this project hides homes and makes all but the state read-only.
    """
    wanted = []
    if root.startswith(("/home/", "/root/", "/run/user/")):
        wanted.append("photos-in-home.conf")
    if writes:
        wanted.append("writable.conf")
    if not wanted:
        return None
    return Finding(
        "folder", name, OK,
        f"As a systemd service, immich-sync needs the drop-in {' and '.join(wanted)} for it"
        " (systemd/immich-sync.service.d).",
    )  # fmt: skip


_HOW = {
    "inotify": "watched",
    "poll": "scanned again and again",
    "both": "watched and scanned again and again",
}


def _troubles(name: str, ground: Ground, contents: Contents, mode: str) -> Iterator[Finding]:
    if contents.unlisted:
        number, first = len(contents.unlisted), contents.unlisted[0]
        said = f"{number:,} of its directories cannot be listed, such as {first}."
        remedy = "Give the user that runs immich-sync the right to read and enter them."
        yield Finding("folder", name, ERROR, said, remedy)
    if ground.remote and mode == "inotify":
        said = (
            f"It lies on {ground.filesystem}, which sends no events for what others change, and is"
            ' watched by events alone (watch = "inotify").'
        )
        yield Finding("folder", name, WARNING, said, 'Leave watch out, or set watch = "poll".')
    if not contents.files and not contents.unlisted:
        yield _empty(name, ground)
    elif ground.container and not ground.mounted:
        said = "It lies within the container itself: nothing is mounted there."
        remedy = "Mount the photos' folder into the container."
        yield Finding("folder", name, WARNING, said, remedy)


def cleanup(name: str, closed: int, quarantine: str, *, same_disk: bool) -> Finding:
    """What cleaning the folder needs: to delete in it, `closed` directories of which refuse that.

    `quarantine` is where files are put aside; "" if they are deleted.
    """
    if closed:
        return Finding(
            "cleanup", name, ERROR,
            f"In {closed:,} of its directories this user may not delete, so nothing is cleaned"
            " away there.",
            "Give the user that runs immich-sync the right to write to them, or set"
            ' after_upload = "keep".',
        )  # fmt: skip
    if not quarantine:
        said = "What is in Immich, proved, is deleted here after cleanup_after."
        remedy = 'With after_upload = "quarantine" it could be brought back (undo).'
        return Finding("cleanup", name, WARNING, said, remedy)
    said = f"What is in Immich, proved, goes to {quarantine} after cleanup_after."
    if not same_disk:
        said += " That is another file system: every file is copied there and read back."
    return Finding("cleanup", name, OK, said)


def _empty(name: str, ground: Ground) -> Finding:
    said = "No photo or video lies in it."
    if not ground.container:
        remedy = "If it should hold some, see whether its disk is mounted."
        return Finding("folder", name, WARNING, said, remedy)
    if not ground.follows:
        said += " What the host mounts there after the container has started does not appear in it."
    remedy = (
        "See whether its disk is mounted on the host, and bind it with propagation rslave"
        " (-v /volume1/photos:/photos:ro,rslave)."
    )
    return Finding("folder", name, WARNING, said, remedy)
