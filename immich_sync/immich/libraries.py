"""What the account sees in external libraries, which no checksum tells.

Its own module because it is asked once for each folder: the server knows such files by their paths
only, so the same photos, uploaded, would be there twice.
"""

from immich_sync.immich import wire
from immich_sync.immich.client import Call, Immich

_PAGE = 100
"""Assets looked at for one name: more have the name of one photo only in a very odd library."""


async def path_in_library(immich: Immich, name: str) -> str | None:
    """The path of a file of this name in an external library of the account; None if none is.

    An asset of an external library names the library, and its own path (Immich 3.1: the library's
    files keep their names; libraries themselves are listed for administrators only). Needs the
    permission `asset.read`. Raises ServerTrouble.
    """
    what = "asking what lies in external libraries"
    wanted = {"originalPath": f"/{name}", "size": _PAGE}
    call = Call("POST", "/search/metadata", what, json=wanted)
    for found in (await immich.ask(call, wire.SEARCH_ANSWER)).assets.items:
        if found.libraryId is not None and found.originalPath.rpartition("/")[2] == name:
            return found.originalPath
    return None
