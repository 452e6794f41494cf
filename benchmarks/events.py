"""The events of a run, derived from its rows: any process can tell them, any number of times.

With T requests in all, the k-th result is event 2k-1 and the progress after it is event 2k; event 0
is the first progress and event 2T+1 the end.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from benchmarks.documents import result_document
from benchmarks.models import BenchmarkResult, BenchmarkRun

RESULTS_PER_PAGE = 500
BEFORE_ALL = -1

Event = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Page:
    """Encoded events after a `seq`; `is_last` when nothing can follow them."""

    texts: tuple[str, ...]
    seq: int
    is_full: bool
    is_last: bool


def page_after(run_id: UUID, after: int) -> Page | None:
    """Events with `seq` above `after`; None when there is no such run."""
    # The run is read before its results: once it has ended, none can be added behind our back.
    run = BenchmarkRun.objects.filter(pk=run_id).prefetch_related("targets").first()
    if run is None:
        return None
    later = run.results.filter(ordinal__gt=max(after, 0) // 2).order_by("ordinal")
    results = list(later[:RESULTS_PER_PAGE])
    is_full = len(results) == RESULTS_PER_PAGE
    is_last = not run.is_open and not is_full
    events = [event for event in _events(run, results, is_last) if event["seq"] > after]
    seq = events[-1]["seq"] if events else after
    return Page(tuple(json.dumps(event) for event in events), seq, is_full, is_last)


def _events(run: BenchmarkRun, results: list[BenchmarkResult], is_last: bool) -> Iterator[Event]:
    names = run.llm_names() if results else {}
    total = run.total
    is_waiting = run.status == BenchmarkRun.Status.PENDING
    yield _progress(run, 0, total, BenchmarkRun.Status.PENDING if is_waiting else RUNNING)
    for result in results:
        name = names[result.llm_id]
        data = result_document(result, name)
        seq = 2 * result.ordinal
        yield {**data, "type": "result", "seq": seq - 1, "run_id": str(run.pk), "data": data}
        left_s = run.seconds_left(result.ordinal, result.created_at)
        yield _progress(run, result.ordinal, total, RUNNING, name, left_s)
    if is_last:
        yield _end(run, total)


RUNNING = BenchmarkRun.Status.RUNNING


def _progress(
    run: BenchmarkRun,
    completed: int,
    total: int,
    status: str,
    current_model: str | None = None,
    eta_s: float | None = None,
) -> Event:
    return {
        "type": "progress",
        "seq": 2 * completed,
        "run_id": str(run.pk),
        "completed": completed,
        "total": total,
        "current_model": current_model,
        "status": str(status),
        "eta_s": eta_s,
    }


def _end(run: BenchmarkRun, total: int) -> Event:
    event = {"seq": 2 * total + 1, "run_id": str(run.pk), "status": str(run.status)}
    if run.status == BenchmarkRun.Status.COMPLETED:
        return {"type": "complete", **event}
    return {
        "type": "error",
        **event,
        "error": run.failure_reason or "The run failed.",
        "cancelled": run.is_cancelled,
    }
