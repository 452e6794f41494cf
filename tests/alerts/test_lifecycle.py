from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from alerts.lifecycle import UNCHANGED, acknowledge, advance, withdraw
from alerts.messages import cause, duration, listed
from alerts.states import AlertState, Condition, EventKind, ResolveReason
from providers.errors import ErrorClass
from tests.alerts.builders import (
    DOWN,
    NOON,
    UP,
    Timeline,
    kinds,
    loud,
    make_id,
    make_llm,
    minutes,
)

K = EventKind


def make_state(**others: object) -> AlertState:
    state = AlertState(make_id(500), "llm:1", NOON, NOON, "It is down.", llm_id=make_id(1))
    return replace(state, **others)  # type: ignore[arg-type]


def make_condition(holds: bool | None = True, **others: object) -> Condition:
    condition = Condition("llm:1", holds, "It", "It is down.", "It is up again")
    return replace(condition, **others)  # type: ignore[arg-type]


def play(pattern: str, every: float = 5.0) -> tuple[Timeline, list[list[str]]]:
    """One round per letter: d down, u up, ? no data; returns the loud events of each."""
    timeline, heard = Timeline(), []
    statuses = {"d": DOWN, "u": UP, "?": None}
    for i, letter in enumerate(pattern):
        evaluation = timeline.round(i * every, make_llm(1, statuses[letter]))
        heard.append([event.kind.value for event in loud(evaluation)])
    return timeline, heard


def test_an_outage_is_told_once_and_its_end_once() -> None:
    _, heard = play("uddd?du")

    assert heard == [[], ["opened"], [], [], [], [], ["resolved"]]


def test_while_open_only_the_last_sight_and_the_count_move() -> None:
    timeline = Timeline()
    timeline.round(0, make_llm(1, DOWN))
    first = timeline.only()

    again = timeline.round(7, make_llm(1, DOWN, error_class=ErrorClass.AUTH))

    assert kinds(again) == [K.SEEN]
    assert timeline.only() == replace(first, last_seen_at=minutes(7), occurrences=2)


def test_a_resolved_alert_keeps_when_why_and_how_long() -> None:
    timeline, _ = play("ddu")

    state = timeline.only()

    assert (state.opened_at, state.resolved_at) == (minutes(0), minutes(10))
    assert (state.last_seen_at, state.occurrences) == (minutes(5), 2)
    assert state.resolve_reason is ResolveReason.RECOVERED


@pytest.mark.parametrize(
    ("pause", "kind"), [(1, K.REOPENED), (15, K.REOPENED), (15.01, K.OPENED), (600, K.OPENED)]
)
def test_a_relapse_within_15_minutes_reopens_the_alert(pause: float, kind: EventKind) -> None:
    timeline = Timeline()
    timeline.round(0, make_llm(1, DOWN))
    timeline.round(60, make_llm(1, UP))

    relapse = timeline.round(60 + pause, make_llm(1, DOWN))

    assert kinds(relapse) == [kind]
    assert len(timeline.states) == (1 if kind is K.REOPENED else 2)


def test_a_reopened_alert_says_so_and_is_nobodys_again() -> None:
    timeline = Timeline()
    timeline.round(0, make_llm(1, DOWN))
    [owned] = acknowledge(timeline.only(), minutes(1)).states
    timeline.states = {(owned.rule_id, owned.scope, owned.opened_at): owned}
    timeline.round(5, make_llm(1, UP))

    [event] = timeline.round(10, make_llm(1, DOWN)).events

    state = timeline.only()
    assert state.is_open
    assert (state.acknowledged_at, state.reopened, state.resolve_reason) == (None, 1, None)
    assert event.message.endswith("Relapse 1 since 2026-03-01 12:00 UTC.")


def test_the_third_relapse_says_flapping_once_and_then_nothing() -> None:
    _, heard = play("dududududududu")

    assert heard == [
        ["opened"],
        ["resolved"],
        ["reopened"],
        ["resolved"],
        ["reopened"],
        ["resolved"],
        ["flapping"],
        *[[]] * 7,
    ]


def test_flapping_is_still_on_the_timeline() -> None:
    timeline, _ = play("dududu")

    evaluation = timeline.round(30, make_llm(1, DOWN))

    assert [(event.kind, event.quiet) for event in evaluation.events] == [
        (K.REOPENED, True),
        (K.FLAPPING, False),
    ]
    assert evaluation.events[1].message == (
        "model-1 (Provider 1) is flapping: 3 relapses since 2026-03-01 12:00 UTC; "
        "no more messages until it is stable for 15 min."
    )


@pytest.mark.parametrize(
    ("flapping", "ending", "sentence"),
    [("dudududu", "uuuu", "is up again"), ("dududud", "dddd", "is down since")],
)
def test_a_flapping_alert_tells_where_it_came_to_rest(
    flapping: str, ending: str, sentence: str
) -> None:
    timeline, heard = play(flapping)
    start = 5.0 * len(heard)
    told = [
        loud(timeline.round(start + 5 * i, make_llm(1, DOWN if letter == "d" else UP)))
        for i, letter in enumerate(ending)
    ]

    assert [len(events) for events in told] == [0, 0, 0, 1]
    [event] = told[-1]
    assert event.kind is K.STABLE
    assert event.message.startswith("Stable again. model-1 (Provider 1) ")
    assert sentence in event.message
    assert not timeline.only().is_flapping


