"""Albums: found or made once, and filled.

Its own module because albums have rules of their own: names are not unique, lists differ between
versions, and a call that succeeds may have failed for every asset.
"""

from collections.abc import Sequence
from enum import Enum

from immich_sync.core.errors import FileTrouble, NotImmich, TooLarge
from immich_sync.core.types import AlbumId, AssetId
from immich_sync.immich import wire
from immich_sync.immich.client import Call, Immich
from immich_sync.immich.public import Link

_LIST_CAP = 64 * 1024 * 1024  # 2.x can only list all albums, owners and all
_FIRST_MODERN = 3  # the major version that finds albums by name
_OK, _BAD_REQUEST, _NOT_FOUND = 200, 400, 404
_NOT_ALLOWED = (401, 403)
_ADDING = "adding to an album"


class AddOutcome(Enum):
    """What became of one asset that was to join an album; by the server's words."""

    ADDED = "added"
    DUPLICATE = "duplicate"  # it was a member already
    NO_PERMISSION = "no_permission"  # not ours, or locked
    NOT_FOUND = "not_found"
    UNKNOWN = "unknown"

    @property
    def is_member(self) -> bool:
        """Whether the asset is in the album now."""
        return self in {AddOutcome.ADDED, AddOutcome.DUPLICATE}


class AlbumGone(FileTrouble):
    """The album is no longer there: its name is to be resolved once more."""


async def find(immich: Immich, name: str) -> AlbumId | None:
    """The oldest of the caller's own albums with exactly this name, if there is one.

    Raises ServerTrouble. 3.x lists shared albums too unless told otherwise; 2.x lists the owned
    ones and knows no names (Immich 2.7.5 and 3.1: album.dto, album.repository).
    """
    what = f"looking for the album {immich.quote(name)!r}"
    modern = (await immich.version()).major >= _FIRST_MODERN
    params = {"isOwned": "true", "name": name} if modern else None
    albums = await immich.ask(
        Call("GET", "/albums", what, params=params, cap=_LIST_CAP), wire.ALBUMS
    )
    user = None if modern else (await immich.whoami()).user
    ours = [
        album
        for album in albums
        if album.albumName == name and (user is None or album.ownerId in {None, user})
    ]
    if not ours:
        return None
    return AlbumId(min(ours, key=lambda album: (album.createdAt, album.id)).id)


async def exists(immich: Immich, album: AlbumId, link: Link) -> bool | None:
    """Whether this is the id of an album that may be looked at; None if nobody may ask.

    Raises ServerTrouble if there is no answer.
    """
    call = Call(
        "GET", f"/albums/{album}", "asking whether it is an album",
        params=link.params, cap=_LIST_CAP, headers=link.headers,
    )  # fmt: skip
    status = (await immich.send(call)).status
    return None if status in _NOT_ALLOWED else status == _OK


async def find_or_make(immich: Immich, name: str) -> AlbumId:
    """The album that `find` finds, or a new one. Raises ServerTrouble."""
    found = await find(immich, name)
    if found is not None:
        return found
    call = Call(
        "POST",
        "/albums",
        f"making the album {immich.quote(name)!r}",
        json={"albumName": name},
        idempotent=False,
    )
    made = await immich.ask(call, wire.ALBUM)
    return AlbumId(made.id)


async def add(immich: Immich, album: AlbumId, assets: Sequence[AssetId]) -> list[AddOutcome]:
    """What became of each asset, in order. Raises AlbumGone or ServerTrouble.

    The server answers 200 even if every asset failed (Immich 3.1: album.service).
    """
    results = await _add(immich, album, list(dict.fromkeys(assets)))
    return [_outcome(results.get(asset)) for asset in assets]


async def _add(immich: Immich, album: AlbumId, ids: Sequence[AssetId]) -> dict[str, wire.AddResult]:
    """The server's answers; what is too large for a proxy on the way is asked in halves."""
    call = Call("PUT", f"/albums/{album}/assets", _ADDING, json={"ids": list(ids)})
    answer = await immich.send(call)
    gone = answer.message and (
        answer.status == _NOT_FOUND
        or (answer.status == _BAD_REQUEST and "not found" in answer.message.lower())
    )
    if gone:
        raise AlbumGone(
            f"The album {album} is no longer on the server; its name is looked up again."
        )
    try:
        return {result.id: result for result in immich.read(answer, wire.ADD_RESULTS, _ADDING)}
    except TooLarge as error:
        if len(ids) == 1:
            raise NotImmich(f"Even the smallest request is refused: {error}") from error
    middle = len(ids) // 2
    return {
        **await _add(immich, album, ids[:middle]),
        **await _add(immich, album, ids[middle:]),
    }


def _outcome(result: wire.AddResult | None) -> AddOutcome:
    if result is None:
        raise NotImmich(f"The server left out an asset from its answer while {_ADDING}.")
    if result.success:
        return AddOutcome.ADDED
    try:
        return AddOutcome(result.error)
    except ValueError:
        return AddOutcome.UNKNOWN
