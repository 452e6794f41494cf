"""Judges rounds: gathers facts, asks the pure rules, writes what they answer.

A round is looked at while it goes on, so that a failure is told within seconds although another
model may keep the round open for minutes, and once more when it has ended.
"""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from uuid import UUID

from django.db import transaction
from django.db.models import Exists, F, OuterRef, Q
from django.utils import timezone

from alerts import announcements, delivery, gathering, outbox
from alerts.facts import LLMFact, RoundFacts
from alerts.models import (
    Alert,
    AlertEvent,
    AlertQuerySet,
    AlertRule,
    AlertSettings,
    RoundEvaluation,
)
from alerts.namesakes import last_known
from alerts.outbox import HELD_FOR_AT_MOST, Occasion
from alerts.rules import evaluate
from alerts.states import AlertState
from arguslm.api.ids import oldest_id
from monitoring.models import Round, UptimeCheck
from monitoring.models.rounds import RoundQuerySet
from monitoring.status import CheckStatus
from providers.errors import ErrorClass

log = logging.getLogger(__name__)
ROUNDS_AT_ONCE = 20
# Rounds that ended longer ago are history: nobody is woken for them.
NEWS_FOR = timedelta(days=7)
NOT_DOWN = ~Q(status=UptimeCheck.Status.DOWN)


def evaluate_waiting() -> int:
    """Judges every round that has news, the oldest first; how many it were."""
    ended = waiting(timezone.now()).order_by("finished_at", "id")[:ROUNDS_AT_ONCE]
    going_on = [round for round in Round.objects.open() if has_news(round)]
    return sum(_evaluate_or_log(round.pk) for round in [*ended, *going_on])


def waiting(now: datetime) -> RoundQuerySet:
    """Rounds that are over and not judged to their end."""
    recent = Round.objects.filter(pk__gte=oldest_id(now - NEWS_FOR))
    return recent.over().exclude(roundevaluation__is_final=True)


def _evaluate_or_log(round_id: UUID) -> bool:
    try:
        return evaluate_round(round_id)
    except Exception:  # whatever is wrong with one round, the others are judged
        log.exception("Round %s could not be judged; it is tried again.", round_id)
        return False


def has_news(round: Round) -> bool:
    """Whether another look at a round that goes on may change anything."""
    done = RoundEvaluation.objects.filter(pk=round.pk).first() or RoundEvaluation(round=round)
    checks = UptimeCheck.objects.filter(round=round).order_by()
    if checks.filter(status=UptimeCheck.Status.DOWN).count() != done.downs_seen:
        return True
    if done.withheld and checks.count() != done.checks_seen:
        return True
    late = timezone.now() - HELD_FOR_AT_MOST
    held = AlertEvent.objects.filter(round=round, is_held=True, at__lte=late)
    if (done.looked_at is None or done.looked_at <= late) and held.exists():
        return True
    # A check from before the alert was last seen is no recovery; pace waits for the round's end.
    outages = Alert.objects.of_rounds().open().exclude(scope__startswith="perf:")
    ended = outages.filter(llm=OuterRef("llm"), last_seen_at__lt=OuterRef("created_at"))
    return checks.filter(NOT_DOWN).filter(Exists(ended)).exists()


def evaluate_round(round_id: UUID) -> bool:
    """False when there is nothing to do. Mark, alerts and outbox are one transaction."""
    with transaction.atomic():
        # The door: two rounds may be judged at the same time, but not the same alerts.
        AlertSettings.objects.select_for_update().get(pk=AlertSettings.load().pk)
        round = Round.objects.get(pk=round_id)
        done, _ = RoundEvaluation.objects.get_or_create(round=round)
        if done.is_final:
            return False
        _judge(round, done)
        done.save()
    return True


def _judge(round: Round, done: RoundEvaluation) -> None:
    done.is_final = not round.is_open
    rules = gathering.rules()
    known = gathering.states(round.finished_at or timezone.now())
    seen = gathering.seen_in(round)
    if not rules and not known:
        _note(done, seen, frozenset(), set())
        return
    judged = frozenset(map(UUID, done.judged))
    # Only a round that ran to its end knows whether the monitor itself had a network.
    is_whole = round.status == Round.Status.COMPLETED
    held_back = set() if is_whole else gathering.withheld(round, seen.values())
    current = gathering.current(round, seen)
    usable = {pk: check for pk, check in current.items() if pk not in held_back}
    if done.is_final:
        facts = gathering.facts(round, rules, known, usable)
        if judged:
            facts = replace(facts, fresh=frozenset(seen) - judged)
        done.judged = []
    else:
        elsewhere = last_known(round, rules, timezone.now())
        facts = _facts_so_far(usable, judged, gathering.fleet(usable, known, elsewhere))
        _note(done, seen, judged, held_back)
    evaluation = evaluate(rules, facts, known)
    alerts = write_states(evaluation.states, known, round)
    occasion = Occasion(facts.llms, round, is_part=not done.is_final)
    outbox.write(evaluation.events, alerts, occasion)
    if any(event.kind != "seen" for event in evaluation.events):
        announcements.announce_after_commit()
    delivery.call_out_after_commit()


