"""Which openings a message on a channel speaks of, for services that keep incidents."""

from __future__ import annotations

from django.db.models import Exists, OuterRef, QuerySet

from alerts.letters import Case
from alerts.models import AlertEvent, Channel, Delivery
from alerts.topics import CASE_TOPICS, OPENING_TOPICS, Topic

MOST_CASES = 100


def case_of(delivery: Delivery) -> Case:
    """An opening is a case of its own, unless its one alert has an open case already."""
    if delivery.channel_kind == Channel.Kind.WEBHOOK:
        return Case()
    events = AlertEvent.objects.filter(messages=delivery.message_id)
    topic = delivery.message.topic
    is_opening = topic in OPENING_TOPICS
    if is_opening and events.values("alert").distinct().count() != 1:
        return Case()
    still_open = AlertEvent.objects.filter(messages=OuterRef("message"), alert__resolved_at=None)
    rows = _open_cases(delivery, events).annotate(is_open=Exists(still_open))
    found = list(rows.order_by("-seq").values_list("id", "is_open")[:MOST_CASES])
    return Case(
        opened_by=tuple(str(pk) for pk, _ in found),
        closes=tuple(str(pk) for pk, is_open in found if not is_open)
        if topic == Topic.RECOVERED
        else (),
    )


def _open_cases(delivery: Delivery, events: QuerySet[AlertEvent]) -> QuerySet[Delivery]:
    before = Delivery.objects.filter(channel=delivery.channel, seq__lt=delivery.seq)
    openings = before.filter(status=Delivery.Status.DELIVERED, message__topic__in=CASE_TOPICS)
    about = AlertEvent.objects.filter(
        messages=OuterRef("message"), alert__in=events.values("alert")
    )
    return openings.filter(Exists(about), case_closed_at=None)
