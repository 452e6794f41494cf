"""The time limits of one attempt."""

from __future__ import annotations

import asyncio
from functools import lru_cache
from types import TracebackType
from typing import TYPE_CHECKING

from providers.adapters.endpoint import Endpoint
from providers.errors import ErrorClass
from providers.measurement import Trace, now_ns

if TYPE_CHECKING:
    import httpx2

    from providers.wire.exchange import Timeouts

# After the end marker the connection gets this long to end its body and become reusable.
CLOSING_S = 0.5


class Deadline:
    """Bounds an attempt: the first content counted from the send stamp, the whole from the start.

    Leaves through TimeoutError; ``expired`` then names the limit, None when only the close of a
    finished stream was late. One timer at a time looks what is due, because timers are dear.
    """

    def __init__(self, endpoint: Endpoint, trace: Trace) -> None:
        self.trace = trace
        self.expired: ErrorClass | None = ErrorClass.TIMEOUT_TOTAL
        self._endpoint = endpoint
        self._loop = asyncio.get_running_loop()
        self._scope = asyncio.Timeout(None)
        self._timer: asyncio.TimerHandle | None = None
        self._total_at = self._loop.time() + endpoint.total_timeout_s
        self._waited_for_connection = False
        self._has_content = False
        self._is_finished = False

    async def __aenter__(self) -> Deadline:
        await self._scope.__aenter__()
        self._look_after(self._endpoint.ttft_timeout_s)
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        await self._scope.__aexit__(kind, error, traceback)

    def content_seen(self) -> None:
        self._has_content = True

    def finished(self) -> None:
        """The stream said its last word; only the transport has yet to close it."""
        if not self._is_finished:
            self._is_finished = True
            # Most streams are closed by the bytes that are being read just now.
            self._loop.call_soon(self._await_close)

    def _await_close(self) -> None:
        if self._timer is None or self.trace.end_ns is not None:
            return
        self._timer.cancel()
        left_s = self._total_at - self._loop.time()
        if left_s > CLOSING_S:
            self._timer = self._loop.call_later(CLOSING_S, self._expire, None)
        else:
            self._timer = self._loop.call_later(left_s, self._expire, ErrorClass.TIMEOUT_TOTAL)

    def _look_after(self, delay_s: float) -> None:
        left_s = self._total_at - self._loop.time()
        self._timer = self._loop.call_later(min(delay_s, left_s), self._look)

    def _look(self) -> None:
        total_left_s = self._total_at - self._loop.time()
        first_left_s = self._first_left_s()
        # Of two limits that a late look finds passed, the one that passed first is the cause.
        if first_left_s is not None and first_left_s <= min(total_left_s, 0):
            return self._expire(ErrorClass.TIMEOUT_TTFT)
        if total_left_s <= 0:
            return self._expire(ErrorClass.TIMEOUT_TOTAL)
        if self._has_content:
            return self._look_after(total_left_s)
        if first_left_s is not None:
            return self._look_after(first_left_s)
        if self._waited_for_connection:
            return self._expire(ErrorClass.TIMEOUT_CONNECT)
        self._waited_for_connection = True
        return self._look_after(self._endpoint.connect_timeout_s)

    def _first_left_s(self) -> float | None:
        """Seconds left for the first content; None when it has come or nothing was asked yet."""
        if self._has_content or self.trace.send_ns is None:
            return None
        return self._endpoint.ttft_timeout_s - (now_ns() - self.trace.send_ns) / 1e9

    def _expire(self, limit: ErrorClass | None) -> None:
        self.expired = limit
        self._scope.reschedule(self._loop.time())


def transport_timeout(endpoint: Endpoint) -> httpx2.Timeout:
    """What the transport itself enforces: the connect limit, and a backstop for every read."""
    import httpx2

    return httpx2.Timeout(endpoint.total_timeout_s, connect=endpoint.connect_timeout_s)


def transport_timeouts(endpoint: Endpoint) -> Timeouts:
    """The same for our own transport, which needs no httpx2.Timeout to read them from."""
    return _timeouts(endpoint.connect_timeout_s, endpoint.total_timeout_s)


@lru_cache(maxsize=256)
def _timeouts(connect_s: float, total_s: float) -> Timeouts:
    from providers.wire.exchange import Timeouts

    return Timeouts(connect_s, total_s, total_s, total_s)
