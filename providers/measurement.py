"""The clock, what it saw, and every figure derived from it.

All stamps are monotonic nanoseconds of ``now_ns``; wall time is for display only.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any, Literal

from providers.errors import Failure

TokenSource = Literal["usage", "estimated"]
TRACE_KEY = "arguslm.trace"

LAG_LIMIT_MS = 5.0
QUEUE_LIMIT_MS = 5.0
BUFFERED_MIN_TOKENS = 20
# Nothing on the market writes one stream this fast: the tokens waited somewhere and came at once.
BURST_MS_PER_TOKEN = 0.05


def now_ns() -> int:
    return time.perf_counter_ns()


def wall_clock() -> datetime:
    return datetime.now(UTC)


@dataclass(slots=True)
class Trace:
    """Stamps of one request, filled by a transport while the bytes come.

    A transport fills the Trace it finds in ``request.extensions[TRACE_KEY]`` (a new one when there
    is none) and puts the same object in ``response.extensions[TRACE_KEY]``. ``pieces`` are body
    bytes after transfer decoding, before content decoding, each with the stamp of the read that
    brought it. ``conn0_ns``/``conn1_ns`` stay None when a pooled connection carried the request.
    """

    sched_ns: int | None = None
    acq_ns: int | None = None
    conn0_ns: int | None = None
    conn1_ns: int | None = None
    dns_ms: float | None = None
    tls_ms: float | None = None
    send_ns: int | None = None
    hdr_ns: int | None = None
    end_ns: int | None = None
    status: int | None = None
    pieces: list[tuple[int, bytes]] = field(default_factory=list)
    max_lag_ms: float | None = None
