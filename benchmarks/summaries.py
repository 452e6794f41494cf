"""The figures of a whole run. What holds for one LLM is said of that LLM alone."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from typing import Any
from uuid import UUID

from benchmarks.models import BenchmarkResult, BenchmarkRun
from benchmarks.objectives import Objectives
from benchmarks.throughput import per_second, seconds_asked, throughput_of
from benchmarks.tokens import audit_of
from providers.statistics.drift import drift
from providers.statistics.intervals import (
    SMALLEST_FOR_MEDIAN,
    Interval,
    median_interval_of_sorted,
    quantile_interval_of_sorted,
    wilson_interval,
)
from providers.statistics.quantiles import QUANTILE_METHOD, ordered, quantile_of_sorted
from providers.statistics.summary import Better, is_reliable

MEDIAN = 50
POOLED = (50, 95, 99)
_TIMES = (50, 90, 95, 99)
# Slow throughput is the low tail, slow answers are the high one.
_RATES = (5, 10, 50, 95, 99)
PERCENTS: dict[str, tuple[int, ...]] = {
    "ttft_ms": _TIMES,
    "ttfa_ms": _TIMES,
    "total_latency_ms": _TIMES,
    "response_ms": _TIMES,
    "tpot_ms": _TIMES,
    "tps": _RATES,
    "tps_excluding_ttft": _RATES,
}
METRICS = tuple(PERCENTS)
BETTER: dict[str, Better] = {
    name: Better.HIGHER if percents is _RATES else Better.LOWER
    for name, percents in PERCENTS.items()
}


def statistics_of(
    run: BenchmarkRun, results: Sequence[BenchmarkResult], names: Mapping[UUID, str]
) -> dict[str, Any]:
    """Over the successful results, pooled as the published client knows them and per LLM.

    The pooled figures are never null: 0 when there is no value (n says so).
    """
    good = [result for result in results if result.error is None]
    return {
        **_pooled("ttft", [result.ttft_ms for result in good]),
        **_pooled("tps", [result.tps for result in good]),
        "quantile_method": QUANTILE_METHOD,
        "n": len(good),
        "slo": _limits(Objectives.of(run.slo)),
        "cost_usd": _total_cost(good),
        "per_model": per_model(run, results, names),
    }


def per_model(
    run: BenchmarkRun, results: Iterable[BenchmarkResult], names: Mapping[UUID, str]
) -> list[dict[str, Any]]:
    by_llm: dict[UUID, list[BenchmarkResult]] = {llm_id: [] for llm_id in names}
    for result in results:
        by_llm[result.llm_id].append(result)
    return [_of_llm(run, llm_id, names[llm_id], own) for llm_id, own in by_llm.items()]


def spread(values: Iterable[float | None], percents: Sequence[int]) -> dict[str, Any]:
    """Percentiles with what they are worth; null where no value is known."""
    sample = ordered(value for value in values if value is not None)
    n = len(sample)
    figures = {f"p{p}": quantile_of_sorted(sample, p / 100) if n else None for p in percents}
    return {
        "n": n,
        **figures,
        "min": sample[0] if n else None,
        "max": sample[-1] if n else None,
        "mean": sum(sample) / n if n else None,
        "median_interval": interval_document(median_interval_of_sorted(sample)),
        "tail_intervals": {
            f"p{p}": interval_document(quantile_interval_of_sorted(sample, p / 100))
            for p in percents
            if p != MEDIAN
        },
        "points": sample if n < SMALLEST_FOR_MEDIAN else [],
        "indicative": n < SMALLEST_FOR_MEDIAN,
        "reliable": {f"p{p}": is_reliable(n, p) for p in percents},
    }


def interval_document(interval: Interval | None) -> dict[str, float] | None:
    if interval is None:
        return None
    return {"low": interval.low, "high": interval.high, "coverage": interval.coverage}


def rate(part: int, total: int) -> dict[str, Any]:
    """A share with Wilson's interval; null when nothing was counted."""
    return {
        "rate": part / total if total else None,
        "count": part,
        "n": total,
        "interval": interval_document(wilson_interval(part, total)),
    }


def _of_llm(
    run: BenchmarkRun, llm_id: UUID, name: str, results: Sequence[BenchmarkResult]
) -> dict[str, Any]:
    good = [result for result in results if result.error is None]
    objectives = Objectives.of(run.slo)
    met = good if objectives is None else [r for r in good if objectives.are_met(r)]
    seconds = seconds_asked(run, results)
    return {
        "model_id": str(llm_id),
        "model_name": name,
        "n": len(good),
        "n_failed": len(results) - len(good),
        "n_planned": run.num_runs,
        "success": rate(len(good), len(results)),
        "error_classes": dict(Counter(r.error_class for r in results if r.error_class)),
        "quality_flags": dict(Counter(flag for r in results for flag in r.quality_flags)),
        "throughput": throughput_of(good, seconds),
        "goodput": None if objectives is None else _goodput(met, results, seconds),
        "cost": _cost(results, good, met),
        "token_audit": audit_of(run, good),
        "drift": _drift(good),
        **{
            metric: spread((getattr(r, metric) for r in good), percents)
            for metric, percents in PERCENTS.items()
        },
    }


def _goodput(
    met: Sequence[BenchmarkResult], results: Sequence[BenchmarkResult], seconds: float | None
) -> dict[str, Any]:
    """Errors stay in the denominator."""
    return {
        "attainment": rate(len(met), len(results)),
        "requests_per_second": per_second(len(met), seconds),
    }


def _drift(good: Iterable[BenchmarkResult]) -> dict[str, float] | None:
    """Of the TTFT, in the order of the requests."""
    in_order = sorted((result.iteration, result.ttft_ms) for result in good if result.ttft_ms)
    found = drift([ttft_ms for _, ttft_ms in in_order])
    return None if found is None else {"ratio": found.ratio, "p": found.p}


def _cost(
    results: Sequence[BenchmarkResult],
    good: Sequence[BenchmarkResult],
    met: Sequence[BenchmarkResult],
) -> dict[str, Any]:
    """In USD; null when the cost of any answer is unknown."""
    total = _total_cost(good)
    return {
        "total_usd": total,
        "per_1000_requests_usd": None if total is None else total * 1000 / len(results),
        "per_good_request_usd": None if total is None or not met else total / len(met),
    }


def _total_cost(good: Sequence[BenchmarkResult]) -> float | None:
    costs = [result.estimated_cost for result in good]
    known = [cost for cost in costs if cost is not None]
    return float(sum(known, Decimal())) if known and len(known) == len(costs) else None


def _limits(objectives: Objectives | None) -> dict[str, float] | None:
    return None if objectives is None else objectives.limits()


def _pooled(name: str, values: Iterable[float | None]) -> dict[str, float]:
    sample = ordered(value for value in values if value is not None)
    return {f"{name}_p{p}": quantile_of_sorted(sample, p / 100) if sample else 0.0 for p in POOLED}
