"""What the benchmark pages read."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, cast
from uuid import UUID

from django.db.models import Prefetch, QuerySet

from benchmarks.models import BenchmarkResult, BenchmarkRun, BenchmarkSchedule, ScheduleTarget
from benchmarks.objectives import Objectives
from models_app.models import LLM
from providers.statistics.intervals import Interval, wilson_interval
from providers.statistics.summary import Better, Summary, summarise

PER_PAGE = 20
RECENT_ERRORS = 20
COLUMNS = ("llm", "ttft_ms", "total_latency_ms", "tps", "tpot_ms", "response_ms", "estimated_cost")


@dataclass(frozen=True, slots=True)
class Goodput:
    """How many of all requests met every objective."""

    met: int
    of: int

    @property
    def share(self) -> float | None:
        return self.met / self.of if self.of else None

    @property
    def interval(self) -> Interval | None:
        return wilson_interval(self.met, self.of)


@dataclass(frozen=True, slots=True)
class TargetRow:
    """How one LLM of a run has done so far, over its successful results."""

    llm: LLM
    n: int
    failed: int
    ttft: Summary
    latency: Summary
    tps: Summary
    goodput: Goodput | None
    cost: Decimal | None


def listed(search: str = "") -> QuerySet[BenchmarkRun]:
    rows = BenchmarkRun.objects.described().order_by("-created_at", "-id")
    return rows.filter(name__icontains=search) if search else rows


def target_rows(run: BenchmarkRun) -> list[TargetRow]:
    """In the order of the targets, with two queries."""
    by_llm: dict[UUID, list[BenchmarkResult]] = {}
    # Named tuples: making 20,000 rows of the ORM would cost more than all statistics.
    for row in run.results.order_by().values_list(*COLUMNS, "error", named=True):
        by_llm.setdefault(row.llm, []).append(cast("BenchmarkResult", row))
    objectives = Objectives.of(run.slo)
    targets = run.targets.select_related("llm__account")
    return [_row(target.llm, by_llm.get(target.llm_id, []), objectives) for target in targets]


def _row(llm: LLM, results: Sequence[BenchmarkResult], objectives: Objectives | None) -> TargetRow:
    good = [result for result in results if result.error is None]
    costs = [result.estimated_cost for result in good]
    known = [cost for cost in costs if cost is not None]
    met = sum(map(objectives.are_met, results)) if objectives else 0
    return TargetRow(
        llm=llm,
        n=len(good),
        failed=len(results) - len(good),
        ttft=summarise(result.ttft_ms for result in good),
        latency=summarise(result.total_latency_ms for result in good),
        tps=summarise((result.tps for result in good), Better.HIGHER),
        goodput=Goodput(met, len(results)) if objectives else None,
        cost=sum(known, Decimal()) if known and len(known) == len(costs) else None,
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


def schedules() -> QuerySet[BenchmarkSchedule]:
    """With the models and the newest run of each as `newest`."""
    targets = Prefetch("targets", ScheduleTarget.objects.select_related("llm"))
    newest = Prefetch("runs", BenchmarkRun.objects.order_by("-created_at", "-id")[:1], "newest")
    return BenchmarkSchedule.objects.prefetch_related(targets, newest)
