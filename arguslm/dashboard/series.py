"""The history of one LLM over a window: single checks while they are few, else buckets by time."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db.models import Avg, Count, F, Func, IntegerField, Max, Min, Q
from django.db.models.functions import Mod

from arguslm.dashboard.queries import DOWN, Uptime, uptime_counts
from models_app.models import LLM
from monitoring.models import UptimeCheck, UptimeCheckQuerySet

WINDOWS: dict[str, timedelta] = {
    "1h": timedelta(hours=1),
    "24h": timedelta(hours=24),
    "7d": timedelta(days=7),
    "30d": timedelta(days=30),
}
DEFAULT_WINDOW = "24h"
MAX_SINGLE = 600
BUCKETS = 240
MAX_FAILURES = 300
METRICS = {"ttft": "ttft_ms", "latency": "total_latency_ms", "tps": "tps"}


class Epoch(Func):
    """Whole seconds since 1970, computed by the database."""

    output_field = IntegerField()

    def as_sqlite(self, compiler: Any, connection: Any, **context: Any) -> Any:
        template = "CAST(strftime('%%s', %(expressions)s) AS INTEGER)"
        return self.as_sql(compiler, connection, template=template, **context)

    def as_postgresql(self, compiler: Any, connection: Any, **context: Any) -> Any:
        template = "FLOOR(EXTRACT(EPOCH FROM %(expressions)s))::bigint"
        return self.as_sql(compiler, connection, template=template, **context)


@dataclass(frozen=True, slots=True)
class Quantiles:
    n: int
    median: float | None
    p95: float | None


def series(llm: LLM, window: str, now: datetime) -> dict[str, Any]:
    """As JSON; times in ms since 1970. `bucket_s` is null when `points` are single checks."""
    start = now - WINDOWS[window]
    checks = UptimeCheck.objects.filter(llm=llm).between(start, now).order_by()
    singles = list(_singles(checks)[: MAX_SINGLE + 1])
    are_few = len(singles) <= MAX_SINGLE
    width_s = math.ceil(WINDOWS[window].total_seconds() / BUCKETS)
    return {
        "start": _ms(start),
        "end": _ms(now),
        "bucket_s": None if are_few else width_s,
        "points": [_single(row) for row in singles] if are_few else _buckets(checks, width_s),
        "failures": _failures(checks),
    }


def _ms(moment: datetime) -> int:
    return round(moment.timestamp() * 1000)


SINGLE = ("created_at", "status", "ttft_ms", "total_latency_ms", "tps", "uncertainty_ms")


def _singles(checks: UptimeCheckQuerySet) -> Any:
    return checks.order_by("created_at", "id").values_list(*SINGLE)


def _single(row: tuple[Any, ...]) -> dict[str, Any]:
    created_at, status, ttft, latency, tps, uncertainty = row
    known = status != DOWN
    return {
        "t": _ms(created_at),
        "n": 1,
        "down": int(status == DOWN),
        "degraded": int(status == UptimeCheck.Status.DEGRADED),
        "ttft": ttft if known else None,
        "latency": latency if known else None,
        "tps": tps if known else None,
        "uncertainty": uncertainty,
    }


def _buckets(checks: UptimeCheckQuerySet, width_s: int) -> list[dict[str, Any]]:
    good = ~Q(status=DOWN)
    figures = {
        f"{name}_{kind}": aggregate(column, filter=good)
        for name, column in METRICS.items()
        for kind, aggregate in (("mean", Avg), ("min", Min), ("max", Max))
    }
    epoch = Epoch(F("created_at"))
    rows = (
        checks.annotate(bucket=epoch - Mod(epoch, width_s))
        .values("bucket")
        .annotate(
            n=Count("pk"),
            down=Count("pk", filter=~good),
            degraded=Count("pk", filter=Q(status=UptimeCheck.Status.DEGRADED)),
            **figures,
        )
        .order_by("bucket")
    )
    return [_bucket(row, width_s) for row in rows]


def _bucket(row: Mapping[str, Any], width_s: int) -> dict[str, Any]:
    spans = {
        name: [row[f"{name}_min"], row[f"{name}_max"]]
        for name in METRICS
        if row[f"{name}_mean"] is not None
    }
    return {
        "t": round((row["bucket"] + width_s / 2) * 1000),
        **{name: row[name] for name in ("n", "down", "degraded")},
        **{name: row[f"{name}_mean"] for name in METRICS},
        "spans": spans,
    }


def _failures(checks: UptimeCheckQuerySet) -> list[dict[str, Any]]:
    """The newest checks that were not up, oldest first."""
    failed = checks.exclude(status=UptimeCheck.Status.UP).order_by("-created_at", "-id")
    rows = failed.values_list("created_at", "status", "error")[:MAX_FAILURES]
    return [
        {"t": _ms(created_at), "status": status, "error": error}
        for created_at, status, error in reversed(rows)
    ]


def quantiles(llm: LLM, window: str, now: datetime) -> dict[str, Quantiles]:
    """Median and P95 of each metric over the successful checks, sorted by the database."""
    good = UptimeCheck.objects.filter(llm=llm).between(now - WINDOWS[window], now)
    good = good.exclude(status=DOWN).order_by()
    sizes = good.aggregate(**{name: Count(column) for name, column in METRICS.items()})
    return {
        name: Quantiles(n, _quantile(good, column, n, 0.5), _quantile(good, column, n, 0.95))
        for name, column in METRICS.items()
        for n in [sizes[name]]
    }


def _quantile(checks: UptimeCheckQuerySet, column: str, n: int, p: float) -> float | None:
    """Hyndman-Fan type 7, as everywhere: between the two values around ``(n - 1)·p``."""
    if n == 0:
        return None
    below = math.floor((n - 1) * p)
    known = checks.filter(**{f"{column}__isnull": False}).order_by(column)
    pair = list(known.values_list(column, flat=True)[below : below + 2])
    low, high = pair[0], pair[-1]
    return float(low + (high - low) * ((n - 1) * p - below))


def uptimes(llm: LLM, now: datetime) -> dict[str, Uptime]:
    """By window, with one query."""
    counts = {
        f"w{window}_{name}": count
        for window, length in WINDOWS.items()
        for name, count in uptime_counts(Q(created_at__gte=now - length)).items()
    }
    checks = UptimeCheck.objects.filter(llm=llm).between(now - max(WINDOWS.values()), now)
    found = checks.aggregate(**counts)
    names = uptime_counts()
    return {w: Uptime(**{name: found[f"w{w}_{name}"] for name in names}) for w in WINDOWS}
