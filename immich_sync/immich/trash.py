"""Out of Immich's trash again.

Its own module because it is the one thing that we ask of the trash, and only where a person
configured it; nothing here or elsewhere puts anything into it.
"""

from immich_sync.core.types import AssetId
from immich_sync.immich import wire
from immich_sync.immich.client import Call, Immich

_BAD_REQUEST = 400


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
