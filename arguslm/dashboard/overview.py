"""What the overview reads: a fixed number of queries, whatever the rows."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import groupby
from uuid import UUID

from django.db.models import QuerySet

from alerts.models import AlertRule, Channel
from arguslm.dashboard.beats import beats_of
from arguslm.dashboard.sparkline import Beat
from arguslm.dashboard.standings import Standing, chosen, standings, tally
from arguslm.dashboard.troubles import MOST_LINES, Attention, attention, lines, members_of
from models_app.models import LLM
from monitoring.models import MonitoringConfig, Round, UptimeCheck
from monitoring.progress import Progress, progress_of
from monitoring.summaries import Uptime, summaries
from providers.models import ProviderAccount

MAX_ROWS = 300
SUGGESTED = 12
FEW, MANY = 500, 2000
OVERDUE_AFTER = timedelta(minutes=1)


@dataclass(frozen=True, slots=True)
class ModelRow:
    standing: Standing
    llm: LLM
    last: UptimeCheck | None
    uptime: Uptime
    beats: Sequence[Beat]


@dataclass(frozen=True, slots=True)
class Group:
    """Rows of one account; `account` is None where the order mixes all accounts."""

    account: ProviderAccount | None
    rows: tuple[ModelRow, ...]
    tally: dict[str, int]


@dataclass(frozen=True, slots=True)
class Monitoring:
    config: MonitoringConfig
    last_round: Round | None
    open_round: Round | None
    progress: Progress | None
    is_overdue: bool

    @property
    def is_offline(self) -> bool:
        return self.last_round is not None and self.last_round.self_offline


@dataclass(frozen=True, slots=True)
class Setup:
    """What has been set up already."""

    account: bool
    monitored: bool
    check: bool
    rule: bool
    channel: bool

    @property
    def is_complete(self) -> bool:
        return self.account and self.monitored and self.check and self.rule and self.channel


@dataclass(frozen=True, slots=True)
class Asked:
    search: str = ""
    status: str = ""
    sort: str = ""


@dataclass(frozen=True, slots=True)
class Overview:
    asked: Asked
    setup: Setup
    monitoring: Monitoring
    tally: dict[str, int]
    attention: Attention
    groups: tuple[Group, ...]
    suggested: tuple[LLM, ...]
    matching: int
    shown: int

    @property
    def total(self) -> int:
        return sum(self.tally.values())

    @property
    def pace(self) -> str:
        """How often a page that shows this asks again: not so often that it costs much."""
        if self.monitoring.open_round and self.total <= FEW:
            return "fast"
        return "slow" if self.total > MANY else ""

    @property
    def checked(self) -> int:
        return self.total - self.tally["none"]


def overview(asked: Asked, now: datetime) -> Overview:
    config = MonitoringConfig.load()
    everybody = standings(config, now)
    matching = chosen(everybody, asked.search, asked.status, asked.sort)
    shown = matching[:MAX_ROWS]
    monitoring = _monitoring(config, now)
    # Without a network of our own every model looks down, and none of them is to blame.
    troubled = [] if monitoring.is_offline else lines(everybody)
    wanted = {*members_of(troubled[:MOST_LINES]), *(one.llm_id for one in shown)}
    beats = beats_of(wanted, now)
    setup = _setup(everybody)
    return Overview(
        asked=asked,
        setup=setup,
        monitoring=monitoring,
        tally=tally(everybody),
        attention=attention(troubled, beats),
        groups=_groups(_rows(shown, beats, now), everybody, is_flat=bool(asked.sort)),
        suggested=() if setup.check else tuple(_switchable()[:SUGGESTED]),
        matching=len(matching),
        shown=len(shown),
    )


def _setup(everybody: Sequence[Standing]) -> Setup:
    return Setup(
        account=ProviderAccount.objects.exists(),
        monitored=bool(everybody),
        check=any(one.checked_at for one in everybody),
        rule=AlertRule.objects.filter(enabled=True).exists(),
        channel=Channel.objects.filter(enabled=True).exists(),
    )


def _rows(
    shown: Sequence[Standing], beats: dict[UUID, list[Beat]], now: datetime
) -> list[ModelRow]:
    llms = LLM.objects.select_related("account").in_bulk([one.llm_id for one in shown])
    present = [one for one in shown if one.llm_id in llms]
    found = summaries([llms[one.llm_id] for one in present], now)
    return [
        ModelRow(one, own.llm, own.last, own.windows["24h"], beats[one.llm_id])
        for one, own in zip(present, found, strict=True)
    ]


def _groups(
    rows: Sequence[ModelRow], everybody: Sequence[Standing], *, is_flat: bool
) -> tuple[Group, ...]:
    if is_flat:
        return (Group(None, tuple(rows), {}),) if rows else ()
    by_account: dict[UUID, list[Standing]] = defaultdict(list)
    for one in everybody:
        by_account[one.account.pk].append(one)
    return tuple(
        Group(account, tuple(own), tally(by_account[account.pk]))
        for account, own in groupby(rows, lambda row: row.standing.account)
    )


def _monitoring(config: MonitoringConfig, now: datetime) -> Monitoring:
    open_round = Round.objects.open().order_by("-created_at").first()
    due_at = config.next_due_at
    is_late = due_at is not None and now - due_at > OVERDUE_AFTER
    return Monitoring(
        config=config,
        last_round=Round.objects.over().order_by("-id").first(),
        open_round=open_round,
        progress=progress_of([open_round])[0] if open_round else None,
        is_overdue=config.enabled and not config.budget_paused and is_late,
    )


def _switchable() -> QuerySet[LLM]:
    rows = LLM.objects.filter(account__enabled=True).select_related("account")
    return rows.order_by("account__created_at", "account_id", "upstream_id")
