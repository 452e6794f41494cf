from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from django.http import StreamingHttpResponse

from arguslm.api.exports import csv_lines, download, json_document
from benchmarks.documents import figures_of, written
from benchmarks.models import BenchmarkRun
from models_app.models import LLM, Measured

# The columns that ArgusLM's own exports have come first, in their order.
FIRST = (
    "model_name",
    "provider",
    "ttft_ms",
    "tps",
    "tps_excluding_ttft",
    "total_latency_ms",
    "input_tokens",
    "output_tokens",
    "error",
    "timestamp",
)
OWN = ("model_id", "iteration", "ordinal", "error_class")
COLUMNS = (*FIRST, *OWN, *(name for name in Measured.FIGURES if name not in FIRST))
ROWS_AT_A_TIME = 500


def export(run: BenchmarkRun, kind: str) -> StreamingHttpResponse:
    name = f"benchmark_{run.pk}"
    if kind == "csv":
        flat = ({**row, "quality_flags": " ".join(row["quality_flags"])} for row in rows(run))
        return download(csv_lines(COLUMNS, flat), kind=kind, name=name)
    return download(json_document(_head(run), "results", rows(run)), kind=kind, name=name)


def rows(run: BenchmarkRun) -> Iterator[dict[str, Any]]:
    """One flat row per result; an unknown figure is None here."""
    llms = {llm.pk: llm for llm in LLM.objects.filter(benchmark_runs=run).select_related("account")}
    names = run.llm_names()
    for result in run.results.order_by("ordinal").iterator(chunk_size=ROWS_AT_A_TIME):
        llm = llms[result.llm_id]
        row = {
            "model_name": names[llm.pk],
            "provider": llm.account.provider_type,
            "error": result.error,
            "timestamp": written(result.created_at),
            "model_id": str(llm.pk),
            "iteration": result.iteration,
            "ordinal": result.ordinal,
            "error_class": result.error_class,
            **figures_of(result),
        }
        yield {column: row[column] for column in COLUMNS}


def _head(run: BenchmarkRun) -> dict[str, Any]:
    return {
        "run_id": str(run.pk),
        "run_name": run.name,
        "prompt_pack": run.prompt_pack,
        "started_at": run.started_at,
        "completed_at": run.completed_at,
        "status": run.status,
        "max_tokens": run.max_tokens,
        "num_runs": run.num_runs,
        "seed": run.seed,
    }
