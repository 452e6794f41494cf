from __future__ import annotations

import itertools
import random
from dataclasses import replace

import pytest

from alerts.facts import RoundFacts, Rule, RuleType, Standing
from alerts.names import canonical_name
from alerts.rounds import RoundView
from alerts.rules import EVALUATORS, evaluate
from alerts.states import EventKind, ResolveReason
from monitoring.status import CheckStatus
from providers.errors import ErrorClass
from tests.alerts.builders import (
    DEGRADED,
    DOWN,
    NOON,
    UP,
    Timeline,
    kinds,
    loud,
    make_id,
    make_llm,
    make_rule,
    minutes,
)

ANY = RuleType.ANY_MODEL_DOWN
SPECIFIC = RuleType.SPECIFIC_MODEL_DOWN
EVERYWHERE = RuleType.MODEL_UNAVAILABLE_EVERYWHERE
SLOW = RuleType.PERFORMANCE_DEGRADATION
ONE, TWO = f"llm:{make_id(1)}", f"llm:{make_id(2)}"

STATUSES: list[CheckStatus | None] = [UP, DEGRADED, DOWN, None]


def make_everywhere(name: str = "gpt-4") -> Rule:
    return make_rule(EVERYWHERE, target_name=name)


def test_every_rule_type_has_a_function() -> None:
    assert set(EVALUATORS) == set(RuleType)


def test_the_rule_types_are_those_of_the_rows() -> None:
    from alerts.models import AlertRule

    of_benchmarks = {AlertRule.Type.BENCHMARK_REGRESSION}
    assert {str(each) for each in RuleType} == set(AlertRule.Type.values) - of_benchmarks


@pytest.mark.parametrize(
    ("status", "opens"), [(DOWN, True), (DEGRADED, False), (UP, False), (None, False)]
)
def test_only_an_llm_that_is_down_opens_an_alert(status: CheckStatus | None, opens: bool) -> None:
    timeline = Timeline()

    timeline.round(0, make_llm(1, status))

    assert timeline.open_scopes() == ([ONE] if opens else [])


@pytest.mark.parametrize(
    ("status", "stays"), [(DOWN, True), (None, True), (DEGRADED, False), (UP, False)]
)
def test_an_open_alert_ends_when_its_llm_answers(status: CheckStatus | None, stays: bool) -> None:
    timeline = Timeline()
    timeline.round(0, make_llm(1, DOWN))

    timeline.round(1, make_llm(1, status))

    assert timeline.open_scopes() == ([ONE] if stays else [])


def test_an_alert_says_what_is_down_since_when_and_why() -> None:
    llm = make_llm(
        1, DOWN, custom_name="Support bot", since=minutes(-7), error="No answer within 10 s."
    )

    [event] = Timeline().round(0, llm).events

    assert event.message == (
        "Support bot (Provider 1) is down since 2026-03-01 11:53 UTC: No answer within 10 s."
    )
    assert (event.llm_ids, event.error_class) == ((make_id(1),), ErrorClass.CONNECT)


@pytest.mark.parametrize("error_class", ErrorClass)
def test_every_error_class_has_plain_words(error_class: ErrorClass) -> None:
    [event] = Timeline().round(0, make_llm(1, DOWN, error_class=error_class)).events

    assert event.message.startswith("model-1 (Provider 1) is down since 2026-03-01 12:00 UTC: ")
    assert error_class.value.partition("_")[2] == "" or error_class.value not in event.message


def test_a_recovery_says_how_long_it_took() -> None:
    timeline = Timeline()
    timeline.round(0, make_llm(1, DOWN))

    up = timeline.round(95, make_llm(1, UP))

    assert [e.message for e in up.events] == ["model-1 (Provider 1) is up again, after 1 h 35 min."]


def test_a_degraded_answer_ends_the_alert_and_says_so() -> None:
    timeline = Timeline()
    timeline.round(0, make_llm(1, DOWN))

    [event] = timeline.round(5, make_llm(1, DEGRADED)).events

    assert event.message == "model-1 (Provider 1) answers again, degraded, after 5 min."


def test_each_llm_has_an_alert_of_its_own() -> None:
    timeline = Timeline()

    timeline.round(0, make_llm(1, DOWN), make_llm(2, DOWN), make_llm(3, UP))

    assert timeline.open_scopes() == [ONE, TWO]


def test_each_rule_has_an_alert_of_its_own() -> None:
    timeline = Timeline(make_rule(ANY, 500), make_rule(SPECIFIC, 501, target_llm_id=make_id(1)))

    timeline.round(0, make_llm(1, DOWN), make_llm(2, DOWN))

    assert sorted((s.rule_id.int, s.scope) for s in timeline.states.values()) == [
        (500, ONE),
        (500, TWO),
        (501, ONE),
    ]


