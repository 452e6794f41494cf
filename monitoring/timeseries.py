"""The figures of one LLM over time, by hour or by day."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from monitoring.histograms import Histogram
from monitoring.hours import DAY, HOUR, day_of, hour_of, next_whole
from monitoring.models import CheckRollup
from monitoring.models.rollups import COUNTS
from monitoring.rollups import FIELDS, HISTOGRAMS, Row
from monitoring.summaries import Uptime
from monitoring.tails import Tail, steadily

QUANTILES = {"p05": 0.05, "p50": 0.5, "p95": 0.95, "p99": 0.99}
SPANS = {"hour": (CheckRollup.Span.HOUR, HOUR), "day": (CheckRollup.Span.DAY, DAY)}
DEFAULT_SPANS = {"hour": DAY, "day": 30 * DAY}
MOST_POINTS = 2000


@dataclass(slots=True)
class Point:
    """One bucket; `cost` in USD, None when no price was known."""

    start: datetime
    uptime: Uptime = field(default_factory=Uptime)
    histograms: dict[str, Histogram] = field(
        default_factory=lambda: {name: Histogram() for name in HISTOGRAMS}
    )
    cost: Any = None

    @property
    def checks(self) -> int:
        return self.uptime.up + self.uptime.degraded + self.uptime.down

    def figure(self, name: str) -> dict[str, float | int | None]:
        histogram = self.histograms[name]
        found = histogram.quantiles(*QUANTILES.values())
        return {"n": histogram.n, **dict(zip(QUANTILES, found, strict=True))}


def timeseries(llm_id: UUID, bucket: str, start: datetime, end: datetime) -> list[Point]:
    """The buckets that begin in [start, end) and have checks, oldest first."""
    return steadily(lambda tail: _points(llm_id, bucket, start, end, tail))


def _points(llm_id: UUID, bucket: str, start: datetime, end: datetime, tail: Tail) -> list[Point]:
    span, length = SPANS[bucket]
    begin = begin_of(bucket)
    first, end = begin(start), next_whole(end, length)
    points: dict[datetime, Point] = {}
    for rollup in CheckRollup.objects.filter(llm=llm_id, span=span).between(first, end):
        point = points[rollup.start] = Point(rollup.start)
        point.uptime.add([getattr(rollup, name) for name in COUNTS])
        point.cost = rollup.cost if rollup.priced else None
        for name in HISTOGRAMS:
            point.histograms[name].absorb(getattr(rollup, name))
    recent = tail.checks().filter(llm=llm_id, created_at__gte=first, created_at__lt=end)
    for values in recent.values_list(*FIELDS):
        check = Row(*values)
        _add(points.setdefault(begin(check.created_at), Point(begin(check.created_at))), check)
    return sorted(points.values(), key=lambda point: point.start)


def begin_of(bucket: str) -> Any:
    return hour_of if bucket == "hour" else day_of


def _add(point: Point, check: Row) -> None:
    point.uptime.note(check.status, check.counts_for_uptime)
    if check.estimated_cost is not None:
        point.cost = (point.cost or 0) + check.estimated_cost
    for name, figure in HISTOGRAMS.items():
        value = getattr(check, figure)
        if value is not None:
            point.histograms[name].add(value)
