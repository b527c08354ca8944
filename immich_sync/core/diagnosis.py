"""What `doctor` says of a server and the way to it: how bad it is, and what to do about it.

Its own module because every judgement is a line that can be read and argued about, away from how
the server is asked. `core.grounds` does the same for this machine.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from ipaddress import ip_address
from urllib.parse import urlsplit

OK, WARNING, ERROR = "ok", "warning", "error"
"""How bad a finding is; an error keeps photos from being synced, or may cost what was learnt."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at. Scripts read these names: they do not change."""

    what: str  # configuration | server | key | library | clock | way | state | folder | watches
    subject: str  # which account, folder or path
    level: str
    said: str
    remedy: str = ""  # one sentence; "" if all is well


@dataclass(frozen=True, slots=True)
class Examination:
    """All findings; `healthy` means that none of them is an error."""

    healthy: bool
    findings: tuple[Finding, ...]


OLDEST, NEWEST = (2, 7), 3
"""The first version known to work, and the newest major version that is known."""
STEADY = 60.0
"""Seconds that two clocks may differ: more, and new photos seem to come from another time."""
COMMON_LIMIT = 100_000_000
"""Bytes: what Cloudflare lets through, and many follow."""


def unknown(found: tuple[int, int, int]) -> str | None:
    """What is said of a version newer than any that is known; None if it is known.

    What a new version answers may not mean what it meant: uploads prove themselves by checksums,
    deletions could not be taken back.
    """
    if found[0] <= NEWEST:
        return None
    name = ".".join(map(str, found))
    return f"Immich {name} is newer than any that is known ({NEWEST}.x)."


def version(subject: str, found: tuple[int, int, int]) -> Finding:
    """Whether this version of Immich is known to work."""
    name = ".".join(map(str, found))
    if found[:2] < OLDEST:
        return Finding(
            "server", subject, ERROR, f"Immich {name} is older than any that is known to work.",
            "Update Immich to 2.7 or later.",
        )  # fmt: skip
    if newer := unknown(found):
        return Finding(
            "server", subject, WARNING, newer,
            "Uploads go on and are proved as ever, nothing is deleted, neither here nor there;"
            " look for a newer immich-sync.",
        )  # fmt: skip
    return Finding("server", subject, OK, f"Immich {name} answers.")


def key(subject: str, needed: Sequence[str], missing: Sequence[str]) -> Finding:
    """Whether the key may do what the configured features need."""
    if missing:
        return Finding(
            "key", subject, ERROR, f"The API key lacks {', '.join(missing)}.",
            "Edit the key in Immich under Account Settings → API Keys and add what is missing.",
        )  # fmt: skip
    return Finding("key", subject, OK, f"The API key may do what is needed: {', '.join(needed)}.")


def key_file(subject: str, path: str, *, open_to_all: bool) -> Finding:
    """Whether the key is for its owner alone to read."""
    if open_to_all:
        said = f"Every user of this machine may read the key in {path}."
        return Finding("key", subject, WARNING, said, f"chmod 600 {path}")
    return Finding("key", subject, OK, f"{path} is not for everybody to read.")


def room(subject: str, free: int | None, least: int) -> Finding:
    """Whether the server has as much room as is wanted; bytes, None if it does not tell."""
    if free is None:
        return Finding(
            "server", subject, WARNING,
            "The key may not ask how much room the server has: uploads will not pause before its"
            " disk is full.",
            'Add server.storage to the key, or set min_server_free = "0".',
        )  # fmt: skip
    if free < least:
        return Finding(
            "server", subject, ERROR,
            f"The server has {size(max(free, 0))} left, less than min_server_free ({size(least)}):"
            " uploads pause.",
            "Free some space there (Immich's trash counts until it is emptied).",
        )  # fmt: skip
    return Finding("server", subject, OK, f"The server has {size(free)} left.")


def libraries(subject: str, *, may_look: bool) -> Finding | None:
    """A remark if a new folder's photos could be in an external library without our seeing it."""
    if may_look:
        return None
    return Finding(
        "library", subject, OK,
        "Without the permission asset.read it cannot be seen whether a new folder's photos are in"
        " an external library of Immich already; give the key that if you have one.",
    )  # fmt: skip


def clock(subject: str, ahead: float | None) -> Finding:
    """Whether our clock and the server's agree; `ahead` in seconds, None if it does not say."""
    if ahead is None:
        return Finding("clock", subject, OK, "The server does not tell its time.")
    if abs(ahead) <= STEADY:
        return Finding("clock", subject, OK, "The clocks agree.")
    which = "ahead of" if ahead > 0 else "behind"
    return Finding(
        "clock", subject, WARNING,
        f"This machine's clock is {_span(abs(ahead))} {which} the server's.",
        "Let both set their clocks by NTP (timedatectl set-ntp true).",
    )  # fmt: skip


def secrecy(subject: str, url: str) -> Finding | None:
    """A warning if the key would cross the internet for all to read."""
    parts = urlsplit(url)
    host = parts.hostname or ""
    if parts.scheme == "https" or _is_near(host):
        return None
    return Finding(
        "way", subject, WARNING, f"The key and the photos go to {host} unencrypted.",
        "Give the server an https:// address, or reach it through a VPN.",
    )  # fmt: skip


def _is_near(host: str) -> bool:
    try:
        return ip_address(host).is_private
    except ValueError:
        return "." not in host or host.endswith(
            (".local", ".lan", ".home", ".internal", ".home.arpa", ".localhost", ".fritz.box")
        )


def passage(subject: str, taken: int, refused: int | None, largest: int) -> Finding:
    """How large an upload the way takes, in bytes: `taken` passed, `refused` (if any) did not.

    `largest` is the largest file there is.
    """
    if refused is None:
        said = f"The way to the server takes uploads of {size(taken)}."
        return Finding("way", subject, OK, said)
    said = f"Something on the way refuses uploads of {size(refused)}"
    said += f"; {size(taken)} pass." if taken else "."
    remedy = (
        "Raise the limit of the proxy in front of Immich (nginx: client_max_body_size 0), or"
        " configure an address that goes around it."
    )
    return Finding("way", subject, ERROR if largest > taken else WARNING, said, remedy)


def _span(seconds: float) -> str:
    for length, unit in ((86_400, "days"), (3600, "hours"), (60, "minutes")):
        if seconds >= 2 * length:
            return f"{seconds / length:.0f} {unit}"
    return f"{seconds:.0f} seconds"


def size(number: float) -> str:
    """Bytes in steps of a thousand, as proxies and disks count them."""
    for unit in ("B", "kB", "MB", "GB"):
        if number < 1000 or unit == "GB":  # noqa: PLR2004 - a step
            break
        number /= 1000
    return f"{number:.0f} {unit}" if unit in {"B", "kB"} or number >= 10 else f"{number:.1f} {unit}"  # noqa: PLR2004 - one digit
