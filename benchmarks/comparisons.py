"""Which LLM is faster, and is one slower than it was? Verdicts over the results of runs."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any
from uuid import UUID

from benchmarks.models import BenchmarkResult, BenchmarkRun
from benchmarks.summaries import BETTER, interval_document
from providers.statistics.comparison import Limits, Pair, Verdict, compare_many
from providers.statistics.quantiles import median
from providers.statistics.shifts import Estimate

METRICS = ("ttft_ms", "total_latency_ms", "tpot_ms", "tps")
ALL_PAIRS_UP_TO = 6
# What makes the values of a side unfit to be compared, when it holds for half of them or more.
SPOILS: dict[str, str] = {
    "client_lag": "This client was late in half of the requests or more.",
    "buffered_stream": "Something between us and the model held the answers back.",
}
COMPARED_SETTINGS = ("prompt", "max_tokens", "concurrency_per_llm", "request_rate", "cache_busting")


@dataclass(frozen=True, slots=True)
class Side:
    """The successful results of one LLM, of one run or of several."""

    llm_id: UUID
    name: str
    results: Sequence[BenchmarkResult]

    def values(self, metric: str) -> list[float]:
        found = (getattr(result, metric) for result in self.results)
        return [value for value in found if value is not None]

    def share(self, flag: str) -> float:
        flagged = sum(flag in result.quality_flags for result in self.results)
        return flagged / len(self.results) if self.results else 0.0


@dataclass(frozen=True, slots=True)
class Question:
    """Is `current` faster or slower than `baseline`? `obstacle` says why it cannot be asked."""

    baseline: Side
    current: Side
    obstacle: str | None = None


def sides_of(run: BenchmarkRun) -> dict[UUID, Side]:
    """In the order of the run's LLMs."""
    good: dict[UUID, list[BenchmarkResult]] = {}
    for result in run.results.filter(error=None).order_by("ordinal"):
        good.setdefault(result.llm_id, []).append(result)
    return {pk: Side(pk, name, good.get(pk, [])) for pk, name in run.llm_names().items()}


def inside(run: BenchmarkRun, reference: UUID | None) -> list[Question]:
    """Every pair of a few LLMs; more of them, or a given reference: each one against that."""
    sides = sides_of(run)
    if reference is None and len(sides) <= ALL_PAIRS_UP_TO:
        return [Question(a, b) for a, b in combinations(sides.values(), 2)]
    chosen = sides[reference] if reference else next(iter(sides.values()))
    return [Question(chosen, side) for side in sides.values() if side is not chosen]


def across(run: BenchmarkRun, earlier: Sequence[BenchmarkRun]) -> list[Question]:
    """Each LLM of the run against its own results in the earlier runs, pooled."""
    obstacle = next(filter(None, (difference_of(run, other) for other in earlier)), None)
    pools = [sides_of(other) for other in earlier]
    questions = []
    for side in sides_of(run).values():
        own = [pool[side.llm_id].results for pool in pools if side.llm_id in pool]
        pooled = [result for results in own for result in results]
        questions.append(Question(Side(side.llm_id, side.name, pooled), side, obstacle))
    return questions


def difference_of(run: BenchmarkRun, other: BenchmarkRun) -> str | None:
    """Why two runs cannot be compared; None when they can."""
    differing = [n for n in COMPARED_SETTINGS if getattr(run, n) != getattr(other, n)]
    if run.prompt_pack != other.prompt_pack and "prompt" not in differing:
        differing.insert(0, "prompt_pack")
    if not differing:
        return None
    return f"The runs asked in different ways: {', '.join(differing)}."


def judged(questions: Sequence[Question], metric: str, limits: Limits) -> list[Verdict]:
    """One verdict per question; the p of all of them share one Holm."""
    return compare_many([pair_of(question, metric) for question in questions], limits)


def limits_of(questions: Iterable[Question], metric: str) -> Limits:
    return Limits(calibrated_error=error_share(questions, metric))


def error_share(questions: Iterable[Question], metric: str) -> float:
    """The client's own error as a share of the values: the largest of the sides' medians."""
    sides = [side for q in questions for side in (q.baseline, q.current)]
    return max((_error_share(side, metric) for side in sides), default=0.0)


def _error_share(side: Side, metric: str) -> float:
    # A throughput is off by as much as the time it was made from.
    timed = "total_latency_ms" if metric in ("tps", "tpot_ms") else metric
    shares = [
        result.uncertainty_ms / value
        for result in side.results
        if result.uncertainty_ms is not None and (value := getattr(result, timed))
    ]
    return median(shares) if shares else 0.0


def pair_of(question: Question, metric: str) -> Pair:
    return Pair(
        question.baseline.values(metric),
        question.current.values(metric),
        BETTER[metric],
        question.obstacle or _spoiled(question, metric),
    )


def _spoiled(question: Question, metric: str) -> str | None:
    sides = (question.baseline, question.current)
    for flag, sentence in SPOILS.items():
        if any(side.share(flag) >= 0.5 for side in sides):
            return sentence
    cached = [side.share("cache_hit") >= 0.5 for side in sides]
    if metric != "tps" and cached[0] != cached[1]:
        return "One side was answered from the provider's cache."
    estimated = [side.share("tokens_estimated") >= 0.5 for side in sides]
    if metric in ("tps", "tpot_ms") and estimated[0] != estimated[1]:
        return "The tokens of one side are estimates."
    return None


def comparison_document(
    run: BenchmarkRun, questions: Sequence[Question], **head: Any
) -> dict[str, Any]:
    metrics = [_metric_document(questions, metric) for metric in METRICS]
    return {"run_id": str(run.pk), **head, "metrics": metrics}


def _metric_document(questions: Sequence[Question], metric: str) -> dict[str, Any]:
    limits = limits_of(questions, metric)
    verdicts = judged(questions, metric, limits)
    return {
        "metric": metric,
        "better": BETTER[metric].value,
        "alpha": limits.alpha,
        "smallest_effect": limits.effect,
        "comparisons": [
            verdict_document(question, metric, verdict)
            for question, verdict in zip(questions, verdicts, strict=True)
        ],
    }


def verdict_document(question: Question, metric: str, verdict: Verdict) -> dict[str, Any]:
    return {
        "model_id": str(question.current.llm_id),
        "model_name": question.current.name,
        "baseline_model_id": str(question.baseline.llm_id),
        "baseline_model_name": question.baseline.name,
        "state": verdict.state.value,
        "reason": verdict.reason,
        "n": verdict.n_current,
        "n_baseline": verdict.n_baseline,
        "median": _median(question.current.values(metric)),
        "baseline_median": _median(question.baseline.values(metric)),
        "p": verdict.p,
        "p_adjusted": verdict.p_adjusted,
        "ratio": _estimate(verdict.ratio),
        "shift": _estimate(verdict.shift),
        "minimum_detectable_effect": verdict.minimum_detectable_effect,
    }


def _estimate(estimate: Estimate | None) -> dict[str, Any] | None:
    if estimate is None:
        return None
    return {"value": estimate.value, "interval": interval_document(estimate.interval)}


def _median(values: Sequence[float]) -> float | None:
    return median(values) if values else None
