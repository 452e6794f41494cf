from __future__ import annotations

import asyncio
import ctypes
import math
import os
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Protocol

_CLOCK_MONOTONIC = 1
_TFD_TIMER_ABSTIME = 1


class Alarm(Protocol):
    def set(self, due_ns: int) -> None:
        """Ring once at `due_ns` (perf_counter); replaces what was set before."""

    def close(self) -> None: ...


def make_alarm(loop: asyncio.AbstractEventLoop, ring: Callable[[], None]) -> Alarm:
    """The kernel's timer where there is one: event loops round their own timers to whole ms."""
    if sys.platform == "linux":
        with suppress(OSError, AttributeError):
            return KernelAlarm(loop, ring)
    return LoopAlarm(loop, ring)


class LoopAlarm:
    def __init__(self, loop: asyncio.AbstractEventLoop, ring: Callable[[], None]) -> None:
        self._loop = loop
        self._ring = ring
        self._timer: asyncio.TimerHandle | None = None

    def set(self, due_ns: int) -> None:
        self.close()
        wait_ms = math.ceil((due_ns - time.perf_counter_ns()) / 1e6)
        self._timer = self._loop.call_later(max(0, wait_ms) / 1e3, self._ring)

    def close(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None


class _TimerSpec(ctypes.Structure):
    _fields_ = [
        ("interval_s", ctypes.c_long),
        ("interval_ns", ctypes.c_long),
        ("value_s", ctypes.c_long),
        ("value_ns", ctypes.c_long),
    ]


class KernelAlarm:
    """A Linux timerfd on CLOCK_MONOTONIC, which is the clock of perf_counter there.

    Raises OSError where the kernel offers none.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop, ring: Callable[[], None]) -> None:
        self._loop = loop
        self._ring = ring
        self._libc = ctypes.CDLL(None, use_errno=True)
        self._spec = _TimerSpec(0, 0, 0, 0)
        self._fd = int(self._libc.timerfd_create(_CLOCK_MONOTONIC, os.O_NONBLOCK | os.O_CLOEXEC))
        if self._fd < 0:
            raise OSError(ctypes.get_errno(), "no timerfd")
        loop.add_reader(self._fd, self._fired)

    def set(self, due_ns: int) -> None:
        self._spec.value_s, self._spec.value_ns = divmod(max(1, due_ns), 1_000_000_000)
        spec = ctypes.byref(self._spec)
        if self._libc.timerfd_settime(self._fd, _TFD_TIMER_ABSTIME, spec, None) < 0:
            raise OSError(ctypes.get_errno(), "timerfd_settime failed")

    def close(self) -> None:
        if self._fd >= 0:
            self._loop.remove_reader(self._fd)
            os.close(self._fd)
            self._fd = -1

    def _fired(self) -> None:
        try:
            os.read(self._fd, 8)
        except BlockingIOError:
            return
        self._ring()
