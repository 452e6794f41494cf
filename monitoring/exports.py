"""The history of checks as a download."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from monitoring.models import UptimeCheckQuerySet

COLUMNS = (
    "model_name",
    "provider",
    "status",
    "latency_ms",
    "error",
    "timestamp",
    "ttft_ms",
    "ttfa_ms",
    "tps",
    "tps_excluding_ttft",
    "tpot_ms",
    "input_tokens",
    "output_tokens",
    "token_source",
    "uncertainty_ms",
    "estimated_cost",
    "error_class",
    "counts_for_uptime",
    "prompt_pack",
    "model_id",
    "run_id",
    "id",
)
# Column of the download: path in the database, where the two differ.
PATHS = {
    "provider": "llm__account__provider_type",
    "latency_ms": "total_latency_ms",
    "timestamp": "created_at",
    "model_id": "llm_id",
    "run_id": "round_id",
}
CUSTOM_NAME, UPSTREAM_ID = "llm__custom_name", "llm__upstream_id"
READ_AT_ONCE = 2000


def exported(checks: UptimeCheckQuerySet) -> Iterator[dict[str, Any]]:
    """One flat row for each check, newest first, never more than a chunk of them in memory."""
    plain = [name for name in COLUMNS if name != "model_name"]
    paths = [PATHS.get(name, name) for name in plain]
    rows = checks.order_by("-created_at", "-id").values_list(CUSTOM_NAME, UPSTREAM_ID, *paths)
    for custom_name, upstream_id, *values in rows.iterator(chunk_size=READ_AT_ONCE):
        row = dict(zip(plain, values, strict=True))
        cost = row["estimated_cost"]
        yield row | {
            "model_name": custom_name or upstream_id,
            "timestamp": row["timestamp"].isoformat(),
            "estimated_cost": None if cost is None else float(cost),
        }
