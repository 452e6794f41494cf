"""Judges rounds: gathers facts, asks the pure rules, writes what they answer."""

from __future__ import annotations

import logging

from django.db import transaction

from alerts import gathering
from alerts.models import Alert, AlertRule, RoundEvaluation
from alerts.rules import evaluate
from alerts.states import AlertState
from monitoring.models import Round

log = logging.getLogger(__name__)
ROUNDS_AT_ONCE = 20


def evaluate_waiting() -> int:
    """Judges every finished round that nobody has judged, the oldest first; how many it were."""
    waiting = Round.objects.filter(
        status=Round.Status.COMPLETED, roundevaluation__isnull=True
    ).order_by("finished_at", "id")[:ROUNDS_AT_ONCE]
    return sum(evaluate_round(round) for round in waiting)


def evaluate_round(round: Round) -> bool:
    """False when somebody else has judged it. The mark and the alerts are one transaction."""
    with transaction.atomic():
        _, is_mine = RoundEvaluation.objects.get_or_create(round=round)
        if not is_mine:
            return False
        rules = gathering.rules()
        known = gathering.states(round.finished_at or round.created_at)
        if rules or known:
            facts = gathering.facts(round, rules, known)
            _write(evaluate(rules, facts, known).states, round)
    return True


def _write(states: tuple[AlertState, ...], round: Round) -> None:
    rules = AlertRule.objects.in_bulk({state.rule_id for state in states})
    new = [
        _row(state, rules[state.rule_id], round)
        for state in states
        if state.alert_id is None and state.rule_id in rules
    ]
    Alert.objects.bulk_create(new)
    changed = {state.alert_id: state for state in states if state.alert_id is not None}
    rows = list(Alert.objects.select_for_update().filter(pk__in=changed))
    for row in rows:
        _update(row, changed[row.pk], round)
    Alert.objects.bulk_update(rows, CHANGING, batch_size=500)


CHANGING = [
    "message",
    "error_class",
    "occurrences",
    "acknowledged",
    "acknowledged_at",
    "reopened",
    "reopened_at",
    "last_round",
    "last_seen_at",
    "resolved_at",
    "resolve_reason",
]


def _row(state: AlertState, rule: AlertRule, round: Round) -> Alert:
    row = Alert(
        rule=rule,
        rule_key=rule.pk,
        rule_name=rule.name,
        rule_type=rule.rule_type,
        scope=state.scope,
        llm_id=state.llm_id,
        in_app=rule.notify_in_app,
        created_at=state.opened_at,
    )
    _update(row, state, round)
    return row


def _update(row: Alert, state: AlertState, round: Round) -> None:
    row.message = state.message
    row.error_class = state.error_class.value if state.error_class else None
    row.occurrences = state.occurrences
    if state.reopened > row.reopened:
        # Nobody owns a relapse yet. Otherwise an acknowledgement given meanwhile stays.
        row.acknowledged, row.acknowledged_at = False, None
    row.reopened, row.reopened_at = state.reopened, state.reopened_at
    row.last_round = round
    row.last_seen_at = state.last_seen_at
    row.resolved_at = state.resolved_at
    row.resolve_reason = state.resolve_reason.value if state.resolve_reason else ""
