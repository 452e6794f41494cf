"""How each monitored model stands by its newest check: all of them, however many are shown."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.db.models import OuterRef, Subquery

from models_app.models import LLM
from monitoring.models import MonitoringConfig, UptimeCheck
from providers.models import ProviderAccount

# The worst first. `old`: no check for three intervals; `none`: never checked.
STATES = ("down", "degraded", "old", "none", "up")
IN_TROUBLE = ("down", "degraded")
OLD_AFTER_INTERVALS = 3


@dataclass(frozen=True, slots=True)
class Standing:
    llm_id: UUID
    account: ProviderAccount
    name: str
    upstream_id: str
    status: str
    error_class: str | None = None
    ttft_ms: float | None = None
    latency_ms: float | None = None
    tps: float | None = None
    checked_at: datetime | None = None


Key = Callable[[Standing], Any]
SORTS: dict[str, Key] = {
    "status": lambda one: STATES.index(one.status),
    "name": lambda one: one.name.casefold(),
    "ttft": lambda one: one.ttft_ms,
    "latency": lambda one: one.latency_ms,
    "speed": lambda one: one.tps,
    "checked": lambda one: one.checked_at,
}


def standings(config: MonitoringConfig, now: datetime) -> list[Standing]:
    """By account and name, with three queries."""
    monitored = LLM.objects.monitored()
    own = UptimeCheck.objects.filter(llm=OuterRef("pk")).order_by("-created_at", "-id")
    newest = monitored.order_by().values(newest=Subquery(own.values("pk")[:1]))
    figures = ("llm", "status", "error_class", "ttft_ms", "total_latency_ms", "tps", "created_at")
    checks = UptimeCheck.objects.filter(pk__in=newest).order_by()
    last = {row[0]: row[1:] for row in checks.values_list(*figures)}
    accounts = ProviderAccount.objects.filter(enabled=True).in_bulk()
    places = ("account__created_at", "account_id", "upstream_id", "id")
    columns = ("pk", "account_id", "custom_name", "upstream_id", "monitoring_interval_minutes")
    return [
        _standing(accounts[row[1]], row, last.get(row[0]), config, now)
        for row in monitored.order_by(*places).values_list(*columns)
        if row[1] in accounts
    ]


def _standing(
    account: ProviderAccount,
    row: tuple[Any, ...],
    check: tuple[Any, ...] | None,
    config: MonitoringConfig,
    now: datetime,
) -> Standing:
    pk, _, custom_name, upstream_id, minutes = row
    name = custom_name or upstream_id
    if check is None:
        return Standing(pk, account, name, upstream_id, "none")
    status, *figures = check
    longest = OLD_AFTER_INTERVALS * timedelta(minutes=minutes or config.interval_minutes)
    is_old = now - figures[-1] > longest
    return Standing(pk, account, name, upstream_id, "old" if is_old else status, *figures)


def tally(all_of_them: Iterable[Standing]) -> dict[str, int]:
    counted = Counter(one.status for one in all_of_them)
    return {state: counted[state] for state in STATES}


def chosen(
    all_of_them: Sequence[Standing], search: str = "", status: str = "", sort: str = ""
) -> list[Standing]:
    """Those that match, in the order asked for; unknown figures come last either way."""
    words = search.casefold()
    found = [one for one in all_of_them if _matches(one, words) and status in ("", one.status)]
    key = SORTS.get(sort.removeprefix("-"))
    if key is None:
        return found
    known = [one for one in found if key(one) is not None]
    unknown = [one for one in found if key(one) is None]
    return [*sorted(known, key=key, reverse=sort.startswith("-")), *unknown]


def _matches(one: Standing, words: str) -> bool:
    texts = (one.name, one.upstream_id, one.account.display_name)
    return any(words in text.casefold() for text in texts)
