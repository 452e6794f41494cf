from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from alerts.evaluation import evaluate_round, evaluate_waiting
from alerts.models import Alert, AlertEvent, AlertRule, Delivery, RoundEvaluation
from arguslm.api.ids import oldest_id
from models_app.models import LLM
from monitoring import rounds
from monitoring.models import Round
from providers.errors import ErrorClass
from tests.alerts.storing import (
    end,
    judge,
    make_channel,
    make_fleet,
    make_watched,
    minutes_ago,
    open_round,
    open_slot,
    play,
    record,
)
from tests.make import make_account, make_alert, make_llm, make_round, make_rule

pytestmark = pytest.mark.django_db


def only_alert() -> Alert:
    return Alert.objects.get()


def kinds() -> list[str]:
    return list(AlertEvent.objects.order_by("pk").values_list("kind", flat=True))


def test_an_outage_is_one_alert_through_three_rounds_and_its_end() -> None:
    make_rule()
    llm = make_watched()

    for minute in (60, 45, 30):
        play([llm], "down", minutes_ago(minute))
    assert (only_alert().occurrences, only_alert().state) == (3, "open")
    play([llm], "up", minutes_ago(15))

    alert = only_alert()
    assert (alert.state, alert.resolve_reason, alert.occurrences) == ("resolved", "recovered", 3)
    assert kinds() == ["opened", "resolved"]


def test_a_round_is_judged_once() -> None:
    make_rule()
    round = play([make_watched()], "down")

    assert not evaluate_round(round.pk)
    assert evaluate_waiting() == 0
    assert only_alert().occurrences == 1


def test_a_relapse_reopens_and_takes_the_acknowledgement_back() -> None:
    make_rule()
    llm = make_watched()
    play([llm], "down", minutes_ago(20))
    only_alert().acknowledge("mine")
    play([llm], "up", minutes_ago(10))
    play([llm], "down", minutes_ago(5))

    alert = only_alert()
    assert (alert.state, alert.acknowledged, alert.reopened) == ("open", False, 1)
    assert kinds() == ["opened", "acknowledged", "resolved", "reopened"]


def test_a_relapse_shows_its_own_cause() -> None:
    make_rule()
    llm = make_watched()
    play([llm], "down", minutes_ago(20), error_class=ErrorClass.SERVER_ERROR)
    play([llm], "up", minutes_ago(10))
    play([llm], "down", minutes_ago(5), error_class=ErrorClass.AUTH)

    alert = only_alert()
    assert (alert.reopened, alert.error_class) == (1, "auth")
    assert alert.message.endswith("HTTP 500: something broke.")
    assert alert.message in AlertEvent.objects.get(kind="reopened").message


def test_an_acknowledgement_survives_further_failures() -> None:
    make_rule()
    llm = make_watched()
    play([llm], "down", minutes_ago(20))
    only_alert().acknowledge()
    play([llm], "down", minutes_ago(5))

    assert (only_alert().acknowledged, only_alert().occurrences) == (True, 2)


def test_the_third_reopening_says_flapping_once_and_then_nothing() -> None:
    make_rule()
    llm = make_watched()
    for step in range(9):
        play([llm], "up" if step % 2 else "down", minutes_ago(60 - 2 * step))

    loud = AlertEvent.objects.filter(quiet=False).order_by("pk").values_list("kind", flat=True)
    assert list(loud) == [
        "opened",
        "resolved",
        "reopened",
        "resolved",
        "reopened",
        "resolved",
        "flapping",
    ]


@pytest.mark.parametrize("switch", ["monitoring", "provider", "llm", "rule", "rule deleted"])
def test_what_is_no_longer_watched_is_closed_without_news(switch: str) -> None:
    rule, llm = make_rule(), make_watched()
    bystander = make_watched()
    play([llm], "down", minutes_ago(20))
    if switch == "monitoring":
        type(llm).objects.filter(pk=llm.pk).update(enabled_for_monitoring=False)
    elif switch == "provider":
        type(llm.account).objects.filter(pk=llm.account_id).update(enabled=False)
    elif switch == "llm":
        llm.delete()
    elif switch == "rule":
        rule.change(enabled=False)
    else:
        rule.retire()
    play([bystander], "up")

    alert = only_alert()
    assert alert.state == "resolved"
    assert AlertEvent.objects.get(kind="resolved").quiet
    assert (alert.rule_name, alert.rule_key) == ("Rule", alert.rule_key)


