"""LLMs that rules know by their name, and that other rounds look at."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from uuid import UUID

from django.db.models import OuterRef, Subquery

from alerts.facts import Rule, RuleType
from alerts.names import canonical_name
from models_app.models import LLM
from monitoring.models import MonitoringConfig, Round, UptimeCheck
from monitoring.status import CheckStatus

# A check is the present state of an LLM until the one after the next is due.
SPARE = timedelta(minutes=5)


def known_for(interval: timedelta) -> timedelta:
    return 2 * interval + SPARE


def last_known(round: Round, judged: Iterable[Rule], now: datetime) -> dict[UUID, CheckStatus]:
    """The newest status of the LLMs that a rule names and whose turn it is not in this round."""
    kind = RuleType.MODEL_UNAVAILABLE_EVERYWHERE
    named = (r.target_name for r in judged if r.enabled and r.rule_type is kind)
    wanted = {canonical_name(name) for name in named if name}
    if not wanted or round.trigger == Round.Trigger.MANUAL:
        return {}
    intervals = _others(round, wanted)
    return _newest(intervals, now) if intervals else {}


def _others(round: Round, wanted: set[str]) -> dict[UUID, timedelta]:
    """Those of other rounds, with the interval they are asked at."""
    usual = MonitoringConfig.load().interval_minutes
    columns = ("pk", "upstream_id", "custom_name", "monitoring_interval_minutes")
    rows = LLM.objects.monitored().order_by().values_list(*columns)
    return {
        pk: timedelta(minutes=minutes or usual)
        for pk, name, custom_name, minutes in rows
        if minutes != round.interval_minutes
        and not wanted.isdisjoint(canonical_name(each) for each in (name, custom_name) if each)
    }


def _newest(intervals: dict[UUID, timedelta], now: datetime) -> dict[UUID, CheckStatus]:
    checks = UptimeCheck.objects.filter(llm=OuterRef("pk")).order_by("-created_at")
    rows = LLM.objects.filter(pk__in=intervals).annotate(
        status=Subquery(checks.values("status")[:1]),
        at=Subquery(checks.values("created_at")[:1]),
        offline=Subquery(checks.values("round__self_offline")[:1]),
    )
    return {
        pk: CheckStatus(status)
        for pk, status, at, offline in rows.values_list("pk", "status", "at", "offline")
        if at is not None
        and now - at <= known_for(intervals[pk])
        and not (offline and status == CheckStatus.DOWN)
    }
