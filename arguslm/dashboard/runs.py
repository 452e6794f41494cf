"""What the benchmark pages read."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any
from uuid import UUID

from django.db.models import QuerySet

from benchmarks.models import BenchmarkResult, BenchmarkRun
from models_app.models import LLM
from providers.statistics.summary import Better, Summary, summarise

PER_PAGE = 20
RECENT_ERRORS = 20


@dataclass(frozen=True, slots=True)
class TargetRow:
    """How one LLM of a run has done so far, over its successful results."""

    llm: LLM
    n: int
    failed: int
    ttft: Summary
    latency: Summary
    tps: Summary
    cost: Decimal | None


def listed() -> QuerySet[BenchmarkRun]:
    return BenchmarkRun.objects.described().order_by("-created_at", "-id")


def target_rows(run: BenchmarkRun) -> list[TargetRow]:
    """In the order of the targets, with two queries."""
    columns = ("llm", "ttft_ms", "total_latency_ms", "tps", "estimated_cost", "error")
    by_llm: dict[UUID, list[tuple[Any, ...]]] = {}
    for llm_id, *figures in run.results.order_by().values_list(*columns):
        by_llm.setdefault(llm_id, []).append(tuple(figures))
    targets = run.targets.select_related("llm__account")
    return [_row(target.llm, by_llm.get(target.llm_id, [])) for target in targets]


def _row(llm: LLM, results: Sequence[tuple[Any, ...]]) -> TargetRow:
    good = [figures for figures in results if figures[4] is None]
    costs = [figures[3] for figures in good]
    return TargetRow(
        llm=llm,
        n=len(good),
        failed=len(results) - len(good),
        ttft=summarise(figures[0] for figures in good),
        latency=summarise(figures[1] for figures in good),
        tps=summarise((figures[2] for figures in good), Better.HIGHER),
        cost=sum(costs, Decimal()) if costs and None not in costs else None,
    )


def points(run: BenchmarkRun) -> dict[str, Any]:
    """TTFT in ms of every successful result, by LLM. `seq` is the last event they contain."""
    names = run.llm_names()
    found: dict[UUID, dict[str, Any]] = {
        llm_id: {"id": str(llm_id), "name": name, "ttft": [], "failed": 0}
        for llm_id, name in names.items()
    }
    rows = run.results.values_list("llm", "ttft_ms", "error", "ordinal")
    seq = 0
    for llm_id, ttft, error, ordinal in rows.order_by("ordinal"):
        if error is not None:
            found[llm_id]["failed"] += 1
        elif ttft is not None:
            found[llm_id]["ttft"].append(round(ttft, 2))
        # The k-th result is event 2k-1 of the stream and the progress after it is event 2k.
        seq = 2 * ordinal
    return {"models": list(found.values()), "seq": seq, "is_open": run.is_open}


def recent_errors(run: BenchmarkRun) -> list[BenchmarkResult]:
    failed = run.results.exclude(error=None).select_related("llm").order_by("-ordinal")
    return list(failed[:RECENT_ERRORS])
