"""The history of one LLM: single checks while they are few, else whole hours or days."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from models_app.models import LLM
from monitoring.histograms import Histogram
from monitoring.models import MonitoringConfig, UptimeCheck, UptimeCheckQuerySet
from monitoring.rollups import HISTOGRAMS as METRICS
from monitoring.timeseries import SPANS, Point, timeseries
from providers.statistics.quantiles import ordered, quantile_of_sorted
from providers.statistics.summary import is_reliable

DOWN = UptimeCheck.Status.DOWN
MAX_SINGLE = 1500
MAX_FAILURES = 300
# Slow throughput is the low tail.
TAILS = {"tps": 5}


class Window(NamedTuple):
    """`bucket` is what is shown when the single checks are too many, or deleted already."""

    length: timedelta
    bucket: str


WINDOWS: dict[str, Window] = {
    "1h": Window(timedelta(hours=1), "hour"),
    "24h": Window(timedelta(hours=24), "hour"),
    "7d": Window(timedelta(days=7), "hour"),
    "30d": Window(timedelta(days=30), "hour"),
    "90d": Window(timedelta(days=90), "day"),
}
DEFAULT_WINDOW = "24h"


class Single(NamedTuple):
    created_at: datetime
    status: str
    ttft_ms: float | None
    total_latency_ms: float | None
    tps: float | None
    uncertainty_ms: float | None


@dataclass(frozen=True, slots=True)
class History:
    """`singles` is None when `points` are shown."""

    start: datetime
    end: datetime
    bucket: str
    singles: Sequence[Single] | None
    points: Sequence[Point]
    failures: Sequence[tuple[datetime, str, str | None]]

    def summary(self, name: str) -> dict[str, Any]:
        """Median and slow tail of the successful checks; histograms are within 2.5 %."""
        percent = TAILS.get(name, 95)
        if self.singles is None:
            merged = Histogram()
            for point in self.points:
                merged.merge(point.histograms[name])
            n, (median, tail) = merged.n, merged.quantiles(0.5, percent / 100)
        else:
            known = ordered(
                value for one in self.singles if (value := _figure(one, name)) is not None
            )
            n = len(known)
            median, tail = (
                quantile_of_sorted(known, p) if known else None for p in (0.5, percent / 100)
            )
        return {
            "n": n,
            "median": median,
            "tail": tail,
            "percent": percent,
            "is_rough": self.singles is None or not is_reliable(n, percent),
        }

    def document(self) -> dict[str, Any]:
        """As JSON; times in ms since 1970. `bucket_s` is null for single checks."""
        width = SPANS[self.bucket][1]
        shown = [_single(one) for one in self.singles or ()]
        return {
            "start": _ms(self.start),
            "end": _ms(self.end),
            "bucket_s": None if self.singles is not None else width.total_seconds(),
            "points": shown or [_bucket(point, width) for point in self.points],
            "failures": [
                {"t": _ms(at), "status": status, "error": error}
                for at, status, error in self.failures
            ],
            "summaries": {name: self.summary(name) for name in METRICS},
        }


def history(llm: LLM, window: str, now: datetime) -> History:
    length, bucket = WINDOWS[window]
    start = now - length
    checks = UptimeCheck.objects.filter(llm=llm).between(start, now).order_by("created_at", "id")
    singles = None if _is_cut(start) else _singles(checks)
    points = timeseries(llm.pk, bucket, start, now) if singles is None else []
    return History(start, now, bucket, singles, points, _failures(checks))


def _is_cut(start: datetime) -> bool:
    """Whether single checks since `start` have been deleted for their age."""
    horizon = MonitoringConfig.horizon()
    return horizon is not None and start < horizon


def _singles(checks: UptimeCheckQuerySet) -> list[Single] | None:
    found = [Single(*row) for row in checks.values_list(*Single._fields)[: MAX_SINGLE + 1]]
    return found if len(found) <= MAX_SINGLE else None


def _failures(checks: UptimeCheckQuerySet) -> list[tuple[datetime, str, str | None]]:
    """The newest checks that were not up, oldest first."""
    failed = checks.exclude(status=UptimeCheck.Status.UP).order_by("-created_at", "-id")
    return list(failed.values_list("created_at", "status", "error")[:MAX_FAILURES])[::-1]


def _ms(moment: datetime) -> int:
    return round(moment.timestamp() * 1000)


def _single(one: Single) -> dict[str, Any]:
    return {
        "t": _ms(one.created_at),
        "n": 1,
        "down": int(one.status == DOWN),
        "degraded": int(one.status == UptimeCheck.Status.DEGRADED),
        "uncertainty": one.uncertainty_ms,
        **{name: _figure(one, name) for name in METRICS},
    }


def _figure(one: Single, name: str) -> float | None:
    figure: float | None = getattr(one, METRICS[name])
    return None if one.status == DOWN else figure


def _bucket(point: Point, width: timedelta) -> dict[str, Any]:
    figures = {name: point.figure(name) for name in METRICS}
    return {
        "t": _ms(point.start + width / 2),
        "n": point.checks,
        "down": point.uptime.down,
        "degraded": point.uptime.degraded,
        **{name: figure["p50"] for name, figure in figures.items()},
        "spans": {name: [f["p05"], f["p95"]] for name, f in figures.items() if f["n"]},
    }
