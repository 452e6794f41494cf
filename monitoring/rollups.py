"""Folds the checks of rounds that are over into hourly and daily figures, each exactly once."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from uuid import UUID

from django.db import transaction
from django.db.models import F, Q

from models_app.models import LLM
from monitoring import totals
from monitoring.costs import month_of
from monitoring.histograms import Histogram
from monitoring.hours import day_of, hour_of
from monitoring.models import CheckRollup, MonitoringConfig, Round, Spending, UptimeCheck
from providers.measurement import now_ns

CHUNK = 250
AT_MOST_S = 3.0
HISTOGRAMS = {"ttft": "ttft_ms", "latency": "total_latency_ms", "tps": "tps"}
COUNTED = ("up", "degraded", "down", "excluded_degraded", "excluded_down", "priced", "cost")
FIELDS = (
    "llm_id",
    "created_at",
    "status",
    "counts_for_uptime",
    "estimated_cost",
    "ttft_ms",
    "total_latency_ms",
    "tps",
)
Key = tuple[UUID, str, datetime]


@dataclass(frozen=True, slots=True)
class Row:
    """What a rollup takes from one check; the fields of FIELDS in their order."""

    llm_id: UUID
    created_at: datetime
    status: str
    counts_for_uptime: bool
    estimated_cost: Decimal | None
    ttft_ms: float | None
    total_latency_ms: float | None
    tps: float | None


def roll_up_waiting(at_most_s: float = AT_MOST_S) -> int:
    """Folds rounds until none is left or the time is up; the number of checks folded."""
    until_ns, folded = now_ns() + round(at_most_s * 1e9), 0
    for waiting in Round.objects.over().filter(rolled_up=False).order_by("created_at")[:100]:
        while not waiting.rolled_up:
            number = _fold_chunk(waiting)
            if number is None or now_ns() > until_ns:
                return folded
            folded += number
    return folded


def _fold_chunk(round: Round) -> int | None:
    """The next checks of the round in the order of their LLMs; None when somebody else has them.

    No check is added to a round that is over, so what is read here cannot change any more.
    """
    rows = UptimeCheck.objects.filter(round=round)
    if round.rolled_to is not None:
        rows = rows.filter(llm_id__gt=round.rolled_to)
    found = [Row(*values) for values in rows.order_by("llm_id").values_list(*FIELDS)[:CHUNK]]
    rolled_to = found[-1].llm_id if found else round.rolled_to
    is_last = len(found) < CHUNK
    with transaction.atomic():
        # One at a time: two that fold the same LLM would overwrite each other's sums.
        MonitoringConfig.objects.select_for_update().first()
        mine = Round.objects.filter(pk=round.pk, rolled_up=False, rolled_to=round.rolled_to)
        if not mine.update(rolled_to=rolled_to, rolled_up=is_last):
            return None
        _fold(found)
    round.rolled_to, round.rolled_up = rolled_to, is_last
    return len(found)


def _fold(checks: Sequence[Row]) -> None:
    ids = {check.llm_id for check in checks}
    # An LLM that is being deleted must not get new rows.
    llms = LLM.objects.filter(pk__in=ids).order_by("pk").select_for_update(no_key=True)
    kept = set(llms.values_list("pk", flat=True))
    groups: dict[Key, list[Row]] = defaultdict(list)
    for check in checks:
        if check.llm_id in kept:
            groups[check.llm_id, "h", hour_of(check.created_at)].append(check)
            groups[check.llm_id, "d", day_of(check.created_at)].append(check)
    known = _known(groups.keys())
    rollups = [_added(known.get(key) or _new(key), own) for key, own in groups.items()]
    CheckRollup.objects.bulk_create(
        rollups,
        update_conflicts=True,
        unique_fields=["llm", "span", "start"],
        update_fields=[*COUNTED, *HISTOGRAMS],
    )
    places = ((span, start) for (_, span, start), own in groups.items() for _ in own)
    statuses = (check.status for own in groups.values() for check in own)
    totals.add(zip(places, statuses, strict=True))
    _book(checks)


def _known(keys: Iterable[Key]) -> dict[Key, CheckRollup]:
    wanted = set(keys)
    places = Q(pk__in=())
    for span in ("h", "d"):
        starts = {start for _, own, start in wanted if own == span}
        places |= Q(span=span, start__in=starts)
    rows = CheckRollup.objects.filter(places, llm__in={llm_id for llm_id, _, _ in wanted})
    return {(row.llm_id, row.span, row.start): row for row in rows}


def _new(key: Key) -> CheckRollup:
    llm_id, span, start = key
    return CheckRollup(llm_id=llm_id, span=span, start=start, cost=Decimal(0))


def _added(rollup: CheckRollup, checks: Sequence[Row]) -> CheckRollup:
    for check in checks:
        _count(rollup, check)
    for name, figure in HISTOGRAMS.items():
        values = [value for check in checks if (value := getattr(check, figure)) is not None]
        if values:
            histogram = Histogram.unpack(getattr(rollup, name))
            histogram.extend(values)
            setattr(rollup, name, histogram.pack())
    return rollup


def _count(rollup: CheckRollup, check: Row) -> None:
    setattr(rollup, check.status, getattr(rollup, check.status) + 1)
    name = f"excluded_{check.status}"
    # An answer always says something about the provider.
    if not check.counts_for_uptime and name in COUNTED:
        setattr(rollup, name, getattr(rollup, name) + 1)
    if check.estimated_cost is not None:
        rollup.priced += 1
        rollup.cost += check.estimated_cost


def _book(checks: Sequence[Row]) -> None:
    by_month: dict[datetime, Decimal] = defaultdict(Decimal)
    for check in checks:
        if check.estimated_cost is not None:
            by_month[month_of(check.created_at)] += check.estimated_cost
    for month, usd in by_month.items():
        Spending.objects.get_or_create(month=month.date())
        Spending.objects.filter(month=month.date()).update(usd=F("usd") + usd)