def test_after_it_was_stable_an_outage_is_told_as_ever() -> None:
    _, heard = play("dududud" + "uuuuu" + "du")

    assert heard[-2:] == [["opened"], ["resolved"]]


def test_a_new_outage_after_unseen_stability_silences_the_old_alert() -> None:
    timeline, _ = play("dudududu")

    later = timeline.round(120, make_llm(1, DOWN))
    up = timeline.round(125, make_llm(1, UP))
    quiet = timeline.round(200, make_llm(1, UP))

    assert [kinds(each) for each in (later, up, quiet)] == [[K.OPENED], [K.RESOLVED], []]
    assert not any(state.is_flapping for state in timeline.states.values())


def test_no_data_does_not_make_flapping_stable() -> None:
    _, heard = play("dudududu" + "????????")

    assert heard[-8:] == [[]] * 8


@pytest.mark.parametrize("holds", [True, False, None])
def test_no_data_changes_no_state_whatever_it_is(holds: bool | None) -> None:
    for state in (None, make_state(), make_state(resolved_at=NOON)):
        change = advance(state, make_id(500), make_condition(None), minutes(1))

        assert change == UNCHANGED


def test_acknowledging_twice_changes_nothing_more() -> None:
    first = acknowledge(make_state(), minutes(1))
    second = acknowledge(first.states[0], minutes(2))

    assert first.states[0].acknowledged_at == minutes(1)
    assert [event.kind for event in first.events] == [K.ACKNOWLEDGED]
    assert second == UNCHANGED


def test_an_acknowledgement_survives_further_failures_and_the_recovery() -> None:
    owned = make_state(acknowledged_at=minutes(1))

    [seen] = advance(owned, owned.rule_id, make_condition(True), minutes(2)).states
    [resolved] = advance(seen, owned.rule_id, make_condition(False), minutes(3)).states

    assert seen.acknowledged_at == resolved.acknowledged_at == minutes(1)
    assert not resolved.is_open


@pytest.mark.parametrize("reason", sorted(set(ResolveReason) - {ResolveReason.RECOVERED}))
def test_a_condition_that_ends_without_recovery_is_not_news(reason: ResolveReason) -> None:
    change = advance(make_state(), make_id(500), make_condition(False, reason=reason), minutes(1))

    assert [(e.kind, e.quiet, e.reason) for e in change.events] == [(K.RESOLVED, True, reason)]
    assert change.states[0].resolve_reason is reason


@pytest.mark.parametrize("reason", sorted(set(ResolveReason) - {ResolveReason.RECOVERED}))
def test_only_a_recovered_alert_can_relapse(reason: ResolveReason) -> None:
    closed = make_state(resolved_at=minutes(1), resolve_reason=reason)

    change = advance(closed, closed.rule_id, make_condition(True), minutes(2))

    assert [event.kind for event in change.events] == [K.OPENED]


def test_withdrawing_what_is_resolved_changes_nothing() -> None:
    resolved = make_state(resolved_at=NOON, resolve_reason=ResolveReason.RECOVERED)

    assert withdraw(resolved, ResolveReason.RULE_DELETED, minutes(1)).states == ()


def test_withdrawing_a_flapping_alert_ends_its_flapping_in_silence() -> None:
    flapping = make_state(resolved_at=NOON, reopened=4, reopened_at=NOON)

    change = withdraw(flapping, ResolveReason.RULE_DELETED, minutes(1))

    assert not change.states[0].is_flapping
    assert change.events == ()


@pytest.mark.parametrize(
    ("span", "text"),
    [
        (timedelta(seconds=-5), "0 s"),
        (timedelta(seconds=45), "45 s"),
        (timedelta(minutes=12, seconds=59), "12 min"),
        (timedelta(hours=3), "3 h"),
        (timedelta(hours=3, minutes=5), "3 h 5 min"),
        (timedelta(days=2, hours=4, minutes=9), "2 d 4 h"),
        (timedelta(days=2, minutes=9), "2 d"),
    ],
)
def test_durations_are_said_in_their_largest_units(span: timedelta, text: str) -> None:
    assert duration(span) == text


def test_a_long_list_of_names_is_cut() -> None:
    assert listed(["a", "b", "a"]) == "a, b"
    assert listed([str(i) for i in range(13)]) == "0, 1, 2, 3, 4, 5, 6, 7, 8, 9 and 3 more"


def test_a_cause_is_bounded_and_on_one_line() -> None:
    assert cause(None) == "no cause is known"
    assert cause(ErrorClass.AUTH) == "the provider refused the API key"
    assert cause(ErrorClass.AUTH, " Bad\n key. ") == "Bad key"
    assert len(cause(None, "x" * 1000)) == 300
