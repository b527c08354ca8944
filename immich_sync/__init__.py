"""Every photo and video of a folder in Immich: once, whole, in the right album, and proved.

What is named here is what other programs may rely on; it is imported when it is first used, so
that `immich-sync --help` need not wait for it.
"""

from importlib import import_module
from typing import TYPE_CHECKING

from immich_sync.version import VERSION

if TYPE_CHECKING:
    from immich_sync.assets import AssetsApi, UploadResult
    from immich_sync.core.errors import (
        FileChanged,
        FileTrouble,
        FileUnreadable,
        FileVanished,
        Full,
        Maintenance,
        Misconfigured,
        NotImmich,
        OutcomeUnknown,
        Overloaded,
        Refused,
        Rejected,
        ServerTrouble,
        StateTrouble,
        Suspected,
        SyncTrouble,
        TooLarge,
        Unreachable,
        Untrusted,
    )
    from immich_sync.sandbox import Sandbox

__version__ = VERSION

__all__ = [
    "AssetsApi",
    "FileChanged",
    "FileTrouble",
    "FileUnreadable",
    "FileVanished",
    "Full",
    "Maintenance",
    "Misconfigured",
    "NotImmich",
    "OutcomeUnknown",
    "Overloaded",
    "Refused",
    "Rejected",
    "Sandbox",
    "ServerTrouble",
    "StateTrouble",
    "Suspected",
    "SyncTrouble",
    "TooLarge",
    "Unreachable",
    "Untrusted",
    "UploadResult",
    "__version__",
]

_HOMES = {
    "AssetsApi": "immich_sync.assets",
    "Sandbox": "immich_sync.sandbox",
    "UploadResult": "immich_sync.results",
}


def __getattr__(name: str) -> object:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_HOMES.get(name, "immich_sync.core.errors")), name)


def __dir__() -> list[str]:
    return __all__
