"""The life of one alert: opened, seen, resolved, reopened, flapping, stable again."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from uuid import UUID

from alerts import messages
from alerts.states import (
    FLAPPING_FROM,
    AlertState,
    Change,
    Condition,
    Event,
    EventKind,
    ResolveReason,
)

RELAPSE_WITHIN = timedelta(minutes=15)
UNCHANGED = Change()


def advance(state: AlertState | None, rule_id: UUID, condition: Condition, now: datetime) -> Change:
    """The next step of the scope's newest alert, open or resolved. No data changes nothing."""
    if condition.holds is None:
        return UNCHANGED
    if condition.holds:
        return _failing(state, rule_id, condition, now)
    return UNCHANGED if state is None else _passing(state, condition, now)


def withdraw(state: AlertState, reason: ResolveReason, now: datetime) -> Change:
    """Closes an alert whose rule or LLM is gone: on the timeline, to nobody's phone."""
    if not state.is_open:
        return Change((_settled(state),)) if state.is_flapping else UNCHANGED
    closed = replace(_settled(state), resolved_at=now, resolve_reason=reason)
    text = messages.closed(state.message, reason.value.replace("_", " "))
    return Change((closed,), (_event(EventKind.RESOLVED, closed, now, text, quiet=True),))


def acknowledge(state: AlertState, now: datetime) -> Change:
    """Somebody owns it. A second acknowledgement changes nothing; resolving is another matter."""
    if state.acknowledged_at is not None:
        return UNCHANGED
    owned = replace(state, acknowledged_at=now)
    event = _event(EventKind.ACKNOWLEDGED, owned, now, "Acknowledged.", quiet=True)
    return Change((owned,), (event,))


def _failing(
    state: AlertState | None, rule_id: UUID, condition: Condition, now: datetime
) -> Change:
    if state is None:
        return _opened(rule_id, condition, now)
    if state.is_open:
        return _seen(state, condition, now)
    if _is_relapse(state, now):
        return _reopened(state, condition, now)
    opened = _opened(rule_id, condition, now)
    # Nobody saw the flapping end; the old alert must not speak up again beside the new one.
    left_over = (_settled(state),) if state.is_flapping else ()
    return Change((*left_over, *opened.states), opened.events)


def _passing(state: AlertState, condition: Condition, now: datetime) -> Change:
    if not state.is_open:
        is_stable = state.is_flapping and _is_past(state.resolved_at, now)
        return _stable(state, condition, now) if is_stable else UNCHANGED
    if condition.reason is not ResolveReason.RECOVERED:
        return withdraw(state, condition.reason, now)
    resolved = replace(state, resolved_at=now, resolve_reason=condition.reason)
    text = messages.recovered(condition.recovery, now - state.opened_at)
    quiet = state.is_flapping
    event = _event(EventKind.RESOLVED, resolved, now, text, condition, quiet=quiet)
    return Change((resolved,), (event,))


def _opened(rule_id: UUID, condition: Condition, now: datetime) -> Change:
    state = AlertState(
        rule_id=rule_id,
        scope=condition.scope,
        opened_at=now,
        last_seen_at=now,
        message=condition.opening,
        llm_id=condition.llm_ids[0] if len(condition.llm_ids) == 1 else None,
        error_class=condition.error_class,
    )
    return Change((state,), (_event(EventKind.OPENED, state, now, state.message, condition),))


def _seen(state: AlertState, condition: Condition, now: datetime) -> Change:
    if state.is_flapping and _is_past(state.reopened_at or state.opened_at, now):
        return _stable(state.seen_again(now), condition, now)
    seen = state.seen_again(now)
    event = _event(EventKind.SEEN, seen, now, state.message, condition, quiet=True)
    return Change((seen,), (event,))


def _reopened(state: AlertState, condition: Condition, now: datetime) -> Change:
    times = state.reopened + 1
    again = replace(
        state.seen_again(now),
        message=condition.opening,
        error_class=condition.error_class,
        resolved_at=None,
        resolve_reason=None,
        acknowledged_at=None,
        reopened=times,
        reopened_at=now,
    )
    text = messages.relapsed(condition.opening, times, state.opened_at)
    quiet = times >= FLAPPING_FROM
    events = [_event(EventKind.REOPENED, again, now, text, condition, quiet=quiet)]
    if times == FLAPPING_FROM:
        said = messages.flapping(condition.subject, times, state.opened_at, RELAPSE_WITHIN)
        events.append(_event(EventKind.FLAPPING, again, now, said, condition))
    return Change((again,), tuple(events))


def _stable(state: AlertState, condition: Condition, now: datetime) -> Change:
    settled = _settled(state)
    text = condition.opening
    if not state.is_open:
        text = messages.recovered(condition.recovery, now - state.opened_at)
    said = messages.stable(text)
    return Change((settled,), (_event(EventKind.STABLE, settled, now, said, condition),))


def _settled(state: AlertState) -> AlertState:
    return replace(state, reopened=0, reopened_at=None) if state.reopened else state


def _is_relapse(state: AlertState, now: datetime) -> bool:
    return (
        state.resolve_reason is ResolveReason.RECOVERED
        and state.resolved_at is not None
        and now - state.resolved_at <= RELAPSE_WITHIN
    )


def _is_past(moment: datetime | None, now: datetime) -> bool:
    return moment is not None and now - moment > RELAPSE_WITHIN


def _event(
    kind: EventKind,
    state: AlertState,
    now: datetime,
    message: str,
    condition: Condition | None = None,
    *,
    quiet: bool = False,
) -> Event:
    if condition is not None:
        llm_ids = condition.llm_ids
    else:
        llm_ids = (state.llm_id,) if state.llm_id else ()
    return Event(
        kind=kind,
        rule_id=state.rule_id,
        scope=state.scope,
        at=now,
        message=message,
        quiet=quiet,
        reason=state.resolve_reason,
        alert_id=state.alert_id,
        llm_ids=llm_ids,
        error_class=state.error_class,
        is_open=state.is_open,
    )
