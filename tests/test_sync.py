"""The synchronous twin: the same code, the same errors, no loop in sight."""

import inspect
from collections.abc import Iterator
from pathlib import Path

import pytest
from anyio.from_thread import start_blocking_portal

from immich_sync import Refused
from immich_sync import assets as asynchronous
from immich_sync.sandbox import Sandbox
from immich_sync.sync import AssetsApi
from tests.library import write_photo


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    """A server on a loop in a thread of its own."""
    with (
        start_blocking_portal() as portal,
        portal.wrap_async_context_manager(Sandbox()) as server,
    ):
        yield server


def test_up_and_down(sandbox: Sandbox, tmp_path: Path) -> None:
    """What went up comes down, without a word of `async`."""
    path = write_photo(tmp_path)
    with AssetsApi(f"{sandbox.url}/api", sandbox.api_key) as assets:
        result = assets.upload(path, album_name="Best")
        asset = result.uploaded[0].asset.id
        assert asset is not None
        found = assets.download_asset_to_file(asset, tmp_path / "out")
        (archive,) = assets.download_archive_to_file([asset], tmp_path / "out")

    assert found.read_bytes() == path.read_bytes()
    assert archive.exists()


def test_every_method_has_its_twin() -> None:
    """What the asynchronous one can do, the synchronous one can, with the same parameters."""
    methods = {
        name: function
        for name, function in vars(asynchronous.AssetsApi).items()
        if inspect.iscoroutinefunction(function) and not name.startswith("_")
    }
    twins = {name: vars(AssetsApi)[name] for name in methods}

    assert len(methods) == 7
    assert {name: inspect.signature(one) for name, one in twins.items()} == {
        name: inspect.signature(one) for name, one in methods.items()
    }
    assert not any(inspect.iscoroutinefunction(one) for one in twins.values())


def test_errors_come_through(sandbox: Sandbox, tmp_path: Path) -> None:
    """An error is the one that the asynchronous method raises; a caller's own passes through."""
    with AssetsApi(sandbox.url, "wrong-key-0123456789") as assets, pytest.raises(Refused):
        assets.upload(tmp_path)
    with AssetsApi(sandbox.url, sandbox.api_key) as assets, pytest.raises(ValueError, match="1 or"):
        assets.upload(tmp_path, concurrency=0)
    with (
        pytest.raises(ZeroDivisionError),
        AssetsApi(sandbox.url, sandbox.api_key),
    ):
        _ = 1 // 0
    with pytest.raises(RuntimeError, match="with AssetsApi"):
        AssetsApi(sandbox.url, sandbox.api_key).upload(tmp_path)


def test_no_server_no_thread() -> None:
    """A key that can be none is told on entering, and leaves no thread behind."""
    with pytest.raises(Exception, match="API key"), AssetsApi("http://nas", "two words"):
        pass
