"""Which checksums an account already has.

Its own module because two steps of the pipeline ask this: before an upload, and after it as proof.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from immich_sync.coalesce import Coalescer
from immich_sync.core.errors import NotImmich, Rejected, TooLarge
from immich_sync.core.types import AssetId, Checksum
from immich_sync.immich import wire
from immich_sync.immich.client import Call, Immich

MOST = 5_000
"""Checksums in one call; both official clients keep to it (the server has no chunking)."""
_UNSUPPORTED = "unsupported-format"


@dataclass(frozen=True, slots=True)
class Presence:
    """What the server knows of a checksum: no asset, or this one, perhaps in the trash."""

    asset_id: AssetId | None
    trashed: bool = False


class UnsupportedFormat(Rejected):
    """The server takes no such file (it says so in two spellings; Immich 3.1 never does)."""


async def bulk_check(immich: Immich, checksums: Sequence[Checksum]) -> list[Presence]:
    """One presence a checksum, in order. Raises ServerTrouble.

    The server hashed what it stores, so this also proves which bytes it has. It looks among the
    caller's own assets, the trash included (Immich 3.1: asset-media.service).
    """
    answers = await _check_all(immich, checksums)
    return [Presence(None) if isinstance(one, Exception) else one for one in answers]


def checker(immich: Immich, *, linger: float = 0.005) -> Coalescer[Checksum, Presence]:
    """Checks asked for one by one, sent many at once."""

    async def call(checksums: Sequence[Checksum]) -> Sequence[Presence | UnsupportedFormat]:
        return await _check_all(immich, checksums)

    return Coalescer(call, most=MOST, linger=linger)


async def _check_all(
    immich: Immich, checksums: Sequence[Checksum]
) -> list[Presence | UnsupportedFormat]:
    """In calls of at most MOST; what is too large for a proxy on the way is asked in halves."""
    found: list[Presence | UnsupportedFormat] = []
    for start in range(0, len(checksums), MOST):
        part = checksums[start : start + MOST]
        try:
            found += await _check(immich, part)
        except TooLarge as error:
            if len(part) == 1:
                raise NotImmich(f"Even the smallest question is refused: {error}") from error
            middle = len(part) // 2
            found += await _check_all(immich, part[:middle])
            found += await _check_all(immich, part[middle:])
    return found


async def _check(
    immich: Immich, checksums: Sequence[Checksum]
) -> list[Presence | UnsupportedFormat]:
    what = "asking which files it already has"
    asked = [{"id": str(n), "checksum": checksum.hex()} for n, checksum in enumerate(checksums)]
    call = Call("POST", "/assets/bulk-upload-check", what, json={"assets": asked})
    answer = await immich.ask(call, wire.CHECK_RESULTS)
    by_id = {result.id: result for result in answer.results}
    if len(answer.results) != len(asked) or by_id.keys() != {item["id"] for item in asked}:
        raise NotImmich(
            f"The server answered for other files than it was asked for while {what}."
            " Is a cache in between?"
        )
    return [_presence(by_id[item["id"]]) for item in asked]


def _presence(result: wire.CheckResult) -> Presence | UnsupportedFormat:
    if result.action == "accept":
        return Presence(None)
    if result.reason is not None and result.reason.replace("_", "-") == _UNSUPPORTED:
        return UnsupportedFormat("The server does not take files of this format.")
    if result.assetId is None:
        raise NotImmich("The server said that it has a file without naming its asset.")
    return Presence(AssetId(result.assetId), result.isTrashed)
