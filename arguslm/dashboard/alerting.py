"""What the alert pages read."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import groupby
from typing import Any
from uuid import UUID

from django.db.models import Count, Exists, OuterRef, Prefetch, Q, QuerySet, Subquery

from alerts.histories import incident_page, timeline
from alerts.models import Alert, AlertRule, Channel, Delivery, Silence
from providers.models import ProviderAccount

SHOWN_OPEN = 200
SHOWN_RESOLVED = 10
PER_PAGE = 50
TIMELINE = 200
DELIVERIES = 30
INCIDENTS = 50


@dataclass(frozen=True, slots=True)
class AlertGroup:
    """Open alerts about models of one account; `account` is None for the others."""

    account: ProviderAccount | None
    alerts: tuple[Alert, ...]

    @property
    def since(self) -> datetime:
        return min(alert.created_at for alert in self.alerts)


def open_groups() -> list[AlertGroup]:
    """Alerts that nobody owns come first; at most SHOWN_OPEN."""
    rows = _described(Alert.objects.open()).order_by("acknowledged", "-created_at", "-id")
    shown = sorted(rows[:SHOWN_OPEN], key=_account_of)
    groups = [AlertGroup(_account(own[0]), own) for own in _by_account(shown)]
    return sorted(groups, key=lambda group: group.since, reverse=True)


def _described(rows: QuerySet[Alert]) -> QuerySet[Alert]:
    return rows.select_related("llm__account")


def _account(alert: Alert) -> ProviderAccount | None:
    return alert.llm.account if alert.llm else None


def _account_of(alert: Alert) -> str:
    return str(alert.llm.account_id) if alert.llm else ""


def _by_account(alerts: Sequence[Alert]) -> list[tuple[Alert, ...]]:
    return [tuple(own) for _, own in groupby(alerts, _account_of)]


def recently_resolved() -> QuerySet[Alert]:
    rows = _described(Alert.objects.exclude(resolved_at=None))
    return rows.order_by("-resolved_at", "-id")[:SHOWN_RESOLVED]


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which alerts of the history; what is empty or None does not matter."""

    search: str = ""
    state: str = ""
    rule: UUID | None = None
    model: UUID | None = None
    provider: UUID | None = None
    page: int = 1

    @property
    def is_narrow(self) -> bool:
        return replace(self, page=1) != Wanted()


@dataclass(frozen=True, slots=True)
class HistoryPage:
    alerts: Sequence[Alert]
    number: int
    has_next: bool


def history(wanted: Wanted) -> HistoryPage:
    rows = _described(Alert.objects.all()).order_by("-created_at", "-id")
    filters = {
        "rule_key": wanted.rule,
        "llm": wanted.model,
        "llm__account": wanted.provider,
        "message__icontains": wanted.search or None,
    }
    for column, value in filters.items():
        if value is not None:
            rows = rows.filter(**{column: value})
    if wanted.state:
        rows = rows.filter(resolved_at__isnull=wanted.state == "open")
    first = (wanted.page - 1) * PER_PAGE
    found = list(rows[first : first + PER_PAGE + 1])
    return HistoryPage(found[:PER_PAGE], wanted.page, len(found) > PER_PAGE)


def alert_of(pk: UUID) -> Alert | None:
    return _described(Alert.objects.all()).select_related("rule").filter(pk=pk).first()


def story_of(alert: Alert) -> list[dict[str, Any]]:
    """The timeline, oldest first."""
    items: list[dict[str, Any]] = timeline(alert, limit=TIMELINE, offset=0)["items"]
    return items


def incidents() -> dict[str, Any]:
    return incident_page({"limit": INCIDENTS, "offset": 0})


def rules() -> QuerySet[AlertRule]:
    rows = AlertRule.objects.select_related("target_llm").prefetch_related("channels")
    return rows.annotate(open_alerts=Count("alerts", filter=Q(alerts__resolved_at=None)))


def rule_of(pk: UUID) -> AlertRule | None:
    return rules().select_related("own_channel").filter(pk=pk).first()


def channels() -> QuerySet[Channel]:
    """With what became of the last delivery, and whether any is `waiting`."""
    sent = Delivery.objects.filter(channel=OuterRef("pk")).order_by("-seq")
    last = {
        f"last_{name}": Subquery(sent.values(column)[:1])
        for name, column in {"status": "status", "error": "last_error", "at": "created_at"}.items()
    }
    rows = Channel.objects.select_related("own_rule")
    rows = rows.prefetch_related(Prefetch("rules", AlertRule.objects.order_by("name")))
    return rows.annotate(waiting=Exists(sent.open()), **last).order_by("created_at", "id")


def channel_of(pk: UUID) -> Channel | None:
    return channels().filter(pk=pk).first()


def deliveries_to(channel: Channel) -> QuerySet[Delivery]:
    rows = Delivery.objects.filter(channel=channel).select_related("message")
    return rows.defer("message__payload").prefetch_related("attempts").order_by("-seq")[:DELIVERIES]


@dataclass(frozen=True, slots=True)
class SilenceRow:
    silence: Silence
    state: str


def silences(now: datetime) -> list[SilenceRow]:
    """Those that mute now come first, those that are over last."""
    rows = Silence.objects.select_related("account", "llm", "rule")
    found = [SilenceRow(row, _state(row, now)) for row in rows]
    return sorted(found, key=lambda row: ("active", "to come", "over").index(row.state))


def _state(silence: Silence, now: datetime) -> str:
    if silence.is_active(now):
        return "active"
    return "over" if silence.ends_at is not None and silence.ends_at <= now else "to come"
