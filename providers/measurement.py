"""The clock, what it saw, and every figure derived from it.

All stamps are monotonic nanoseconds of ``now_ns``; wall time is for display only.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from itertools import pairwise
from typing import Any, Literal, NamedTuple

from providers.errors import ErrorClass, Failure
from providers.quality import SPOILS_SPEED, flags_of, miscounts

TokenSource = Literal["usage", "estimated"]
TRACE_KEY = "arguslm.trace"
# Not wrapped in a function: every read of a socket takes several stamps.
now_ns = time.perf_counter_ns


def wall_clock() -> datetime:
    return datetime.now(UTC)


@dataclass(slots=True)
class Trace:
    """Stamps of one request, filled by a transport while the bytes come.

    A transport fills the Trace it finds in ``request.extensions[TRACE_KEY]`` (a new one when there
    is none) and puts the same object in ``response.extensions[TRACE_KEY]``. ``pieces`` are body
    bytes after transfer decoding, before content decoding, each with the stamp of the read that
    brought it. ``conn0_ns``/``conn1_ns`` stay None when a pooled connection carried the request.
    ``sent_ns`` is when the first write had returned; ``has_kernel_stamps`` says that a late loop
    did not make the stamps of the pieces late.
    """

    sched_ns: int | None = None
    acq_ns: int | None = None
    conn0_ns: int | None = None
    conn1_ns: int | None = None
    dns_ms: float | None = None
    tls_ms: float | None = None
    send_ns: int | None = None
    sent_ns: int | None = None
    hdr_ns: int | None = None
    end_ns: int | None = None
    has_kernel_stamps: bool = False
    status: int | None = None
    pieces: list[tuple[int, bytes]] = field(default_factory=list)
    max_lag_ms: float | None = None


class Chunk(NamedTuple):
    """One content-bearing chunk: when it arrived, how much it brought, whether it is answer."""

    at_ns: int
    chars: int
    is_answer: bool


@dataclass(frozen=True, slots=True)
class TokenCounts:
    """Tokens of one exchange; ``output`` includes reasoning, ``input`` includes cached tokens."""

    input: int | None = None
    output: int | None = None
    cached: int | None = None
    reasoning: int | None = None
    source: TokenSource | None = None
    first_chunk: int = 1


@dataclass(frozen=True, slots=True)
class Measurement:
    """Raw stamps and counts of one exchange; every figure is derived from them on demand.

    A figure is None when it is unknown or when a quality flag makes it meaningless.
    ``is_end_mixed`` says that what followed the last content came in one read with it.
    """

    send_ns: int
    chunks: tuple[Chunk, ...] = ()
    tokens: TokenCounts = TokenCounts()
    sched_ns: int | None = None
    acq_ns: int | None = None
    conn0_ns: int | None = None
    conn1_ns: int | None = None
    sent_ns: int | None = None
    hdr_ns: int | None = None
    end_ns: int | None = None
    dns_ms: float | None = None
    tls_ms: float | None = None
    max_lag_ms: float | None = None
    has_kernel_stamps: bool = False
    is_end_mixed: bool = False
    bias_ms: float = 0.0
    spread_ms: float = 0.0
    has_visible_reasoning: bool = False
    noted: frozenset[str] = frozenset()
    _found: frozenset[str] | None = field(default=None, init=False, repr=False, compare=False)

    @classmethod
    def of(
        cls,
        trace: Trace,
        chunks: Sequence[Chunk],
        tokens: TokenCounts,
        *,
        bias_ms: float = 0.0,
        spread_ms: float = 0.0,
        is_end_mixed: bool = False,
        has_visible_reasoning: bool = False,
        noted: frozenset[str] = frozenset(),
    ) -> Measurement:
        """Raises ValueError for a trace whose request was never sent."""
        if trace.send_ns is None:
            raise ValueError("a request that was never sent cannot be measured")
        return cls(
            send_ns=trace.send_ns,
            chunks=tuple(chunks),
            tokens=tokens,
            sched_ns=trace.sched_ns,
            acq_ns=trace.acq_ns,
            conn0_ns=trace.conn0_ns,
            conn1_ns=trace.conn1_ns,
            sent_ns=trace.sent_ns,
            hdr_ns=trace.hdr_ns,
            end_ns=trace.end_ns,
            dns_ms=trace.dns_ms,
            tls_ms=trace.tls_ms,
            max_lag_ms=trace.max_lag_ms,
            has_kernel_stamps=trace.has_kernel_stamps,
            is_end_mixed=is_end_mixed,
            bias_ms=bias_ms,
            spread_ms=spread_ms,
            has_visible_reasoning=has_visible_reasoning,
            noted=noted,
        )

    @property
    def first_ns(self) -> int | None:
        return self.chunks[0].at_ns if self.chunks else None

    @property
    def answer_ns(self) -> int | None:
        return next((chunk.at_ns for chunk in self.chunks if chunk.is_answer), None)

    @property
    def last_ns(self) -> int | None:
        return self.chunks[-1].at_ns if self.chunks else None

    @property
    def ttft_ms(self) -> float | None:
        """t_first - t_send"""
        return _ms(self.send_ns, self.first_ns)

    @property
    def ttfa_ms(self) -> float | None:
        """t_answer - t_send"""
        return _ms(self.send_ns, self.answer_ns)

    @property
    def latency_ms(self) -> float | None:
        """t_last - t_send; the end marker and usage that follow the last content do not count."""
        return _ms(self.send_ns, self.last_ns)

    @property
    def tpot_ms(self) -> float | None:
        """(t_last - t_first) / (N - k1), milliseconds per token"""
        span_ms, later = self._generation()
        return None if span_ms is None or later is None else span_ms / later

    @property
    def tps_excluding_ttft(self) -> float | None:
        """(N - k1) / (t_last - t_first), tokens per second"""
        span_ms, later = self._generation()
        return None if not span_ms or later is None else later * 1000.0 / span_ms

    @property
    def tps(self) -> float | None:
        """N / latency, tokens per second"""
        latency_ms, count = self.latency_ms, self.tokens.output
        if not latency_ms or not count or miscounts(self):
            return None
        return count * 1000.0 / latency_ms

    @property
    def queue_wait_ms(self) -> float | None:
        """t_acq - t_sched"""
        return _ms(self.sched_ns, self.acq_ns)

    @property
    def connect_ms(self) -> float | None:
        """t_conn1 - t_conn0, None on a reused connection"""
        return _ms(self.conn0_ns, self.conn1_ns)

    @property
    def response_ms(self) -> float | None:
        """t_last - t_sched: free of coordinated omission"""
        return _ms(self.sched_ns, self.last_ns)

    @property
    def uncertainty_ms(self) -> float | None:
        """How far off the client may have been, in either direction.

        The time of the first write, the lateness of the event loop where it can have reached a
        stamp, and the calibrated error of the installation.
        """
        if self.max_lag_ms is None:
            return None
        late_ms = self.max_lag_ms if self.are_stamps_late else 0.0
        writing_ms = _ms(self.send_ns, self.sent_ns) or 0.0
        return writing_ms + late_ms + abs(self.bias_ms) + self.spread_ms

    @property
    def are_stamps_late(self) -> bool:
        """Whether lag of the loop can have made the first or the last stamp late.

        The kernel stamps a read by the newest packet in it: right for a read that brought one
        event, late for what a lagging loop found together with something newer.
        """
        if not self.has_kernel_stamps or self.is_end_mixed:
            return True
        return len(self.chunks) > 1 and self.chunks[0].at_ns == self.chunks[1].at_ns

    @property
    def inter_chunk_ms(self) -> tuple[float, ...]:
        """c_{i+1} - c_i for every pair of neighbours"""
        stamps = [chunk.at_ns for chunk in self.chunks]
        return tuple((b - a) / 1e6 for a, b in pairwise(stamps))

    @property
    def input_tokens(self) -> int | None:
        return self.tokens.input

    @property
    def output_tokens(self) -> int | None:
        return self.tokens.output

    @property
    def cached_tokens(self) -> int | None:
        return self.tokens.cached

    @property
    def reasoning_tokens(self) -> int | None:
        return self.tokens.reasoning

    @property
    def token_source(self) -> TokenSource | None:
        return self.tokens.source

    @property
    def quality_flags(self) -> tuple[str, ...]:
        return tuple(sorted(self.noted | self._flags))

    @property
    def _flags(self) -> frozenset[str]:
        """Those that follow from the stamps and counts; looked for once, several figures ask."""
        if self._found is None:
            object.__setattr__(self, "_found", flags_of(self))
        return self._found or frozenset()

    def _generation(self) -> tuple[float | None, int | None]:
        """Span of the generation in ms and the tokens that came in it, when both mean something."""
        later = (self.tokens.output or 0) - self.tokens.first_chunk
        if later <= 0 or len(self.chunks) < 3:
            return None, None
        if self._flags & SPOILS_SPEED or miscounts(self):
            return None, None
        return _ms(self.first_ns, self.last_ns), later


def _ms(start_ns: int | None, end_ns: int | None) -> float | None:
    return None if start_ns is None or end_ns is None else (end_ns - start_ns) / 1e6


@dataclass(frozen=True, slots=True)
class Outcome:
    """One attempt: what was measured, or why it failed, with what the answer said of itself.

    ``request_id`` is the provider's own name for the request, which its support can look up.
    ``token_param`` is what the limit is called there, when the server refused the usual name.
    """

    started_at: datetime
    measurement: Measurement | None = None
    failure: Failure | None = None
    text: str = ""
    finish_reason: str | None = None
    model_reported: str | None = None
    fingerprint: str | None = None
    request_id: str | None = None
    status_code: int | None = None
    stream_options_refused: bool = False
    token_param: str | None = None
    temperature_refused: bool = False
    noted: frozenset[str] = frozenset()

    @property
    def ok(self) -> bool:
        return self.failure is None

    def with_flags(self, *flags: str) -> Outcome:
        """The same with flags that only the caller can know (``retried``, ``rate_limited``)."""
        return replace(self, noted=self.noted | set(flags))

    @property
    def quality_flags(self) -> list[str]:
        """Also of an attempt that came too short to be measured."""
        seen = self.measurement.quality_flags if self.measurement else ()
        is_limited = self.failure and self.failure.error_class is ErrorClass.RATE_LIMITED
        return sorted({*seen, *self.noted, *(["rate_limited"] if is_limited else [])})

    def figures(self) -> dict[str, Any]:
        """Figures by their names in the API. A failed attempt has no speed, only its waits."""
        seen = self.measurement
        if seen is None:
            return {**dict.fromkeys(FIGURES), "quality_flags": self.quality_flags}
        known = FIGURES if self.ok else ("queue_wait_ms", "connect_ms", "uncertainty_ms")
        values = {name: getattr(seen, _ATTRIBUTE.get(name, name)) for name in known}
        return {**dict.fromkeys(FIGURES), **values, "quality_flags": self.quality_flags}


FIGURES: tuple[str, ...] = (
    "ttft_ms",
    "ttfa_ms",
    "total_latency_ms",
    "tpot_ms",
    "tps",
    "tps_excluding_ttft",
    "queue_wait_ms",
    "connect_ms",
    "response_ms",
    "uncertainty_ms",
    "input_tokens",
    "output_tokens",
    "cached_tokens",
    "reasoning_tokens",
    "token_source",
)
_ATTRIBUTE = {"total_latency_ms": "latency_ms"}
