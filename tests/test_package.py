"""What the package shows to other programs, and what it costs to look at it."""

import json
import subprocess
import sys

import pytest

import immich_sync

SCRIPT = """
import json, sys
import immich_sync
print(json.dumps(sorted(name for name in sys.modules if "." in name or name == "httpx")))
"""


def test_public_names() -> None:
    """These names can be relied on; each is there, and nothing else shows itself."""
    assert immich_sync.__all__ == [
        "AssetsApi", "FileChanged", "FileTrouble", "FileUnreadable", "FileVanished", "Full",
        "Maintenance", "Misconfigured", "NotImmich", "OutcomeUnknown", "Overloaded", "Refused",
        "Rejected", "Sandbox", "ServerTrouble", "StateTrouble", "Suspected", "SyncTrouble",
        "TooLarge", "Unreachable", "Untrusted", "UploadResult", "__version__",
    ]  # fmt: skip
    assert all(getattr(immich_sync, name).__name__ == name for name in immich_sync.__all__[:-1])
    assert dir(immich_sync) == immich_sync.__all__
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = immich_sync.nothing


def test_imports_are_lazy() -> None:
    """Importing the package imports no more of it than its version, and no library."""
    done = subprocess.run(  # noqa: S603 - our own script
        [sys.executable, "-c", SCRIPT], capture_output=True, text=True, check=True
    )
    loaded = json.loads(done.stdout)

    assert [name for name in loaded if name.startswith(("immich_sync.", "httpx", "anyio"))] == [
        "immich_sync.version"
    ]
