"""Builders of rows for the tests of evaluation and delivery."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from django.utils import timezone

from alerts.evaluation import evaluate_round
from alerts.models import Channel
from models_app.models import LLM
from monitoring.models import Round, RoundShare, UptimeCheck
from providers.errors import ErrorClass
from providers.models import ProviderAccount
from tests.make import make_account, make_llm

SECRET_URL = "http://127.0.0.1:9/hooks/T0ken-1234567890abcdef"


def make_fleet(providers: int, llms: int, **fields: Any) -> list[LLM]:
    """Monitored LLMs, `llms` of them at each of the accounts."""
    found: list[LLM] = []
    for number in range(providers):
        account = make_account(
            {"base_url": f"http://host-{number}.example/v1"},
            provider_type="lm_studio",
            display_name=f"Provider {number}",
        )
        found += LLM.objects.bulk_create(
            LLM(
                account=account,
                upstream_id=f"m-{number}-{i}",
                enabled_for_monitoring=True,
                **fields,
            )
            for i in range(llms)
        )
    return found


def make_watched(account: ProviderAccount | None = None, name: str = "") -> LLM:
    return make_llm(account, name, enabled_for_monitoring=True)


def open_round(*llms: LLM, at: datetime | None = None, **fields: Any) -> Round:
    """A round that goes on: one open share for each account."""
    now = at or timezone.now()
    defaults: dict[str, Any] = {
        "trigger": Round.Trigger.MANUAL,
        "status": Round.Status.RUNNING,
        "prompt_pack": "health_check",
        "max_tokens": 100,
        "due_at": now,
        "started_at": now,
    }
    round = Round.objects.create(**(defaults | fields))
    accounts = {llm.account_id for llm in llms}
    RoundShare.objects.bulk_create(RoundShare(round=round, account_id=pk) for pk in accounts)
    return round


def open_slot(llm: LLM, at: datetime) -> Round:
    """A round of the schedule that the LLM belongs to."""
    interval = llm.monitoring_interval_minutes
    return open_round(llm, at=at, trigger=Round.Trigger.SCHEDULE, interval_minutes=interval)


def record(
    round: Round,
    llms: list[LLM],
    status: str = "down",
    error_class: ErrorClass | None = ErrorClass.SERVER_ERROR,
    at: datetime | None = None,
    **figures: Any,
) -> None:
    is_failure = status == "down"
    UptimeCheck.objects.bulk_create(
        UptimeCheck(
            round=round,
            llm=llm,
            status=status,
            error_class=error_class.value if is_failure and error_class else None,
            error="HTTP 500: something broke." if is_failure else None,
            prompt_pack=round.prompt_pack,
            created_at=at or timezone.now(),
            **({} if is_failure else {"ttft_ms": 100.0, "total_latency_ms": 300.0} | figures),
        )
        for llm in llms
    )


def end(round: Round, at: datetime | None = None) -> None:
    RoundShare.objects.filter(round=round).update(status=RoundShare.Status.COMPLETED)
    Round.objects.filter(pk=round.pk).update(
        status=Round.Status.COMPLETED, finished_at=at or timezone.now()
    )


def judge(round: Round) -> None:
    assert evaluate_round(round.pk)


def play(
    llms: list[LLM],
    status: str,
    at: datetime | None = None,
    *,
    round: Round | None = None,
    **fields: Any,
) -> Round:
    """A whole round with the same outcome for all, judged at its end."""
    round = round or open_round(*llms, at=at)
    record(round, llms, status, at=at, **fields)
    end(round, at)
    judge(round)
    return round


def make_channel(
    kind: str = "webhook", config: dict[str, Any] | None = None, **fields: Any
) -> Channel:
    channel = Channel(kind=kind, name=fields.pop("name", "Ops"), **fields)
    channel.seal({"url": SECRET_URL} if config is None else config)
    if kind == "webhook":
        channel.make_secret(timezone.now())
    channel.save()
    return channel


def minutes_ago(count: float) -> datetime:
    return timezone.now() - timedelta(minutes=count)
