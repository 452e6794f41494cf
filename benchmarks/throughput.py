"""The time in which a model was asked, and what it answered in that time."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import Any

from benchmarks.models import BenchmarkResult, BenchmarkRun


def seconds_asked(run: BenchmarkRun, results: Iterable[BenchmarkResult]) -> float | None:
    """None when no request has begun.

    An open loop asks all the time: from the first request that was due to the last answer. In a
    closed loop only the time with a request in flight counts, since what passes while others have
    their turn is no property of this model.
    """
    spans = sorted(_span(result) for result in results if result.started_at is not None)
    if not spans:
        return None
    if run.open_loop is not None:
        spans = [(spans[0][0], max(end for _, end in spans))]
    return _covered(spans).total_seconds()


def throughput_of(good: Sequence[BenchmarkResult], seconds: float | None) -> dict[str, Any]:
    """Of the successful requests. The tokens are unknown when those of one answer are."""
    tokens = [result.output_tokens for result in good]
    known = [count for count in tokens if count is not None]
    return {
        "seconds": seconds,
        "requests_per_second": per_second(len(good), seconds),
        "output_tokens_per_second": (
            per_second(sum(known), seconds) if len(known) == len(tokens) else None
        ),
    }


def per_second(count: int, seconds: float | None) -> float | None:
    return count / seconds if seconds else None


def _span(result: BenchmarkResult) -> tuple[datetime, datetime]:
    """From the moment the request was due to its last content; of a failed one, to its row."""
    assert result.started_at is not None
    due_at = result.started_at - timedelta(milliseconds=result.queue_wait_ms or 0.0)
    if result.response_ms is None:
        return due_at, max(result.created_at, due_at)
    return due_at, due_at + timedelta(milliseconds=result.response_ms)


def _covered(spans: Iterable[tuple[datetime, datetime]]) -> timedelta:
    """The time that at least one of them covers; they come by their start."""
    covered, until = timedelta(), None
    for start, end in spans:
        if until is None or start > until:
            covered += end - start
            until = end
        elif end > until:
            covered += end - until
            until = end
    return covered
