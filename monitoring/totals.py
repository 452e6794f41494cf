"""How many checks all LLMs have together, by hour and by day.

A sum over the rollups of ten thousand LLMs would cost every request what one row tells here.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable
from datetime import datetime

from django.db import transaction
from django.db.models import F, Sum

from monitoring.models import CheckRollup, CheckTotal, MonitoringConfig, Recount
from monitoring.models.rollups import COUNTS

STATUSES = COUNTS[:3]
Place = tuple[str, datetime]


def add(checks: Iterable[tuple[Place, str]]) -> None:
    """Adds checks by place and status; the caller holds the configuration, as every fold does."""
    sums: dict[Place, Counter[str]] = defaultdict(Counter)
    for place, status in checks:
        sums[place][status] += 1
    for (span, start), counts in sums.items():
        row = CheckTotal.objects.filter(span=span, start=start)
        if not row.update(**{name: F(name) + number for name, number in counts.items()}):
            CheckTotal.objects.create(span=span, start=start, **counts)


def are_true() -> bool:
    return not Recount.objects.exists()


def recount() -> bool:
    """Makes the totals anew from the rollups if that was asked for.

    An LLM that is being deleted meanwhile has asked by itself, so that it is done once more.
    """
    if are_true():
        return False
    config = MonitoringConfig.load()
    with transaction.atomic():
        # No fold at the same time.
        horizon = MonitoringConfig.objects.select_for_update().get(pk=config.pk).raw_from
        asked = list(Recount.objects.values_list("pk", flat=True))
        rows = CheckRollup.objects.between(horizon, None).order_by().values_list("span", "start")
        found = rows.annotate(*(Sum(name) for name in STATUSES))
        CheckTotal.objects.all().delete()
        CheckTotal.objects.bulk_create(
            CheckTotal(span=span, start=start, **dict(zip(STATUSES, sums, strict=True)))
            for span, start, *sums in found.iterator()
        )
        Recount.objects.filter(pk__in=asked).delete()
    return True
