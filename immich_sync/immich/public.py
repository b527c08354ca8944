"""Public links: what takes the place of an API key, and how one with a password is opened.

Its own module because a link is a credential of its own kind: it never meets the account's key, and
what its password buys is a cookie that no other request may carry.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import httpx

from immich_sync.core.errors import NotImmich, Refused
from immich_sync.core.types import Secret
from immich_sync.immich.client import Call, Immich

COOKIE = "immich_shared_link_token"
_OPENING = "opening the public link"
_VALUE = re.compile(r"[!#-+\--:<-\[\]-~]+")  # RFC 6265, section 4.1.1: cookie-octet
_BAD_REQUEST, _UNAUTHORIZED, _FORBIDDEN = 400, 401, 403
_NO_PASSWORD = "not password protected"  # noqa: S105 - what the server says, and no password


@dataclass(frozen=True, slots=True)
class Link:
    """A public link, by its key or its slug, which takes the place of an API key; or none.

    `headers` go along with every request, for what stands in front of the server. One with a
    `password` opens nothing before `unlock`.
    """

    key: str | None = field(default=None, repr=False)
    slug: str | None = field(default=None, repr=False)
    headers: Mapping[str, str] | None = field(default=None, repr=False)
    password: Secret | None = None

    @property
    def params(self) -> dict[str, str]:
        """What it puts into the query."""
        named = {"key": self.key, "slug": self.slug}
        return {name: value for name, value in named.items() if value is not None}


async def unlock(immich: Immich, link: Link) -> Link:
    """The link with the cookie that its password is worth; itself if it has none.

    The server gives the cookie for a day; a link that needs no password opens with any
    (Immich 2.6 and later: shared-link.controller, shared-link.service). Raises Refused if the
    password is wrong or there is no such link, and other ServerTrouble. No word of the server's is
    repeated: it might hold the password.
    """
    if link.password is None or not link.params:
        return link
    body = {"password": link.password.reveal()}
    call = Call(
        "POST", "/shared-links/login", _OPENING,
        json=body, params=link.params, headers=link.headers,
    )  # fmt: skip
    answer = await immich.send(call)
    if answer.status == _BAD_REQUEST and _NO_PASSWORD in answer.message:
        return link
    if answer.status in {_UNAUTHORIZED, _FORBIDDEN}:
        if answer.message == "Invalid password":
            raise Refused("The public link does not open with this password.")
        raise Refused("There is no such public link: it may be mistyped or have expired.")
    if not httpx.codes.is_success(answer.status):
        raise immich.refuse(replace(answer, body=b""), _OPENING)
    for cookie in answer.headers.get_list("set-cookie"):
        name, _, value = cookie.partition(";")[0].strip().partition("=")
        if name == COOKIE and _VALUE.fullmatch(value):
            return replace(link, headers=_with_cookie(link.headers, f"{COOKIE}={value}"))
    raise NotImmich(
        "The server took the public link's password and sent no cookie for it. Does something in"
        " between take cookies away?"
    )


def _with_cookie(headers: Mapping[str, str] | None, cookie: str) -> dict[str, str]:
    given = {name.lower(): value for name, value in (headers or {}).items()}
    cookies = [given["cookie"], cookie] if "cookie" in given else [cookie]
    return {**given, "cookie": "; ".join(cookies)}