def test_a_specific_rule_without_its_llm_says_nothing() -> None:
    timeline = Timeline(make_rule(SPECIFIC), make_rule(SPECIFIC, 501, target_llm_id=make_id(9)))

    assert timeline.round(0, make_llm(1, DOWN)).events == ()


@pytest.mark.parametrize(
    "statuses", [pair for n in (1, 2, 3) for pair in itertools.product(STATUSES, repeat=n)]
)
def test_a_model_is_unavailable_everywhere_only_when_all_of_it_is_down(
    statuses: tuple[CheckStatus | None, ...],
) -> None:
    llms = [make_llm(i, s, name="gpt-4", provider=i) for i, s in enumerate(statuses, start=1)]
    fresh, opened = Timeline(make_everywhere()), Timeline(make_everywhere())
    opened.round(0, *(replace(llm, status=DOWN) for llm in llms))
    is_answered = UP in statuses or DEGRADED in statuses

    fresh.round(1, *llms)
    opened.round(1, *llms)

    assert fresh.open_scopes() == (["everywhere:gpt-4"] if set(statuses) == {DOWN} else [])
    assert opened.open_scopes() == ([] if is_answered else ["everywhere:gpt-4"])


@pytest.mark.parametrize(
    ("target", "name", "is_same"),
    [
        ("gpt-4", "gpt-4", True),
        ("GPT-4", "gpt-4", True),
        ("gpt-4", "openai/gpt-4", True),
        ("openai/gpt-4", "gpt-4", True),
        ("openai/gpt-4", "azure/GPT-4", True),
        ("gemini-2.5-pro", "models/gemini-2.5-pro", True),
        ("llama-v3", "accounts/fireworks/models/llama-v3", True),
        (" gpt-4 ", "gpt-4", True),
        ("gpt-4", "gpt-4o", False),
        ("gpt-4o", "gpt-4", False),
        ("gpt-4", "gpt-4-turbo", False),
        ("gpt", "openai/gpt-4", False),
        ("openai", "openai/gpt-4", False),
        ("4", "gpt-4", False),
    ],
)
def test_names_are_compared_whole(target: str, name: str, is_same: bool) -> None:
    timeline = Timeline(make_everywhere(target))

    timeline.round(0, make_llm(1, DOWN, name=name))

    assert bool(timeline.open_scopes()) is is_same


@pytest.mark.parametrize("name", ["", "/", "a/", "ß", "A/B/C"])
def test_a_canonical_name_is_stable(name: str) -> None:
    assert canonical_name(canonical_name(name)) == canonical_name(name)


def test_the_users_own_name_counts_as_well() -> None:
    timeline = Timeline(make_everywhere())

    timeline.round(0, make_llm(1, DOWN, name="deployment-7", custom_name="GPT-4"))

    assert timeline.open_scopes() == ["everywhere:gpt-4"]


def test_unavailable_everywhere_names_the_providers() -> None:
    timeline = Timeline(make_everywhere())
    first = make_llm(1, DOWN, name="gpt-4", provider=1, since=minutes(-30))
    second = make_llm(2, DOWN, name="openai/gpt-4", provider=2, since=minutes(-2))

    [opened] = timeline.round(0, first, second).events
    [resolved] = timeline.round(20, first, replace(second, status=UP)).events

    assert opened.message == (
        "gpt-4 is unavailable everywhere since 2026-03-01 11:58 UTC: "
        "down at Provider 1, Provider 2; last cause: the connection failed."
    )
    assert opened.llm_ids == (make_id(1), make_id(2))
    assert resolved.message == "gpt-4 is available again at Provider 2, after 20 min."


@pytest.mark.parametrize(
    ("standing", "reason"),
    [
        (Standing.MONITORING_OFF, ResolveReason.MONITORING_OFF),
        (Standing.PROVIDER_DISABLED, ResolveReason.PROVIDER_DISABLED),
        (None, ResolveReason.LLM_DELETED),
    ],
)
@pytest.mark.parametrize("rule_type", [ANY, SPECIFIC, EVERYWHERE])
def test_what_is_watched_no_more_is_closed_without_a_message(
    rule_type: RuleType, standing: Standing | None, reason: ResolveReason
) -> None:
    timeline = Timeline(make_rule(rule_type, target_llm_id=make_id(1), target_name="model-1"))
    llm = make_llm(1, DOWN)
    timeline.round(0, llm)

    gone = timeline.round(1, *([] if standing is None else [replace(llm, standing=standing)]))

    assert [(e.kind, e.reason) for e in gone.events] == [(EventKind.RESOLVED, reason)]
    assert loud(gone) == []
    assert timeline.only().resolve_reason is reason


