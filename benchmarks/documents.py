"""What the API and the stream say of a result."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from benchmarks.models import BenchmarkResult

# The published client refuses null in these: there an unknown figure is sent as 0, and
# `measurement` has it as it is (docs/decisions/0003-zero-in-legacy-fields.md).
NEVER_NULL = (
    "ttft_ms",
    "tps",
    "tps_excluding_ttft",
    "total_latency_ms",
    "input_tokens",
    "output_tokens",
)


def written(moment: datetime) -> str:
    """ISO 8601 in UTC, as the rest of the API writes times."""
    return moment.astimezone(UTC).isoformat().replace("+00:00", "Z")


def figures_of(result: BenchmarkResult) -> dict[str, Any]:
    figures = result.figures()
    cost = figures["estimated_cost"]
    figures["estimated_cost"] = None if cost is None else float(cost)
    return figures


def result_document(result: BenchmarkResult, model_name: str) -> dict[str, Any]:
    measurement = figures_of(result)
    return {
        "id": str(result.pk),
        "model_id": str(result.llm_id),
        "model_name": model_name,
        "iteration": result.iteration,
        "ordinal": result.ordinal,
        **{name: measurement[name] or 0 for name in NEVER_NULL},
        "estimated_cost": measurement["estimated_cost"],
        "error": result.error,
        "error_class": result.error_class,
        "created_at": written(result.created_at),
        "measurement": measurement,
    }
