"""How late the event loop runs while exchanges are in flight."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from providers.measurement import now_ns

TICK_S = 0.005
# Event loops round a timer up to the next millisecond; less lateness than that is no lag.
TIMER_GRAIN_MS = 1.0


@dataclass(slots=True, eq=False)
class LagWindow:
    """The worst lateness seen while the window was open."""

    max_lag_ms: float = 0.0


class LagMonitor:
    """Ticks every 5 ms, only while a window is open, and notes how late each tick came."""

    def __init__(self) -> None:
        self._windows: set[LagWindow] = set()
        self._timer: asyncio.TimerHandle | None = None
        self._due_ns = 0

    @contextmanager
    def window(self) -> Iterator[LagWindow]:
        opened = LagWindow()
        self._windows.add(opened)
        if self._timer is None:
            self._arm()
        try:
            yield opened
        finally:
            self._note()
            self._windows.discard(opened)
            if not self._windows:
                self._disarm()

    def _arm(self) -> None:
        self._due_ns = now_ns() + int(TICK_S * 1e9)
        self._timer = asyncio.get_running_loop().call_later(TICK_S, self._tick)

    def _disarm(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _tick(self) -> None:
        self._note()
        self._arm()

    def _note(self) -> None:
        late_ms = (now_ns() - self._due_ns) / 1e6 - TIMER_GRAIN_MS
        if late_ms > 0:
            for opened in self._windows:
                opened.max_lag_ms = max(opened.max_lag_ms, late_ms)
