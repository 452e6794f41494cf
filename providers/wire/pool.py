"""Links that are kept open between requests, by origin."""

from __future__ import annotations

import asyncio
from collections import deque
from dataclasses import dataclass

from providers.measurement import now_ns
from providers.wire.link import Link
from providers.wire.origin import Origin


@dataclass(slots=True, eq=False)
class _Idle:
    """Watches a link nobody uses: whatever the peer says there, the link is of no more use."""

    pool: Pool
    origin: Origin
    link: Link
    since_ns: int

    def received(self, data: bytes, stamp_ns: int, read_ns: int) -> None:
        self.pool.forget(self.origin, self)

    def ended(self) -> None:
        self.pool.forget(self.origin, self)

    def lost(self, exc: OSError) -> None:
        self.pool.forget(self.origin, self)


class Pool:
    """Counts every open link and hands out the idle one used last.

    A link is *open* from ``acquire`` until ``discard``, in use or idle. Only when ``max_links`` are
    open and none of them is idle does ``acquire`` wait.
    """

    def __init__(self, *, max_links: int, idle_expiry_s: float) -> None:
        self._max_links = max_links
        self._expiry_ns = int(idle_expiry_s * 1e9)
        self._idle: dict[Origin, dict[_Idle, None]] = {}  # in the order of their last use
        self._open = 0
        self._waiters: deque[asyncio.Future[None]] = deque()
        self._sweeper: asyncio.TimerHandle | None = None

    @property
    def open_links(self) -> int:
        return self._open

    @property
    def idle_links(self) -> int:
        return sum(len(idle) for idle in self._idle.values())

    async def acquire(self, origin: Origin, *, fresh: bool = False) -> Link | None:
        """An idle link that is still alive, or None: the caller may then open one."""
        while True:
            link = None if fresh else self.take_idle(origin)
            if link is not None:
                return link
            if self._open < self._max_links or self._drop_oldest():
                self._open += 1
                return None
            await self._wait_for_room()

    def release(self, origin: Origin, link: Link) -> None:
        """Keep a link for the next request."""
        if self._expiry_ns <= 0:
            self.discard(link)
            return
        idle = _Idle(self, origin, link, now_ns())
        link.sink = idle
        self._idle.setdefault(origin, {})[idle] = None
        link.resume()
        if self._sweeper is None:
            self._sweep_later(self._expiry_ns)
        self._wake()

    def discard(self, link: Link | None) -> None:
        """Give up an open link, or the place of one that could not be opened."""
        if link is not None:
            link.close()
        self._open -= 1
        self._wake()

    def forget(self, origin: Origin, idle: _Idle) -> None:
        if idle in self._idle.get(origin, {}):
            self._remove(origin, idle)
            self.discard(idle.link)

    def close(self) -> None:
        """Close every idle link; those in use belong to their exchanges."""
        for origin, idle in [(o, i) for o, kept in self._idle.items() for i in kept]:
            self.forget(origin, idle)
        if self._sweeper is not None:
            self._sweeper.cancel()
            self._sweeper = None

    def take_idle(self, origin: Origin) -> Link | None:
        """The link used last, if one is idle and alive."""
        while kept := self._idle.get(origin):
            idle = next(reversed(kept))
            if now_ns() - idle.since_ns >= self._expiry_ns:
                self.forget(origin, idle)
                continue
            idle.link.poll()  # a close that the loop has not come round to yet
            if not idle.link.closed:
                self._remove(origin, idle)
                return idle.link
        return None

    def _remove(self, origin: Origin, idle: _Idle) -> None:
        del self._idle[origin][idle]
        if not self._idle[origin]:
            del self._idle[origin]

    def _drop_oldest(self) -> bool:
        if not self._idle:
            return False
        oldest = min(map(_oldest, self._idle.values()), key=lambda idle: idle.since_ns)
        self.forget(oldest.origin, oldest)
        return True

    async def _wait_for_room(self) -> None:
        waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiters.append(waiter)
        try:
            await waiter
        except asyncio.CancelledError:
            if waiter.done() and not waiter.cancelled():
                self._wake()  # the turn that came together with the cancellation goes on
            raise

    def _wake(self) -> None:
        while self._waiters:
            waiter = self._waiters.popleft()
            if not waiter.done():
                waiter.set_result(None)
                return

    def _sweep_later(self, delay_ns: int) -> None:
        loop = asyncio.get_running_loop()
        self._sweeper = loop.call_later(delay_ns / 1e9, self._sweep)

    def _sweep(self) -> None:
        self._sweeper = None
        limit_ns = now_ns() - self._expiry_ns
        for origin, kept in list(self._idle.items()):
            for idle in [item for item in kept if item.since_ns <= limit_ns]:
                self.forget(origin, idle)
        if self._idle:
            oldest_ns = min(_oldest(kept).since_ns for kept in self._idle.values())
            self._sweep_later(max(oldest_ns - limit_ns, 1_000_000))


def _oldest(kept: dict[_Idle, None]) -> _Idle:
    return next(iter(kept))
