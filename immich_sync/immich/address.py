"""The address of a server, as people write it and as the program keeps it.

Its own module because configuration needs it too, and must not pay for an HTTP client.
"""

from urllib.parse import urlsplit

from immich_sync.core.errors import Misconfigured


def normalise(text: str) -> str:
    """Scheme, host, port and path of a server: without `/api`, without a slash at the end.

    Raises Misconfigured, naming what is wrong without repeating a password.
    """
    try:
        parts = urlsplit(text.strip())
        host, port = parts.hostname, parts.port
    except ValueError:
        raise Misconfigured(
            "The server's address is no URL; write it like http://nas:2283"
        ) from None
    if parts.scheme not in {"http", "https"} or not host:
        raise Misconfigured(
            "The server's address must be an http:// or https:// URL with a host,"
            " like http://nas:2283"
        )
    if parts.username is not None or parts.password is not None:
        raise Misconfigured(
            "The server's address must not hold a user or password: configure an API key instead"
        )
    if parts.query or parts.fragment:
        raise Misconfigured("The server's address must end before any '?' or '#'")
    if any(c.isspace() or not c.isprintable() or c == "\\" for c in parts.netloc + parts.path):
        raise Misconfigured("The server's address must not hold spaces or backslashes")
    path = parts.path.rstrip("/")
    while path.endswith("/api"):
        path = path.removesuffix("/api").rstrip("/")
    name = f"[{host}]" if ":" in host else host
    return f"{parts.scheme}://{name}{'' if port is None else f':{port}'}{path}"
