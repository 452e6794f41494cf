"""How many checks match, and where a deep page begins, without walking over all of them.

The rollups know the number of checks by LLM, status and hour; only the hours that a filter cuts in
two and the checks not folded yet are counted one by one.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from uuid import UUID

from django.db.models import F, Sum

from models_app.models import LLM
from monitoring.hours import DAY, HOUR, day_of, hour_of, next_whole
from monitoring.models import CheckRollup, UptimeCheck, UptimeCheckQuerySet
from monitoring.models.rollups import CheckRollupQuerySet
from monitoring.tails import not_rolled_up

# Nearer pages are read from the start of the index.
DEEP = 1000
EPOCH = datetime.fromisoformat("1970-01-01T00:00:00+00:00")
FAR = datetime.fromisoformat("9998-01-01T00:00:00+00:00")


@dataclass(frozen=True, slots=True)
class Span:
    """Checks created in [start, end)."""

    start: datetime
    end: datetime
    checks: int


@dataclass(frozen=True, slots=True)
class Matching:
    """Checks by model and status, created in [start, end)."""

    llm_id: UUID | None = None
    status: str | None = None
    enabled_only: bool = False
    start: datetime = EPOCH
    end: datetime = FAR

    def rows(self) -> UptimeCheckQuerySet:
        rows = self._narrowed(UptimeCheck.objects.all())
        if self.start > EPOCH:
            rows = rows.filter(created_at__gte=self.start)
        if self.end < FAR:
            rows = rows.filter(created_at__lt=self.end)
        return rows.order_by("-created_at", "-id")

    def page(self, limit: int, offset: int) -> tuple[UptimeCheckQuerySet, int]:
        """The rows of the page, newest first, and the number of all that match."""
        if self._is_short:
            total = self._raw().count()
            return self.rows()[offset : offset + limit], total
        folded = self._spans()
        total = sum(span.checks for span in folded) + self._tail().count()
        if offset >= total:
            return self.rows().none(), total
        if offset < DEEP:
            return self.rows()[offset : offset + limit], total
        end, left = self._place(folded, offset)
        return self.rows().filter(created_at__lt=end)[left : left + limit], total

    @property
    def _first_hour(self) -> datetime:
        return next_whole(self.start, HOUR)

    @property
    def _last_hour(self) -> datetime:
        return hour_of(self.end)

    @property
    def _is_short(self) -> bool:
        """Not one whole hour."""
        return self._first_hour >= self._last_hour

    def _spans(self) -> list[Span]:
        """Everything but the tail, by days and hours; what begins or ends within an hour too."""
        first_day, last_day = next_whole(self._first_hour, DAY), day_of(self._last_hour)
        edges = ((self.start, self._first_hour), (self._last_hour, self.end))
        cut = [self._counted(start, end) for start, end in edges if start < end]
        return [*self._folded(self._first_hour, self._last_hour, first_day, last_day), *cut]

    def _folded(
        self, first_hour: datetime, last_hour: datetime, first_day: datetime, last_day: datetime
    ) -> Iterator[Span]:
        if first_day > last_day:
            yield from self._sums(CheckRollup.objects.hourly(), first_hour, last_hour, HOUR)
            return
        yield from self._sums(CheckRollup.objects.daily(), first_day, last_day, DAY)
        for start, end in ((first_hour, first_day), (last_day, last_hour)):
            if start < end:
                yield from self._sums(CheckRollup.objects.hourly(), start, end, HOUR)

    def _sums(
        self, rollups: CheckRollupQuerySet, start: datetime, end: datetime, length: timedelta
    ) -> Iterator[Span]:
        rows = rollups.between(start if start > EPOCH else None, end if end < FAR else None)
        if self.llm_id is not None:
            rows = rows.filter(llm=self.llm_id)
        if self.enabled_only:
            rows = rows.filter(llm__enabled_for_monitoring=True)
        column = F(self.status) if self.status else F("up") + F("degraded") + F("down")
        for begin, checks in rows.order_by().values_list("start").annotate(n=Sum(column)):
            yield Span(begin, begin + length, checks)

    def _counted(self, start: datetime, end: datetime) -> Span:
        return Span(start, end, replace(self, start=start, end=end)._raw().count())

    def _raw(self) -> UptimeCheckQuerySet:
        rows = self._narrowed(UptimeCheck.objects.filter(created_at__gte=self.start))
        return rows.filter(created_at__lt=self.end).order_by()

    def _tail(self) -> UptimeCheckQuerySet:
        """What the rollups do not hold yet, within whole hours: the edges are counted anyway."""
        rows = self._narrowed(not_rolled_up())
        return rows.filter(created_at__gte=self._first_hour, created_at__lt=self._last_hour)

    def _narrowed(self, rows: UptimeCheckQuerySet) -> UptimeCheckQuerySet:
        if self.llm_id is not None:
            rows = rows.filter(llm=self.llm_id)
        if self.status is not None:
            rows = rows.filter(status=self.status)
        # An exclusion leads no database away from the index that has the order of the list; a
        # join or an inclusion would have it sort all checks first.
        others = LLM.objects.filter(enabled_for_monitoring=False).order_by()
        return rows.exclude(llm__in=others.values("pk")) if self.enabled_only else rows

    def _place(self, folded: list[Span], offset: int) -> tuple[datetime, int]:
        """Where to begin: checks before this moment, and how many of them to pass over."""
        tail = Counter(map(hour_of, self._tail().values_list("created_at", flat=True)))
        recent = [Span(hour, hour + HOUR, checks) for hour, checks in tail.items()]
        day, left = _reached([*folded, *recent], day_of, offset)
        start, end = max(self._first_hour, day), min(self._last_hour, day + DAY)
        hours = list(self._sums(CheckRollup.objects.hourly(), start, end, HOUR))
        edges = [span for span in folded if span.end - span.start < HOUR]
        hours += [span for span in (*edges, *recent) if day_of(span.start) == day]
        hour, left = _reached(hours, hour_of, left)
        return min(self.end, hour + HOUR), left


def _reached(
    spans: Iterable[Span], begin: Callable[[datetime], datetime], offset: int
) -> tuple[datetime, int]:
    """The hour or day, counted from the newest, that holds the check at `offset`, and the rest."""
    sizes: Counter[datetime] = Counter()
    for span in spans:
        sizes[begin(span.start)] += span.checks
    place = FAR
    for place in sorted(sizes, reverse=True):
        if offset < sizes[place]:
            break
        offset -= sizes[place]
    return place, offset
