"""What each type of rule says about a round, and the alerts that follow from it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID

from alerts import messages
from alerts.degradation import Degradation, Pace
from alerts.facts import LLMFact, RoundFacts, Rule, RuleType
from alerts.lifecycle import advance, withdraw
from alerts.names import canonical_name
from alerts.rounds import SELF_SCOPE, RoundView, names_of
from alerts.states import AlertState, Change, Condition, Event, ResolveReason
from monitoring.status import CheckStatus


@dataclass(frozen=True, slots=True)
class Evaluation:
    """New and changed states (``alert_id`` None is a new alert), and the events in order."""

    states: tuple[AlertState, ...]
    events: tuple[Event, ...]


def evaluate(rules: Sequence[Rule], facts: RoundFacts, states: Iterable[AlertState]) -> Evaluation:
    """Judges one round by all rules.

    ``states``: every open alert, and of the resolved ones those that may reopen (resolved within
    ``RELAPSE_WITHIN``) or are still flapping; of several in one scope the newest counts.
    """
    view = RoundView(facts)
    held = _newest_by_rule(states)
    carrier = _carrier_of_self(rules, held)
    changes: list[Change] = []
    for rule in rules:
        if rule.enabled:
            mine = held.pop(rule.rule_id, {})
            changes += _changes(rule, view, mine, is_carrier=rule is carrier)
    disabled = {rule.rule_id for rule in rules if not rule.enabled}
    for rule_id, orphans in held.items():
        is_there = rule_id in disabled
        reason = ResolveReason.RULE_DISABLED if is_there else ResolveReason.RULE_DELETED
        changes += [withdraw(state, reason, facts.at) for state in orphans.values()]
    return Evaluation(
        tuple(state for change in changes for state in change.states),
        tuple(event for change in changes for event in change.events),
    )


Conditions = Mapping[str, Condition]


def performance_scope(llm_id: UUID) -> str:
    return f"perf:{llm_id}"


def everywhere_scope(name: str) -> str:
    return f"everywhere:{canonical_name(name)}"


def any_model_down(rule: Rule, view: RoundView) -> Conditions:
    return view.outages


def specific_model_down(rule: Rule, view: RoundView) -> Conditions:
    outage = view.outage(rule.target_llm_id)
    return {outage.scope: outage} if outage else {}


def model_unavailable_everywhere(rule: Rule, view: RoundView) -> Conditions:
    """Down everywhere only when nothing is unknown; any one answer ends it."""
    if rule.target_name is None:
        return {}
    same = view.called(rule.target_name)
    if not same:
        return {}
    downs = [view.was_down(llm) for llm in same]
    holds = False if False in downs else None if None in downs else True
    if all(view.is_down(llm) is None for llm in same):
        holds = None
    condition = _everywhere(rule.target_name, same, holds, view)
    return {condition.scope: condition}


def performance_degradation(rule: Rule, view: RoundView) -> Conditions:
    watched = view.monitored
    if rule.target_llm_id is not None:
        watched = [llm for llm in watched if llm.llm_id == rule.target_llm_id]
    conditions = (_pace(rule, llm, view) for llm in watched)
    return {condition.scope: condition for condition in conditions}


EVALUATORS: dict[RuleType, Callable[[Rule, RoundView], Conditions]] = {
    RuleType.ANY_MODEL_DOWN: any_model_down,
    RuleType.SPECIFIC_MODEL_DOWN: specific_model_down,
    RuleType.MODEL_UNAVAILABLE_EVERYWHERE: model_unavailable_everywhere,
    RuleType.PERFORMANCE_DEGRADATION: performance_degradation,
}


def _everywhere(
    target: str, same: Sequence[LLMFact], holds: bool | None, view: RoundView
) -> Condition:
    name = canonical_name(target)
    since = max(llm.since or view.facts.at for llm in same)
    providers = [llm.provider_name for llm in same]
    last = next((llm for llm in reversed(same) if llm.error_class), same[-1])
    answering = [llm.provider_name for llm in same if view.was_down(llm) is False]
    return Condition(
        scope=everywhere_scope(target),
        holds=holds,
        subject=name,
        opening=messages.down_everywhere(
            name, since, providers, messages.cause(last.error_class, last.error)
        ),
        recovery=f"{name} is available again at {messages.listed(answering)}",
        llm_ids=tuple(llm.llm_id for llm in same),
        error_class=last.error_class if holds else None,
    )


def _pace(rule: Rule, llm: LLMFact, view: RoundView) -> Condition:
    performance = view.facts.performance.get((rule.rule_id, llm.llm_id))
    status = view.status(llm)
    if status is CheckStatus.DOWN:
        return _pace_condition(llm, holds=False, reason=ResolveReason.WENT_DOWN)
    if status is None or performance is None:
        return _pace_condition(llm, holds=None)
    if performance.prompts_changed:
        return _pace_condition(llm, holds=False, reason=ResolveReason.PROMPTS_CHANGED)
    judgement = view.judgement(performance, rule.degradation)
    is_known = judgement.pace in (Pace.NORMAL, Pace.DEGRADED)
    holds = judgement.pace is Pace.DEGRADED if is_known else None
    return _pace_condition(llm, holds=holds, worst=judgement.worst)


def _pace_condition(
    llm: LLMFact,
    *,
    holds: bool | None,
    reason: ResolveReason = ResolveReason.RECOVERED,
    worst: Degradation | None = None,
) -> Condition:
    return Condition(
        scope=performance_scope(llm.llm_id),
        holds=holds,
        subject=llm.label,
        opening=messages.slow(llm.label, worst.since, worst.figures) if worst else "",
        recovery=f"{llm.label} is back to its usual pace",
        reason=reason,
        llm_ids=(llm.llm_id,),
    )


def _changes(
    rule: Rule, view: RoundView, held: Mapping[str, AlertState], *, is_carrier: bool
) -> list[Change]:
    now = view.facts.at
    conditions = EVALUATORS[rule.rule_type](rule, view)
    changes = [
        advance(held.get(scope), rule.rule_id, condition, now)
        for scope, condition in conditions.items()
        if (condition.holds or scope in held) and view.is_news(rule.rule_type, condition)
    ]
    if is_carrier and not view.is_part:
        changes.append(advance(held.get(SELF_SCOPE), rule.rule_id, view.self_condition, now))
    changes += [
        withdraw(state, _reason_gone(rule, state, view), now)
        for scope, state in held.items()
        if scope not in conditions and scope != SELF_SCOPE
    ]
    return changes


def _reason_gone(rule: Rule, state: AlertState, view: RoundView) -> ResolveReason:
    kind = state.scope.partition(":")[0]
    if kind != "everywhere":
        return view.reason_gone(_llm_of(state))
    if rule.target_name is None or everywhere_scope(rule.target_name) != state.scope:
        return ResolveReason.RULE_CHANGED
    namesakes = [
        llm for llm in view.facts.llms if canonical_name(rule.target_name) in names_of(llm)
    ]
    return view.reason_gone(namesakes[0].llm_id if namesakes else None)


def _llm_of(state: AlertState) -> UUID:
    return state.llm_id or UUID(state.scope.partition(":")[2])


def _newest_by_rule(states: Iterable[AlertState]) -> dict[UUID, dict[str, AlertState]]:
    held: dict[UUID, dict[str, AlertState]] = {}
    for state in states:
        scopes = held.setdefault(state.rule_id, {})
        known = scopes.get(state.scope)
        if known is None or _age(known) < _age(state):
            scopes[state.scope] = state
    return held


def _age(state: AlertState) -> tuple[bool, float]:
    """Sorts an open alert behind every resolved one, and those by when they were resolved."""
    if state.resolved_at is None:
        return True, state.opened_at.timestamp()
    return False, state.resolved_at.timestamp()


def _carrier_of_self(
    rules: Sequence[Rule], held: Mapping[UUID, Mapping[str, AlertState]]
) -> Rule | None:
    """The one rule that the alert about ourselves belongs to: who has it keeps it."""
    enabled = [rule for rule in rules if rule.enabled]
    for rule in enabled:
        state = held.get(rule.rule_id, {}).get(SELF_SCOPE)
        if state is not None and state.is_open:
            return rule
    order = list(RuleType)
    return min(enabled, key=lambda rule: order.index(rule.rule_type), default=None)
