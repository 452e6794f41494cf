"""How many runs a comparison needs, from how much the LLM's stored values vary."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from uuid import UUID

from benchmarks.baselines import FALSE_ALARMS, FEWEST_RUNS, FEWEST_VALUES, usual_spread
from benchmarks.comparisons import difference_of
from benchmarks.models import BenchmarkResult, BenchmarkRun
from models_app.models import LLM
from providers.statistics.comparison import DEFAULT_LIMITS
from providers.statistics.power import (
    fewest_runs,
    log_spread,
    minimum_detectable_effect,
    runs_needed,
)
from providers.statistics.quantiles import median

NEWEST_RUNS = 20
EXAMPLES = (5, 10, 20, 50, 100)
SMALLEST = DEFAULT_LIMITS.min_effect

Samples = dict[UUID, list[float]]


@dataclass(frozen=True, slots=True)
class Wish:
    llm: LLM
    metric: str
    effect: float
    power: float
    prompt_pack: str | None = None


def answer(wish: Wish) -> dict[str, Any]:
    """`runs_needed` is null while nothing is known of the LLM's variation; `reason` says why."""
    runs = stored_runs(wish)
    samples = stored_samples(wish, runs)
    spread = log_spread(samples.values())
    return {
        "model_id": str(wish.llm.pk),
        "metric": wish.metric,
        "effect": wish.effect,
        "power": wish.power,
        "spread": spread,
        "based_on": {"runs": len(samples), "values": sum(map(len, samples.values()))},
        "runs_needed": _needed(spread, wish),
        "reason": _reason(spread, wish),
        "fewest_runs": fewest_runs(DEFAULT_LIMITS.alpha),
        "detectable": [] if spread is None else [_detectable(spread, n, wish) for n in EXAMPLES],
        "between_runs": between_runs(runs, samples),
    }


def stored_runs(wish: Wish) -> list[BenchmarkRun]:
    """The newest completed runs with this LLM."""
    runs = BenchmarkRun.objects.filter(targets__llm=wish.llm, status=BenchmarkRun.Status.COMPLETED)
    if wish.prompt_pack is not None:
        runs = runs.filter(prompt_pack=wish.prompt_pack)
    return list(runs.order_by("-created_at")[:NEWEST_RUNS])


def stored_samples(wish: Wish, runs: list[BenchmarkRun]) -> Samples:
    """The positive values of each run that has two of them."""
    rows = BenchmarkResult.objects.filter(run__in=runs, llm=wish.llm, error=None)
    by_run: Samples = {}
    for run_id, value in rows.order_by().values_list("run", wish.metric):
        if value is not None and value > 0:
            by_run.setdefault(run_id, []).append(value)
    return {run_id: sample for run_id, sample in by_run.items() if len(sample) > 1}


def between_runs(runs: list[BenchmarkRun], samples: Samples) -> dict[str, Any]:
    """How far one more run that asks like the newest may lie from these, whatever its size."""
    alike = [run for run in runs if difference_of(runs[0], run) is None and run.pk in samples]
    levels = [median(samples[r.pk]) for r in alike if len(samples[r.pk]) >= FEWEST_VALUES]
    is_known = len(levels) >= FEWEST_RUNS
    return {
        "runs": len(levels),
        "usual_spread": usual_spread(levels, FALSE_ALARMS) if is_known else None,
    }


def _needed(spread: float | None, wish: Wish) -> int | None:
    if spread is None or wish.effect <= SMALLEST:
        return None
    return runs_needed(spread, wish.effect, power=wish.power, min_effect=SMALLEST)


def _reason(spread: float | None, wish: Wish) -> str | None:
    if wish.effect <= SMALLEST:
        return f"A change that is not above {SMALLEST * 100:g} % never gets a verdict."
    return "No run of this model with two values is stored yet." if spread is None else None


def _detectable(spread: float, n: int, wish: Wish) -> dict[str, Any]:
    effect = minimum_detectable_effect(spread, n, n, power=wish.power, min_effect=SMALLEST)
    return {"runs": n, "effect": effect}
