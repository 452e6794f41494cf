"""Which channels hear of which rule, and which were told of an alert."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from alerts.models import AlertRule, Channel, Delivery, Silence
from alerts.silencing import Mute
from alerts.states import NOTICES_KEY

WAS_TOLD = (Delivery.Status.PENDING, Delivery.Status.SENDING, Delivery.Status.DELIVERED)


@dataclass(frozen=True, slots=True)
class Recipient:
    """A channel, without its secrets."""

    channel_id: UUID
    name: str
    kind: str


@dataclass(frozen=True, slots=True)
class Recipients:
    """The usable channels, and those of each rule; notices go where every rule is heard."""

    by_id: dict[UUID, Recipient]
    by_rule: dict[UUID, tuple[UUID, ...]]


def recipients() -> Recipients:
    channels = list(Channel.objects.usable().prefetch_related("rules"))
    rules = list(AlertRule.objects.select_related("own_channel"))
    return Recipients(
        {c.pk: Recipient(c.pk, c.name, c.kind) for c in channels},
        {rule.pk: tuple(c.pk for c in channels if hears(c, rule)) for rule in rules}
        | {NOTICES_KEY: tuple(c.pk for c in channels if c.all_rules)},
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
    """By alert: the channels that know of it, or will before anything else reaches them."""
    if not alert_ids:
        return {}
    pairs = (
        Delivery.objects.filter(message__events__alert__in=alert_ids, status__in=WAS_TOLD)
        .filter(channel__enabled=True)
        .order_by()
        .values_list("message__events__alert", "channel")
        .distinct()
    )
    wanted = set(alert_ids)
    found: dict[UUID, set[UUID]] = defaultdict(set)
    for alert_id, channel_id in pairs:
        if alert_id in wanted:
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
