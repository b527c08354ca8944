"""One file goes up, or it is known that it did not, or it is known that nobody knows.

Its own module because what an upload's answers mean is a story of its own: a broken one may have
arrived, and a refusal may concern the file, the route, the account or the world.
"""

from collections.abc import Callable
from dataclasses import dataclass

import anyio

from immich_sync.core.errors import (
    FileChanged,
    NotImmich,
    OutcomeUnknown,
    Rejected,
    ServerTrouble,
    TooLarge,
    Unreachable,
)
from immich_sync.core.ports import Blocking, Lane, Source
from immich_sync.core.types import AssetId
from immich_sync.immich import wire
from immich_sync.immich.body import Announced, Body, changed_under
from immich_sync.immich.client import Immich
from immich_sync.immich.trouble import BREAKS, Answer

__all__ = ["Announced", "Uploaded", "upload"]

_OK, _CREATED = 200, 201
_BAD_REQUEST, _FORBIDDEN, _CONTENT_TOO_LARGE, _SERVER_ERROR = 400, 403, 413, 500
_CUT_SHORT = ("Request aborted", "Unexpected end of form", "Multipart:")


@dataclass(frozen=True, slots=True)
class Uploaded:
    """The server's word for an upload; `duplicate`: it had the bytes, perhaps in its trash.

    A duplicate's sidecar was not taken (Immich 3.1: asset-media.service).
    """

    asset_id: AssetId
    duplicate: bool


async def upload(
    immich: Immich,
    announced: Announced,
    source: Source,
    sidecar: bytes | None,
    blocking: Blocking,
    lane: Lane,
    moved: Callable[[int], None] = lambda _: None,
) -> Uploaded:
    """The file is on the server, by its own word; whether whole, only its checksum tells.

    `moved` is told how many bytes went out, again and again.

    Raises FileChanged (nothing was stored), FileUnreadable, Rejected, TooLarge, ServerTrouble, and
    OutcomeUnknown where the upload broke or its answer was lost.
    """
    immich.gate.check()
    limits = immich.limits
    what = f"uploading {immich.quote(announced.name)}"
    watchdog = anyio.CancelScope()

    def expect_within(seconds: float) -> None:
        watchdog.deadline = anyio.current_time() + seconds

    body = Body(announced, source, sidecar, blocking, lane, limits, expect_within)
    body.moved = moved
    headers = {
        "content-type": body.content_type,
        "content-length": str(body.length),
        "x-immich-checksum": announced.checksum.hex(),
    }
    request = immich.upload_request("/assets", headers, body)
    answer: Answer | None = None
    trouble: ServerTrouble = Unreachable(f"Nothing moved for too long while {what}.")
    expect_within(limits.connect_timeout + limits.stall_timeout)
    with watchdog:
        try:
            answer = await immich.exchange(request)
        except BREAKS as error:
            trouble = immich.broken(error, what)
        except NotImmich as error:  # an endless answer
            trouble = error
    if body.changed:
        raise FileChanged(changed_under(announced))
    if answer is not None:
        return _judge(immich, answer, announced, what)
    if not body.begun:
        raise trouble
    raise OutcomeUnknown(str(trouble))


def _judge(immich: Immich, answer: Answer, announced: Announced, what: str) -> Uploaded:
    """What the answer means for this file; source: Immich 3.1, asset-media.service."""
    status, message = answer.status, immich.quote(answer.message)
    name = immich.quote(announced.name)
    if status in {_OK, _CREATED} and answer.is_json:
        try:
            said = immich.read(answer, wire.UPLOAD_ANSWER, what)
        except NotImmich as error:  # cut short on its way, perhaps
            raise OutcomeUnknown(str(error)) from None
        return Uploaded(AssetId(said.id), said.status == "duplicate")
    if status == _CONTENT_TOO_LARGE:
        raise TooLarge(
            f"{name} ({announced.stamp.size / 1e6:.1f} MB) is larger than what the way to the"
            " server lets through (413). Raise the limit of the proxy in front of Immich (nginx:"
            " client_max_body_size; Cloudflare: 100 MB, not to be raised), or configure an address"
            " that goes around it."
        )
    if (
        status == _SERVER_ERROR
        or (status in {_BAD_REQUEST, _FORBIDDEN} and not message)
        or any(mark in message for mark in _CUT_SHORT)
    ):
        raise OutcomeUnknown(f"{name}: the server answered {status} to its upload ({message}).")
    if status == _BAD_REQUEST and "quota" not in message.lower():
        raise Rejected(f"{name} is refused by the server: {message}.")
    said = immich.read(answer, wire.UPLOAD_ANSWER, what)  # raises what any other status stands for
    return Uploaded(AssetId(said.id), said.status == "duplicate")
