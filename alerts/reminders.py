"""What is told without a round: reminders, and alerts that outlast the silence over them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from itertools import islice
from uuid import UUID

from django.db import transaction
from django.db.models import Exists, OuterRef, Q
from django.utils import timezone

from alerts import delivery, gathering, messages, outbox
from alerts.evaluation import NEWS_FOR
from alerts.facts import LLMFact, Standing
from alerts.models import Alert, AlertEvent, AlertSettings
from alerts.outbox import Occasion
from alerts.recipients import is_muted, mutes, told_of
from alerts.rounds import names_of
from alerts.states import NOTICES_KEY, Event, EventKind
from providers.errors import ErrorClass

EVERY = timedelta(seconds=15)
AT_ONCE = 2000


def tell_again(now: datetime | None = None) -> int:
    """Reminds of open alerts that nobody owns; how many were due."""
    now = now or timezone.now()
    with transaction.atomic():
        AlertSettings.objects.select_for_update().get(pk=AlertSettings.load().pk)
        fleet = gathering.fleet({})
        reminded = list(islice(_free(_due(now), fleet, now), AT_ONCE))
        kept = list(islice(_free(_kept_back(now), fleet, now), AT_ONCE))
        events = [*_reminders(reminded, fleet, now), *_late(kept, fleet, now)]
        if events:
            outbox.write(events, {}, Occasion(_lasting(fleet, [*reminded, *kept])))
            delivery.call_out_after_commit()
        # Also when no channel was left to tell: the next one is due an interval later.
        for part in Alert.objects.in_parts([alert.pk for alert in [*reminded, *kept]]):
            part.update(told_at=now)
    return len(events)


def _due(now: datetime) -> Iterator[Alert]:
    # The notices about channels have no rule, so nobody is told of them here either.
    rows = Alert.objects.open().filter(rule__remind_every_minutes__isnull=False)
    free = rows.filter(acknowledged=False, told_at__isnull=False).select_related("rule")
    for alert in free.order_by("pk").iterator(chunk_size=2000):
        assert alert.rule is not None
        assert alert.told_at is not None
        assert alert.rule.remind_every_minutes is not None
        if now - alert.told_at >= timedelta(minutes=alert.rule.remind_every_minutes):
            yield alert


def _kept_back(now: datetime) -> Iterator[Alert]:
    """What a silence keeps, or kept, from everybody."""
    lately = Q(resolved_at=None) | Q(resolved_at__gt=now - NEWS_FOR)
    spoken_of = Q(rule__isnull=False) | Q(rule_key=NOTICES_KEY)
    rows = Alert.objects.filter(lately, spoken_of, told_at=None)
    muted = AlertEvent.objects.filter(alert=OuterRef("pk"), muted=True)
    return rows.filter(Exists(muted)).order_by("pk").iterator(chunk_size=2000)


def _free(alerts: Iterable[Alert], fleet: Sequence[LLMFact], now: datetime) -> Iterator[Alert]:
    """Those that no silence covers now."""
    active = mutes(now)
    owners = {llm.llm_id: llm.provider_id for llm in fleet}
    for alert in alerts:
        if not is_muted(active, alert.rule_key, _about(alert, fleet), owners):
            yield alert


def _reminders(alerts: Iterable[Alert], fleet: Sequence[LLMFact], now: datetime) -> Iterator[Event]:
    for alert in alerts:
        text = messages.reminder(alert.message, now - alert.created_at)
        yield _event(EventKind.REMINDED, alert, text, _about(alert, fleet), now)


def _late(alerts: Sequence[Alert], fleet: Sequence[LLMFact], now: datetime) -> Iterator[Event]:
    """What is still wrong, and the end of what somebody had been told of before the silence."""
    ended = [alert.pk for alert in alerts if alert.resolved_at is not None]
    told = told_of(ended)
    rows = AlertEvent.objects.filter(alert__in=told, muted=True).order_by("pk")
    said = dict(rows.values_list("alert", "message"))
    for alert in alerts:
        if alert.resolved_at is None or alert.pk in told:
            text = said.get(alert.pk, alert.message)
            yield _event(EventKind.UNMUTED, alert, text, _about(alert, fleet), now)


def _lasting(fleet: Iterable[LLMFact], alerts: Iterable[Alert]) -> list[LLMFact]:
    """The fleet with the beginning of what is told now."""
    since: dict[UUID | None, datetime] = {}
    for alert in alerts:
        since[alert.llm_id] = min(alert.created_at, since.get(alert.llm_id, alert.created_at))
    return [replace(llm, since=since.get(llm.llm_id)) for llm in fleet]


def _about(alert: Alert, fleet: Sequence[LLMFact]) -> tuple[UUID, ...]:
    if alert.llm_id:
        return (alert.llm_id,)
    kind, _, name = alert.scope.partition(":")
    if kind != "everywhere":
        return ()
    watched = [llm for llm in fleet if llm.standing is Standing.MONITORED]
    return tuple(llm.llm_id for llm in watched if name in names_of(llm))


def _event(
    kind: EventKind, alert: Alert, text: str, llm_ids: tuple[UUID, ...], now: datetime
) -> Event:
    return Event(
        kind=kind,
        rule_id=alert.rule_key,
        scope=alert.scope,
        at=now,
        message=text,
        alert_id=alert.pk,
        llm_ids=llm_ids,
        error_class=ErrorClass(alert.error_class) if alert.error_class else None,
        is_open=alert.resolved_at is None,
    )