@pytest.mark.parametrize("rule_type", [ANY, SPECIFIC, EVERYWHERE])
def test_an_llm_that_is_not_monitored_opens_nothing(rule_type: RuleType) -> None:
    timeline = Timeline(make_rule(rule_type, target_llm_id=make_id(1), target_name="model-1"))

    off = timeline.round(0, make_llm(1, DOWN, standing=Standing.MONITORING_OFF))

    assert off.events == ()


def test_an_unmonitored_namesake_does_not_keep_a_model_available() -> None:
    timeline = Timeline(make_everywhere())
    idle = make_llm(2, UP, name="gpt-4", standing=Standing.MONITORING_OFF)

    timeline.round(0, make_llm(1, DOWN, name="gpt-4"), idle)

    assert timeline.open_scopes() == ["everywhere:gpt-4"]


@pytest.mark.parametrize(
    ("rules", "reason"),
    [
        ([make_rule(enabled=False)], ResolveReason.RULE_DISABLED),
        ([], ResolveReason.RULE_DELETED),
    ],
)
def test_the_alerts_of_a_rule_that_is_gone_are_closed_without_a_message(
    rules: list[Rule], reason: ResolveReason
) -> None:
    timeline = Timeline()
    timeline.round(0, make_llm(1, DOWN))
    timeline.rules = rules

    gone = timeline.round(1, make_llm(1, DOWN))

    assert [(e.kind, e.reason, e.quiet) for e in gone.events] == [
        (EventKind.RESOLVED, reason, True)
    ]


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (
            make_rule(SPECIFIC, target_llm_id=make_id(1)),
            make_rule(SPECIFIC, target_llm_id=make_id(2)),
        ),
        (make_everywhere("model-1"), make_everywhere("model-2")),
        (make_rule(ANY), make_everywhere("model-2")),
        (make_everywhere("model-1"), make_rule(SPECIFIC, target_llm_id=make_id(2))),
    ],
)
def test_a_rule_that_now_looks_elsewhere_closes_its_old_alert(before: Rule, after: Rule) -> None:
    timeline = Timeline(before)
    llms = make_llm(1, DOWN), make_llm(2, UP)
    timeline.round(0, *llms)
    timeline.rules = [after]

    changed = timeline.round(1, *llms)

    assert [(e.kind, e.reason, e.quiet) for e in changed.events] == [
        (EventKind.RESOLVED, ResolveReason.RULE_CHANGED, True)
    ]


def test_a_model_disabled_and_enabled_again_while_down_is_a_new_alert() -> None:
    timeline = Timeline()
    timeline.round(0, make_llm(1, DOWN))
    timeline.round(1, make_llm(1, DOWN, standing=Standing.MONITORING_OFF))

    again = timeline.round(2, make_llm(1, DOWN))

    assert kinds(again) == [EventKind.OPENED]
    assert len(timeline.states) == 2


def test_without_our_own_network_there_is_one_alert_about_ourselves() -> None:
    timeline = Timeline(make_everywhere("model-1"), make_rule(ANY, 501), make_rule(SLOW, 502))
    down = [make_llm(i, DOWN, provider=i) for i in range(1, 4)]

    offline = timeline.round(0, *down, make_llm(4, UP, provider=4), self_offline=True)

    assert timeline.open_scopes() == ["self"]
    [event] = offline.events
    assert event.rule_id == make_id(501)
    assert event.message == (
        "The monitor itself seems to have no network since 2026-03-01 12:00 UTC: "
        "3 of 4 providers could not be reached, none of them is judged."
    )


def test_the_alert_about_ourselves_ends_with_the_next_round_that_could_judge() -> None:
    timeline = Timeline()
    llms = [make_llm(i, DOWN, provider=i) for i in range(1, 4)]
    timeline.round(0, *llms, self_offline=True)

    assert kinds(timeline.round(1, *llms, self_offline=True)) == [EventKind.SEEN]
    assert timeline.round(2, *(replace(llm, status=None) for llm in llms)).events == ()
    [event] = timeline.round(9, *(replace(llm, status=UP) for llm in llms)).events
    assert event.message == "The monitor has its network back, after 9 min."
    assert timeline.open_scopes() == []


def test_what_was_down_before_our_network_failed_is_held() -> None:
    timeline = Timeline()
    timeline.round(0, make_llm(1, DOWN), make_llm(2, DOWN))

    offline = timeline.round(1, make_llm(1, DOWN), make_llm(2, UP), self_offline=True)

    assert [(e.kind, e.scope) for e in offline.events] == [
        (EventKind.RESOLVED, TWO),
        (EventKind.OPENED, "self"),
    ]
    assert timeline.open_scopes() == [ONE, "self"]


