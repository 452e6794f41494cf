"""Alerts that no round will end: nothing is left to probe, so no round may come at all."""

from __future__ import annotations

from collections import defaultdict
from uuid import UUID

from alerts.models import Alert, AlertRule, Channel, Delivery
from alerts.models.alerts import NOTICE_TYPE
from alerts.models.channels import CHANNEL_DELETED
from alerts.names import canonical_name
from alerts.states import ResolveReason
from models_app.models import LLM

ABOUT_ONE_LLM = ("llm:", "perf:")


def withdraw() -> int:
    """Closes them with the reason, on the timeline alone; how many it were."""
    gone: dict[ResolveReason, list[UUID]] = defaultdict(list)
    rows = Alert.objects.of_rounds().open().select_related("rule", "llm__account")
    for alert in rows.order_by("pk").iterator(chunk_size=2000):
        reason = _reason(alert)
        if reason is not None:
            gone[reason].append(alert.pk)
    return sum(
        part.close(reason) for reason, ids in gone.items() for part in Alert.objects.in_parts(ids)
    )


def withdraw_of_channels() -> int:
    """What is left of channels that went with the rule, or the rule's model, they belonged to."""
    Delivery.objects.filter(channel=None).cancel(CHANNEL_DELETED)
    notices = Alert.objects.open().filter(rule_type=NOTICE_TYPE)
    gone = notices.exclude(rule_key__in=Channel.objects.values("pk"))
    return gone.close(ResolveReason.CHANNEL_DELETED)


def _reason(alert: Alert) -> ResolveReason | None:
    if alert.rule is None:
        return ResolveReason.RULE_DELETED
    if not alert.rule.enabled:
        return ResolveReason.RULE_DISABLED
    if alert.scope.startswith(ABOUT_ONE_LLM):
        return _reason_of_llm(alert.llm)
    if alert.scope.startswith("everywhere:"):
        return None if _is_watched(alert.rule) else ResolveReason.MONITORING_OFF
    return None


def _reason_of_llm(llm: LLM | None) -> ResolveReason | None:
    if llm is None:
        return ResolveReason.LLM_DELETED
    if not llm.account.enabled:
        return ResolveReason.PROVIDER_DISABLED
    return None if llm.enabled_for_monitoring else ResolveReason.MONITORING_OFF


def _is_watched(rule: AlertRule) -> bool:
    """Whether a round could still tell of the name that the rule is about."""
    wanted = canonical_name(rule.target_model_name or "")
    names = LLM.objects.monitored().values_list("upstream_id", "custom_name").iterator()
    return any(wanted == canonical_name(name) for pair in names for name in pair if name)
