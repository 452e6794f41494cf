"""What is told without a round: reminders, and alerts that outlast the silence over them."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta

from django.db import transaction
from django.utils import timezone

from alerts import delivery, gathering, messages, outbox
from alerts.models import Alert, AlertQuerySet, AlertSettings
from alerts.outbox import Occasion
from alerts.recipients import is_muted, mutes
from alerts.states import Event, EventKind
from providers.errors import ErrorClass

EVERY = timedelta(seconds=15)
AT_ONCE = 2000


def tell_again(now: datetime | None = None) -> int:
    """Reminds of open alerts that nobody owns; how many it told."""
    now = now or timezone.now()
    with transaction.atomic():
        AlertSettings.objects.select_for_update().get(pk=AlertSettings.load().pk)
        events = [*_reminders(now), *_outlasting(now)]
        if events:
            outbox.write(events, {}, Occasion(gathering.fleet({})))
            # Also when no channel was left to tell: the next one is due an interval later.
            Alert.objects.filter(pk__in=[event.alert_id for event in events]).update(told_at=now)
            delivery.call_out_after_commit()
    return len(events)


def _open() -> AlertQuerySet:
    # The notices about channels have no rule, so nobody is told of them here either.
    return Alert.objects.open().filter(rule__isnull=False).select_related("rule")


def _reminders(now: datetime) -> Iterable[Event]:
    rows = _open().filter(acknowledged=False, told_at__isnull=False)
    for alert in rows.filter(rule__remind_every_minutes__isnull=False).order_by("pk")[:AT_ONCE]:
        assert alert.rule is not None
        assert alert.told_at is not None
        assert alert.rule.remind_every_minutes is not None
        if now - alert.told_at >= timedelta(minutes=alert.rule.remind_every_minutes):
            text = messages.reminder(alert.message, now - alert.created_at)
            yield _event(EventKind.REMINDED, alert, text, now)


def _outlasting(now: datetime) -> Iterable[Event]:
    rows = _open().filter(told_at=None, events__muted=True).distinct()
    active = mutes(now)
    for alert in rows.select_related("rule", "llm").order_by("pk")[:AT_ONCE]:
        llm = alert.llm
        owners = {llm.pk: llm.account_id} if llm else {}
        if not is_muted(active, alert.rule_key, owners, owners):
            yield _event(EventKind.UNMUTED, alert, alert.message, now)


def _event(kind: EventKind, alert: Alert, text: str, now: datetime) -> Event:
    return Event(
        kind=kind,
        rule_id=alert.rule_key,
        scope=alert.scope,
        at=now,
        message=text,
        alert_id=alert.pk,
        llm_ids=(alert.llm_id,) if alert.llm_id else (),
        error_class=ErrorClass(alert.error_class) if alert.error_class else None,
    )
