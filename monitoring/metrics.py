"""The state of the monitoring as Prometheus text (exposition format 0.0.4), from the database."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.db.models import Sum

from models_app.models import LLM
from monitoring import costs
from monitoring.hours import hour_of
from monitoring.models import CheckRollup, MonitoringConfig, Round, RoundShare, UptimeCheck
from monitoring.models.rollups import COUNTS
from monitoring.summaries import Uptime, latest_checks
from monitoring.tails import Tail, steadily

STATUSES = COUNTS[:3]
CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
# As they are written, between the braces.
Labels = str
Sample = tuple[Labels, float | int | None]
NONE: Labels = ""


@dataclass(frozen=True, slots=True)
class Family:
    """One metric and its samples; a sample whose value is None is left out: unknown is not 0."""

    name: str
    kind: str
    help: str
    samples: Sequence[Sample]

    def lines(self) -> Iterator[str]:
        yield f"# HELP {self.name} {self.help}"
        yield f"# TYPE {self.name} {self.kind}"
        for labels, value in self.samples:
            if value is not None:
                yield f"{self.name}{{{labels}}} {value}" if labels else f"{self.name} {value}"


def metrics_text(now: datetime) -> str:
    config = MonitoringConfig.load()
    families = [*_of_models(now), *_of_rounds(config, now), *_of_money(config, now)]
    return "\n".join(line for family in families for line in family.lines()) + "\n"


def _of_models(now: datetime) -> Iterator[Family]:
    llms = list(LLM.objects.monitored().select_related("account").order_by("created_at", "id"))
    labels = {llm.pk: _labels_of(llm) for llm in llms}
    last = latest_checks(list(labels))
    checks = [(labels[pk], last[pk]) for pk in labels if pk in last]
    yield Family(
        "arguslm_llm_up",
        "gauge",
        "1 if the last check was answered (up or degraded), 0 if it was down.",
        [(own, int(check.status != UptimeCheck.Status.DOWN)) for own, check in checks],
    )
    yield Family(
        "arguslm_llm_status",
        "gauge",
        "1 for the status of the last check, 0 for the others.",
        [
            (f'{own},status="{status}"', int(check.status == status))
            for own, check in checks
            for status in STATUSES
        ],
    )
    for name, text, figure in FIGURES:
        values = [(own, _scaled(getattr(check, figure), name)) for own, check in checks]
        yield Family(f"arguslm_llm_{name}", "gauge", f"{text} of the last check.", values)
    yield Family(
        "arguslm_llm_last_check_timestamp_seconds",
        "gauge",
        "When the last check was made.",
        [(own, check.created_at.timestamp()) for own, check in checks],
    )
    yield from _of_last_day(labels, now)


FIGURES = (
    ("ttft_seconds", "Time to first token", "ttft_ms"),
    ("latency_seconds", "Time from sending to the last content", "total_latency_ms"),
    ("tokens_per_second", "Output tokens over latency", "tps"),
)


def _scaled(value: float | None, name: str) -> float | None:
    return value / 1000 if value is not None and name.endswith("_seconds") else value


def _of_last_day(labels: Mapping[UUID, Labels], now: datetime) -> Iterator[Family]:
    uptimes = _uptimes(labels, hour_of(now - timedelta(hours=24)))
    yield Family(
        "arguslm_llm_uptime_ratio",
        "gauge",
        "Share of answered checks of the last 24 h, account and configuration faults left out.",
        [(labels[pk], uptime.uptime) for pk, uptime in uptimes.items()],
    )
    yield Family(
        "arguslm_llm_checks",
        "gauge",
        "Checks of the last 24 h by status.",
        [
            (f'{labels[pk]},status="{status}"', getattr(uptime, status))
            for pk, uptime in uptimes.items()
            for status in STATUSES
        ],
    )


def _uptimes(labels: Mapping[UUID, Labels], since: datetime) -> dict[UUID, Uptime]:
    return steadily(lambda tail: _uptimes_with(tail, labels, since))


def _uptimes_with(tail: Tail, labels: Mapping[UUID, Labels], since: datetime) -> dict[UUID, Uptime]:
    rows = CheckRollup.objects.hourly().filter(start__gte=since).order_by()
    sums: dict[str, Any] = {f"n_{name}": Sum(name) for name in COUNTS}
    found: dict[UUID, Uptime] = {}
    for llm_id, *counts in rows.values("llm").annotate(**sums).values_list("llm", *sums):
        if llm_id in labels:
            found[llm_id] = Uptime()
            found[llm_id].add(counts)
    recent = tail.checks().filter(created_at__gte=since)
    for llm_id, status, counts in recent.values_list("llm", "status", "counts_for_uptime"):
        if llm_id in labels:
            found.setdefault(llm_id, Uptime()).note(status, counts)
    return found


def _of_rounds(config: MonitoringConfig, now: datetime) -> Iterator[Family]:
    ended = Round.objects.filter(status=Round.Status.COMPLETED, finished_at__isnull=False)
    last = ended.order_by("-finished_at").first()
    yield _single("monitoring_enabled", "1 if rounds are scheduled.", int(config.enabled))
    yield _single("interval_seconds", "Between scheduled rounds.", config.interval.total_seconds())
    open_rounds = Round.objects.open().count()
    yield _single("rounds_open", "Rounds under way.", open_rounds)
    waiting = RoundShare.objects.waiting(now).count()
    yield _single("shares_waiting", "Shares of rounds that no worker works on.", waiting)
    if last is None or last.finished_at is None:
        return
    finished, begun = last.finished_at, last.started_at or last.created_at
    yield _single(
        "round_last_timestamp_seconds", "End of the last completed round.", finished.timestamp()
    )
    yield _single(
        "round_duration_seconds", "Of the last completed round.", (finished - begun).total_seconds()
    )
    yield _single(
        "round_lag_seconds",
        "From the time the last completed round was due to its first probes.",
        (begun - last.due_at).total_seconds(),
    )
    yield _single("round_planned", "Models of the last completed round.", last.planned)
    yield _single(
        "round_self_offline",
        "1 if the monitor itself had no network in it.",
        int(last.self_offline),
    )


def _of_money(config: MonitoringConfig, now: datetime) -> Iterator[Family]:
    spent = float(costs.spent_this_month(now))
    yield _single("spent_month_usd", "Spent on probes this calendar month (UTC).", spent)
    cap = config.monthly_cap_usd
    yield _single("monthly_cap_usd", "Absent: no cap.", None if cap is None else float(cap))
    yield _single("budget_paused", "1 if the cap has paused probing.", int(config.budget_paused))


def _single(name: str, text: str, value: float | int | None) -> Family:
    return Family(f"arguslm_{name}", "gauge", text, [(NONE, value)])


def _labels_of(llm: LLM) -> Labels:
    told = {
        "model_id": str(llm.pk),
        "model": llm.name,
        "provider": llm.account.display_name,
        "provider_type": llm.account.provider_type,
    }
    return ",".join(f'{name}="{_escaped(text)}"' for name, text in told.items())


def _escaped(text: str) -> str:
    return text.replace("\\", r"\\").replace('"', r"\"").replace("\n", r"\n")
