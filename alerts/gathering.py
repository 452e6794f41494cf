"""From rows to the facts that the rules judge."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Sequence
from datetime import UTC, datetime, timedelta
from uuid import UUID

from django.db.models import OuterRef, Q, Subquery
from django.db.models.functions import Coalesce

from alerts.degradation import Interval, Performance, Sample, measure
from alerts.facts import LLMFact, RoundFacts, Rule, RuleType, Standing
from alerts.lifecycle import RELAPSE_WITHIN
from alerts.models import Alert, AlertRule
from alerts.rules import performance_scope
from alerts.states import FLAPPING_FROM, AlertState, ResolveReason
from alerts.thresholds import DegradationConfig, parse_threshold_config
from models_app.models import LLM
from monitoring.models import Round, UptimeCheck
from monitoring.status import CheckStatus
from providers.errors import ErrorClass

NEVER = datetime(1970, 1, 1, tzinfo=UTC)


def rules() -> list[Rule]:
    return [_rule(row) for row in AlertRule.objects.order_by("created_at", "id")]


def _rule(row: AlertRule) -> Rule:
    config = parse_threshold_config(row.threshold_config)
    return Rule(
        rule_id=row.pk,
        rule_type=RuleType(row.rule_type),
        enabled=row.enabled,
        target_llm_id=row.target_llm_id,
        target_name=row.target_model_name,
        degradation=config if isinstance(config, DegradationConfig) else DegradationConfig(),
    )


def states(now: datetime) -> list[AlertState]:
    """Every alert that is open, may reopen or is still flapping."""
    recent = Q(resolved_at__gte=now - RELAPSE_WITHIN)
    rows = Alert.objects.filter(Q(resolved_at=None) | recent | Q(reopened__gte=FLAPPING_FROM))
    return [_state(row) for row in rows]


def _state(row: Alert) -> AlertState:
    return AlertState(
        rule_id=row.rule_key,
        scope=row.scope,
        opened_at=row.created_at,
        last_seen_at=row.last_seen_at,
        message=row.message,
        alert_id=row.pk,
        llm_id=row.llm_id,
        error_class=ErrorClass(row.error_class) if row.error_class else None,
        occurrences=row.occurrences,
        acknowledged_at=row.acknowledged_at,
        resolved_at=row.resolved_at,
        resolve_reason=ResolveReason(row.resolve_reason) if row.resolve_reason else None,
        reopened=row.reopened,
        reopened_at=row.reopened_at,
    )


def facts(round: Round, judged: Sequence[Rule], known: Sequence[AlertState]) -> RoundFacts:
    checks = {check.llm_id: check for check in UptimeCheck.objects.filter(round=round)}
    down = [pk for pk, check in checks.items() if check.status == UptimeCheck.Status.DOWN]
    since = outages_since(down)
    llms = LLM.objects.select_related("account").order_by("created_at", "id")
    answering = [pk for pk, check in checks.items() if check.error_class is None]
    return RoundFacts(
        at=round.finished_at or round.created_at,
        llms=tuple(_fact(llm, checks.get(llm.pk), since.get(llm.pk)) for llm in llms),
        self_offline=round.self_offline,
        performance=performance(judged, answering, known, round.created_at),
    )


def _fact(llm: LLM, check: UptimeCheck | None, since: datetime | None) -> LLMFact:
    return LLMFact(
        llm_id=llm.pk,
        name=llm.upstream_id,
        custom_name=llm.custom_name,
        provider_id=llm.account_id,
        provider_name=llm.account.display_name,
        status=CheckStatus(check.status) if check else None,
        error_class=ErrorClass(check.error_class) if check and check.error_class else None,
        error=check.error if check else None,
        since=since,
        standing=_standing(llm),
    )


def _standing(llm: LLM) -> Standing:
    if not llm.account.enabled:
        return Standing.PROVIDER_DISABLED
    return Standing.MONITORED if llm.enabled_for_monitoring else Standing.MONITORING_OFF


def outages_since(llm_ids: Collection[UUID]) -> dict[UUID, datetime]:
    """For LLMs that are down: the first check of the outage that goes on now."""
    mine = UptimeCheck.objects.filter(llm=OuterRef("pk"))
    answered = mine.exclude(status=UptimeCheck.Status.DOWN).order_by("-created_at")
    begun = mine.filter(created_at__gt=OuterRef("answered_at")).order_by("created_at")
    rows = (
        LLM.objects.filter(pk__in=llm_ids)
        .annotate(answered_at=Coalesce(Subquery(answered.values("created_at")[:1]), NEVER))
        .annotate(since=Subquery(begun.values("created_at")[:1]))
    )
    return {pk: since for pk, since in rows.values_list("pk", "since") if since}


def performance(
    judged: Sequence[Rule], llm_ids: Collection[UUID], known: Sequence[AlertState], now: datetime
) -> dict[tuple[UUID, UUID], Performance]:
    """What the samples of the LLMs that answered say, for each performance rule."""
    mine = [r for r in judged if r.enabled and r.rule_type is RuleType.PERFORMANCE_DEGRADATION]
    if not mine:
        return {}
    longest = timedelta(days=max(rule.degradation.baseline_days for rule in mine))
    samples = _samples(_wanted(mine, llm_ids), now - longest)
    opened = {(state.rule_id, state.scope): state.opened_at for state in known if state.is_open}
    intervals = _intervals([rule.rule_id for rule in mine], now - longest)
    found: dict[tuple[UUID, UUID], Performance] = {}
    for rule in mine:
        for llm_id in _wanted([rule], llm_ids):
            place = (rule.rule_id, performance_scope(llm_id))
            found[rule.rule_id, llm_id] = measure(
                samples[llm_id],
                rule.degradation,
                frozen_at=opened.get(place),
                excluded=intervals[place],
            )
    return found


def _wanted(mine: Sequence[Rule], llm_ids: Collection[UUID]) -> set[UUID]:
    if any(rule.target_llm_id is None for rule in mine):
        return set(llm_ids)
    return {rule.target_llm_id for rule in mine if rule.target_llm_id} & set(llm_ids)


def _samples(llm_ids: Collection[UUID], start: datetime) -> dict[UUID, list[Sample]]:
    rows = (
        UptimeCheck.objects.filter(llm__in=llm_ids, created_at__gte=start, ttft_ms__isnull=False)
        .order_by("created_at")
        .values_list("llm", "created_at", "ttft_ms", "total_latency_ms", "tps", "prompt_pack")
    )
    found: dict[UUID, list[Sample]] = defaultdict(list)
    for llm_id, at, ttft_ms, latency_ms, tps, pack in rows.iterator(chunk_size=5000):
        found[llm_id].append(Sample(at, ttft_ms, latency_ms, tps, pack))
    return found


def _intervals(
    rule_ids: Collection[UUID], start: datetime
) -> dict[tuple[UUID, str], list[Interval]]:
    rows = Alert.objects.filter(rule_key__in=rule_ids).filter(
        Q(resolved_at=None) | Q(resolved_at__gte=start)
    )
    found: dict[tuple[UUID, str], list[Interval]] = defaultdict(list)
    for row in rows.values_list("rule_key", "scope", "created_at", "resolved_at"):
        found[row[0], row[1]].append((row[2], row[3]))
    return found
