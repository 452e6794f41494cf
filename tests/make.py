"""Builders: each sets only what the row needs; a test names what it is about."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from uuid import uuid4

from django.utils import timezone

from alerts.models import Alert, AlertRule
from benchmarks.models import BenchmarkResult, BenchmarkRun, BenchmarkTarget
from models_app.models import LLM
from monitoring.models import Round, UptimeCheck
from providers.models import ProviderAccount


def make_account(
    credentials: dict[str, Any] | None = None, *, provider_type: str = "openai", **fields: Any
) -> ProviderAccount:
    account = ProviderAccount(
        provider_type=provider_type, display_name=fields.pop("display_name", "Account"), **fields
    )
    account.seal({"api_key": "sk-test-key"} if credentials is None else credentials)
    account.save()
    return account


def make_llm(account: ProviderAccount | None = None, upstream_id: str = "", **fields: Any) -> LLM:
    return LLM.objects.create(
        account=account or make_account(),
        upstream_id=upstream_id or f"m-{uuid4().hex[:8]}",
        **fields,
    )


def make_round(**fields: Any) -> Round:
    defaults: dict[str, Any] = {
        "trigger": Round.Trigger.MANUAL,
        "status": Round.Status.COMPLETED,
        "prompt_pack": "health_check",
        "max_tokens": 100,
        "due_at": timezone.now(),
    }
    return Round.objects.create(**(defaults | fields))


def make_check(llm: LLM | None = None, round: Round | None = None, **fields: Any) -> UptimeCheck:
    defaults: dict[str, Any] = {
        "status": UptimeCheck.Status.UP,
        "prompt_pack": "health_check",
        "created_at": timezone.now(),
    }
    return UptimeCheck.objects.create(
        llm=llm or make_llm(), round=round or make_round(), **(defaults | fields)
    )


def make_run(*llms: LLM, **fields: Any) -> BenchmarkRun:
    defaults: dict[str, Any] = {"name": "Run", "prompt_pack": "health_check", "seed": 1}
    run = BenchmarkRun.objects.create(**(defaults | fields))
    for position, llm in enumerate(llms):
        BenchmarkTarget.objects.create(run=run, llm=llm, position=position)
    return run


def make_result(run: BenchmarkRun, llm: LLM, **fields: Any) -> BenchmarkResult:
    ordinal = run.results.count() + 1
    defaults: dict[str, Any] = {
        "iteration": ordinal,
        "ordinal": ordinal,
        "created_at": timezone.now(),
    }
    return BenchmarkResult.objects.create(run=run, llm=llm, **(defaults | fields))


def make_rule(**fields: Any) -> AlertRule:
    defaults: dict[str, Any] = {"name": "Rule", "rule_type": AlertRule.Type.ANY_MODEL_DOWN}
    return AlertRule.objects.create(**(defaults | fields))


def make_alert(rule: AlertRule | None = None, **fields: Any) -> Alert:
    rule = rule or make_rule()
    now = timezone.now()
    defaults: dict[str, Any] = {
        "rule_key": rule.pk,
        "rule_name": rule.name,
        "rule_type": rule.rule_type,
        "scope": f"llm:{uuid4()}",
        "message": "A model is down.",
        "last_seen_at": now,
        "created_at": now - timedelta(seconds=1),
    }
    return Alert.objects.create(rule=rule, **(defaults | fields))
