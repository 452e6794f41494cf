"""From rows to the facts that the rules judge."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from types import MappingProxyType
from uuid import UUID

from django.db.models import OuterRef, Q, Subquery
from django.db.models.functions import Coalesce

from alerts import pace
from alerts.facts import LLMFact, RoundFacts, Rule, RuleType, Standing
from alerts.lifecycle import RELAPSE_WITHIN
from alerts.models import Alert, AlertRule
from alerts.namesakes import last_known
from alerts.own_fault import Look, lost_network, may_be_ours
from alerts.states import FLAPPING_FROM, AlertState, ResolveReason
from alerts.thresholds import DegradationConfig, parse_threshold_config
from arguslm.api.ids import oldest_id
from models_app.models import LLM
from monitoring.models import Round, UptimeCheck
from monitoring.rounds import place_of
from monitoring.status import CheckStatus
from providers.errors import ErrorClass
from providers.models import ProviderAccount

NEVER = datetime(1970, 1, 1, tzinfo=UTC)
# Rounds that began earlier than this before another one do not overlap with it.
LONGEST_ROUND = timedelta(days=1)


def rules() -> list[Rule]:
    """Those that judge rounds."""
    rows = AlertRule.objects.exclude(rule_type=AlertRule.Type.BENCHMARK_REGRESSION)
    found = [rule_of(row) for row in rows.order_by("created_at", "id")]
    shared = zip(found, _shared(found), strict=True)
    return [replace(rule, degradation=config) for rule, config in shared]


def _shared(rules: Sequence[Rule]) -> Iterator[DegradationConfig]:
    """Equal thresholds become one value."""
    known: list[DegradationConfig] = []
    for rule in rules:
        same = next((config for config in known if config == rule.degradation), None)
        if same is None:
            known.append(rule.degradation)
        yield same or rule.degradation


def rule_of(row: AlertRule) -> Rule:
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
    rows = Alert.objects.of_rounds().filter(
        Q(resolved_at=None) | recent | Q(reopened__gte=FLAPPING_FROM)
    )
    return [state_of(row) for row in rows]


def state_of(row: Alert) -> AlertState:
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


@dataclass(frozen=True, slots=True)
class Seen:
    """The check of one LLM, as far as rules ask."""

    llm_id: UUID
    at: datetime
    status: CheckStatus
    error_class: ErrorClass | None
    error: str | None

    @property
    def lost_network(self) -> bool:
        return lost_network(self.status, self.error_class)


def seen_in(round: Round) -> dict[UUID, Seen]:
    rows = UptimeCheck.objects.filter(round=round).order_by()
    columns = ("llm", "created_at", "status", "error_class", "error")
    return {
        llm_id: Seen(
            llm_id, at, CheckStatus(status), ErrorClass(failure) if failure else None, error
        )
        for llm_id, at, status, failure, error in rows.values_list(*columns)
    }


def current(round: Round, seen: Mapping[UUID, Seen]) -> dict[UUID, Seen]:
    """Without the checks that are overtaken: another round asked the same LLM later.

    A round that waits for its own judgement overtakes nobody: it is judged in its turn.
    """
    nearby = Round.objects.filter(pk__gte=oldest_id(round.created_at - LONGEST_ROUND))
    overlapping = nearby.filter(Q(finished_at=None) | Q(finished_at__gte=round.created_at))
    judged = Q(status__in=Round.open_states) | Q(roundevaluation__is_final=True)
    others = list(overlapping.filter(judged).exclude(pk=round.pk).values_list("pk", flat=True))
    if not others:
        return dict(seen)
    rows = UptimeCheck.objects.filter(round__in=others).order_by()
    overtaken = {
        llm_id
        for llm_id, at in rows.values_list("llm", "created_at").iterator()
        if llm_id in seen and at > seen[llm_id].at
    }
    return {pk: check for pk, check in seen.items() if pk not in overtaken}


def facts(
    round: Round, judged: Sequence[Rule], known: Sequence[AlertState], seen: dict[UUID, Seen]
) -> RoundFacts:
    """Of a round that has ended; what earlier looks have judged is the caller's to leave out."""
    answering = [check.llm_id for check in seen.values() if check.error_class is None]
    at = round.finished_at or round.created_at
    return RoundFacts(
        at=at,
        llms=fleet(seen, known, last_known(round, judged, at)),
        self_offline=round.self_offline,
        performance=pace.performance(judged, answering, known, round),
    )


