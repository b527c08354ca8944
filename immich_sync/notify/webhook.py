"""A webhook: one POST of JSON.

Its own module because it is the one place outside of `immich` that speaks HTTP as a client. It
speaks to httpx's transport without httpx's client, whose log would hold the address: no redirects,
no cookies, no proxies and no passwords from the environment.
"""

import base64
import json

import anyio
import httpx

from immich_sync.core.types import Secret
from immich_sync.immich.transport import trust
from immich_sync.notify.message import PROGRAM, Message, NotDelivered

PATIENCE = 15.0
"""Seconds for all of it, however slowly the answer drips."""
_GOOD = range(200, 300)
_WHY = {
    httpx.ConnectTimeout: "it does not answer",
    httpx.ReadTimeout: "it does not answer",
    httpx.ConnectError: "it cannot be reached",
    httpx.UnsupportedProtocol: "its address does not begin with http:// or https://",
    httpx.InvalidURL: "its address is no address",
}


async def post(address: Secret, message: Message) -> None:
    """The message has been taken. Raises NotDelivered, whose text does not hold the address."""
    try:
        with anyio.fail_after(PATIENCE):
            status = await _answer(address, message)
    except TimeoutError:
        raise NotDelivered("it does not answer") from None
    except (httpx.HTTPError, httpx.InvalidURL, OSError, UnicodeError) as error:
        # No cause is kept: its text may hold the address.
        raise NotDelivered(
            _WHY.get(type(error), f"the exchange broke ({type(error).__name__})")
        ) from None
    if status not in _GOOD:
        raise NotDelivered(f"it answered {status}")


async def _answer(address: Secret, message: Message) -> int:
    url = httpx.URL(address.reveal())
    headers = {"content-type": "application/json", "user-agent": PROGRAM}
    if url.userinfo:
        word = f"{url.username}:{url.password}".encode()
        headers["authorization"] = f"Basic {base64.b64encode(word).decode()}"
    request = httpx.Request(
        "POST",
        url.copy_with(userinfo=b""),
        headers=headers,
        content=json.dumps(message.as_json()).encode(),
        extensions={"timeout": httpx.Timeout(PATIENCE).as_dict()},
    )
    tls = trust() if url.scheme == "https" else False
    async with httpx.AsyncHTTPTransport(verify=tls, trust_env=False) as transport:
        answer = await transport.handle_async_request(request)
        await answer.aclose()
        return answer.status_code
