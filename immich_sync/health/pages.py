"""What is answered: `/healthz`, `/readyz`, `/metrics`.

Its own module because it knows what the program is and nothing of sockets.
"""

import json
from collections.abc import Callable
from functools import cached_property
from typing import TYPE_CHECKING

from immich_sync.health import readiness
from immich_sync.health.door import Asked, Page
from immich_sync.observing import Observer
from immich_sync.pulse import ALIVE_WITHIN, turns

if TYPE_CHECKING:
    from immich_sync.health.metrics import Metrics


class Pages:
    """The answers of a daemon; `observer` is always the one of its present engine."""

    def __init__(self, observer: Callable[[], Observer]) -> None:
        self._observer = observer

    @cached_property
    def _metrics(self) -> "Metrics":
        """Imported when they are first asked for, since most never are."""
        from immich_sync.health.metrics import Metrics  # noqa: PLC0415 -- a twelfth of the start

        return Metrics()

    async def answer(self, asked: Asked) -> Page:
        """The page of this path."""
        observer = self._observer()
        match asked.path:
            case "/healthz":
                alive = await turns(observer.engine, ALIVE_WITHIN)
                return Page(200, b"ok\n") if alive else Page(503, b"standing still\n")
            case "/readyz":
                failing = readiness.failing(observer.engine)
                said = json.dumps({"ready": not failing, "failing": failing}) + "\n"
                return Page(503 if failing else 200, said.encode(), "application/json")
            case "/metrics":
                body, content_type = await self._metrics.render(observer, asked.accept)
                return Page(200, body, content_type)
            case _:
                return Page(404, b"There are /healthz, /readyz and /metrics.\n")
