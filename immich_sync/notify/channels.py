"""Who is told: the log always, and whoever was configured.

Its own module because the announcer and `notify --test` ask the same ones.
"""

import hashlib
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import partial

import structlog

from immich_sync.core.folder import Notify
from immich_sync.core.types import Secret
from immich_sync.notify import apprises, webhook
from immich_sync.notify.message import Message

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Channel:
    """One way to tell somebody; `send` raises NotDelivered."""

    key: str  # the same for the same address, which it does not tell
    label: str  # for people
    send: Callable[[Message], Awaitable[None]]


async def to_the_log(message: Message) -> None:
    """Each condition is a line."""
    if message.kind == "well":
        log.info("all_well_again")
    for one in message.conditions:
        log.error("needs_you", condition=one.what, subject=one.subject, why=one.text)
    if message.kind == "test":
        log.info("notification_test")


LOG = Channel("log", "the log", to_the_log)


def outside(notify: Notify) -> tuple[Channel, ...]:
    """The channels that were configured, without the log."""
    found = []
    if notify.webhook is not None:
        send = partial(webhook.post, notify.webhook)
        found.append(Channel(_key("webhook", notify.webhook), "the webhook", send))
    for number, address in enumerate(notify.apprise, 1):
        scheme = address.reveal().partition(":")[0]
        label = f"Apprise, address {number} ({scheme})"
        found.append(Channel(_key("apprise", address), label, partial(apprises.notify, address)))
    return tuple(found)


def _key(kind: str, address: Secret) -> str:
    digest = hashlib.sha256(address.reveal().encode()).hexdigest()
    return f"{kind}-{digest[:16]}"
