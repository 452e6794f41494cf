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
    finished stream was late.
    """

    def __init__(self, endpoint: Endpoint, trace: Trace) -> None:
        self.trace = trace
        self.expired: ErrorClass | None = ErrorClass.TIMEOUT_TOTAL
        self._endpoint = endpoint
        self._scope = asyncio.timeout(endpoint.total_timeout_s)
        self._timer: asyncio.TimerHandle | None = None
        self._waited_for_connection = False

    async def __aenter__(self) -> Deadline:
        await self._scope.__aenter__()
        self._call_later(self._endpoint.ttft_timeout_s)
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.content_seen()
        await self._scope.__aexit__(kind, error, traceback)

    def content_seen(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def finished(self) -> None:
        """The stream said its last word; only the transport has yet to close it."""
        when = asyncio.get_running_loop().time() + CLOSING_S
        current = self._scope.when()
        if current is None or when < current:
            self.expired = None
            self._scope.reschedule(when)

    def _call_later(self, delay_s: float) -> None:
        self._timer = asyncio.get_running_loop().call_later(delay_s, self._check_first)

    def _check_first(self) -> None:
        if self.trace.send_ns is not None:
            left_s = self._endpoint.ttft_timeout_s - (now_ns() - self.trace.send_ns) / 1e9
            return self._call_later(left_s) if left_s > 0 else self._expire(ErrorClass.TIMEOUT_TTFT)
        if self._waited_for_connection:
            return self._expire(ErrorClass.TIMEOUT_CONNECT)
        self._waited_for_connection = True
        return self._call_later(self._endpoint.connect_timeout_s)

    def _expire(self, limit: ErrorClass) -> None:
        self.expired = limit
        self._scope.reschedule(asyncio.get_running_loop().time())


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
