"""What the way to the server lets through, found out without sending it anything to keep.

Its own module because an upload learns of a limit only when it fails at it; here it is asked for
in advance, by questions that can store nothing.
"""

from collections.abc import AsyncIterator, Callable
from email.utils import parsedate_to_datetime

import anyio
import httpx

from immich_sync.core.errors import SyncTrouble, TooLarge
from immich_sync.immich import wire
from immich_sync.immich.client import Call, Immich
from immich_sync.immich.trouble import BREAKS

WORD = 2_000_000
"""Bytes of the one question that is really sent: more than nginx's default of 1 MiB."""
HESITATION, LOOKS = 0.1, 10
"""Seconds between two bytes of an upload that is only announced, and how many of them it gets: a
proxy that knows a limit says so on seeing the announced length."""
_TOO_LARGE = 413
_OPENING = b'--announced\r\nContent-Disposition: form-data; name="deviceId"\r\n\r\n'
_NOBODYS = "0" * 40  # a checksum that no file has
_QUESTION = f'{{"assets":[{{"id":"0","checksum":"{_NOBODYS}"}}]}}'.encode()


async def clock_ahead(immich: Immich, now: Callable[[], float]) -> float | None:
    """Seconds that our clock is ahead of the server's, to half a second; None if it tells none.

    `now` tells wall-clock seconds. Raises ServerTrouble.
    """
    call = Call("GET", "/server/ping", "asking for its time")
    asked = now()
    answer = await immich.send(call)
    heard = now()
    immich.read(answer, wire.PONG, call.what)
    try:
        said = parsedate_to_datetime(answer.headers.get("date", "")).timestamp() + 0.5
    except (ValueError, TypeError, OverflowError, IndexError):
        return None
    return (asked + heard) / 2 - said


async def takes_questions(immich: Immich, size: int = WORD) -> bool:
    """Whether a question of `size` bytes comes through; all but a few bytes are blanks.

    It asks for a checksum that no file has, so it changes nothing. Raises ServerTrouble.
    """
    what = f"asking in {size:,} bytes"
    headers = {"content-type": "application/json", "content-length": str(size)}
    body = _Padded(_QUESTION, size)
    request = immich.upload_request("/assets/bulk-upload-check", headers, body)
    try:
        with anyio.fail_after(immich.limits.stall_timeout):
            answer = await immich.exchange(request)
        immich.read(answer, wire.CHECK_RESULTS, what)
    except TooLarge:
        return False
    except BREAKS as error:
        raise immich.broken(error, what) from None
    return True


async def lets_through(immich: Immich, size: int) -> bool | None:
    """Whether an upload of `size` bytes would be let through; None where it cannot be told.

    It is announced, and broken off after a few bytes: Immich keeps nothing of an upload whose
    form does not end (Immich 3.1: file-upload.interceptor). A proxy that counts bytes only as they
    come is not found out by this.
    """
    headers = {
        "content-type": "multipart/form-data; boundary=announced",
        "content-length": str(size),
    }
    request = immich.upload_request("/assets", headers, _Hesitating())
    try:
        with anyio.fail_after(immich.limits.connect_timeout + HESITATION * LOOKS * 2):
            answer = await immich.exchange(request)
    except _NoObjection:
        return True
    except (*BREAKS, SyncTrouble):
        return None
    return False if answer.status == _TOO_LARGE else None


class _NoObjection(Exception):
    """Nobody has objected while an upload hesitated."""


class _Hesitating(httpx.AsyncByteStream):
    """A few bytes of a body, slowly; then it breaks off."""

    async def __aiter__(self) -> AsyncIterator[bytes]:
        yield _OPENING
        for _ in range(LOOKS):
            await anyio.sleep(HESITATION)
            yield b"-"
        raise _NoObjection


class _Padded(httpx.AsyncByteStream):
    """A JSON text, and blanks behind it."""

    def __init__(self, text: bytes, size: int) -> None:
        self._text = text
        self._blanks = size - len(text)

    async def __aiter__(self) -> AsyncIterator[bytes]:
        yield self._text
        left = self._blanks
        while left > 0:
            block = b" " * min(left, 1 << 16)
            left -= len(block)
            yield block