def test_a_round_without_our_own_network_opens_one_alert_about_ourselves() -> None:
    make_rule()
    llms = make_fleet(4, 2)
    round = open_round(*llms)
    record(round, llms, error_class=ErrorClass.CONNECT)
    end(round)
    Round.objects.filter(pk=round.pk).update(self_offline=True)
    judge(round)

    assert only_alert().scope == "self"


def test_a_failure_is_judged_while_the_round_goes_on() -> None:
    make_rule()
    llms = make_fleet(1, 3)
    round = open_round(*llms)
    record(round, llms[:1])

    assert evaluate_waiting() == 1
    assert only_alert().llm_id == llms[0].pk
    assert evaluate_waiting() == 0


def test_a_failure_counts_once_in_its_round_however_often_the_round_is_looked_at() -> None:
    make_rule()
    llms = make_fleet(1, 4)
    play(llms[:1], "down", minutes_ago(15))
    round = open_round(*llms)
    for llm in llms[:3]:
        record(round, [llm])
        judge(round)
    record(round, llms[3:], "up")
    end(round)
    judge(round)

    found = dict(Alert.objects.values_list("llm", "occurrences"))
    assert [found.get(llm.pk) for llm in llms] == [2, 1, 1, None]


def test_a_recovery_is_judged_while_the_round_goes_on() -> None:
    make_rule()
    llms = make_fleet(1, 2)
    play(llms[:1], "down", minutes_ago(15))
    round = open_round(*llms)
    record(round, llms[:1], "up")

    assert evaluate_waiting() == 1
    assert only_alert().state == "resolved"
    assert evaluate_waiting() == 0


def test_a_missing_network_waits_until_it_is_clear_whose_fault_it_is() -> None:
    make_rule()
    llms = make_fleet(4, 1)
    round = open_round(*llms)
    record(round, llms[:2], error_class=ErrorClass.CONNECT)
    judge(round)
    assert not Alert.objects.exists()

    record(round, llms[2:], "up")
    judge(round)
    assert Alert.objects.count() == 2


def test_with_two_providers_nobody_waits_for_the_others() -> None:
    make_rule()
    llms = make_fleet(2, 1)
    round = open_round(*llms)
    record(round, llms[:1], error_class=ErrorClass.DNS)
    judge(round)

    assert Alert.objects.count() == 1


def test_what_was_withheld_is_never_told_when_the_monitor_was_offline() -> None:
    make_rule()
    llms = make_fleet(3, 2)
    round = open_round(*llms)
    record(round, llms, error_class=ErrorClass.CONNECT)
    judge(round)
    end(round)
    Round.objects.filter(pk=round.pk).update(self_offline=True)
    judge(round)

    assert [alert.scope for alert in Alert.objects.all()] == ["self"]


def test_a_model_is_down_everywhere_only_when_every_namesake_is_known_to_be() -> None:
    make_rule(rule_type=AlertRule.Type.MODEL_UNAVAILABLE_EVERYWHERE, target_model_name="gpt-4")
    llms = [make_watched(make_account(), name) for name in ("gpt-4", "openai/GPT-4", "gpt-4o")]
    round = open_round(*llms)
    record(round, [llms[0]])
    judge(round)
    assert not Alert.objects.exists()

    record(round, [llms[1]])
    judge(round)
    assert only_alert().scope == "everywhere:gpt-4"
    end(round)
    judge(round)
    assert only_alert().occurrences == 1


def make_rare(minutes: int, name: str) -> LLM:
    return make_llm(
        make_account(), name, enabled_for_monitoring=True, monitoring_interval_minutes=minutes
    )


def play_slot(llm: LLM, status: str, minute: float) -> None:
    at = minutes_ago(minute)
    play([llm], status, at, round=open_slot(llm, at))


def test_a_model_is_down_everywhere_also_when_its_providers_are_asked_at_other_times() -> None:
    make_rule(rule_type=AlertRule.Type.MODEL_UNAVAILABLE_EVERYWHERE, target_model_name="gpt-4")
    llms = [make_rare(1, "gpt-4"), make_rare(10, "openai/gpt-4")]
    play_slot(llms[0], "down", 6)
    assert not Alert.objects.exists()
    play_slot(llms[1], "down", 5)
    play_slot(llms[0], "down", 4)
    play_slot(make_rare(3, "other"), "down", 3)

    assert (only_alert().scope, only_alert().occurrences) == ("everywhere:gpt-4", 2)
    play_slot(llms[0], "up", 2)
    assert only_alert().state == "resolved"


@pytest.mark.parametrize(("minute", "alerts"), [(24, 1), (26, 0)])
def test_what_was_seen_too_long_ago_is_no_longer_known(minute: float, alerts: int) -> None:
    make_rule(rule_type=AlertRule.Type.MODEL_UNAVAILABLE_EVERYWHERE, target_model_name="gpt-4")
    rare, often = make_rare(10, "gpt-4"), make_rare(1, "gpt-4")
    play_slot(rare, "down", minute)
    play_slot(often, "down", 0)

    assert Alert.objects.count() == alerts


