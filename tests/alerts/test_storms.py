from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest

from alerts.facts import LLMFact, RoundFacts, RuleType, Standing
from alerts.rules import evaluate
from alerts.states import Event, EventKind
from alerts.storms import Bundle, roll_up, roll_up_part
from alerts.topics import Topic
from providers.errors import ErrorClass
from tests.alerts.builders import DOWN, NOON, UP, make_id, make_llm, make_rule, minutes

E = ErrorClass
RULES = [make_rule()]


def make_fleet(*providers: Sequence[ErrorClass | None], rest: int = 0) -> tuple[LLMFact, ...]:
    """One list per provider: an error class is an LLM that is down, None one that is up."""
    fleet: list[LLMFact] = []
    for provider, classes in enumerate(providers, start=1):
        for error_class in [*classes, *[None] * rest]:
            status = UP if error_class is None else DOWN
            number = len(fleet) + 1
            fleet.append(make_llm(number, status, provider=provider, error_class=error_class))
    return tuple(fleet)


def openings(fleet: Sequence[LLMFact]) -> tuple[Event, ...]:
    return evaluate(RULES, RoundFacts(NOON, tuple(fleet)), []).events


def scopes(bundles: Sequence[Bundle]) -> list[str]:
    return [bundle.scope.partition(":")[0] for bundle in bundles]


@pytest.mark.parametrize(
    ("classes", "expected"),
    [
        ([E.CONNECT], ["llm"]),
        ([E.CONNECT, None], ["llm"]),
        ([E.CONNECT, E.CONNECT], ["provider"]),
        ([E.CONNECT, E.CONNECT, None, None], ["provider"]),
        ([E.CONNECT, E.CONNECT, None, None, None], ["llm", "llm"]),
        ([E.CONNECT, E.SERVER_ERROR], ["llm", "llm"]),
        ([E.CONNECT, E.CONNECT, E.SERVER_ERROR], ["provider"]),
        ([E.AUTH, E.AUTH, None, None, None, None], ["provider"]),
        ([E.QUOTA, E.QUOTA, None, None, None, None], ["provider"]),
        ([E.AUTH, None, None, None], ["llm"]),
        ([E.NOT_FOUND, E.NOT_FOUND, None, None, None], ["llm", "llm"]),
        ([None, None], []),
    ],
)
def test_llms_that_fail_together_are_one_message(
    classes: list[ErrorClass | None], expected: list[str]
) -> None:
    fleet = make_fleet(classes)

    assert scopes(roll_up(openings(fleet), fleet)) == expected


def test_the_message_of_a_provider_lists_what_is_down_since_when_and_why() -> None:
    fleet = make_fleet([E.CONNECT] * 12 + [None] * 2)
    fleet = (replace(fleet[0], since=minutes(-4)), *fleet[1:])

    [bundle] = roll_up(openings(fleet), fleet)

    assert bundle.message == (
        "Provider 1: 12 of 14 models are down since 2026-03-01 11:56 UTC (the connection failed): "
        "model-1, model-2, model-3, model-4, model-5, model-6, model-7, model-8, model-9, model-10 "
        "and 2 more."
    )
    assert (bundle.topic, bundle.error_class) == (Topic.DOWN, E.CONNECT)
    assert len(bundle.events) == 12


def test_other_causes_in_a_provider_wide_outage_are_not_hidden() -> None:
    fleet = make_fleet([E.CONNECT, E.CONNECT, E.SERVER_ERROR])

    [bundle] = roll_up(openings(fleet), fleet)

    assert "3 of 3 models are down" in bundle.message
    assert "(mostly: the connection failed)" in bundle.message


def test_an_account_fault_takes_only_its_own_llms() -> None:
    fleet = make_fleet([E.QUOTA, E.QUOTA, E.CONNECT], rest=7)

    bundles = roll_up(openings(fleet), fleet)

    assert scopes(bundles) == ["provider", "llm"]
    assert [len(bundle.events) for bundle in bundles] == [2, 1]


def test_each_provider_is_rolled_up_by_itself() -> None:
    fleet = make_fleet([E.CONNECT] * 3, [E.TLS] * 2, [None, E.EMPTY, None])

    bundles = roll_up(openings(fleet), fleet)

    assert scopes(bundles) == ["provider", "provider", "llm"]
    assert [bundle.error_class for bundle in bundles] == [E.CONNECT, E.TLS, E.EMPTY]


def test_a_model_that_joins_an_outage_already_told_is_told_alone() -> None:
    fleet = make_fleet([E.CONNECT] * 5)
    newest = openings(fleet)[-1:]

    assert scopes(roll_up(newest, fleet)) == ["llm"]