def _facts_so_far(
    usable: dict[UUID, gathering.Seen], judged: frozenset[UUID], llms: tuple[LLMFact, ...]
) -> RoundFacts:
    return RoundFacts(
        at=timezone.now(),
        llms=llms,
        fresh=frozenset(usable) - judged,
        is_part=True,
    )


def _note(
    done: RoundEvaluation,
    seen: dict[UUID, gathering.Seen],
    judged: frozenset[UUID],
    held_back: set[UUID],
) -> None:
    """An LLM that answers needs no mark: only a failure would be counted twice."""
    downs = {pk for pk, check in seen.items() if check.status is CheckStatus.DOWN}
    done.judged = sorted(map(str, judged | (downs - held_back)))
    done.checks_seen, done.downs_seen = len(seen), len(downs)
    done.withheld = len(held_back)


def write_states(
    states: Sequence[AlertState], known: Sequence[AlertState], round: Round | None
) -> dict[tuple[UUID, str], UUID]:
    """Saves the states; the rows of the new alerts by rule and scope."""
    _update(states, {state.alert_id: state.occurrences for state in known}, round)
    _reword(states, {state.alert_id: state for state in known})
    rules = AlertRule.objects.in_bulk({s.rule_id for s in states if s.alert_id is None})
    new = [_row(s, rules[s.rule_id], round) for s in states if s.alert_id is None]
    Alert.objects.bulk_create(new)
    return {(row.rule_key, row.scope): row.pk for row in new}


def _row(state: AlertState, rule: AlertRule, round: Round | None) -> Alert:
    return Alert(
        rule=rule,
        rule_key=rule.pk,
        rule_name=rule.name,
        rule_type=rule.rule_type,
        scope=state.scope,
        llm_id=state.llm_id,
        in_app=rule.notify_in_app,
        message=state.message,
        error_class=_plain(state.error_class),
        occurrences=state.occurrences,
        last_round=round,
        last_seen_at=state.last_seen_at,
        created_at=state.opened_at,
    )


Moved = tuple[datetime, datetime | None, str, int, datetime | None, int]


def _update(
    states: Sequence[AlertState], occurrences: Mapping[UUID | None, int], round: Round | None
) -> None:
    """One UPDATE for all alerts that went the same way."""
    groups: dict[Moved, list[UUID]] = defaultdict(list)
    for state in states:
        if state.alert_id is not None:
            times = state.occurrences - occurrences[state.alert_id]
            groups[_moved(state, times)].append(state.alert_id)
    for moved, ids in groups.items():
        for rows in Alert.objects.in_parts(ids):
            _move(rows, moved, round)


def _reword(states: Sequence[AlertState], known: Mapping[UUID | None, AlertState]) -> None:
    """A relapse may have another cause; otherwise an alert keeps its words."""
    new = [s for s in states if s.alert_id and _words(s) != _words(known[s.alert_id])]
    rows = [Alert(pk=s.alert_id, message=s.message, error_class=_plain(s.error_class)) for s in new]
    Alert.objects.bulk_update(rows, ["message", "error_class"], batch_size=100)


def _words(state: AlertState) -> tuple[str, ErrorClass | None]:
    return state.message, state.error_class


def _plain(error_class: ErrorClass | None) -> str | None:
    return error_class.value if error_class else None


def _moved(state: AlertState, times: int) -> Moved:
    return (
        state.last_seen_at,
        state.resolved_at,
        state.resolve_reason.value if state.resolve_reason else "",
        state.reopened,
        state.reopened_at,
        times,
    )


def _move(rows: AlertQuerySet, moved: Moved, round: Round | None) -> None:
    last_seen_at, resolved_at, reason, reopened, reopened_at, times = moved
    # Nobody owns a relapse yet. Otherwise an acknowledgement given meanwhile stays.
    rows.filter(reopened__lt=reopened).update(acknowledged=False, acknowledged_at=None)
    rows.update(
        last_seen_at=last_seen_at,
        resolved_at=resolved_at,
        resolve_reason=reason,
        reopened=reopened,
        reopened_at=reopened_at,
        occurrences=F("occurrences") + times,
        last_round=round,
    )
