"""How many runs a comparison needs, from how much the LLM's stored values vary."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from benchmarks.models import BenchmarkResult, BenchmarkRun
from models_app.models import LLM
from providers.statistics.power import (
    fewest_runs,
    log_spread,
    minimum_detectable_effect,
    runs_needed,
)

NEWEST_RUNS = 20
EXAMPLES = (5, 10, 20, 50, 100)


@dataclass(frozen=True, slots=True)
class Wish:
    llm: LLM
    metric: str
    effect: float
    power: float
    prompt_pack: str | None = None


def answer(wish: Wish) -> dict[str, Any]:
    """`runs_needed` is null while nothing is known of the LLM's variation."""
    samples = stored_samples(wish)
    spread = log_spread(samples)
    known = spread is not None
    return {
        "model_id": str(wish.llm.pk),
        "metric": wish.metric,
        "effect": wish.effect,
        "power": wish.power,
        "spread": spread,
        "based_on": {"runs": len(samples), "values": sum(map(len, samples))},
        "runs_needed": _needed(spread, wish) if spread is not None else None,
        "fewest_runs": fewest_runs(0.05),
        "detectable": [
            {"runs": n, "effect": minimum_detectable_effect(spread or 0.0, n, n, power=wish.power)}
            for n in EXAMPLES
        ]
        if known
        else [],
    }


def stored_samples(wish: Wish) -> list[list[float]]:
    """The positive values of the newest completed runs, run by run."""
    runs = BenchmarkRun.objects.filter(targets__llm=wish.llm, status=BenchmarkRun.Status.COMPLETED)
    if wish.prompt_pack is not None:
        runs = runs.filter(prompt_pack=wish.prompt_pack)
    newest = list(runs.order_by("-created_at").values_list("pk", flat=True)[:NEWEST_RUNS])
    rows = BenchmarkResult.objects.filter(run__in=newest, llm=wish.llm, error=None)
    by_run: dict[Any, list[float]] = {}
    for run_id, value in rows.order_by().values_list("run", wish.metric):
        if value is not None and value > 0:
            by_run.setdefault(run_id, []).append(value)
    return [sample for sample in by_run.values() if len(sample) > 1]


def _needed(spread: float, wish: Wish) -> int:
    return runs_needed(spread, wish.effect, power=wish.power)
