from __future__ import annotations

import pytest
from pytest_django import DjangoAssertNumQueries

from alerts import orphans
from alerts.models import Alert, AlertRule, Delivery
from alerts.webhooks_of_rules import point_at
from models_app.models import LLM
from providers.models import ProviderAccount
from tests.alerts.storing import make_channel, make_fleet, make_watched, minutes_ago, play
from tests.make import make_rule

pytestmark = pytest.mark.django_db


def break_off(how: str, llm: LLM, rule: AlertRule) -> None:
    if how == "llm_deleted":
        llm.delete()
    elif how == "monitoring_off":
        LLM.objects.update(enabled_for_monitoring=False)
    elif how == "provider_disabled":
        ProviderAccount.objects.update(enabled=False)
    else:
        AlertRule.objects.filter(pk=rule.pk).delete()


@pytest.mark.parametrize(
    "reason", ["llm_deleted", "monitoring_off", "provider_disabled", "rule_deleted"]
)
def test_the_last_alert_is_closed_although_no_round_follows(reason: str) -> None:
    rule, llm = make_rule(), make_watched()
    make_channel()
    play([llm], "down", minutes_ago(5))
    assert orphans.withdraw() == 0
    break_off(reason, llm, rule)

    assert orphans.withdraw() == 1
    alert = Alert.objects.get()
    assert (alert.state, alert.resolve_reason) == ("resolved", reason)
    assert Delivery.objects.count() == 1


def test_a_deleted_model_takes_its_own_rule_along_but_not_the_history() -> None:
    llm = make_watched()
    make_rule(rule_type=AlertRule.Type.SPECIFIC_MODEL_DOWN, target_llm=llm)
    play([llm], "down", minutes_ago(5))
    llm.delete()

    assert orphans.withdraw() == 1
    assert Alert.objects.get().resolve_reason == "rule_deleted"


def test_a_name_that_nothing_answers_to_any_more_is_closed() -> None:
    make_rule(rule_type=AlertRule.Type.MODEL_UNAVAILABLE_EVERYWHERE, target_model_name="gpt-4")
    llms = [make_watched(name="gpt-4"), make_watched(name="x/gpt-4")]
    play(llms, "down", minutes_ago(5))
    llms[0].delete()
    assert orphans.withdraw() == 0
    llms[1].delete()
    assert orphans.withdraw() == 1


def test_looking_for_left_over_alerts_costs_one_query(
    django_assert_num_queries: DjangoAssertNumQueries,
) -> None:
    make_rule()
    play(make_fleet(2, 10), "down")
    with django_assert_num_queries(1):
        assert orphans.withdraw() == 0


@pytest.mark.parametrize("is_retired", [True, False])
def test_nothing_is_left_of_the_webhook_of_a_deleted_rule(is_retired: bool) -> None:
    rule = make_rule(notify_webhook=True)
    point_at(rule, "https://hooks.example/ops")
    play([make_watched()], "down", minutes_ago(5))
    rule.own_channel.switch_off("It is gone.")
    if is_retired:
        rule.retire()
    else:
        AlertRule.objects.filter(pk=rule.pk).delete()
        assert orphans.withdraw_of_channels() == 1

    assert Delivery.objects.get().status == "cancelled"
    notice = Alert.objects.get(rule_type="channel_disabled")
    assert notice.resolve_reason == "channel_deleted"


def test_the_notice_about_a_channel_that_is_there_stays() -> None:
    make_channel().switch_off("It is gone.")
    assert orphans.withdraw_of_channels() == 0
