"""A transport for httpx that loses connections as it is told: the network of a simulation.

Its own module because it is the only place in the sandbox that knows httpx, and it must do
without sockets, threads and clocks.
"""

from collections.abc import AsyncGenerator, AsyncIterator

import httpx

from immich_sync.sandbox.faults import (
    TRANSPORT_FAULTS,
    Faults,
    LostAnswer,
    Refuse,
    ResetRequest,
    ResetResponse,
)


class FaultyTransport(httpx.AsyncBaseTransport):
    """Hands requests to `inner`, such as `httpx.ASGITransport(create_app(state))`.

    What a fault of `faults` breaks appears as httpx would report it: `Refuse` as ConnectError,
    `ResetRequest` as WriteError, `ResetResponse` (counting the answer's body only) and
    `LostAnswer` as ReadError.
    """

    def __init__(self, inner: httpx.AsyncBaseTransport, faults: Faults) -> None:
        self._inner = inner
        self._faults = faults

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """The answer, or the error that the fault calls for."""
        fault = self._faults.take(TRANSPORT_FAULTS, request.method, request.url.path)
        if isinstance(fault, Refuse):
            raise httpx.ConnectError("Connection refused (injected)", request=request)
        limit = fault.after if isinstance(fault, ResetRequest) else None
        body = _Body(request, limit)
        sent = httpx.Request(
            request.method,
            request.url,
            headers=request.headers,
            stream=body,
            extensions=request.extensions,
        )
        try:
            answer = await self._inner.handle_async_request(sent)
        finally:
            await body.aclose()
        match fault:
            case ResetRequest():
                # The server answered without reading that far: on the wire, the reset wins.
                await answer.aclose()
                raise httpx.WriteError("Connection reset (injected)", request=request)
            case LostAnswer():
                await answer.aclose()
                raise httpx.ReadError("Connection reset (injected)", request=request)
            case ResetResponse(after=after):
                content = await answer.aread()
                cut = _CutAnswer(content[:after], request)
                return httpx.Response(answer.status_code, headers=answer.headers, stream=cut)
            case _:
                return answer

    async def aclose(self) -> None:
        """The inner transport is closed."""
        await self._inner.aclose()


class _Body(httpx.AsyncByteStream):
    """A request's body, cut off after `limit` bytes.

    No generator: an application that answers early leaves one unfinished, and trio objects.
    """

    def __init__(self, request: httpx.Request, limit: int | None) -> None:
        assert isinstance(request.stream, httpx.AsyncByteStream)  # noqa: S101 (an async client sends no other)
        self._request = request
        self._left = limit
        self._blocks = aiter(request.stream)

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self

    async def __anext__(self) -> bytes:
        if self._left is None:
            return await anext(self._blocks)
        block = await anext(self._blocks, b"") if self._left > 0 else b""
        if not block:
            raise httpx.WriteError("Connection reset (injected)", request=self._request)
        block = block[: self._left]
        self._left -= len(block)
        return block

    async def aclose(self) -> None:
        if isinstance(self._blocks, AsyncGenerator):
            await self._blocks.aclose()


class _CutAnswer(httpx.AsyncByteStream):
    """The beginning of an answer's body, and then no connection."""

    def __init__(self, content: bytes, request: httpx.Request) -> None:
        self._content = content
        self._request = request

    async def __aiter__(self) -> AsyncIterator[bytes]:
        if self._content:
            yield self._content
        raise httpx.ReadError("Connection reset (injected)", request=self._request)