def test_two_models_that_join_an_outage_count_the_ones_already_down() -> None:
    fleet = make_fleet([E.CONNECT] * 6)
    newest = openings(fleet)[-2:]

    [bundle] = roll_up(newest, fleet)

    assert bundle.message.startswith("Provider 1: 2 of 6 models are down")


def test_scattered_failures_beyond_the_bound_become_a_digest() -> None:
    fleet = make_fleet([E.CONNECT, E.EMPTY, E.TLS], rest=7)

    [bundle] = roll_up(openings(fleet), fleet)

    assert bundle.scope == "digest"
    assert bundle.message == (
        "3 are down since 2026-03-01 12:00 UTC (mostly: the connection failed): "
        "model-1 (Provider 1), model-2 (Provider 1), model-3 (Provider 1)."
    )


def test_quiet_events_are_never_sent() -> None:
    fleet = make_fleet([E.CONNECT] * 3)
    quiet = [replace(event, quiet=True) for event in openings(fleet)]

    assert roll_up(quiet, fleet) == ()


def test_several_rules_tell_the_same_outage_once() -> None:
    rules = [make_rule(), make_rule(RuleType.SPECIFIC_MODEL_DOWN, 501, target_llm_id=make_id(1))]
    fleet = make_fleet([E.CONNECT], rest=3)
    events = evaluate(rules, RoundFacts(NOON, fleet), []).events

    [bundle] = roll_up(events, fleet)

    assert len(bundle.events) == 2
    assert bundle.message == events[0].message


def test_a_common_recovery_is_one_message_whatever_the_causes_were() -> None:
    fleet = make_fleet([E.CONNECT, E.EMPTY, E.TLS, None])
    opened = evaluate(RULES, RoundFacts(NOON, fleet), [])
    healthy = tuple(replace(llm, status=UP, error_class=None) for llm in fleet)
    events = evaluate(RULES, RoundFacts(minutes(5), healthy), opened.states).events

    [bundle] = roll_up(events, healthy)

    assert bundle.topic is Topic.RECOVERED
    assert bundle.message == "Provider 1: 3 of 4 models are back: model-1, model-2, model-3."


def test_slowness_and_outages_are_told_apart() -> None:
    fleet = make_fleet([E.CONNECT, None, None, None])
    slow = [
        Event(EventKind.OPENED, make_id(9), f"perf:{llm.llm_id}", NOON, "s", llm_ids=(llm.llm_id,))
        for llm in fleet[1:]
    ]

    bundles = roll_up([*slow, *openings(fleet)], fleet)

    assert [(b.topic, b.scope.partition(":")[0]) for b in bundles] == [
        (Topic.DOWN, "llm"),
        (Topic.SLOW, "provider"),
    ]
    assert bundles[1].message.startswith("Provider 1: 3 of 4 models are slow since")


def test_the_alert_about_ourselves_is_a_message_of_its_own() -> None:
    fleet = make_fleet([E.CONNECT], [E.DNS], [E.CONNECT])
    events = evaluate(RULES, RoundFacts(NOON, fleet, self_offline=True), []).events

    [bundle] = roll_up(events, fleet)

    assert bundle.scope == "self"
    assert bundle.message == events[0].message


def test_llms_that_are_not_monitored_are_not_counted() -> None:
    idle = [make_llm(50 + i, UP, standing=Standing.MONITORING_OFF) for i in range(10)]
    fleet = (*make_fleet([E.CONNECT, E.CONNECT]), *idle)

    [bundle] = roll_up(openings(fleet), fleet)

    assert "2 of 2 models are down" in bundle.message


def test_a_thousand_models_down_are_at_most_one_message_per_provider_and_one_more() -> None:
    fleet = make_fleet(*[[E.CONNECT] * 50 for _ in range(20)])

    bundles = roll_up(openings(fleet), fleet)

    assert scopes(bundles) == ["provider"] * 20


@pytest.mark.parametrize("seed", range(40))
def test_any_storm_stays_within_the_bound_and_loses_no_event(seed: int) -> None:
    generator = random.Random(seed)
    share = generator.random()
    classes = generator.sample(sorted(E), generator.randint(1, 6))
    providers = [
        [
            generator.choice(classes) if generator.random() < share else None
            for _ in range(generator.randint(1, 60))
        ]
        for _ in range(generator.randint(1, 20))
    ]
    fleet = make_fleet(*providers)
    names = [
        make_rule(RuleType.MODEL_UNAVAILABLE_EVERYWHERE, 600 + i, target_name=f"model-{i}")
        for i in range(1, 30)
    ]
    events = evaluate([*RULES, *names], RoundFacts(NOON, fleet), []).events

    bundles = roll_up(events, fleet)

    told = [event for bundle in bundles for event in bundle.events]
    assert len(bundles) <= len(providers) + 1
    assert sorted(map(id, told)) == sorted(map(id, events))


