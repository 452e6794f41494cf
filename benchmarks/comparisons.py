"""Which LLM is faster, and is one slower than it was? Verdicts over the results of runs."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any
from uuid import UUID

from benchmarks.baselines import FEWEST_RUNS, Judgement, Series, judge
from benchmarks.models import BenchmarkRun
from benchmarks.sides import HALF, Side, sides_of
from benchmarks.summaries import BETTER, interval_document
from providers.statistics.comparison import Limits, Pair, compare_many
from providers.statistics.quantiles import median
from providers.statistics.shifts import Estimate

METRICS = ("ttft_ms", "total_latency_ms", "tpot_ms", "tps")
ALL_PAIRS_UP_TO = 6
# Failures from this share on are worth a word: those who answer may be the quick ones.
MANY_FAILED = 0.05
COMPARED_SETTINGS = (
    *("prompt_pack", "prompt", "max_tokens"),
    *("concurrency_per_llm", "request_rate", "cache_busting"),
)


@dataclass(frozen=True, slots=True)
class Question:
    """Is `current` faster or slower than `baseline`? `obstacle` says why it cannot be asked.

    `earlier` are the single runs of a baseline that is the same LLM at other times.
    """

    baseline: Side
    current: Side
    obstacle: str | None = None
    earlier: Sequence[Side] = ()


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
    return [
        against([pool[side.llm_id] for pool in pools if side.llm_id in pool], side, obstacle)
        for side in sides_of(run).values()
    ]


def against(earlier: Sequence[Side], side: Side, obstacle: str | None = None) -> Question:
    return Question(Side.pooled(side.llm_id, side.name, earlier), side, obstacle, earlier)


def compared_settings(run: BenchmarkRun) -> tuple[str, ...]:
    """What another run must have in common with this one to be compared with it."""
    return COMPARED_SETTINGS if run.request_rate is None else (*COMPARED_SETTINGS, "arrivals")


def difference_of(run: BenchmarkRun, other: BenchmarkRun) -> str | None:
    """Why two runs cannot be compared; None when they can."""
    differing = [n for n in compared_settings(run) if getattr(run, n) != getattr(other, n)]
    if "prompt" in differing and "prompt_pack" in differing:
        differing.remove("prompt_pack")
    if not differing:
        return None
    return f"The runs asked in different ways: {', '.join(differing)}."


def judged(questions: Sequence[Question], metric: str) -> list[Judgement]:
    """One for each question; the p of all of them share one Holm.

    What compares an LLM with itself at other times must also be more than the runs differ, as soon
    as there are enough of them to tell.
    """
    limits = limits_of(questions, metric)
    if any(question.earlier for question in questions):
        return judge([series_of(q, metric, limits, fewest_runs=0) for q in questions])
    verdicts = compare_many([pair_of(question, metric) for question in questions], limits)
    return [Judgement(verdict, 0) for verdict in verdicts]


def series_of(question: Question, metric: str, limits: Limits, *, fewest_runs: int) -> Series:
    question = _unspoiled(question, metric)
    return Series(
        [other.values(metric) for other in question.earlier],
        question.current.values(metric),
        BETTER[metric],
        limits,
        question.obstacle or _spoiled(question, metric),
        fewest_runs,
    )


def _unspoiled(question: Question, metric: str) -> Question:
    """Without the earlier runs that were spoiled, unless there is no other."""
    fit = [side for side in question.earlier if side.fault(metric) is None]
    return against(fit, question.current, question.obstacle) if fit else question


def limits_of(questions: Iterable[Question], metric: str) -> Limits:
    """The client's own error as a share of the values: the largest of the sides' medians."""
    compared = [_unspoiled(question, metric) for question in questions]
    sides = [side for q in compared for side in (q.baseline, q.current)]
    error = max((_error_share(side, metric) for side in sides), default=0.0)
    return Limits(calibrated_error=error)


def _error_share(side: Side, metric: str) -> float:
    shares = [share for r in side.results if (share := r.error_share(metric)) is not None]
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
    fault = next(filter(None, (side.fault(metric) for side in sides)), None)
    if fault is not None:
        return fault
    cached = [side.share("cache_hit") >= HALF for side in sides]
    if metric != "tps" and cached[0] != cached[1]:
        return "One side was answered from the provider's cache."
    estimated = [side.share("tokens_estimated") >= HALF for side in sides]
    if metric in ("tps", "tpot_ms") and estimated[0] != estimated[1]:
        return "The tokens of one side are estimates."
    return None


def cautions_of(question: Question, judgement: Judgement) -> list[str]:
    """What the one who reads a verdict should know beside it."""
    if judgement.verdict.p is None:
        return []
    found = [
        f"{side.failed} of {side.failed + len(side.results)} requests to {side.name} failed; "
        "only the answered ones are compared."
        for side in (question.baseline, question.current)
        if side.failed_share >= MANY_FAILED
    ]
    if question.earlier and judgement.n_runs < FEWEST_RUNS:
        found.append(
            f"How much the level wanders from run to run is known from {FEWEST_RUNS} earlier runs "
            f"on; this compares with {judgement.n_runs}."
        )
    return found


def comparison_document(
    run: BenchmarkRun, questions: Sequence[Question], **head: Any
) -> dict[str, Any]:
    metrics = [_metric_document(questions, metric) for metric in METRICS]
    return {"run_id": str(run.pk), **head, "metrics": metrics}


def _metric_document(questions: Sequence[Question], metric: str) -> dict[str, Any]:
    limits = limits_of(questions, metric)
    return {
        "metric": metric,
        "better": BETTER[metric].value,
        "alpha": limits.alpha,
        "smallest_effect": limits.effect,
        "comparisons": [
            verdict_document(question, metric, judgement)
            for question, judgement in zip(questions, judged(questions, metric), strict=True)
        ],
    }


def verdict_document(question: Question, metric: str, judgement: Judgement) -> dict[str, Any]:
    verdict = judgement.verdict
    return {
        "model_id": str(question.current.llm_id),
        "model_name": question.current.name,
        "baseline_model_id": str(question.baseline.llm_id),
        "baseline_model_name": question.baseline.name,
        "state": verdict.state.value,
        "reason": verdict.reason,
        "cautions": cautions_of(question, judgement),
        "n": verdict.n_current,
        "n_baseline": verdict.n_baseline,
        "median": _median(question.current.values(metric)),
        "baseline_median": _median(question.baseline.values(metric)),
        "p": verdict.p,
        "p_adjusted": verdict.p_adjusted,
        "p_robust": verdict.p_robust,
        "ratio": _estimate(verdict.ratio),
        "shift": _estimate(verdict.shift),
        "minimum_detectable_effect": verdict.minimum_detectable_effect,
        "usual_spread": judgement.usual_spread,
    }


def _estimate(estimate: Estimate | None) -> dict[str, Any] | None:
    if estimate is None:
        return None
    return {"value": estimate.value, "interval": interval_document(estimate.interval)}


def _median(values: Sequence[float]) -> float | None:
    return median(values) if values else None
