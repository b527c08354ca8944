"""The process around the engine, as other programs may run it."""

import os
import threading
from pathlib import Path

import pytest

from immich_sync import daemon
from immich_sync.core.folder import Account, Folder, Limits, Setup
from immich_sync.core.types import Secret
from immich_sync.sandbox import Sandbox


@pytest.mark.anyio
async def test_a_run_that_ended_leaves_nothing_that_could_end_the_process(tmp_path: Path) -> None:
    """The last resort against a hanging disk is called off once all has ended by itself."""
    photos = tmp_path / "photos"
    photos.mkdir()
    async with Sandbox() as sandbox:
        account = Account("default", sandbox.url, Secret(sandbox.api_key))
        folder = Folder("photos", os.fsencode(photos), "default")
        setup = Setup((account,), (folder,), Limits(), str(tmp_path / "state"))

        assert await daemon.run(setup, once=True, within=30) == 0

    assert not [one for one in threading.enumerate() if isinstance(one, threading.Timer)]
