"""What is told about alerts afterwards: the timeline of one, the incidents of many."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django.db.models import Q
from django.utils import timezone

from alerts.incidents import AlertSpan, Incident, incidents
from alerts.models import Alert, AlertEvent, Delivery
from providers.models import ProviderAccount

INCIDENTS_BACK = timedelta(days=7)
MOST_ALERTS = 20_000
IDS_SHOWN = 500


def timeline(alert: Alert, *, limit: int, offset: int) -> dict[str, Any]:
    """Events and deliveries in the order of their time."""
    deliveries = Delivery.objects.filter(message__events__alert=alert).distinct()
    events = alert.events.all()
    total = events.count() + deliveries.count()
    first = offset + limit
    items = [_event(row) for row in events.order_by("at", "pk")[:first]]
    sent = deliveries.select_related("message").prefetch_related("attempts")
    items += [_delivery(row) for row in sent.order_by("created_at", "seq")[:first]]
    items.sort(key=lambda item: item["at"])
    return {"items": items[offset:first], "total": total, "limit": limit, "offset": offset}


def _event(row: AlertEvent) -> dict[str, Any]:
    return {
        "kind": row.kind,
        "at": row.at,
        "message": row.message,
        "note": row.note or None,
        "muted": row.muted,
        "delivery": None,
    }


def _delivery(row: Delivery) -> dict[str, Any]:
    return {
        "kind": "delivery",
        "at": row.created_at,
        "message": row.message.text,
        "note": None,
        "muted": False,
        "delivery": {
            "id": row.id,
            "channel_id": row.channel_id,
            "channel_name": row.channel_name,
            "channel_kind": row.channel_kind,
            "status": row.status,
            "attempts": row.attempts.all(),
        },
    }


def incident_page(query: dict[str, Any]) -> dict[str, Any]:
    since = query.get("since") or timezone.now() - INCIDENTS_BACK
    alerts = Alert.objects.judged().filter(Q(resolved_at=None) | Q(resolved_at__gte=since))
    if query.get("provider_id"):
        alerts = alerts.filter(llm__account=query["provider_id"])
    columns = ("pk", "llm__account", "created_at", "resolved_at", "llm", "error_class")
    rows = list(alerts.order_by("-created_at", "-id").values_list(*columns)[: MOST_ALERTS + 1])
    found = incidents(AlertSpan(*row) for row in rows[:MOST_ALERTS])
    if query.get("state"):
        found = [each for each in found if each.is_open == (query["state"] == "open")]
    limit, offset = query["limit"], query["offset"]
    shown = found[offset : offset + limit]
    names = ProviderAccount.objects.in_bulk([i.provider_id for i in shown if i.provider_id])
    return {
        "items": [_incident(each, names) for each in shown],
        "total": len(found),
        "is_complete": len(rows) <= MOST_ALERTS,
        "limit": limit,
        "offset": offset,
    }


def _incident(each: Incident, accounts: dict[Any, ProviderAccount]) -> dict[str, Any]:
    account = accounts.get(each.provider_id)
    return {
        "provider_id": each.provider_id,
        "provider_name": account.display_name if account else None,
        "state": "open" if each.is_open else "resolved",
        "started_at": each.started_at,
        "ended_at": each.ended_at,
        "model_count": each.llm_count,
        "alert_count": len(each.alert_ids),
        "alert_ids": each.alert_ids[:IDS_SHOWN],
        "error_classes": each.error_classes,
    }
