"""Into Immich's trash, and out of it again.

Its own module because only a person's configuration leads here, and because what is asked of the
server stops at the trash: nothing here, or anywhere else, deletes an asset for good.
"""

from collections.abc import Sequence

from immich_sync.core.types import AssetId
from immich_sync.immich import wire
from immich_sync.immich.client import Call, Immich

_BAD_REQUEST = 400
_NOT_SHOWN = (400, 404)
_OK = range(200, 300)


async def restore(immich: Immich, asset: AssetId) -> None:
    """The asset is out of the trash, if it was there and is ours; only a check tells.

    Needs the permission `asset.delete`. An asset that is gone altogether is answered with 400
    (Immich 3.1: trash.service, access.ts). Raises ServerTrouble.
    """
    what = "taking a photo out of the trash"
    call = Call("POST", "/trash/restore/assets", what, json={"ids": [asset]})
    answer = await immich.send(call)
    if answer.status == _BAD_REQUEST and answer.message:
        return
    immich.read(answer, wire.RESTORED, what)


async def is_kept(immich: Immich) -> bool:
    """Whether the server keeps a trash: without one it deletes for good. Raises ServerTrouble."""
    call = Call("GET", "/server/features", "asking whether it keeps a trash")
    return (await immich.ask(call, wire.FEATURES)).trash


async def put(immich: Immich, assets: Sequence[AssetId]) -> bool:
    """The assets are in the trash, or none is (False); only a check tells.

    Ask `is_kept` before. Needs the permission `asset.delete`. If one of them is gone or not ours,
    the server does nothing and answers 400 (Immich 3.1: asset.service, access.ts). Raises
    ServerTrouble, after which nobody knows.
    """
    what = "putting photos into the trash"
    body = {"ids": list(assets), "force": False}
    answer = await immich.send(Call("DELETE", "/assets", what, json=body))
    if answer.status in _OK:
        immich.gate.succeeded()
        return True
    if answer.status == _BAD_REQUEST and answer.message:
        return False
    raise immich.refuse(answer, what)


async def is_hidden(immich: Immich, asset: AssetId) -> bool | None:
    """Whether Immich shows it nowhere by itself: the motion part of a live photo.

    None if it tells this key nothing of it: it is gone, or a person put it into the locked folder
    (Immich 3.1: access.ts). Needs the permission `asset.read`. Raises ServerTrouble.
    """
    call = Call("GET", f"/assets/{asset}", "asking how a photo is shown")
    answer = await immich.send(call)
    if answer.status in _NOT_SHOWN and answer.message:
        immich.gate.succeeded()
        return None
    return immich.read(answer, wire.SHOWN, call.what).visibility == "hidden"