def test_a_long_digest_counts_by_provider() -> None:
    fleet = make_fleet(*[[E.CONNECT, E.EMPTY, E.TLS, E.DNS] for _ in range(3)], rest=6)

    [bundle] = roll_up(openings(fleet), fleet)

    assert bundle.message == (
        "12 are down since 2026-03-01 12:00 UTC (mostly: the connection failed): "
        "4 of 10 at Provider 1, 4 of 10 at Provider 2, 4 of 10 at Provider 3."
    )


def part(fleet: Sequence[LLMFact], events: Sequence[Event], **fields: Any) -> tuple[int, int]:
    """How many messages, and how many events are held."""
    found = roll_up_part(
        events, fleet, fields.pop("spent", {}), fields.pop("waiting", ()), **fields
    )
    return len(found.bundles), len(found.held)


def test_among_few_models_what_was_held_for_long_is_told_together() -> None:
    fleet = make_fleet([E.CONNECT, E.EMPTY, E.TLS], rest=7)
    events = openings(fleet)

    assert part(fleet, events, spent={Topic.DOWN: 1}) == (0, 3)
    assert part(fleet, events, spent={Topic.DOWN: 1}, is_overdue=True) == (1, 0)
    assert part(fleet, events, spent={Topic.DOWN: 8}, is_overdue=True) == (1, 0)
    assert part(fleet, events, spent={Topic.DOWN: 9}, is_overdue=True) == (0, 3)


def test_among_many_models_a_part_of_the_messages_is_left_for_what_is_told_later() -> None:
    fleet = make_fleet(*[[E.CONNECT] * 50 for _ in range(20)])
    events = openings(fleet)

    assert part(fleet, events) == (15, 250)
    assert part(fleet, events[750:], spent={Topic.DOWN: 15}) == (0, 250)
    assert part(fleet, events[750:], spent={Topic.DOWN: 15}, is_overdue=True) == (1, 0)
    assert part(fleet, events[750:], spent={Topic.DOWN: 20}, is_overdue=True) == (0, 250)


def test_what_one_provider_has_left_is_told_as_its_own() -> None:
    fleet = make_fleet([E.CONNECT] * 4, [None] * 4)
    found = roll_up_part(openings(fleet), fleet, {Topic.DOWN: 3}, (), is_overdue=True)

    assert scopes(found.bundles) == ["provider"]


@pytest.mark.parametrize("seed", range(40))
def test_a_storm_told_in_parts_stays_within_the_bound_and_loses_no_event(seed: int) -> None:
    generator = random.Random(seed)
    providers = generator.randint(1, 20)
    fleet = make_fleet(*[[E.CONNECT] * generator.randint(101, 120) for _ in range(providers)])
    left = list(openings(fleet))
    generator.shuffle(left)
    told: list[Bundle] = []
    held: list[Event] = []
    while left:
        size = generator.randint(1, 200)
        held, left = [*held, *left[:size]], left[size:]
        waiting = {event.llm_ids[0] for event in left[:3]}
        found = roll_up_part(
            held,
            fleet,
            {Topic.DOWN: len(told)},
            waiting,
            is_overdue=generator.random() < 0.7,
        )
        told, held = [*told, *found.bundles], list(found.held)
    told += roll_up(held, fleet, {Topic.DOWN: len(told)})

    events = [id(event) for bundle in told for event in bundle.events]
    assert len(told) <= providers + 1
    assert len(events) == len(set(events)) == len(fleet)


def test_models_that_are_not_monitored_have_a_name_in_a_message_too() -> None:
    off = Standing.MONITORING_OFF
    fleet = [make_llm(i, None, provider=i, standing=off) for i in range(1, 4)]
    slow = [
        Event(EventKind.OPENED, make_id(500), f"bench:1:{llm.llm_id}", NOON, "slow", False)
        for llm in fleet
    ]
    slow = [replace(event, llm_ids=(llm.llm_id,)) for event, llm in zip(slow, fleet, strict=True)]

    [bundle] = roll_up(slow, fleet, {Topic.SLOW: 3})
    assert bundle.message == (
        "3 are slow since 2026-03-01 12:00 UTC: "
        "model-1 (Provider 1), model-2 (Provider 2), model-3 (Provider 3)."
    )
