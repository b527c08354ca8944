"""A transport for httpx that loses connections as it is told: the network of a simulation.

Its own module because it is the only place in the sandbox that knows httpx, and it must do
without sockets, threads and clocks.
"""

from collections.abc import AsyncIterator

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
        match fault:
            case Refuse():
                raise httpx.ConnectError("Connection refused (injected)", request=request)
            case ResetRequest(after=after):
                cut = httpx.Request(
                    request.method,
                    request.url,
                    headers=request.headers,
                    stream=_CutRequest(request, after),
                    extensions=request.extensions,
                )
                answer = await self._inner.handle_async_request(cut)
                await answer.aclose()
                # The server answered without reading that far: on the wire, the reset wins.
                raise httpx.WriteError("Connection reset (injected)", request=request)
            case LostAnswer():
                answer = await self._inner.handle_async_request(request)
                await answer.aclose()
                raise httpx.ReadError("Connection reset (injected)", request=request)
            case ResetResponse(after=after):
                answer = await self._inner.handle_async_request(request)
                cut_stream = _CutResponse(answer, request, after)
                return httpx.Response(answer.status_code, headers=answer.headers, stream=cut_stream)
            case _:
                return await self._inner.handle_async_request(request)

    async def aclose(self) -> None:
        """The inner transport is closed."""
        await self._inner.aclose()


class _CutRequest(httpx.AsyncByteStream):
    def __init__(self, request: httpx.Request, after: int) -> None:
        self._request = request
        self._after = after

    async def __aiter__(self) -> AsyncIterator[bytes]:
        left = self._after
        assert isinstance(self._request.stream, httpx.AsyncByteStream)  # noqa: S101 (an async client sends no other)
        async for block in self._request.stream:
            if left > 0:
                yield block[:left]
            left -= len(block)
            if left <= 0:
                break
        raise httpx.WriteError("Connection reset (injected)", request=self._request)


class _CutResponse(httpx.AsyncByteStream):
    def __init__(self, answer: httpx.Response, request: httpx.Request, after: int) -> None:
        self._answer = answer
        self._request = request
        self._after = after

    async def __aiter__(self) -> AsyncIterator[bytes]:
        left = self._after
        async for block in self._answer.aiter_raw():
            yield block[:left]
            left -= min(left, len(block))
            if left == 0:
                break
        raise httpx.ReadError("Connection reset (injected)", request=self._request)

    async def aclose(self) -> None:
        await self._answer.aclose()
