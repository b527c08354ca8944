"""Tells systemd how the service is: ready, what it does, that its loop turns, that it stops.

Its own module because the protocol (sd_notify(3)) is a datagram of text and needs no library.
"""

import contextlib
import os
import socket
import time


def ready() -> None:
    """The service has started."""
    notify("READY=1")


def reloading() -> None:
    """The configuration is being read anew; `ready` follows, whether it was taken or not."""
    notify(f"RELOADING=1\nMONOTONIC_USEC={time.monotonic_ns() // 1000}")


def stopping() -> None:
    """The service has begun to stop."""
    notify("STOPPING=1")


def alive() -> None:
    """It gets on with its work; to be said more often than `watchdog_interval`."""
    notify("WATCHDOG=1")


def status(text: str) -> None:
    """One line for `systemctl status`."""
    notify("STATUS=" + " ".join(text.split()))


def notify(message: str) -> None:
    """Send `message` to systemd; nothing happens without one, and nothing is raised.

    A name that begins with @ stands for a socket outside the file system (unix(7), "abstract").
    """
    name = os.environ.get("NOTIFY_SOCKET", "")
    if not name.startswith(("/", "@")):
        return
    address = "\0" + name[1:] if name.startswith("@") else name
    # systemd being slow or gone must not hold up or end what works.
    with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender:
        sender.settimeout(0)
        sender.sendto(message.encode("utf-8", "backslashreplace"), address)


def watchdog_interval() -> float | None:
    """Seconds between two `alive()` that satisfy systemd: half of what it waits; None: it does not.

    systemd says for which process it means it (sd_watchdog_enabled(3)).
    """
    for_whom = os.environ.get("WATCHDOG_PID")
    if for_whom and for_whom != str(os.getpid()):
        return None
    microseconds = os.environ.get("WATCHDOG_USEC", "")
    if not (microseconds.isascii() and microseconds.isdigit()) or int(microseconds) == 0:
        return None
    return int(microseconds) / 2_000_000
