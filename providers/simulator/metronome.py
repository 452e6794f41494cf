from __future__ import annotations

import asyncio
import heapq
import time
from typing import Protocol

from providers.simulator.alarm import make_alarm

WRITES_PER_TURN = 256


class Player(Protocol):
    def play(self) -> int | None:
        """Do what is due; return the next deadline (perf_counter ns), None at the end."""


class Metronome:
    """Calls players at absolute deadlines: a late call does not shift the ones after it.

    One heap for all streams and one timer for the heap. A turn is bounded, so that a simulator
    with more to write than it can still reads requests.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._heap: list[tuple[int, int, Player]] = []
        self._count = 0
        self._armed_ns: int | None = None
        self._alarm = make_alarm(loop, self._turn)

    def at(self, due_ns: int, player: Player) -> None:
        self._count += 1
        heapq.heappush(self._heap, (due_ns, self._count, player))
        self._arm()

    def close(self) -> None:
        self._heap.clear()
        self._alarm.close()

    def _arm(self) -> None:
        first = self._heap[0][0] if self._heap else None
        if first is not None and (self._armed_ns is None or first < self._armed_ns):
            self._armed_ns = first
            self._alarm.set(first)

    def _turn(self) -> None:
        self._armed_ns = None
        heap = self._heap
        for _ in range(WRITES_PER_TURN):
            if not heap or heap[0][0] > time.perf_counter_ns():
                break
            _, count, player = heapq.heappop(heap)
            following = player.play()
            if following is not None:
                heapq.heappush(heap, (following, count, player))
        self._arm()
