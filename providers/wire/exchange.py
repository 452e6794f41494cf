"""One request and its response on one link."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator, Callable
from dataclasses import dataclass
from typing import Any

import httpx2

from providers.measurement import Trace, now_ns
from providers.wire.link import Link
from providers.wire.parser import ResponseParser
from providers.wire.request import RequestBytes

# How far a reader of the body may fall behind before the socket is left alone.
MAX_BACKLOG_BYTES = 4 * 1024 * 1024

# What keeping a piece costs beside its bytes, so that single bytes cannot fill the memory.
PIECE_BYTES = 64

PieceCallback = Callable[[int, bytes], bool]


@dataclass(frozen=True, slots=True)
class Timeouts:
    """Seconds, None for no limit; ``connect`` covers DNS, TCP and TLS together."""

    connect: float | None = None
    read: float | None = None
    write: float | None = None
    pool: float | None = None

    @classmethod
    def of(cls, request: httpx2.Request) -> Timeouts:
        given: dict[str, Any] = request.extensions.get("timeout") or {}
        return cls(given.get("connect"), given.get("read"), given.get("write"), given.get("pool"))


class Exchange:
    """The sink of a link from the request until the response is whole, broken or given up.

    ``failure`` is what ended it early, None when the response is whole. ``on_end`` is called once.
    ``Trace.max_lag_ms`` is how long body bytes lay in the kernel before they were read; unknown
    where the kernel gives no stamps.
    """

    def __init__(
        self,
        link: Link,
        method: str,
        trace: Trace,
        timeouts: Timeouts,
        max_body_bytes: int,
        on_end: Callable[[Exchange], None],
    ) -> None:
        self.link = link
        self.trace = trace
        self.parser = ResponseParser(method)
        self.failure: httpx2.TransportError | None = None
        self.finished = False
        self.answered = False
        self._timeouts = timeouts
        self._max_body_bytes = max_body_bytes
        self._on_end = on_end
        self._on_piece: PieceCallback | None = None
        self._loop = link.loop
        self._waiter: asyncio.Future[None] | None = None
        self._wants_pieces = False
        self._draining = False
        self._paused = False
        self._sent = False
        self._last = False
        self._timer: asyncio.TimerHandle | None = None
        self._active_ns = 0
        self._lag_ns = 0
        self._body_bytes = 0
        self._taken_bytes = 0
        trace.has_kernel_stamps = link.stamped
        link.sink = self
        link.resume()

    @property
    def reusable(self) -> bool:
        """Whether the link may carry another request."""
        parser, link = self.parser, self.link
        whole = self.failure is None and self._sent and link.write_error is None
        return whole and parser.keep_alive and not (parser.surplus or self._last or link.closed)

    async def send(self, request: RequestBytes) -> None:
        """Write the request; the streamed rest only until the server answers."""
        link, self._last = self.link, request.closes
        self.trace.send_ns = link.floor_ns = now_ns()
        link.write(request.start)
        self.trace.sent_ns = now_ns()
        self._sent = request.rest is None and not link.backlog
        if link.backlog:
            await self._drained()
        if request.rest is not None:
            await self._send_rest(request.rest)
        self._sent = self._sent or not (request.rest or link.backlog)
        self._active_ns = now_ns()
        self._watch_later(self._timeouts.read)

    async def head(self) -> None:
        """Wait for status line and headers; raises what ended the exchange before them."""
        while self.trace.hdr_ns is None and not self.finished:
            await self._wait()
        if self.trace.hdr_ns is None and self.failure is not None:
            raise self.failure

    async def pieces(self) -> AsyncGenerator[bytes, None]:
        """Body bytes, transfer-decoded, as the reads brought them."""
        index = 0
        self._wants_pieces = True
        while True:
            while index < len(self.trace.pieces):
                piece = self.trace.pieces[index][1]
                index += 1
                self._took(len(piece))
                yield piece
            if self.finished:
                break
            await self._wait()
        if self.failure is not None:
            raise self.failure

    async def drain(self, on_piece: PieceCallback | None) -> None:
        """Wait for the end with one future for the whole body."""
        self._draining = True
        self._unpause()
        for stamp_ns, piece in self.trace.pieces:
            if on_piece is None or not on_piece(stamp_ns, piece):
                on_piece = None
                break
        self._on_piece = on_piece
        while not self.finished:
            await self._wait()
        if self.failure is not None:
            raise self.failure

    def abandon(self, reason: str = "The response was given up before its end.") -> None:
        """Close the link unless the response is whole already."""
        self._finish(httpx2.ReadError(reason))

    def received(self, data: bytes, stamp_ns: int, read_ns: int) -> None:
        self.answered = True
        self._active_ns = read_ns
        parser, trace = self.parser, self.trace
        body = parser.feed(data)
        if trace.hdr_ns is None and parser.status is not None:
            trace.hdr_ns, trace.status = stamp_ns, parser.status
            self._wake()
        if body:
            if read_ns - stamp_ns > self._lag_ns:
                self._lag_ns = read_ns - stamp_ns
            trace.pieces.append((stamp_ns, body))
            self._body_bytes += len(body) + PIECE_BYTES
            if self._body_bytes > self._max_body_bytes:
                self._refuse_size()
            elif self._on_piece is not None and not self._on_piece(stamp_ns, body):
                self._on_piece = None
            if not self._draining:
                self._pace()
        if parser.broken is not None:
            self._finish(parser.broken)
        elif parser.done:
            trace.end_ns = stamp_ns
            self._finish(None)

    def ended(self) -> None:
        self.parser.feed_eof()
        self._finish(self.parser.broken)

    def lost(self, exc: OSError) -> None:
        error = httpx2.ReadError(f"The connection broke: {exc.strerror or exc}.")
        error.__cause__ = exc
        self._finish(error)

    def _refuse_size(self) -> None:
        limit = f"{self._max_body_bytes:,} bytes"
        self._finish(httpx2.RemoteProtocolError(f"The response body is larger than {limit}."))

    def _pace(self) -> None:
        if self._body_bytes - self._taken_bytes > MAX_BACKLOG_BYTES:
            self._paused = True
            self.link.pause()
        if self._wants_pieces:
            self._wake()

    def _took(self, size: int) -> None:
        self._taken_bytes += size + PIECE_BYTES
        if self._body_bytes - self._taken_bytes < MAX_BACKLOG_BYTES // 2:
            self._unpause()

    def _unpause(self) -> None:
        if self._paused:
            self._paused = False
            self._active_ns = now_ns()
            self.link.resume()

    async def _send_rest(self, rest: AsyncGenerator[bytes, None]) -> None:
        async with contextlib.aclosing(rest):
            async for part in rest:
                if self.finished or self.trace.hdr_ns is not None:
                    return
                self.link.write(part)
                if self.link.backlog:
                    await self._drained()
        self._sent = not self.link.backlog

    async def _drained(self) -> None:
        try:
            async with asyncio.timeout(self._timeouts.write):
                await self.link.drained()
        except TimeoutError:
            limit = self._timeouts.write
            raise httpx2.WriteTimeout(f"The server took no bytes for {limit:g} s.") from None

    async def _wait(self) -> None:
        self._waiter = self._loop.create_future()
        try:
            await self._waiter
        finally:
            self._waiter = None

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    def _watch_later(self, delay_s: float | None) -> None:
        if delay_s is not None and not self.finished:
            self._timer = self._loop.call_later(delay_s, self._watch)

    def _watch(self) -> None:
        """One lazy timer instead of one per read: it looks how old the last read is."""
        limit_s = self._timeouts.read or 0.0
        if self._paused:
            self._watch_later(limit_s)
            return
        self.link.poll()  # bytes a lagging loop has not come round to are no silence of the peer
        left_s = limit_s - (now_ns() - self._active_ns) / 1e9
        if left_s > 0:
            self._watch_later(left_s)
        else:
            self._finish(httpx2.ReadTimeout(f"The server sent nothing for {limit_s:g} s."))

    def _finish(self, failure: httpx2.TransportError | None) -> None:
        if self.finished:
            return
        self.finished, self.failure = True, failure
        if self._timer is not None:
            self._timer.cancel()
        trace = self.trace
        if trace.end_ns is None:
            trace.end_ns = now_ns()
        if self.link.stamped:
            trace.max_lag_ms = max(trace.max_lag_ms or 0.0, self._lag_ns / 1e6)
        self._on_piece = None
        self._on_end(self)
        self._wake()
