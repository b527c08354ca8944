"""What a person can do about trouble with a server, beside waiting.

Its own module because `status` promises it for every leaf of the tree, and a test holds the two
against each other.
"""

from immich_sync.core.errors import (
    Full,
    Maintenance,
    NoRoom,
    NotImmich,
    Overloaded,
    Refused,
    ServerTrouble,
    Untrusted,
)

_BY_ITSELF = "It is asked again and again, and all goes on by itself"


def on_server(trouble: ServerTrouble) -> str:
    """The trouble's own sentence, and what follows from it."""
    return f"{trouble} {_advice(trouble)}".strip()


def _advice(trouble: ServerTrouble) -> str:
    match trouble:
        case NoRoom():
            return ""  # its sentence says it all
        case Full() | Refused() | NotImmich() | Untrusted():
            return f"{_BY_ITSELF} once that is mended; nothing is lost until then."
        case Maintenance() | Overloaded():
            return f"{_BY_ITSELF}; if it lasts, see the server's own log."
        case _:
            return f"{_BY_ITSELF}; see whether it runs, and whether the address is still right."
