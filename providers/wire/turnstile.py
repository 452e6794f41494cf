"""Readiness of many sockets, handed out in batches when it comes thick.

Waking up for every packet costs more than reading it: a turn of the loop, a call into the kernel,
cold caches. Where the kernel stamps arrivals a packet may wait a moment without looking late, so
in a crowd the sockets are looked at once a millisecond. What comes alone is read at once.
"""

from __future__ import annotations

import asyncio
import select
from collections.abc import Callable
from weakref import WeakKeyDictionary

from providers.measurement import now_ns

PAUSE_S = 0.001
# Above this many readable sockets a second it is a crowd, until there are less than half as many.
CROWD_PER_S = 1_500
LOOK_BACK_NS = 32_000_000


class Turnstile:
    """One per event loop; ends with the last socket it watches."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._epoll = select.epoll()
        self._callbacks: dict[int, Callable[[], None]] = {}
        self._timer: asyncio.TimerHandle | None = None
        self._since_ns = now_ns()
        self._seen = 0
        self._rate_per_s = 0.0
        loop.add_reader(self._epoll.fileno(), self._woken)

    @property
    def is_crowded(self) -> bool:
        return self._timer is not None

    def add(self, fd: int, callback: Callable[[], None]) -> None:
        self._callbacks[fd] = callback
        self._epoll.register(fd, select.EPOLLIN)

    def remove(self, fd: int) -> None:
        del self._callbacks[fd]
        self._epoll.unregister(fd)
        if not self._callbacks:
            self._end()

    def _woken(self) -> None:
        self._let_through()
        if self._callbacks and self._measured_rate() > CROWD_PER_S:
            self._loop.remove_reader(self._epoll.fileno())
            self._timer = self._loop.call_later(PAUSE_S, self._look)

    def _look(self) -> None:
        self._let_through()
        if not self._callbacks:
            return
        if self._measured_rate() < CROWD_PER_S / 2:
            self._timer = None
            self._loop.add_reader(self._epoll.fileno(), self._woken)
        else:
            self._timer = self._loop.call_later(PAUSE_S, self._look)

    def _let_through(self) -> None:
        ready = self._epoll.poll(0)
        self._seen += len(ready)
        for fd, _ in ready:
            callback = self._callbacks.get(fd)
            if callback is not None:  # else one before it has closed this one
                callback()

    def _measured_rate(self) -> float:
        """Of the last stretch of time; the present one counts once it is long enough."""
        at_ns = now_ns()
        passed_ns = at_ns - self._since_ns
        if passed_ns >= LOOK_BACK_NS:
            self._rate_per_s = self._seen * 1e9 / passed_ns
            self._since_ns, self._seen = at_ns, 0
        return self._rate_per_s

    def _end(self) -> None:
        if self._timer is None:
            self._loop.remove_reader(self._epoll.fileno())
        else:
            self._timer.cancel()
        self._epoll.close()
        if _turnstiles.get(self._loop) is self:
            del _turnstiles[self._loop]


_turnstiles: WeakKeyDictionary[asyncio.AbstractEventLoop, Turnstile] = WeakKeyDictionary()


def turnstile_of(loop: asyncio.AbstractEventLoop) -> Turnstile:
    found = _turnstiles.get(loop)
    if found is None:
        found = _turnstiles[loop] = Turnstile(loop)
    return found