def test_the_alert_about_ourselves_stays_with_the_rule_that_opened_it() -> None:
    late = make_rule(SPECIFIC, 501, target_llm_id=make_id(1))
    timeline = Timeline(late)
    timeline.round(0, make_llm(1, DOWN), self_offline=True)
    timeline.rules = [make_rule(ANY), late]

    assert kinds(timeline.round(1, make_llm(1, DOWN), self_offline=True)) == [EventKind.SEEN]
    assert timeline.only().rule_id == late.rule_id


def test_the_alert_about_ourselves_moves_on_when_its_rule_is_deleted() -> None:
    timeline = Timeline(make_rule(ANY, 500))
    timeline.round(0, make_llm(1, DOWN), self_offline=True)
    timeline.rules = [make_rule(ANY, 501)]

    moved = timeline.round(1, make_llm(1, DOWN), self_offline=True)

    assert [(e.kind, e.rule_id.int, e.quiet) for e in moved.events] == [
        (EventKind.OPENED, 501, False),
        (EventKind.RESOLVED, 500, True),
    ]


def test_without_a_rule_nobody_is_told_anything() -> None:
    facts = RoundFacts(NOON, (make_llm(1, DOWN),), self_offline=True)

    assert evaluate([], facts, []).events == ()
    assert evaluate([make_rule(enabled=False)], facts, []).events == ()


def test_an_empty_round_changes_nothing() -> None:
    timeline = Timeline(make_rule(ANY), make_everywhere(), make_rule(SLOW, 502))

    assert timeline.round(0).events == ()


@pytest.mark.parametrize("seed", range(30))
def test_no_data_never_opens_and_never_resolves(seed: int) -> None:
    generator = random.Random(seed)
    rules = [make_rule(ANY), make_rule(EVERYWHERE, 501, target_name="m")]
    timeline = Timeline(*rules, make_rule(SPECIFIC, 502, target_llm_id=make_id(1)))
    llms = [make_llm(i, UP, name=generator.choice(["m", "n"]), provider=i) for i in range(1, 6)]
    for at in range(12):
        timeline.round(at, *(replace(llm, status=generator.choice(STATUSES)) for llm in llms))
    before = dict(timeline.states)

    blind = timeline.round(13, *(replace(llm, status=None) for llm in llms))

    assert blind.events == ()
    assert timeline.states == before


@pytest.mark.parametrize("seed", range(30))
def test_the_open_alerts_are_always_the_outages_last_seen(seed: int) -> None:
    generator = random.Random(seed)
    timeline = Timeline()
    last: dict[int, CheckStatus] = {}
    for at in range(40):
        seen = {i: generator.choice(STATUSES) for i in range(1, 5)}
        timeline.round(at * 3, *(make_llm(i, status) for i, status in seen.items()))
        last |= {i: status for i, status in seen.items() if status is not None}

        assert timeline.open_scopes() == [
            f"llm:{make_id(i)}" for i, status in sorted(last.items()) if status is DOWN
        ]


def test_a_storm_that_goes_on_is_only_seen_again_by_all_rules() -> None:
    rules = [make_rule(ANY, 5_000 + i) for i in range(10)]
    rules += [make_rule(SPECIFIC, 6_000 + i, target_llm_id=make_id(i + 1)) for i in range(45)]
    rules += [make_rule(EVERYWHERE, 7_000 + i, target_name=f"model-{i}") for i in range(45)]
    llms = tuple(make_llm(i, DOWN if i % 2 else UP, provider=i % 20) for i in range(1, 1_001))
    opened = evaluate(rules, RoundFacts(NOON, llms), [])

    again = evaluate(rules, RoundFacts(minutes(1), llms), opened.states)

    assert {event.kind for event in again.events} == {EventKind.SEEN}


def test_a_round_view_knows_the_condition_of_an_llm_by_its_id() -> None:
    view = RoundView(RoundFacts(NOON, (make_llm(1, DOWN),)))

    outage = view.outage(make_id(1))

    assert outage is not None
    assert outage.holds
    assert view.outage(make_id(2)) is view.outage(None) is None


def test_a_small_round_that_reached_nobody_does_not_end_the_alert_about_ourselves() -> None:
    timeline = Timeline()
    llms = [make_llm(i, DOWN, provider=i) for i in range(1, 5)]
    timeline.round(0, *llms, self_offline=True)

    others = [replace(llm, status=None, error_class=None) for llm in llms[1:]]
    timeline.round(5, llms[0], *others)
    assert "self" in timeline.open_scopes()

    refused = replace(llms[0], error_class=ErrorClass.SERVER_ERROR)
    timeline.round(10, refused, *others)
    assert "self" not in timeline.open_scopes()
