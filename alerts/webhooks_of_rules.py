"""The address that a rule brings along (`webhook_url`) is a channel of its own."""

from __future__ import annotations

from django.db import transaction
from django.utils import timezone

from alerts.models import AlertRule, Channel
from alerts.webhook_addresses import masked
from providers.secrets import Undecryptable


def own_channel(rule: AlertRule) -> Channel | None:
    return rule.own_channel if hasattr(rule, "own_channel") else None


def shown_webhook_url(rule: AlertRule) -> str | None:
    """As it may be shown: the parts that may be secret are masked."""
    channel = own_channel(rule)
    if channel is None:
        return None
    try:
        return masked(channel.config["url"])
    except Undecryptable:
        return None


@transaction.atomic
def point_at(rule: AlertRule, url: str | None) -> None:
    """Sets or removes the rule's address. The masked one that was read changes nothing."""
    channel = own_channel(rule)
    if url is None:
        if channel is not None:
            channel.retire()
    elif channel is None:
        _create(rule, url)
    elif url != shown_webhook_url(rule):
        channel.seal({"url": url})
        channel.save(update_fields=["config_encrypted", "updated_at"])
        channel.switch_on()
    rule.refresh_from_db()


def _create(rule: AlertRule, url: str) -> None:
    channel = Channel(
        kind=Channel.Kind.WEBHOOK,
        name=f"Webhook of {rule.name}"[:255],
        all_rules=False,
        own_rule=rule,
    )
    channel.seal({"url": url})
    channel.make_secret(timezone.now())
    channel.save()
