"""The library for scripts and notebooks that know nothing of `async`.

Its own module because it starts a thread. It does nothing itself: every method is the asynchronous
one, run to its end on an event loop in that thread.
"""

from collections.abc import Callable, Coroutine
from concurrent.futures import Future
from contextlib import ExitStack
from functools import partial, wraps
from pathlib import Path
from types import TracebackType
from typing import Any, Concatenate, ParamSpec, Self, TypeVar, cast

from anyio.from_thread import BlockingPortal, start_blocking_portal

from immich_sync import assets
from immich_sync.core.folder import Limits

P = ParamSpec("P")
T = TypeVar("T")

__all__ = ["AssetsApi"]


def _waiting(
    method: Callable[Concatenate[assets.AssetsApi, P], Coroutine[Any, Any, T]],
) -> "Callable[Concatenate[AssetsApi, P], T]":
    """The same method, which returns when it is done; interrupting it cancels what it does."""

    @wraps(method)
    def wait(self: "AssetsApi", /, *args: P.args, **kwargs: P.kwargs) -> T:
        return self.wait_for(partial(method, self.asynchronous, *args, **kwargs))

    return cast("Callable[Concatenate[AssetsApi, P], T]", wait)


class AssetsApi:
    """`immich_sync.AssetsApi` with `with` instead of `async with`, and without `await`."""

    def __init__(
        self,
        base_url: str | None = None,
        api_key: str | None = None,
        *,
        state: str | Path | None = None,
        limits: Limits | None = None,
    ) -> None:
        self.asynchronous = assets.AssetsApi(base_url, api_key, state=state, limits=limits)
        self._stack = ExitStack()
        self._portal: BlockingPortal | None = None

    def __enter__(self) -> Self:
        with ExitStack() as stack:
            self._portal = stack.enter_context(start_blocking_portal())
            stack.enter_context(self._portal.wrap_async_context_manager(self.asynchronous))
            self._stack = stack.pop_all()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._portal = None
        self._stack.__exit__(kind, error, trace)

    def wait_for(self, work: Callable[[], Coroutine[Any, Any, T]]) -> T:
        """What `work` returns or raises, on the event loop of this AssetsApi."""
        if self._portal is None:
            raise RuntimeError("an AssetsApi is used within `with AssetsApi(…) as assets:`")
        future: Future[T] = self._portal.start_task_soon(work)
        try:
            return future.result()
        except BaseException:
            future.cancel()
            raise

    upload = _waiting(assets.AssetsApi.upload)
    download_asset_to_file = _waiting(assets.AssetsApi.download_asset_to_file)
    view_asset_to_file = _waiting(assets.AssetsApi.view_asset_to_file)
    play_asset_video_to_file = _waiting(assets.AssetsApi.play_asset_video_to_file)
    download_archive_to_file = _waiting(assets.AssetsApi.download_archive_to_file)
    download_originals_to_folder = _waiting(assets.AssetsApi.download_originals_to_folder)
    download_files = _waiting(assets.AssetsApi.download_files)
