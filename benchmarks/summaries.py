"""The figures of a whole run. What holds for one LLM is said of that LLM alone."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any
from uuid import UUID

from benchmarks.models import BenchmarkResult
from providers.statistics.intervals import SMALLEST_FOR_MEDIAN
from providers.statistics.quantiles import QUANTILE_METHOD, ordered, quantile_of_sorted
from providers.statistics.summary import is_reliable

METRICS = ("ttft_ms", "tps", "total_latency_ms")
POOLED = (50, 95, 99)
# Slow throughput is the low tail, slow answers are the high one.
PERCENTS: dict[str, tuple[int, ...]] = {
    "ttft_ms": POOLED,
    "tps": (5, 10, *POOLED),
    "total_latency_ms": POOLED,
}


def statistics_of(results: Sequence[BenchmarkResult], names: Mapping[UUID, str]) -> dict[str, Any]:
    """Over the successful results, pooled as the published client knows them and per LLM.

    The pooled figures are never null: 0 when there is no value (n says so).
    """
    good = [result for result in results if result.error is None]
    return {
        **_pooled("ttft", [result.ttft_ms for result in good]),
        **_pooled("tps", [result.tps for result in good]),
        "quantile_method": QUANTILE_METHOD,
        "n": len(good),
        "per_model": per_model(results, names),
    }


def per_model(
    results: Iterable[BenchmarkResult], names: Mapping[UUID, str]
) -> list[dict[str, Any]]:
    by_llm: dict[UUID, list[BenchmarkResult]] = {llm_id: [] for llm_id in names}
    for result in results:
        by_llm[result.llm_id].append(result)
    return [_of_llm(llm_id, names[llm_id], own) for llm_id, own in by_llm.items()]


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
        "indicative": n < SMALLEST_FOR_MEDIAN,
        "reliable": {f"p{p}": is_reliable(n, p) for p in percents},
    }


def _of_llm(llm_id: UUID, name: str, results: Sequence[BenchmarkResult]) -> dict[str, Any]:
    good = [result for result in results if result.error is None]
    return {
        "model_id": str(llm_id),
        "model_name": name,
        "n": len(good),
        "n_failed": len(results) - len(good),
        **{
            metric: spread((getattr(result, metric) for result in good), PERCENTS[metric])
            for metric in METRICS
        },
    }


def _pooled(name: str, values: Iterable[float | None]) -> dict[str, float]:
    sample = ordered(value for value in values if value is not None)
    return {f"{name}_p{p}": quantile_of_sorted(sample, p / 100) if sample else 0.0 for p in POOLED}
