"""How available each LLM was, over the usual windows."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.db.models import Count, OuterRef, Q, Subquery, Sum

from models_app.models import LLM
from monitoring.hours import DAY, HOUR, day_of, hour_of
from monitoring.models import CheckRollup, UptimeCheck
from monitoring.models.rollups import COUNTS
from monitoring.tails import Tail, steadily
from providers.statistics.intervals import Interval, wilson_interval


@dataclass(frozen=True, slots=True)
class Window:
    """`length` back from now; counted from the begin of that hour or of that UTC day."""

    name: str
    length: timedelta
    span: CheckRollup.Span

    def since(self, now: datetime) -> datetime:
        begin = hour_of if self.span == CheckRollup.Span.HOUR else day_of
        return begin(now - self.length)


WINDOWS = (
    Window("24h", 24 * HOUR, CheckRollup.Span.HOUR),
    Window("7d", 7 * DAY, CheckRollup.Span.HOUR),
    Window("30d", 30 * DAY, CheckRollup.Span.DAY),
    Window("90d", 90 * DAY, CheckRollup.Span.DAY),
)


@dataclass(slots=True)
class Uptime:
    """Checks by status, those that say nothing about the provider among them and apart."""

    up: int = 0
    degraded: int = 0
    down: int = 0
    excluded_degraded: int = 0
    excluded_down: int = 0

    def add(self, counts: Sequence[int | None]) -> None:
        for name, count in zip(COUNTS, counts, strict=True):
            setattr(self, name, getattr(self, name) + (count or 0))

    def note(self, status: str, counts_for_uptime: bool, number: int = 1) -> None:
        names = [status] if counts_for_uptime else [status, f"excluded_{status}"]
        for name in COUNTS:
            if name in names:
                setattr(self, name, getattr(self, name) + number)

    @property
    def excluded(self) -> int:
        return self.excluded_degraded + self.excluded_down

    @property
    def n(self) -> int:
        return self.up + self.degraded + self.down - self.excluded

    @property
    def available(self) -> int:
        """Answered, if not always as it should."""
        return self.up + self.degraded - self.excluded_degraded

    @property
    def uptime(self) -> float | None:
        return self.available / self.n if self.n else None

    @property
    def interval(self) -> Interval | None:
        return wilson_interval(self.available, self.n)


@dataclass(slots=True)
class Summary:
    llm: LLM
    last: UptimeCheck | None
    windows: dict[str, Uptime] = field(
        default_factory=lambda: {window.name: Uptime() for window in WINDOWS}
    )


def summaries(llms: Iterable[LLM], now: datetime) -> list[Summary]:
    """In the order of `llms`, with a number of queries that does not depend on theirs."""
    listed = list(llms)
    last = latest_checks([llm.pk for llm in listed])

    def read(tail: Tail) -> list[Summary]:
        found = {llm.pk: Summary(llm, last.get(llm.pk)) for llm in listed}
        for span in CheckRollup.Span:
            _add_folded(found, [window for window in WINDOWS if window.span == span], now)
        _add_recent(found, tail, now)
        return list(found.values())

    return steadily(read)


def latest_checks(llm_ids: Collection[UUID]) -> dict[UUID, UptimeCheck]:
    """One look into the index for each LLM, in one query."""
    own = UptimeCheck.objects.filter(llm=OuterRef("pk")).order_by("-created_at", "-id")
    newest = Subquery(own.values("pk")[:1])
    found = LLM.objects.filter(pk__in=llm_ids).order_by().values_list(newest, flat=True)
    pks = [pk for pk in found if pk is not None]
    return {check.llm_id: check for check in UptimeCheck.objects.filter(pk__in=pks)}


def _add_folded(found: dict[UUID, Summary], windows: list[Window], now: datetime) -> None:
    sums: dict[str, Any] = {
        f"{name}_{place}": Sum(name, filter=Q(start__gte=window.since(now)))
        for place, window in enumerate(windows)
        for name in COUNTS
    }
    earliest = min(window.since(now) for window in windows)
    rows = CheckRollup.objects.filter(llm__in=found, span=windows[0].span, start__gte=earliest)
    for llm_id, *counts in rows.order_by().values("llm").annotate(**sums).values_list("llm", *sums):
        for place, window in enumerate(windows):
            own = counts[place * len(COUNTS) : (place + 1) * len(COUNTS)]
            found[llm_id].windows[window.name].add(own)


def _add_recent(found: dict[UUID, Summary], tail: Tail, now: datetime) -> None:
    """Checks that the rollups do not hold yet, sorted into the same whole hours and days."""
    rows = tail.checks().filter(llm__in=found).values_list("llm", "status", "counts_for_uptime")
    counts: dict[str, Any] = {
        f"n_{window.name}": Count("pk", filter=Q(created_at__gte=window.since(now)))
        for window in WINDOWS
    }
    for llm_id, status, counts_for_uptime, *numbers in rows.annotate(**counts):
        for window, number in zip(WINDOWS, numbers, strict=True):
            found[llm_id].windows[window.name].note(status, counts_for_uptime, number)
