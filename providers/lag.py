"""How late the event loop runs while exchanges are in flight."""

from __future__ import annotations

import asyncio
from bisect import bisect_left
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from providers.measurement import Trace, now_ns

# A block that begins right after a tick is seen shorter by one tick: at 5 ms those of up to 10 ms
# passed for less than the 5 ms that are flagged. Costs 0.4 % of a core, while something is asked.
TICK_S = 0.002
# Event loops round a timer up to the next millisecond; less lateness than that is no lag.
TIMER_GRAIN_MS = 1.0
LEDGER_LIMIT = 4_096


class Ledger:
    """Lateness by time, kept so that the worst since any moment is found without a walk.

    What was followed by something worse can never be the worst again and is dropped: times grow,
    lateness falls.
    """

    def __init__(self) -> None:
        self._at_ns: list[int] = []
        self._late_ms: list[float] = []

    def note(self, at_ns: int, late_ms: float) -> None:
        at, late = self._at_ns, self._late_ms
        while late and late[-1] <= late_ms:
            at.pop()
            late.pop()
        if len(at) >= LEDGER_LIMIT:
            del at[: LEDGER_LIMIT // 2], late[: LEDGER_LIMIT // 2]
        at.append(at_ns)
        late.append(late_ms)

    def clear(self) -> None:
        self._at_ns.clear()
        self._late_ms.clear()

    def worst_ms(self, since_ns: int) -> float:
        """Only the part of a lateness that lies after ``since_ns`` counts."""
        worst = 0.0
        for index in range(bisect_left(self._at_ns, since_ns), len(self._at_ns)):
            if self._late_ms[index] <= worst:
                break
            passed_ms = (self._at_ns[index] - since_ns) / 1e6
            worst = max(worst, min(self._late_ms[index], passed_ms))
        return worst


@dataclass(slots=True, eq=False)
class LagWindow:
    """Notes into its trace the worst lateness between the send stamp and the end of the window."""

    trace: Trace

    def close(self, ledger: Ledger) -> None:
        trace = self.trace
        if trace.send_ns is not None:
            trace.max_lag_ms = max(trace.max_lag_ms or 0.0, ledger.worst_ms(trace.send_ns))


class LagMonitor:
    """Ticks every TICK_S, only while a window is open, and notes how late each tick came."""

    def __init__(self) -> None:
        self._open = 0
        self._ledger = Ledger()
        self._timer: asyncio.TimerHandle | None = None
        self._due_ns = 0

    @contextmanager
    def window(self, trace: Trace) -> Iterator[LagWindow]:
        opened = LagWindow(trace)
        self._open += 1
        if self._timer is None:
            self._arm()
        try:
            yield opened
        finally:
            self._note()
            opened.close(self._ledger)
            self._open -= 1
            if not self._open:
                self._disarm()

    def _arm(self) -> None:
        self._due_ns = now_ns() + int(TICK_S * 1e9)
        self._timer = asyncio.get_running_loop().call_later(TICK_S, self._tick)

    def _disarm(self) -> None:
        self._ledger.clear()
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _tick(self) -> None:
        self._note()
        self._arm()

    def _note(self) -> None:
        at_ns = now_ns()
        late_ms = (at_ns - self._due_ns) / 1e6 - TIMER_GRAIN_MS
        if late_ms > 0.0:
            self._ledger.note(at_ns, late_ms)
