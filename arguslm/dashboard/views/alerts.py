from __future__ import annotations

from typing import Any
from uuid import UUID

from django.http import HttpRequest, HttpResponse
from django.utils import timezone

from alerts.models import Alert, AlertRule, AlertSettings
from alerts.serializers.channels import ChannelOutput, SettingsOutput
from alerts.transports.chat import PLUGINS
from alerts.webhooks_of_rules import shown_webhook_url
from arguslm.dashboard import alerting
from arguslm.dashboard.access import operator_page
from arguslm.dashboard.views.frame import not_found, page, searched
from arguslm.dashboard.words import CHANNEL_KINDS, METRICS, RULE_TYPES, WEEKDAYS
from models_app.models import LLM
from providers.models import ProviderAccount

# Fields of `threshold_config` that the form has.
COMPARED = {
    "mode",
    "sensitivity",
    "baseline_days",
    "window_samples",
    "metrics",
    "static_threshold",
}


def shown(request: HttpRequest, name: str, tab: str, context: dict[str, Any]) -> HttpResponse:
    return page(request, f"alerts/{name}", "alerts", {"tab": tab, **context})


@operator_page
def current(request: HttpRequest) -> HttpResponse:
    unread, groups = Alert.objects.unread(), alerting.open_groups()
    context = {
        "groups": groups,
        "shown": sum(len(group.alerts) for group in groups),
        "resolved": alerting.recently_resolved(),
        "has_rule": AlertRule.objects.filter(enabled=True).exists(),
        "open_total": Alert.objects.open().count(),
        "free": unread.open().count(),
        "unseen": unread.exclude(resolved_at=None).count(),
    }
    return shown(request, "current", "current", context)


@operator_page
def history(request: HttpRequest) -> HttpResponse:
    state = request.GET.get("state", "")
    wanted = alerting.Wanted(
        search=searched(request),
        state=state if state in ("open", "resolved") else "",
        rule=_id(request, "rule"),
        model=_id(request, "model"),
        provider=_id(request, "provider"),
        page=_number(request),
    )
    context = {
        "found": alerting.history(wanted),
        "wanted": wanted,
        "rules": AlertRule.objects.order_by("name", "id"),
        "accounts": ProviderAccount.objects.order_by("display_name", "id"),
        "llm": LLM.objects.filter(pk=wanted.model).first() if wanted.model else None,
    }
    return shown(request, "history", "history", context)


def _id(request: HttpRequest, name: str) -> UUID | None:
    try:
        return UUID(request.GET.get(name, ""))
    except ValueError:
        return None


def _number(request: HttpRequest) -> int:
    text = request.GET.get("page", "")
    return min(max(int(text), 1), 10_000) if text.isdecimal() and len(text) < 9 else 1


@operator_page
def alert(request: HttpRequest, pk: UUID) -> HttpResponse:
    found = alerting.alert_of(pk)
    if found is None:
        return not_found(request, "alert")
    context = {"alert": found, "story": alerting.story_of(found)}
    return shown(request, "alert", "", context)


@operator_page
def incidents(request: HttpRequest) -> HttpResponse:
    return shown(request, "incidents", "incidents", {"found": alerting.incidents()})


@operator_page
def rules(request: HttpRequest) -> HttpResponse:
    context = {
        "rules": alerting.rules(),
        "rule_types": RULE_TYPES,
        "channels": _choosable(),
        **_compared({}),
    }
    return shown(request, "rules", "rules", context)


@operator_page
def rule(request: HttpRequest, pk: UUID) -> HttpResponse:
    found = alerting.rule_of(pk)
    if found is None:
        return not_found(request, "rule")
    context = {
        "rule": found,
        "webhook_url": shown_webhook_url(found) or "",
        **_compared(found.threshold_config or {}),
        "channels": _choosable(),
        "chosen": {channel.pk for channel in found.channels.all()},
        "alerts": alerting.history(alerting.Wanted(rule=found.pk)).alerts[:10],
    }
    return shown(request, "rule", "rules", context)


def _compared(config: dict[str, Any]) -> dict[str, Any]:
    """What the form of a performance rule shows; `is_plain`: all there is fits into it."""
    limit = config.get("static_threshold")
    metrics = config.get("metrics") or list(METRICS)
    is_static = config.get("mode") == "static"
    fits = len(metrics) == 1 if is_static else set(metrics) == set(METRICS)
    return {
        "config": config,
        "metrics": METRICS,
        "chosen_metrics": metrics,
        "limit": None if isinstance(limit, dict) else limit,
        "is_plain": fits and not isinstance(limit, dict) and set(config) <= COMPARED,
    }


def _choosable() -> list[Any]:
    """Channels that a rule may name; those that hear of every rule need no naming."""
    return [one for one in alerting.channels() if one.own_rule_id is None and not one.all_rules]


@operator_page
def channels(request: HttpRequest) -> HttpResponse:
    row = AlertSettings.load()
    context = {
        "channels": alerting.channels(),
        "channel_kinds": CHANNEL_KINDS,
        "rules": AlertRule.objects.order_by("name", "id"),
        "heartbeat": row,
        "heartbeat_url": SettingsOutput(row).data["heartbeat_url"],
        "schemes": sorted(PLUGINS),
    }
    return shown(request, "channels", "channels", context)


@operator_page
def channel(request: HttpRequest, pk: UUID) -> HttpResponse:
    found = alerting.channel_of(pk)
    if found is None:
        return not_found(request, "channel")
    context = {
        "channel": found,
        "config": ChannelOutput(found).data["config"],
        "rules": AlertRule.objects.order_by("name", "id"),
        "chosen": {rule.pk for rule in found.rules.all()},
        "deliveries": alerting.deliveries_to(found),
    }
    return shown(request, "channel", "channels", context)


@operator_page
def silences(request: HttpRequest) -> HttpResponse:
    context = {
        "rows": alerting.silences(timezone.now()),
        "accounts": ProviderAccount.objects.order_by("display_name", "id"),
        "rules": AlertRule.objects.order_by("name", "id"),
        "days": WEEKDAYS,
        "llms": _named(request),
        "given": {name: request.GET.get(name, "") for name in ("provider", "rule")},
    }
    return shown(request, "silences", "silences", context)


def _named(request: HttpRequest) -> list[LLM]:
    """The model that a link asks to have chosen already."""
    pk = _id(request, "model")
    return list(LLM.objects.select_related("account").filter(pk=pk)) if pk else []
