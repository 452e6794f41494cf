"""Deletes what is older than it is to be kept, a little at a time."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta

from django.db import transaction
from django.db.models import Model, QuerySet

from monitoring.hours import DAY, day_of
from monitoring.models import (
    CheckRollup,
    CheckTotal,
    MonitoringConfig,
    Round,
    RoundShare,
    UptimeCheck,
)
from providers.measurement import now_ns

BATCH = 1000
ROUNDS_AT_ONCE = 50
AT_MOST_S = 3.0
# Ended shares serve only to look at a round that went wrong.
SHARES_KEPT = timedelta(days=2)


def move_on(now: datetime) -> None:
    """Brings the day from which age is counted up to `now`, by at most a day at a time.

    A clock that is wrong for minutes costs a day or two, not the lot.
    """
    config = MonitoringConfig.load()
    latest = (config.swept_at or now) + DAY
    MonitoringConfig.objects.filter(pk=config.pk).update(swept_at=min(now, latest))


def sweep(at_most_s: float = AT_MOST_S) -> int:
    """Deletes for at most `at_most_s`; the number of rows. Repeat while it is not zero."""
    until_ns = now_ns() + round(at_most_s * 1e9)
    config = MonitoringConfig.load()
    if config.swept_at is None:
        return 0
    raw_from = _horizon(config, config.swept_at)
    deleted = sum(_delete(rows, until_ns) for rows in _old(config, config.swept_at, raw_from))
    return deleted + (_delete_rounds(raw_from, until_ns) if raw_from is not None else 0)


def _old(
    config: MonitoringConfig, now: datetime, raw_from: datetime | None
) -> Iterator[QuerySet[Model]]:
    hourly_days = max(config.hourly_days, config.raw_days)
    yield CheckRollup.objects.hourly().filter(start__lt=day_of(now) - hourly_days * DAY)
    if config.daily_days is not None:
        days = max(config.daily_days, hourly_days)
        yield CheckRollup.objects.daily().filter(start__lt=day_of(now) - days * DAY)
    ended = RoundShare.objects.exclude(status__in=RoundShare.open_states)
    yield ended.filter(created_at__lt=now - SHARES_KEPT)
    if raw_from is not None:
        yield CheckTotal.objects.filter(start__lt=raw_from)
        yield UptimeCheck.objects.filter(created_at__lt=raw_from)


def _horizon(config: MonitoringConfig, now: datetime) -> datetime | None:
    """What is before the horizon is counted and shown no more, so it may go in any order."""
    known: datetime | None = config.raw_from
    wanted: datetime = day_of(now) - config.raw_days * DAY
    if (known is not None and wanted <= known) or _is_unfolded(wanted):
        return known
    if not UptimeCheck.objects.filter(created_at__lt=wanted).exists():
        return known
    MonitoringConfig.objects.filter(pk=config.pk).update(raw_from=wanted)
    return wanted


def _is_unfolded(before: datetime) -> bool:
    """Whether checks that old are still to be folded into the rollups."""
    return Round.objects.filter(rolled_up=False, created_at__lt=before).exists()


def _delete(rows: QuerySet[Model], until_ns: int) -> int:
    deleted = 0
    while now_ns() < until_ns:
        ids = list(rows.order_by().values_list("pk", flat=True)[:BATCH])
        if not ids:
            break
        # Nothing refers to these rows, so they need not be loaded to be deleted.
        doomed = rows.model._default_manager.filter(pk__in=ids)
        deleted += doomed._raw_delete(doomed.db)
    return deleted


def _delete_rounds(before: datetime, until_ns: int) -> int:
    """Rounds without checks: what refers to them is told by the database's own rules."""
    old = Round.objects.over().filter(created_at__lt=before - DAY, rolled_up=True, checks=None)
    deleted = 0
    while now_ns() < until_ns:
        ids = list(old.order_by("created_at").values_list("pk", flat=True)[:ROUNDS_AT_ONCE])
        if not ids:
            break
        with transaction.atomic():
            deleted += Round.objects.filter(pk__in=ids).delete()[0]
    return deleted