def fleet(
    seen: Mapping[UUID, Seen],
    known: Sequence[AlertState] = (),
    elsewhere: Mapping[UUID, CheckStatus] = MappingProxyType({}),
) -> tuple[LLMFact, ...]:
    """Every LLM there is, with the check it had; `elsewhere`: what other rounds saw last."""
    outages = [s for s in known if s.is_open and s.scope.startswith("llm:")]
    since = {state.llm_id: state.opened_at for state in outages if state.llm_id}
    down = [check.llm_id for check in seen.values() if check.status is CheckStatus.DOWN]
    down += [pk for pk, status in elsewhere.items() if status is CheckStatus.DOWN]
    since.update(outages_since([pk for pk in down if pk not in since]))
    rows = LLM.objects.order_by("created_at", "id").values_list(
        "pk",
        "upstream_id",
        "custom_name",
        "account",
        "account__display_name",
        "account__enabled",
        "enabled_for_monitoring",
    )
    facts = (_fact(row, seen.get(row[0]), since.get(row[0])) for row in rows)
    return tuple(_with_last_known(fact, elsewhere) for fact in facts)


def _with_last_known(fact: LLMFact, elsewhere: Mapping[UUID, CheckStatus]) -> LLMFact:
    status = elsewhere.get(fact.llm_id)
    return fact if status is None else replace(fact, last_known=status)


def _fact(
    row: tuple[UUID, str, str | None, UUID, str, bool, bool],
    check: Seen | None,
    since: datetime | None,
) -> LLMFact:
    pk, name, custom_name, account_id, account_name, account_enabled, monitored = row
    return LLMFact(
        llm_id=pk,
        name=name,
        custom_name=custom_name,
        provider_id=account_id,
        provider_name=account_name,
        status=check.status if check else None,
        error_class=check.error_class if check else None,
        error=check.error if check else None,
        since=since,
        standing=_standing(account_enabled, monitored),
    )


def _standing(account_enabled: bool, monitored: bool) -> Standing:
    if not account_enabled:
        return Standing.PROVIDER_DISABLED
    return Standing.MONITORED if monitored else Standing.MONITORING_OFF


def withheld(round: Round, seen: Iterable[Seen]) -> set[UUID]:
    """LLMs whose failure may yet turn out to be our own missing network."""
    checks = list(seen)
    suspects = {check.llm_id for check in checks if check.lost_network}
    if not suspects:
        return set()
    accounts = ProviderAccount.objects.filter(pk__in=round.shares.values("account"))
    places = {account.pk: place_of(account) for account in accounts}
    owners = dict(
        LLM.objects.filter(pk__in=[check.llm_id for check in checks]).values_list("pk", "account")
    )
    looks = [
        Look(places[owners[check.llm_id]], check.status, check.error_class)
        for check in checks
        if owners.get(check.llm_id) in places
    ]
    return suspects if may_be_ours(places.values(), looks) else set()


def outages_since(llm_ids: Collection[UUID]) -> dict[UUID, datetime]:
    """For LLMs that are down: the first check of the outage that goes on now."""
    if not llm_ids:
        return {}
    mine = UptimeCheck.objects.filter(llm=OuterRef("pk"))
    answered = mine.exclude(status=UptimeCheck.Status.DOWN).order_by("-created_at")
    begun = mine.filter(created_at__gt=OuterRef("answered_at")).order_by("created_at")
    rows = (
        LLM.objects.filter(pk__in=llm_ids)
        .annotate(answered_at=Coalesce(Subquery(answered.values("created_at")[:1]), NEVER))
        .annotate(since=Subquery(begun.values("created_at")[:1]))
    )
    return {pk: since for pk, since in rows.values_list("pk", "since") if since}
