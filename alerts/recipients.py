"""Which channels hear of which rule, and which were told of an alert."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from django.db.models import Max, OuterRef, Subquery

from alerts.models import AlertEvent, AlertRule, Channel, Delivery, Silence
from alerts.silencing import Mute
from alerts.states import NOTICES_KEY, EventKind

IDS_AT_ONCE = 800
OPENINGS = (
    EventKind.OPENED,
    EventKind.REOPENED,
    EventKind.FLAPPING,
    EventKind.STABLE,
    EventKind.UNMUTED,
)
WAS_TOLD = (Delivery.Status.PENDING, Delivery.Status.SENDING, Delivery.Status.DELIVERED)


@dataclass(frozen=True, slots=True)
class Recipient:
    """A channel, without its secrets."""

    channel_id: UUID
    name: str
    kind: str


@dataclass(frozen=True, slots=True)
class Recipients:
    """All channels, and the usable ones of each rule; notices go where every rule is heard.

    One that is switched off hears of nothing new, but what it was told of ends there too: it may
    be switched on while that still waits.
    """

    by_id: dict[UUID, Recipient]
    by_rule: dict[UUID, tuple[UUID, ...]]


def recipients() -> Recipients:
    channels = list(Channel.objects.prefetch_related("rules"))
    usable = [channel for channel in channels if channel.enabled]
    rules = list(AlertRule.objects.select_related("own_channel"))
    return Recipients(
        {c.pk: Recipient(c.pk, c.name, c.kind) for c in channels},
        {rule.pk: tuple(c.pk for c in usable if hears(c, rule)) for rule in rules}
        | {NOTICES_KEY: tuple(c.pk for c in usable if c.all_rules)},
    )


def hears(channel: Channel, rule: AlertRule) -> bool:
    """A rule's own address is for that rule alone, and then its only webhook by that switch."""
    if channel.own_rule_id is not None:
        return channel.own_rule_id == rule.pk and rule.notify_webhook
    if channel.all_rules or rule in channel.rules.all():
        return True
    if channel.kind == Channel.Kind.EMAIL:
        return rule.notify_email
    by_switch = channel.kind == Channel.Kind.WEBHOOK and rule.notify_webhook
    return by_switch and not hasattr(rule, "own_channel")


def told_of(alert_ids: Collection[UUID]) -> dict[UUID, set[UUID]]:
    """By alert: the channels that know that it is open, or will before anything else reaches them.

    What was told before a recovery does not count for the relapse after it.
    """
    found: dict[UUID, set[UUID]] = defaultdict(set)
    wanted = list(alert_ids)
    for start in range(0, len(wanted), IDS_AT_ONCE):
        for alert_id, channel_id in _told_pairs(wanted[start : start + IDS_AT_ONCE]):
            found[alert_id].add(channel_id)
    return found


def _told_pairs(alert_ids: Collection[UUID]) -> Iterable[tuple[UUID, UUID]]:
    loud = AlertEvent.objects.filter(quiet=False, is_open=True).order_by()
    openings = loud.filter(alert=OuterRef("alert"), kind__in=OPENINGS)
    newest = openings.values("alert").annotate(newest=Max("pk")).values("newest")
    since_then = loud.filter(alert__in=alert_ids, pk__gte=Subquery(newest))
    told = since_then.filter(
        messages__deliveries__status__in=WAS_TOLD, messages__deliveries__channel__isnull=False
    )
    return told.values_list("alert", "messages__deliveries__channel").distinct()


def awaited(alert_ids: Collection[UUID]) -> dict[UUID, set[UUID]]:
    """By alert: the channels that what was told of it is still on its way to."""
    found: dict[UUID, set[UUID]] = defaultdict(set)
    wanted = list(alert_ids)
    for start in range(0, len(wanted), IDS_AT_ONCE):
        part = wanted[start : start + IDS_AT_ONCE]
        open_ones = Delivery.objects.open().filter(channel__isnull=False).order_by()
        about = open_ones.filter(message__events__alert__in=part)
        for alert_id, channel_id in about.values_list("message__events__alert", "channel"):
            found[alert_id].add(channel_id)
    return found


def mutes(now: datetime) -> list[Mute]:
    """The silences that are active."""
    return [
        Mute(account_id=row.account_id, llm_id=row.llm_id, rule_id=row.rule_id)
        for row in Silence.objects.all()
        if row.is_active(now)
    ]


def is_muted(
    active: Iterable[Mute], rule_id: UUID, llm_ids: Iterable[UUID], owners: dict[UUID, UUID]
) -> bool:
    about = [(llm_id, owners[llm_id]) for llm_id in llm_ids if llm_id in owners]
    return any(mute.matches(rule_id, about) for mute in active)
