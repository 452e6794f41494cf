"""What the pages read. Every function makes a fixed number of queries, whatever the rows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import groupby
from uuid import UUID

from django.db.models import Count, OuterRef, Q, QuerySet, Subquery

from alerts.models import Alert, AlertRule
from arguslm.dashboard.sparkline import Beat
from models_app.models import LLM, LLMQuerySet
from monitoring.models import MonitoringConfig, Round, UptimeCheck
from monitoring.progress import Progress, progress_of
from providers.models import ProviderAccount
from providers.statistics.intervals import Interval, wilson_interval

MAX_ROWS = 300
TREND_ROUNDS = 30
SUGGESTED = 12
UPTIME_WINDOW = timedelta(hours=24)
OLD_AFTER_ROUNDS = 3
DOWN = UptimeCheck.Status.DOWN
EVERY = Q()


@dataclass(frozen=True, slots=True)
class Uptime:
    """Checks that say something about the provider, and `excluded` ones that do not."""

    available: int = 0
    n: int = 0
    excluded: int = 0

    @property
    def share(self) -> float | None:
        return self.available / self.n if self.n else None

    @property
    def interval(self) -> Interval | None:
        return wilson_interval(self.available, self.n)


@dataclass(frozen=True, slots=True)
class ModelRow:
    llm: LLM
    last: UptimeCheck | None
    uptime: Uptime
    beats: tuple[Beat, ...]
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
    rounds = list(Round.objects.order_by("-id")[:TREND_ROUNDS])
    rows = _rows(search, rounds, now - OLD_AFTER_ROUNDS * config.interval, now)
    groups = tuple(
        Group(account, tuple(own))
        for account, own in groupby(rows[:MAX_ROWS], lambda row: row.llm.account)
    )
    stage = "ready" if rows or search else _missing()
    if rows and not any(row.last for row in rows):
        stage = "check"
    suggested = tuple(_switchable()[:SUGGESTED]) if stage in ("monitored", "check") else ()
    return Overview(stage, _monitoring(config, rounds), groups, suggested, len(rows) > MAX_ROWS)


def _rows(search: str, rounds: Sequence[Round], old: datetime, now: datetime) -> list[ModelRow]:
    places = ("account__created_at", "account_id", "upstream_id")
    llms = list(_listed(search).order_by(*places)[: MAX_ROWS + 1])
    ids = [llm.pk for llm in llms]
    last = _last_checks(ids)
    beats, uptimes = _beats(ids, rounds), _uptimes(ids, now - UPTIME_WINDOW)
    return [
        ModelRow(
            llm=llm,
            last=check,
            uptime=uptimes.get(llm.pk, Uptime()),
            beats=beats[llm.pk],
            is_old=check is not None and check.created_at < old,
        )
        for llm in llms
        for check in [last.get(llm.pk)]
    ]


def _last_checks(llm_ids: list[UUID]) -> dict[UUID, UptimeCheck]:
    """One look into the index for each LLM, in one query."""
    own = UptimeCheck.objects.filter(llm=OuterRef("pk")).order_by("-created_at", "-id")
    newest = (
        LLM.objects.filter(pk__in=llm_ids).order_by().values(newest=Subquery(own.values("pk")[:1]))
    )
    return {check.llm_id: check for check in UptimeCheck.objects.filter(pk__in=newest)}


def _listed(search: str) -> LLMQuerySet:
    rows: LLMQuerySet = LLM.objects.monitored().select_related("account")
    return rows.matching(search) | rows.filter(_of_account(search)) if search else rows


def _of_account(search: str) -> Q:
    return Q(account__display_name__icontains=search)


def _beats(llm_ids: list[UUID], rounds: Sequence[Round]) -> dict[UUID, tuple[Beat, ...]]:
    """For each LLM what the recent rounds found, oldest first; rounds without it are left out."""
    place = {round.pk: index for index, round in enumerate(reversed(rounds))}
    found: dict[UUID, list[tuple[int, Beat]]] = {llm_id: [] for llm_id in llm_ids}
    checks = UptimeCheck.objects.filter(round__in=list(place), llm__in=llm_ids).order_by()
    for llm_id, round_id, status, ttft in checks.values_list("llm", "round", "status", "ttft_ms"):
        found[llm_id].append((place[round_id], Beat(ttft, status == DOWN)))
    return {
        llm_id: tuple(beat for _, beat in sorted(own, key=lambda item: item[0]))
        for llm_id, own in found.items()
    }


def uptime_counts(among: Q = EVERY) -> dict[str, Count]:
    """The aggregates that make an Uptime, by its field names."""
    counted = among & Q(counts_for_uptime=True)
    return {
        "available": Count("pk", filter=counted & ~Q(status=DOWN)),
        "n": Count("pk", filter=counted),
        "excluded": Count("pk", filter=among & Q(counts_for_uptime=False)),
    }


def _uptimes(llm_ids: list[UUID], since: datetime) -> dict[UUID, Uptime]:
    checks = UptimeCheck.objects.filter(llm__in=llm_ids, created_at__gte=since).order_by()
    counts = uptime_counts()
    rows = checks.values("llm").annotate(**counts).values_list("llm", *counts)
    return {llm_id: Uptime(*figures) for llm_id, *figures in rows}


def _monitoring(config: MonitoringConfig, rounds: Sequence[Round]) -> Monitoring:
    open_round = next((round for round in rounds if round.is_open), None)
    return Monitoring(
        config=config,
        last_round=next((round for round in rounds if not round.is_open), None),
        open_round=open_round,
        progress=progress_of([open_round])[0] if open_round else None,
    )


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
