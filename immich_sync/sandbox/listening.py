"""A socket to listen on.

Its own module because the server and the relay in front of it need the same one.
"""

import socket


def listen(host: str, port: int) -> socket.socket:
    """A bound socket (port 0: any free one); OSError if the address is taken."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # The protocol is named: asyncio turns Nagle's delay (40 ms an answer) off only then.
    bound = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        bound.bind((host, port))
    except OSError:
        bound.close()
        raise
    return bound
