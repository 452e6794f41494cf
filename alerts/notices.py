"""Alerts without a rule about the monitoring itself: money is out, a model is not what it was.

They follow the rows of `monitoring`, so one that a dying process has not told is told later.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta

from django.db import transaction
from django.db.models import F
from django.utils import timezone

from alerts import announcements, delivery, gathering, outbox
from alerts.models import Alert, AlertQuerySet, AlertSettings
from alerts.outbox import Occasion
from alerts.states import NOTICES_KEY, Event, EventKind, ResolveReason
from monitoring.costs import spent_this_month
from monitoring.models import MonitoringConfig, ReportedModel

BUDGET, CHANGE = "budget_paused", "model_changed"
BUDGET_SCOPE = "budget"
# A name that comes and goes is one story until it has stayed for so long.
SETTLED_AFTER = timedelta(days=1)


def notice(now: datetime | None = None) -> int:
    """Opens and closes the notices that are due; how many were told."""
    now = now or timezone.now()
    with transaction.atomic():
        # The same door as for rounds: one at a time.
        AlertSettings.objects.select_for_update().get(pk=AlertSettings.load().pk)
        events = [*_of_budget(now), *_of_changes(now)]
        settled = _open(CHANGE).filter(last_seen_at__lt=now - SETTLED_AFTER)
        settled.close(ResolveReason.SETTLED, now)
        if events:
            is_about_models = any(event.llm_ids for event in events)
            outbox.write(events, {}, Occasion(gathering.fleet({}) if is_about_models else ()))
            announcements.announce_after_commit()
            delivery.call_out_after_commit()
    return len(events)


def _open(kind: str) -> AlertQuerySet:
    return Alert.objects.open().filter(rule_key=NOTICES_KEY, rule_type=kind)


def _of_budget(now: datetime) -> Iterable[Event]:
    config = MonitoringConfig.load()
    known = _open(BUDGET).first()
    if config.budget_paused and known is None:
        spent, cap = spent_this_month(now), config.monthly_cap_usd
        message = (
            f"Probing is paused: {spent:,.2f} USD are spent this month, and another round would "
            f"break the monthly cap of {cap:,.2f} USD."
        )
        yield _opened(BUDGET, BUDGET_SCOPE, message, now)
    elif known is not None and not config.budget_paused:
        changes = {"resolved_at": now, "resolve_reason": ResolveReason.RECOVERED.value}
        Alert.objects.filter(pk=known.pk).update(**changes)
        yield _event(EventKind.RESOLVED, known, "Probing goes on: the cap leaves room again.", now)


def _of_changes(now: datetime) -> Iterable[Event]:
    recent = ReportedModel.objects.filter(changed_at__gt=now - SETTLED_AFTER, is_current=True)
    known = {alert.llm_id: alert for alert in _open(CHANGE)}
    for change in recent.select_related("llm__account").order_by("changed_at", "id"):
        alert = known.get(change.llm_id)
        assert change.changed_at is not None
        if alert is None and not _was_told(change):
            scope = f"changed:{change.llm_id}"
            yield _opened(CHANGE, scope, _sentence(change), change.changed_at, change)
        elif alert is not None and alert.last_seen_at < change.changed_at:
            _changed_again(alert, change)


def _changed_again(alert: Alert, change: ReportedModel) -> None:
    """Nobody is told: whoever looks reads the latest change."""
    Alert.objects.filter(pk=alert.pk).update(
        message=_sentence(change), last_seen_at=change.changed_at, occurrences=F("occurrences") + 1
    )


def _was_told(change: ReportedModel) -> bool:
    """Of one that was closed by hand or with its channel, say."""
    told = Alert.objects.filter(rule_key=NOTICES_KEY, llm=change.llm_id)
    return told.filter(last_seen_at__gte=change.changed_at).exists()


def _sentence(change: ReportedModel) -> str:
    llm = change.llm
    label = f"{llm.name} ({llm.account.display_name})"
    return f"{label} is answered by {change} now, by {change.replaced} before."


def _opened(
    kind: str, scope: str, message: str, at: datetime, change: ReportedModel | None = None
) -> Event:
    alert = Alert.objects.create(
        rule_key=NOTICES_KEY,
        rule_name="Monitoring",
        rule_type=kind,
        scope=scope,
        llm=change.llm if change else None,
        message=message,
        last_seen_at=at,
        created_at=at,
    )
    return _event(EventKind.OPENED, alert, message, at)


def _event(kind: EventKind, alert: Alert, message: str, at: datetime) -> Event:
    return Event(
        kind=kind,
        rule_id=NOTICES_KEY,
        scope=alert.scope,
        at=at,
        message=message,
        alert_id=alert.pk,
        llm_ids=(alert.llm_id,) if alert.llm_id else (),
        is_open=kind is EventKind.OPENED,
    )
