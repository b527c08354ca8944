"""Who may ask how it is, and who is told: the addresses of `[health]` and `[notify]`.

Its own module because these concern neither accounts nor folders, and hold secrets of their own.
"""

import re
from pathlib import Path

from immich_sync.config.load import Key, Written
from immich_sync.config.values import web_address
from immich_sync.core.folder import Health, Notify
from immich_sync.core.types import Secret

_LONGEST = 65_536  # bytes of a file with addresses
_SCHEME = re.compile(r"[a-z][a-z0-9+.-]*://\S+", re.IGNORECASE)


def resolve_health(written: Written) -> Health | None:
    """Where it is to be listened; None if nowhere."""
    table = written.settings.health
    return None if table.listen is None else Health(*table.listen, table.hosts)


def resolve_notify(written: Written) -> Notify:
    """Who is told and when; what nobody wrote filled in. Raises Misconfigured."""
    table = written.settings.notify
    webhook = table.webhook_url or ""
    if table.webhook_url_file is not None:
        webhook = _webhook(written, table.webhook_url_file)
    urls: list[str] = []
    if table.apprise_urls_file is not None:
        urls = _urls(written, table.apprise_urls_file)
    times = table.model_dump(include={"after", "stuck_after", "remind_after"}, exclude_none=True)
    return Notify(Secret(webhook) if webhook else None, tuple(map(Secret, urls)), **times)


def _webhook(written: Written, file: str) -> str:
    key = ("notify", "webhook_url_file")
    lines = _lines(written, key, file)
    try:
        (url,) = (web_address(line) for line in lines)
    except ValueError:
        raise written.wrong(
            key, f"{file} is to hold one address that begins with http:// or https://"
        ) from None
    return url


def _urls(written: Written, file: str) -> list[str]:
    """One address in a line; what is written there is in no error, for it may be secret."""
    key = ("notify", "apprise_urls_file")
    lines = _lines(written, key, file)
    for number, line in enumerate(lines, 1):
        if not _SCHEME.fullmatch(line):
            raise written.wrong(
                key, f"address {number} in {file} is none of Apprise's, such as ntfy://topic"
            )
    return lines


def _lines(written: Written, key: Key, file: str) -> list[str]:
    """The lines of a file that say something. Raises Misconfigured."""
    try:
        with Path(file).expanduser().open("rb") as opened:
            found = opened.read(_LONGEST).decode()
    except (OSError, ValueError, RuntimeError) as error:
        why = error.strerror if isinstance(error, OSError) else "no text, or not a path"
        raise written.wrong(key, f"{file} cannot be read ({why})") from None
    lines = (line.strip() for line in found.splitlines())
    return [line for line in lines if line and not line.startswith("#")]
