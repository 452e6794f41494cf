"""How many checks match, and where a deep page begins, without walking over all of them.

The rollups know the number of checks by LLM, status and hour, the totals that of all LLMs together;
only the hours that a filter cuts in two and the checks not folded yet are counted one by one.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db.models import F, Q, QuerySet, Sum

from models_app.models import LLM, LLMQuerySet
from monitoring import totals
from monitoring.hours import DAY, HOUR, day_of, hour_of, next_whole
from monitoring.models import CheckRollup, CheckTotal, UptimeCheck, UptimeCheckQuerySet
from monitoring.tails import Tail, steadily

# Nearer pages are read from the start of the index.
DEEP = 1000
# More models than these are not named one by one.
NAMED = 500
EPOCH = datetime.fromisoformat("1970-01-01T00:00:00+00:00")
FAR = datetime.fromisoformat("9998-01-01T00:00:00+00:00")


# Rows with the counts of an hour or day each, to be added (1) or taken away (-1).
Counts = list[tuple[QuerySet[Any], int]]


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
            return self._from(self.rows(), limit, offset), total
        return steadily(lambda tail: self._page(tail, limit, offset))

    def _page(self, tail: Tail, limit: int, offset: int) -> tuple[UptimeCheckQuerySet, int]:
        counts, recent = self._counts(), self._recent(tail)
        folded = list(self._spans(counts))
        total = sum(span.checks for span in folded) + recent.count()
        if offset >= total:
            return self.rows().none(), total
        if offset < DEEP:
            return self._from(self.rows(), limit, offset), total
        end, left = self._place(counts, folded, recent, offset)
        return self._from(self.rows().filter(created_at__lt=end), limit, left), total

    def _from(self, rows: UptimeCheckQuerySet, limit: int, offset: int) -> UptimeCheckQuerySet:
        """Passes over rows within the index: only those of the page are read whole."""
        if offset < DEEP or self.enabled_only:
            return rows[offset : offset + limit]
        first = rows.values_list("created_at", "id")[offset : offset + 1].first()
        if first is None:
            return rows.none()
        at, pk = first
        return rows.filter(created_at__lte=at).exclude(created_at=at, id__gt=pk)[:limit]

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

    def _counts(self) -> Counts:
        rollups = CheckRollup.objects.all()
        if self.llm_id is not None:
            rollups = rollups.filter(llm=self.llm_id)
        elif totals.are_true():
            return self._of_totals()
        if self.enabled_only:
            rollups = rollups.filter(llm__in=LLM.objects.monitored().order_by())
        return [(rollups, 1)]

    def _of_totals(self) -> Counts:
        everything: Counts = [(CheckTotal.objects.all(), 1)]
        if not self.enabled_only:
            return everything
        rollups = CheckRollup.objects.all()
        watched = LLM.objects.monitored().order_by()
        for some, counts, sign in ((_unwatched(), everything, -1), (watched, [], 1)):
            ids = list(some.values_list("pk", flat=True)[: NAMED + 1])
            if len(ids) <= NAMED:
                return [*counts, (rollups.filter(llm__in=ids), sign)]
        return [(rollups.filter(llm__in=watched), 1)]

    def _spans(self, counts: Counts) -> Iterator[Span]:
        """Everything but the tail, by days and hours; what begins or ends within an hour too."""
        first_day, last_day = next_whole(self._first_hour, DAY), day_of(self._last_hour)
        if first_day > last_day:
            yield from self._sums(counts, "h", self._first_hour, self._last_hour)
        else:
            yield from self._sums(counts, "d", first_day, last_day)
            yield from self._sums(counts, "h", self._first_hour, first_day)
            yield from self._sums(counts, "h", last_day, self._last_hour)
        for start, end in ((self.start, self._first_hour), (self._last_hour, self.end)):
            if start < end:
                yield self._counted(start, end)

    def _sums(self, counts: Counts, span: str, start: datetime, end: datetime) -> Iterator[Span]:
        if start >= end:
            return
        length = HOUR if span == "h" else DAY
        column = F(self.status) if self.status else F("up") + F("degraded") + F("down")
        for rows, sign in counts:
            found = rows.filter(span=span, start__gte=start, start__lt=end).order_by()
            for begin, checks in found.values_list("start").annotate(n=Sum(column)):
                yield Span(begin, begin + length, sign * checks)

    def _counted(self, start: datetime, end: datetime) -> Span:
        return Span(start, end, replace(self, start=start, end=end)._raw().count())

    def _raw(self) -> UptimeCheckQuerySet:
        rows = self._narrowed(UptimeCheck.objects.filter(created_at__gte=self.start))
        return rows.filter(created_at__lt=self.end).order_by()

    def _recent(self, tail: Tail) -> UptimeCheckQuerySet:
        """What the rollups do not hold yet, within whole hours: the edges are counted anyway."""
        rows = self._narrowed(tail.checks())
        return rows.filter(created_at__gte=self._first_hour, created_at__lt=self._last_hour)

    def _narrowed(self, rows: UptimeCheckQuerySet) -> UptimeCheckQuerySet:
        if self.llm_id is not None:
            rows = rows.filter(llm=self.llm_id)
        if self.status is not None:
            rows = rows.filter(status=self.status)
        # An exclusion leads no database away from the index that has the order of the list; a
        # join or an inclusion would have it sort all checks first.
        return rows.exclude(llm__in=_unwatched().values("pk")) if self.enabled_only else rows

    def _place(
        self, counts: Counts, folded: list[Span], recent: UptimeCheckQuerySet, offset: int
    ) -> tuple[datetime, int]:
        """Where to begin: checks before this moment, and how many of them to pass over."""
        tail = Counter(map(hour_of, recent.values_list("created_at", flat=True)))
        new = [Span(hour, hour + HOUR, checks) for hour, checks in tail.items()]
        day, left = _reached([*folded, *new], day_of, offset)
        start, end = max(self._first_hour, day), min(self._last_hour, day + DAY)
        edges = [span for span in folded if span.end - span.start < HOUR]
        within = [span for span in (*edges, *new) if day_of(span.start) == day]
        hours = [*self._sums(counts, "h", start, end), *within]
        hour, left = _reached(hours, hour_of, left)
        return min(self.end, hour + HOUR), left


def _unwatched() -> LLMQuerySet:
    """All but `monitored()`."""
    is_off = Q(enabled_for_monitoring=False) | Q(account__enabled=False)
    return LLM.objects.filter(is_off).order_by()


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
