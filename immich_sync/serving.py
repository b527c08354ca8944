"""Background services for the length of a block, and errors that come out as they went in.

Its own module because a library's caller wants the one error that happened, not the task groups
that it happened in.
"""

from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from typing import Any

import anyio


@asynccontextmanager
async def serving(*services: Callable[[], Coroutine[Any, Any, None]]) -> AsyncIterator[None]:
    """The services run while the block lasts; what goes wrong first, there or here, is raised."""
    caught: Exception | None = None
    try:
        async with anyio.create_task_group() as tasks:
            for service in services:
                tasks.start_soon(service)
            try:
                yield
            except Exception as error:  # noqa: BLE001 - raised again below, outside of the group
                caught = error
            tasks.cancel_scope.cancel()
    except BaseExceptionGroup as group:
        raise first(group) from None
    if caught is not None:
        raise first(caught)


def first(error: BaseException) -> BaseException:
    """What went wrong first, without the task groups around it."""
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error
