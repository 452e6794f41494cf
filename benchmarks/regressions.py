"""Judges the newest run of a schedule by the runs before it, once, in one transaction."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any
from uuid import UUID

from django.db import transaction

from benchmarks.baselines import FEWEST_RUNS, FEWEST_VALUES, Judgement, judge
from benchmarks.comparisons import (
    Question,
    against,
    cautions_of,
    compared_settings,
    limits_of,
    series_of,
)
from benchmarks.models import BenchmarkRun
from benchmarks.sides import Side, sides_of
from benchmarks.signals import run_judged
from benchmarks.summaries import interval_document
from providers.statistics.comparison import VerdictState

METRICS = ("ttft_ms", "total_latency_ms", "tps")
SLOWER = VerdictState.SLOWER.value
RUNS_AT_A_TIME = 50


def judge_run(run_id: UUID | str) -> None:
    """Does nothing for a run that is not of a schedule, has not completed or has been judged."""
    run = BenchmarkRun.objects.unjudged().select_related("schedule").filter(pk=run_id).first()
    if run is None:
        return
    verdicts = verdicts_of(run)
    with transaction.atomic():
        # Whoever listens writes in this transaction: judged and told, or neither.
        if BenchmarkRun.objects.unjudged().filter(pk=run.pk).update(verdicts=verdicts):
            run.verdicts = verdicts
            run_judged.send(BenchmarkRun, run=run)


def verdicts_of(run: BenchmarkRun) -> list[dict[str, Any]]:
    current = sides_of(run)
    baselines = baselines_of(run, current)
    questions = [against(baselines[side.llm_id], side) for side in current.values()]
    asked = [(question, metric) for question in questions for metric in METRICS]
    judgements = judge(
        [series_of(q, m, limits_of([q], m), fewest_runs=FEWEST_RUNS) for q, m in asked]
    )
    before = _slower_before(run)
    return [
        _document(question, metric, judgement, before)
        for (question, metric), judgement in zip(asked, judgements, strict=True)
    ]


def baselines_of(run: BenchmarkRun, llm_ids: Iterable[UUID]) -> dict[UUID, list[Side]]:
    """Each LLM in the newest earlier runs that tell something of it and in which it was not slower.

    However long the others have lasted: no baseline adapts by itself.
    """
    found: dict[UUID, list[Side]] = {llm_id: [] for llm_id in llm_ids}
    most = run.schedule.baseline_runs if run.schedule is not None else 0
    for other in earlier_runs(run):
        lacking = {llm_id for llm_id, earlier in found.items() if len(earlier) < most}
        if not lacking:
            break
        wanted = {i for i in lacking & {*other.llm_ids} if not has_regressed(other, i)}
        sides = sides_of(other) if wanted else {}
        for llm_id in wanted:
            if _is_fit(sides[llm_id]):
                found[llm_id].append(sides[llm_id])
    return found


def _is_fit(side: Side) -> bool:
    return any(
        side.fault(metric) is None and len(side.values(metric)) >= FEWEST_VALUES
        for metric in METRICS
    )


def earlier_runs(run: BenchmarkRun) -> Iterator[BenchmarkRun]:
    """Completed runs of the schedule that asked in the same way, newest first."""
    schedule = run.schedule
    if schedule is None:
        return iter(())
    alike = {name: getattr(run, name) for name in compared_settings(run)}
    rows = schedule.runs.filter(
        status=BenchmarkRun.Status.COMPLETED, created_at__lt=run.created_at, **alike
    )
    if schedule.baseline_from is not None:
        rows = rows.filter(created_at__gte=schedule.baseline_from)
    slim = rows.defer("prompt", "facts").prefetch_related("targets").order_by("-created_at")
    return slim.iterator(chunk_size=RUNS_AT_A_TIME)


def has_regressed(run: BenchmarkRun, llm_id: UUID) -> bool:
    return any(
        verdict["model_id"] == str(llm_id) and verdict["state"] == SLOWER
        for verdict in run.verdicts or []
    )


def _slower_before(run: BenchmarkRun) -> set[tuple[str, str]] | None:
    """Models and metrics that were slower in each run that has to confirm; None when none has."""
    schedule = run.schedule
    if schedule is None or schedule.alarm_after_runs == 1:
        return None
    wanted = schedule.alarm_after_runs - 1
    before = schedule.runs.filter(
        status=BenchmarkRun.Status.COMPLETED, created_at__lt=run.created_at
    ).order_by("-created_at")[:wanted]
    slower = [
        {(v["model_id"], v["metric"]) for v in other.verdicts or [] if v["state"] == SLOWER}
        for other in before
    ]
    return set.intersection(*slower) if len(slower) == wanted else set()


def _document(
    question: Question,
    metric: str,
    judgement: Judgement,
    slower_before: set[tuple[str, str]] | None,
) -> dict[str, Any]:
    side, verdict = question.current, judgement.verdict
    is_unbroken = slower_before is None or (str(side.llm_id), metric) in slower_before
    ratio = verdict.ratio
    return {
        "model_id": str(side.llm_id),
        "model_name": side.name,
        "metric": metric,
        "state": verdict.state.value,
        "confirmed": judgement.is_regression and is_unbroken,
        "reason": verdict.reason,
        "cautions": cautions_of(question, judgement),
        "n": verdict.n_current,
        "n_baseline": verdict.n_baseline,
        "baseline_runs": judgement.n_runs,
        "ratio": ratio.value if ratio else None,
        "ratio_interval": interval_document(ratio.interval) if ratio else None,
        "p_adjusted": verdict.p_adjusted,
        "p_robust": verdict.p_robust,
        "usual_spread": judgement.usual_spread,
        "minimum_detectable_effect": verdict.minimum_detectable_effect,
    }
