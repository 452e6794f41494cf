"""The body of a response: read piece by piece, or drained at one go."""

from __future__ import annotations

from collections.abc import AsyncIterator

import httpx2

from providers.measurement import TRACE_KEY, Trace
from providers.wire.exchange import Exchange, PieceCallback

BODY_KEY = "arguslm.body"


class ResponseBody(httpx2.AsyncByteStream):
    def __init__(self, exchange: Exchange) -> None:
        self._exchange = exchange

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self._exchange.pieces()

    async def aclose(self) -> None:
        self._exchange.abandon()

    async def drain(self, on_piece: PieceCallback | None) -> None:
        try:
            await self._exchange.drain(on_piece)
        finally:
            self._exchange.abandon()


async def drain(response: httpx2.Response, on_piece: PieceCallback | None = None) -> Trace:
    """Read the body to its end and close the response; its bytes are in ``Trace.pieces``.

    ``on_piece(stamp_ns, data)`` is called for each piece, synchronously, until it returns False.
    Under ``ArgusTransport`` the caller's task wakes once, at the end. Raises as iterating would.
    """
    trace: Trace = response.extensions[TRACE_KEY]
    body = response.extensions.get(BODY_KEY)
    try:
        if isinstance(body, ResponseBody):
            await body.drain(on_piece)
        else:
            await _drain_stream(response, trace, on_piece)
    except httpx2.RequestError as exc:
        exc.request = response.request
        raise
    finally:
        await response.aclose()
    return trace


async def _drain_stream(
    response: httpx2.Response, trace: Trace, on_piece: PieceCallback | None
) -> None:
    seen = 0
    async for _ in response.aiter_raw():
        for stamp_ns, piece in trace.pieces[seen:]:
            if on_piece is not None and not on_piece(stamp_ns, piece):
                on_piece = None
        seen = len(trace.pieces)
