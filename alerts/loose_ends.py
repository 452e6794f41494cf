"""Incidents at paging services whose alerts ended without a word to anybody: they end there too."""

from __future__ import annotations

from datetime import datetime, timedelta

from django.db import transaction
from django.db.models import Exists, OuterRef, QuerySet
from django.utils import timezone

from alerts import delivery, messages, outbox
from alerts.models import Alert, AlertEvent, AlertSettings, Channel, Delivery, Message
from alerts.outbox import News, Occasion, PlanEntry
from alerts.recipients import recipients
from alerts.states import EventKind, ResolveReason
from alerts.storms import Bundle
from alerts.topics import CASE_TOPICS, Topic
from alerts.transports import style_of
from alerts.transports.paging import CLOSERS
from providers.secrets import Undecryptable

LOOKED_BACK = timedelta(days=1)
AT_ONCE = 100


def tie(now: datetime | None = None) -> int:
    """Closes what is left open; how many incidents it were."""
    now = now or timezone.now()
    with transaction.atomic():
        # The same door as for rounds, so that the order of deliveries is that of the alerts.
        AlertSettings.objects.select_for_update().get(pk=AlertSettings.load().pk)
        openings = list(_left_open(now)[:AT_ONCE])
        kept = [each for each in openings if _keeps_incidents(each.channel)]
        # Chats keep nothing that could be closed.
        others = {each.pk for each in openings} - {each.pk for each in kept}
        Delivery.objects.filter(pk__in=others).update(case_closed_at=now)
        if kept:
            outbox.send([_entry(each) for each in kept], recipients(), Occasion(()))
            delivery.call_out_after_commit()
    return len(kept)


def _left_open(now: datetime) -> QuerySet[Delivery]:
    """Delivered openings all whose alerts have ended, at least one of them quietly."""
    ended = Alert.objects.filter(resolved_at__gt=now - LOOKED_BACK)
    quietly = ended.exclude(resolve_reason=ResolveReason.RECOVERED)
    openings = Delivery.objects.filter(
        message__in=Message.objects.filter(events__alert__in=quietly).values("pk"),
        message__topic__in=CASE_TOPICS,
        channel_kind=Channel.Kind.CHAT,
        channel__enabled=True,
        status=Delivery.Status.DELIVERED,
        case_closed_at=None,
    )
    about = AlertEvent.objects.filter(messages=OuterRef("message"))
    # Only what is told here carries quiet events.
    told = Delivery.objects.filter(
        channel=OuterRef("channel"),
        message__topic=Topic.RECOVERED,
        message__events__quiet=True,
        message__events__alert__events__messages=OuterRef("message"),
    )
    left = openings.exclude(Exists(about.filter(alert__resolved_at=None))).exclude(Exists(told))
    return left.select_related("channel", "message").order_by("seq")


def _keeps_incidents(channel: Channel | None) -> bool:
    try:
        return channel is not None and style_of(channel.kind, channel.config) in CLOSERS
    except Undecryptable:
        return False


def _entry(opening: Delivery) -> PlanEntry:
    about = AlertEvent.objects.filter(messages=opening.message_id).values("alert")
    ends = AlertEvent.objects.filter(alert__in=about, kind=EventKind.RESOLVED, quiet=True)
    last = {row.alert_id: row for row in ends.select_related("alert").order_by("pk")}
    news = [News(outbox.event_of(row), row) for row in last.values()]
    reason = news[-1].row.alert.resolve_reason.replace("_", " ")
    text = messages.closed(opening.message.text, reason)
    events = tuple(each.event for each in news)
    bundle = Bundle(Topic.RECOVERED, opening.message.scope, text, events)
    assert opening.channel_id is not None
    return bundle, news, [opening.channel_id]
