from __future__ import annotations

import asyncio
import time

from providers.lag import LagMonitor
from providers.measurement import Trace, now_ns


def make_sent_trace() -> Trace:
    return Trace(send_ns=now_ns())


async def test_a_quiet_loop_has_next_to_no_lag() -> None:
    trace = make_sent_trace()
    with LagMonitor().window(trace):
        await asyncio.sleep(0.1)

    assert trace.max_lag_ms is not None
    assert trace.max_lag_ms < 20


async def test_a_blocked_loop_is_seen_by_every_open_window() -> None:
    monitor, one, two = LagMonitor(), make_sent_trace(), make_sent_trace()
    with monitor.window(one), monitor.window(two):
        await asyncio.sleep(0.02)
        time.sleep(0.06)
        await asyncio.sleep(0.02)

    assert 40 < (one.max_lag_ms or 0) < 120
    assert 40 < (two.max_lag_ms or 0) < 120


async def test_lag_before_the_request_was_sent_does_not_count() -> None:
    trace = Trace()
    with LagMonitor().window(trace):
        time.sleep(0.06)
        await asyncio.sleep(0.02)
        trace.send_ns = now_ns()
        await asyncio.sleep(0.02)

    assert (trace.max_lag_ms or 0) < 20


async def test_a_block_that_ends_with_the_window_is_still_seen() -> None:
    trace = make_sent_trace()
    with LagMonitor().window(trace):
        await asyncio.sleep(0)
        time.sleep(0.06)

    assert (trace.max_lag_ms or 0) > 40


async def test_nothing_ticks_while_no_window_is_open() -> None:
    monitor = LagMonitor()
    with monitor.window(make_sent_trace()):
        await asyncio.sleep(0.01)

    assert monitor._timer is None
