"""What the pages read. Every function makes a fixed number of queries, whatever the rows."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import groupby
from uuid import UUID

from django.db.models import Count, Q, QuerySet

from alerts.models import Alert, AlertRule, Channel
from arguslm.dashboard.sparkline import SLOTS, Beat
from models_app.models import LLM, LLMQuerySet
from monitoring.models import MonitoringConfig, Round, UptimeCheck
from monitoring.progress import Progress, progress_of
from monitoring.summaries import Summary, Uptime, summaries
from providers.models import ProviderAccount

MAX_ROWS = 300
SUGGESTED = 12
RECENT_CHECKS = 50
OLD_AFTER_INTERVALS = 3
DOWN = UptimeCheck.Status.DOWN


@dataclass(frozen=True, slots=True)
class ModelRow:
    llm: LLM
    last: UptimeCheck | None
    uptime: Uptime
    beats: Sequence[Beat]
    is_old: bool

    @property
    def status(self) -> str:
        return self.last.status if self.last else "none"


@dataclass(frozen=True, slots=True)
class Group:
    account: ProviderAccount
    rows: tuple[ModelRow, ...]

    @property
    def down(self) -> int:
        return sum(row.status == DOWN for row in self.rows)


@dataclass(frozen=True, slots=True)
class Monitoring:
    config: MonitoringConfig
    last_round: Round | None
    open_round: Round | None
    progress: Progress | None


@dataclass(frozen=True, slots=True)
class Overview:
    """`stage` names what is missing first: account, monitored, check; or `ready`."""

    stage: str
    monitoring: Monitoring
    groups: tuple[Group, ...]
    suggested: tuple[LLM, ...]
    has_more: bool

    @property
    def tally(self) -> dict[str, int]:
        found = dict.fromkeys(("up", "degraded", "down", "none"), 0)
        for group in self.groups:
            for row in group.rows:
                found[row.status] += 1
        return found


def overview(search: str, now: datetime) -> Overview:
    config = MonitoringConfig.load()
    rows = _rows(search, config, now)
    groups = tuple(
        Group(account, tuple(own))
        for account, own in groupby(rows[:MAX_ROWS], lambda row: row.llm.account)
    )
    stage = "ready" if rows or search else _missing()
    if rows and not any(row.last for row in rows):
        stage = "check"
    suggested = tuple(_switchable()[:SUGGESTED]) if stage in ("monitored", "check") else ()
    return Overview(stage, _monitoring(config), groups, suggested, len(rows) > MAX_ROWS)


def _rows(search: str, config: MonitoringConfig, now: datetime) -> list[ModelRow]:
    places = ("account__created_at", "account_id", "upstream_id", "id")
    llms = list(_listed(search).order_by(*places)[: MAX_ROWS + 1])
    beats = _beats(llms, config, now)
    return [
        ModelRow(
            llm=found.llm,
            last=found.last,
            uptime=found.windows["24h"],
            beats=beats[found.llm.pk][-SLOTS:],
            is_old=_is_old(found, config, now),
        )
        for found in summaries(llms, now)
    ]


def _is_old(found: Summary, config: MonitoringConfig, now: datetime) -> bool:
    longest = OLD_AFTER_INTERVALS * _interval(found.llm, config)
    return found.last is not None and now - found.last.created_at > longest


def _interval(llm: LLM, config: MonitoringConfig) -> timedelta:
    return timedelta(minutes=llm.monitoring_interval_minutes or config.interval_minutes)


def _listed(search: str) -> LLMQuerySet:
    rows: LLMQuerySet = LLM.objects.monitored().select_related("account")
    of_account = Q(account__display_name__icontains=search)
    return rows.matching(search) | rows.filter(of_account) if search else rows


def _beats(llms: Sequence[LLM], config: MonitoringConfig, now: datetime) -> dict[UUID, list[Beat]]:
    """The newest checks of each LLM, oldest first: one query for each interval in use."""
    by_interval: dict[timedelta, list[UUID]] = defaultdict(list)
    for llm in llms:
        by_interval[_interval(llm, config)].append(llm.pk)
    found: dict[UUID, list[Beat]] = {llm.pk: [] for llm in llms}
    for interval, llm_ids in by_interval.items():
        checks = UptimeCheck.objects.filter(llm__in=llm_ids, created_at__gte=now - SLOTS * interval)
        rows = checks.order_by("created_at", "id").values_list("llm", "status", "ttft_ms")
        for llm_id, status, ttft in rows:
            found[llm_id].append(Beat(ttft, status == DOWN))
    return found


def _monitoring(config: MonitoringConfig) -> Monitoring:
    open_round = Round.objects.open().order_by("-created_at").first()
    return Monitoring(
        config=config,
        last_round=Round.objects.over().order_by("-id").first(),
        open_round=open_round,
        progress=progress_of([open_round])[0] if open_round else None,
    )


def recent_checks(llm: LLM) -> QuerySet[UptimeCheck]:
    rows = UptimeCheck.objects.filter(llm=llm).between(MonitoringConfig.horizon(), None)
    return rows.order_by("-created_at", "-id")[:RECENT_CHECKS]


def _missing() -> str:
    return "monitored" if ProviderAccount.objects.exists() else "account"


def _switchable() -> QuerySet[LLM]:
    rows = LLM.objects.filter(account__enabled=True).select_related("account")
    return rows.order_by("account__created_at", "account_id", "upstream_id")


def accounts() -> QuerySet[ProviderAccount]:
    """With `models`, `monitored` and `benchmarked`: how many LLMs each account has."""
    return ProviderAccount.objects.annotate(
        models=Count("llms"),
        monitored=Count("llms", filter=Q(llms__enabled_for_monitoring=True)),
        benchmarked=Count("llms", filter=Q(llms__enabled_for_benchmark=True)),
    ).order_by("created_at", "id")


def models_of(account: ProviderAccount, search: str) -> list[LLM]:
    """At most MAX_ROWS + 1."""
    rows: LLMQuerySet = LLM.objects.filter(account=account)
    rows = rows.matching(search) if search else rows
    return list(rows.order_by("upstream_id", "id")[: MAX_ROWS + 1])


def open_alerts() -> QuerySet[Alert]:
    rows = Alert.objects.open().select_related("llm")
    return rows.order_by("acknowledged", "-created_at", "-id")


def resolved_alerts() -> QuerySet[Alert]:
    rows = Alert.objects.exclude(resolved_at=None).select_related("llm")
    return rows.order_by("-resolved_at", "-id")


def rules() -> QuerySet[AlertRule]:
    return AlertRule.objects.select_related("target_llm").annotate(
        open_alerts=Count("alerts", filter=Q(alerts__resolved_at=None))
    )


def channels() -> QuerySet[Channel]:
    return Channel.objects.order_by("created_at", "id")
