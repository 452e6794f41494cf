"""How late the event loop runs while exchanges are in flight."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from providers.measurement import Trace, now_ns

TICK_S = 0.005
# Event loops round a timer up to the next millisecond; less lateness than that is no lag.
TIMER_GRAIN_MS = 1.0


@dataclass(slots=True, eq=False)
class LagWindow:
    """Notes into its trace the worst lateness between the send stamp and the end of the window."""

    trace: Trace

    def note(self, at_ns: int, late_ms: float) -> None:
        trace = self.trace
        if trace.send_ns is None:
            return
        counted_ms = min(late_ms, (at_ns - trace.send_ns) / 1e6)
        trace.max_lag_ms = max(trace.max_lag_ms or 0.0, counted_ms)


class LagMonitor:
    """Ticks every 5 ms, only while a window is open, and notes how late each tick came."""

    def __init__(self) -> None:
        self._windows: set[LagWindow] = set()
        self._timer: asyncio.TimerHandle | None = None
        self._due_ns = 0

    @contextmanager
    def window(self, trace: Trace) -> Iterator[LagWindow]:
        opened = LagWindow(trace)
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
        at_ns = now_ns()
        late_ms = max((at_ns - self._due_ns) / 1e6 - TIMER_GRAIN_MS, 0.0)
        for opened in self._windows:
            opened.note(at_ns, late_ms)
