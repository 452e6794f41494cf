"""How often a rule would have fired over the checks that are stored."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.utils import timezone

from alerts import messages, pace
from alerts.models import AlertRule
from alerts.names import canonical_name
from alerts.namesakes import known_for
from alerts.outages import Episode as Outage
from alerts.outages import outage_episodes
from alerts.replay import replay
from alerts.rounds import llm_scope
from alerts.rules import everywhere_scope, performance_scope
from alerts.thresholds import DegradationConfig, parse_threshold_config
from models_app.models import LLM
from monitoring.models import MonitoringConfig, UptimeCheck
from monitoring.status import CheckStatus
from providers.errors import ErrorClass
from providers.measurement import now_ns

DAYS = 30
BUDGET_S = 15.0
MOST_SAMPLES = 50_000

Scope = dict[str, Any]


def replay_rule(rule: dict[str, Any]) -> dict[str, Any]:
    """Stops after BUDGET_S; what was left out is said in `models_replayed`."""
    since = timezone.now() - timedelta(days=DAYS)
    llms = _llms(rule)
    began_ns = now_ns()
    scopes: list[Scope] = []
    replayed = 0
    for scope, covers in _scopes(rule, llms, since):
        scopes.append(scope)
        replayed += covers
        if (now_ns() - began_ns) / 1e9 > BUDGET_S:
            break
    return {
        "days": DAYS,
        "episodes_total": sum(len(scope["episodes"]) for scope in scopes),
        "models_total": len(llms),
        "models_replayed": replayed,
        "items": sorted(scopes, key=lambda scope: -len(scope["episodes"])),
    }


def _llms(rule: dict[str, Any]) -> list[LLM]:
    rows = LLM.objects.monitored().select_related("account").order_by("created_at", "pk")
    target: LLM | None = rule.get("target_model_id")
    if rule["rule_type"] == AlertRule.Type.MODEL_UNAVAILABLE_EVERYWHERE:
        wanted = canonical_name(rule["target_model_name"])
        return [m for m in rows if wanted in _names(m)]
    if target is None or rule["rule_type"] == AlertRule.Type.ANY_MODEL_DOWN:
        return list(rows)
    return [llm for llm in rows if llm.pk == target.pk]


def _names(llm: LLM) -> set[str]:
    return {canonical_name(name) for name in (llm.upstream_id, llm.custom_name) if name}


def _scopes(
    rule: dict[str, Any], llms: Sequence[LLM], since: datetime
) -> Iterator[tuple[Scope, int]]:
    """Each scope with the number of LLMs it covers."""
    if rule["rule_type"] == AlertRule.Type.MODEL_UNAVAILABLE_EVERYWHERE:
        if llms:
            yield _everywhere(rule["target_model_name"], llms, since), len(llms)
        return
    for llm in llms:
        if rule["rule_type"] == AlertRule.Type.PERFORMANCE_DEGRADATION:
            yield _performance(llm, rule.get("threshold_config"), since), 1
        else:
            yield _down(llm, since), 1


def _performance(llm: LLM, raw: dict[str, Any] | None, since: datetime) -> Scope:
    config = parse_threshold_config(raw)
    assert isinstance(config, DegradationConfig)
    start = since - timedelta(days=config.baseline_days)
    samples = pace.samples_of(llm.pk, start, MOST_SAMPLES)
    found = replay(samples, config, pace.outages_of(llm.pk, start))
    episodes = [
        {"started_at": each.started_at, "ended_at": each.ended_at, "reason": each.figures}
        for each in found
        if each.started_at >= since
    ]
    return _scope(performance_scope(llm.pk), llm, len(samples), episodes)


def _down(llm: LLM, since: datetime) -> Scope:
    checks = _checks([llm], since)[:MOST_SAMPLES]
    found = outage_episodes((check.at, check.is_down, check.cause) for check in checks)
    return _scope(llm_scope(llm.pk), llm, len(checks), [_told(each) for each in found])


@dataclass(frozen=True, slots=True)
class Check:
    """``is_down`` None: without a network of our own it said nothing."""

    round_id: UUID
    llm_id: UUID
    at: datetime
    is_down: bool | None
    cause: str


def _checks(llms: Sequence[LLM], since: datetime) -> list[Check]:
    columns = ("round", "llm", "created_at", "status", "error_class", "round__self_offline")
    rows = UptimeCheck.objects.filter(llm__in=llms, created_at__gte=since).order_by("created_at")
    return [
        Check(round_id, llm_id, at, _is_down(status, is_offline=offline), error_class or "")
        for round_id, llm_id, at, status, error_class, offline in rows.values_list(*columns)
    ]


def _is_down(status: str, *, is_offline: bool) -> bool | None:
    is_down = status == CheckStatus.DOWN
    return None if is_offline and is_down else is_down


def _everywhere(name: str, llms: Sequence[LLM], since: datetime) -> Scope:
    usual = MonitoringConfig.load().interval_minutes
    fresh = {
        llm.pk: known_for(timedelta(minutes=llm.monitoring_interval_minutes or usual))
        for llm in llms
    }
    by_round: dict[UUID, list[Check]] = defaultdict(list)
    for check in _checks(llms, since):
        by_round[check.round_id].append(check)
    looks = list(_looks(by_round.values(), fresh))
    found = outage_episodes(looks)
    episodes = [_told(each) for each in found]
    return {**_scope(everywhere_scope(name), None, len(looks), episodes), "model_name": name}


Look = tuple[datetime, bool | None, str]


def _looks(rounds: Iterable[Sequence[Check]], fresh: Mapping[UUID, timedelta]) -> Iterator[Look]:
    """What each round knew of all the LLMs, with what other rounds had seen shortly before."""
    last: dict[UUID, Check] = {}
    for checks in rounds:
        last |= {check.llm_id: check for check in checks}
        at, cause = checks[-1].at, checks[-1].cause
        known = [
            last[pk].is_down for pk, span in fresh.items() if _is_fresh(last.get(pk), at, span)
        ]
        if False in known:
            yield at, False, cause
        else:
            yield at, True if known == [True] * len(fresh) else None, cause


def _is_fresh(check: Check | None, at: datetime, span: timedelta) -> bool:
    return check is not None and at - check.at <= span


def _told(each: Outage) -> dict[str, Any]:
    why = messages.cause(ErrorClass(each.cause) if each.cause else None)
    return {"started_at": each.started_at, "ended_at": each.ended_at, "reason": why}


def _scope(name: str, llm: LLM | None, checks: int, episodes: list[dict[str, Any]]) -> Scope:
    return {
        "scope": name,
        "model_id": llm.pk if llm else None,
        "model_name": llm.name if llm else "",
        "checks": checks,
        "episodes": episodes,
    }