def test_rounds_that_ended_long_ago_wake_nobody() -> None:
    make_rule()
    llm = make_watched()
    round = make_round(id=oldest_id(timezone.now() - timedelta(days=8)))
    record(round, [llm])

    assert evaluate_waiting() == 0


def test_history_survives_its_rule_and_its_model() -> None:
    rule, llm = make_rule(name="All of them"), make_watched()
    play([llm], "down", minutes_ago(15))
    rule.retire()
    llm.delete()

    alert = only_alert()
    assert (alert.rule, alert.llm, alert.rule_name) == (None, None, "All of them")
    assert alert.events.count() == 2


def test_without_rules_a_round_is_only_marked() -> None:
    round = play([make_watched()], "down")

    assert RoundEvaluation.objects.get(pk=round.pk).is_final
    assert not Alert.objects.exists()


@pytest.mark.parametrize("size", [10, 200])
def test_a_storm_costs_the_same_queries_whatever_its_size(
    size: int, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    for _ in range(3):
        make_rule()
    llms = make_fleet(2, size // 2)
    round = open_round(*llms)
    record(round, llms)
    end(round)

    with django_assert_max_num_queries(60):
        judge(round)
    assert Alert.objects.count() == 3 * size


def test_a_storm_that_goes_on_is_one_update(
    django_assert_max_num_queries: DjangoAssertNumQueries,
) -> None:
    make_rule()
    llms = make_fleet(2, 100)
    play(llms, "down", minutes_ago(15))
    round = open_round(*llms)
    record(round, llms)
    end(round)

    with django_assert_max_num_queries(22):
        judge(round)
    assert set(Alert.objects.values_list("occurrences", flat=True)) == {2}


def cancel(round: Round) -> None:
    assert rounds.cancel(round, timezone.now())


def test_what_a_cancelled_round_has_found_is_told() -> None:
    make_rule()
    channel = make_channel()
    llms = make_fleet(1, 8)
    round = open_round(*llms)
    for llm in llms[:3]:
        record(round, [llm], error_class=ErrorClass.EMPTY)
        judge(round)
    assert Delivery.objects.filter(channel=channel).count() == 1
    cancel(round)

    assert evaluate_waiting() == 1
    assert Delivery.objects.filter(channel=channel).count() == 2
    assert not AlertEvent.objects.filter(is_held=True).exists()


def test_a_cancelled_round_cannot_tell_whose_network_was_missing() -> None:
    make_rule()
    llms = make_fleet(4, 1)
    round = open_round(*llms)
    record(round, llms[:2], error_class=ErrorClass.CONNECT)
    cancel(round)

    assert evaluate_waiting() == 1
    assert not Alert.objects.exists()


def test_an_answer_from_before_the_outage_does_not_end_it() -> None:
    make_rule()
    llms = make_fleet(1, 2)
    scheduled = open_round(*llms, at=minutes_ago(3), trigger=Round.Trigger.SCHEDULE)
    record(scheduled, llms[:1], "up", at=minutes_ago(2))
    judge(scheduled)
    by_hand = open_round(*llms, at=minutes_ago(1))
    record(by_hand, llms[:1], "down")
    judge(by_hand)

    assert evaluate_waiting() == 0
    end(scheduled)
    judge(scheduled)
    assert only_alert().state == "open"


def test_a_failure_from_before_the_recovery_opens_nothing() -> None:
    make_rule()
    llms = make_fleet(4, 1)
    scheduled = open_round(*llms, at=minutes_ago(3), trigger=Round.Trigger.SCHEDULE)
    record(scheduled, llms[:1], error_class=ErrorClass.CONNECT, at=minutes_ago(2))
    judge(scheduled)
    by_hand = open_round(*llms, at=minutes_ago(1))
    record(by_hand, llms, "up")
    end(by_hand)
    judge(by_hand)
    end(scheduled)
    judge(scheduled)

    assert not Alert.objects.exists()


def test_a_recovery_is_seen_at_once_whatever_alerts_the_model_had_before() -> None:
    make_rule()
    llms = make_fleet(1, 2)
    play(llms[:1], "down", minutes_ago(15))
    make_alert(scope=f"perf:{llms[0].pk}", llm=llms[0], resolved_at=minutes_ago(600))
    round = open_round(*llms)
    record(round, llms[:1], "up")

    assert evaluate_waiting() == 1
