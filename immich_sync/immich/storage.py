"""How much room the server has left.

Its own module because asking needs a permission that few keys have (`server.storage`), and not
having it must stop nothing.
"""

from immich_sync.core.errors import NotImmich, Refused
from immich_sync.immich import wire
from immich_sync.immich.client import Call, Immich

PERMISSION = "server.storage"
"""What a key needs for asking (Immich 3.1: enum.ts)."""


async def room_left(immich: Immich) -> int | None:
    """Bytes free on the disk of the server's uploads; None if it does not tell us.

    Raises ServerTrouble, but not for a key that may not ask. Source: `GET /server/storage`.
    """
    call = Call("GET", "/server/storage", "asking how much room it has")
    try:
        return (await immich.ask(call, wire.STORAGE)).diskAvailableRaw
    except Refused as refusal:
        if refusal.permission is None:
            raise
        return None
    except NotImmich:  # a version that puts it otherwise: its uploads will tell if it is no Immich
        return None
