"""A run as one HTML page that needs nothing else: no script, no font, no request."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db.models.functions import Coalesce
from django.template.loader import render_to_string
from django.utils.safestring import mark_safe

from benchmarks import archive, plots
from benchmarks.comparisons import comparison_document, inside
from benchmarks.manifests import manifest_of
from benchmarks.models import BenchmarkRun
from benchmarks.plots import Sample
from providers.statistics.comparison import VerdictState

TITLES = {
    "ttft_ms": "Time to first token",
    "total_latency_ms": "Latency",
    "tpot_ms": "Time per output token",
    "tps": "Throughput",
}
AXIS = "time to first token, ms"
MOST_COMPARISONS = 60


def report_of(run: BenchmarkRun) -> str:
    samples, count = _samples(run), run.results.count()
    # The order alone may be longer than the rest of the page; the manifest's address has it.
    manifest = {k: v for k, v in manifest_of(run).items() if k != "order"}
    context = {
        "run": run,
        "count": count,
        "statistics": archive.statistics(run, count),
        "verdicts": _verdicts(run),
        "regressions": [{"title": TITLES[v["metric"]], **v} for v in run.verdicts or []],
        "plots": _plots(samples),
        "legend": mark_safe(plots.legend(samples)),  # noqa: S308 - built and escaped by us
        "manifest": json.dumps(manifest, indent=2, ensure_ascii=False),
    }
    return render_to_string("benchmarks/report.html", context)


def _plots(samples: Sequence[Sample]) -> list[dict[str, Any]]:
    drawn: list[tuple[str, str, Callable[[Sequence[Sample], str], str]]] = [
        (
            "How soon the first token came",
            "A curve shows which share of all requests had its first token by then. It ends below "
            "100 % where requests failed.",
            plots.ecdf_plot,
        ),
        (
            "Every request",
            "One mark is one request; the number beside a name is how many there are. The box "
            "holds the middle half; the upright line is the median, the level one its interval.",
            plots.strip_plot,
        ),
        (
            "In the course of the run",
            "A cross at the top is a failed request.",
            plots.timeline_plot,
        ),
    ]
    made = [(title, words, draw(samples, AXIS)) for title, words, draw in drawn]
    return [
        {"title": title, "words": words, "svg": mark_safe(svg)}  # noqa: S308 - escaped by us
        for title, words, svg in made
        if svg
    ]


def _samples(run: BenchmarkRun) -> list[Sample]:
    rows = run.results.order_by("ordinal").values_list(
        "llm_id", "ttft_ms", "error_class", Coalesce("started_at", "created_at")
    )
    by_llm: dict[UUID, list[tuple[float | None, str | None, datetime]]] = {}
    for llm_id, *row in rows:
        by_llm.setdefault(llm_id, []).append(tuple(row))
    starts = [at for own in by_llm.values() for _, _, at in own]
    zero = min(starts, default=run.created_at)
    samples = []
    for llm_id, name in run.llm_names().items():
        own = [(ttft, bad, (at - zero).total_seconds()) for ttft, bad, at in by_llm.get(llm_id, [])]
        good = [(ttft, at_s) for ttft, bad, at_s in own if bad is None and ttft is not None]
        failed = [at_s for _, bad, at_s in own if bad is not None]
        samples.append(Sample(name, [v for v, _ in good], [at_s for _, at_s in good], failed))
    return samples


def _verdicts(run: BenchmarkRun) -> list[dict[str, Any]]:
    questions = inside(run, None)
    if not questions or len(questions) > MOST_COMPARISONS:
        return []
    found = comparison_document(run, questions)["metrics"]
    return [{"title": TITLES[one["metric"]], "same": _same_of(one), **one} for one in found]


def _same_of(metric: dict[str, Any]) -> str | None:
    """The one reason for which no pair of models could be compared; None when there are more."""
    reasons = {(one["state"], one["reason"]) for one in metric["comparisons"]}
    ((state, reason), *others) = reasons
    return reason if not others and state == VerdictState.INVALID else None
