"""What the page of one model reads."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from django.db.models import F

from alerts.models import Alert
from arguslm.dashboard.beats import beats_of
from arguslm.dashboard.troubles import Since, since_of
from models_app.models import LLM
from monitoring.models import MonitoringConfig, ReportedModel, UptimeCheck
from monitoring.summaries import Uptime, summaries

RECENT_CHECKS = 50
ALERTS = 10


@dataclass(frozen=True, slots=True)
class ModelDetails:
    """`since` is when the present state began, None without a check."""

    llm: LLM
    config: MonitoringConfig
    last: UptimeCheck | None
    since: Since | None
    uptimes: dict[str, Uptime]
    checks: Sequence[UptimeCheck]
    alerts: Sequence[Alert]
    reported: ReportedModel | None


def of_model(llm: LLM, now: datetime) -> ModelDetails:
    config = MonitoringConfig.load()
    summary = summaries([llm], now)[0]
    beats = beats_of([llm.pk], now)[llm.pk]
    return ModelDetails(
        llm=llm,
        config=config,
        last=summary.last,
        since=since_of(summary.last, beats) if summary.last else None,
        uptimes=summary.windows,
        checks=_recent(llm),
        alerts=_alerts(llm),
        reported=ReportedModel.objects.filter(llm=llm, is_current=True).first(),
    )


def _recent(llm: LLM) -> Sequence[UptimeCheck]:
    rows = UptimeCheck.objects.filter(llm=llm).between(MonitoringConfig.horizon(), None)
    return list(rows.order_by("-created_at", "-id")[:RECENT_CHECKS])


def _alerts(llm: LLM) -> Sequence[Alert]:
    """Open ones first, however old, then those that ended last."""
    order = (F("resolved_at").desc(nulls_first=True), "-created_at", "-id")
    return list(Alert.objects.filter(llm=llm).order_by(*order)[:ALERTS])
