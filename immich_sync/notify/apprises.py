"""Apprise: mail, ntfy, Telegram and a hundred others, if it is installed.

Its own module because Apprise is an extra and slow to import: nobody pays who does not use it.
"""

import logging
from collections.abc import Callable
from threading import Thread

import anyio
import anyio.from_thread
import anyio.lowlevel

from immich_sync.core.types import Secret
from immich_sync.notify.message import Message, NotDelivered

PATIENCE = 60.0
"""Seconds for all of it; Apprise has timeouts of its own."""


async def notify(address: Secret, message: Message) -> None:
    """The message has been taken. Raises NotDelivered, whose text does not hold the address."""
    try:
        with anyio.fail_after(PATIENCE):
            why = await _aside(lambda: _notify(address, message))
    except TimeoutError:
        raise NotDelivered("it does not answer") from None
    if why:
        raise NotDelivered(why)


def _notify(address: Secret, message: Message) -> str:
    """Blocking: deliver it; why not, "" if it was."""
    try:
        import apprise  # noqa: PLC0415 - an extra
    except ImportError:
        return "Apprise is not installed: pip install 'immich-syncd[notify]'"
    logging.getLogger("apprise").setLevel(logging.CRITICAL)  # its lines hold addresses
    service = apprise.Apprise()
    if not service.add(address.reveal()):
        return "Apprise does not understand the address"
    kind = {"trouble": "warning", "reminder": "warning", "well": "success"}.get(
        message.kind, "info"
    )
    taken = service.notify(title=message.title, body=message.text, notify_type=kind)
    return "" if taken else "it was not taken"


async def _aside(function: Callable[[], str]) -> str:
    """What `function` returns, from a thread that keeps no process from ending."""
    done, found, token = anyio.Event(), list[str](), anyio.lowlevel.current_token()

    def work() -> None:
        try:
            found.append(function())
        except Exception as error:  # noqa: BLE001 - whatever breaks in there, it was not delivered
            found.append(f"it broke ({type(error).__name__})")
        try:
            anyio.from_thread.run_sync(done.set, token=token)
        except RuntimeError:
            return  # nobody waits any more

    Thread(target=work, name="apprise", daemon=True).start()
    await done.wait()
    return found[0]
