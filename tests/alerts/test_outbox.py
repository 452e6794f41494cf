from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from alerts import outbox, reminders
from alerts.evaluation import evaluate_waiting
from alerts.messages import when
from alerts.models import Alert, AlertEvent, Channel, Delivery, Message, Silence
from alerts.reminders import tell_again
from alerts.webhooks_of_rules import point_at
from monitoring.models import RoundShare
from providers.errors import ErrorClass
from tests.alerts.storing import (
    end,
    judge,
    make_channel,
    make_fleet,
    make_watched,
    minutes_ago,
    open_round,
    play,
    record,
)
from tests.make import make_account, make_rule

pytestmark = pytest.mark.django_db


def texts(channel: Channel | None = None) -> list[str]:
    rows = Delivery.objects.order_by("seq").select_related("message")
    return [row.message.text for row in (rows.filter(channel=channel) if channel else rows)]


def make_silence(**fields: Any) -> Silence:
    in_an_hour = timezone.now() + timedelta(hours=1)
    return Silence.objects.create(name="work", ends_at=in_an_hour, **fields)


def end_silence(silence: Silence) -> None:
    Silence.objects.filter(pk=silence.pk).update(ends_at=minutes_ago(1))


def arrive() -> None:
    Delivery.objects.update(status=Delivery.Status.DELIVERED)


def topics(channel: Channel) -> list[str]:
    rows = Delivery.objects.filter(channel=channel).order_by("seq")
    return list(rows.values_list("message__topic", flat=True))


def test_an_opening_and_its_end_go_to_the_channel() -> None:
    make_rule()
    channel, llm = make_channel(), make_watched(name="gpt-4")
    play([llm], "down", minutes_ago(15))
    play([llm], "down", minutes_ago(10))
    play([llm], "up", minutes_ago(5))

    assert topics(channel) == ["down", "recovered"]
    assert "gpt-4 (Account) is down since" in texts()[0]
    assert texts()[1] == "gpt-4 (Account) is up again, after 10 min."


def test_a_recovery_goes_only_to_channels_that_were_told_of_the_opening() -> None:
    make_rule()
    told, llm = make_channel(name="told"), make_watched()
    play([llm], "down", minutes_ago(15))
    late = make_channel(name="late")
    play([llm], "up", minutes_ago(5))

    assert topics(told) == ["down", "recovered"]
    assert topics(late) == []


@pytest.mark.parametrize(
    ("kind", "all_rules", "fields", "hears"),
    [
        ("webhook", True, {}, True),
        ("webhook", False, {}, False),
        ("webhook", False, {"notify_webhook": True}, True),
        ("email", False, {"notify_webhook": True}, False),
        ("email", False, {"notify_email": True}, True),
        ("apprise", False, {"notify_email": True, "notify_webhook": True}, False),
    ],
)
def test_a_channel_hears_of_all_rules_or_by_the_switches_of_the_rule(
    kind: str, all_rules: bool, fields: dict[str, bool], hears: bool
) -> None:
    make_rule(**fields)
    channel = make_channel(kind, all_rules=all_rules)
    play([make_watched()], "down")

    assert bool(topics(channel)) is hears


def test_a_channel_may_be_named_by_the_rule() -> None:
    rule, other = make_rule(), make_rule()
    channel = make_channel(all_rules=False)
    channel.rules.add(rule)
    play([make_watched()], "down")

    [delivery] = Delivery.objects.all()
    rules = {entry["rule_id"] for entry in delivery.message.payload["data"]["alerts"]}
    assert rules == {str(rule.pk)} != {str(other.pk)}


def test_a_rule_with_an_address_of_its_own_needs_no_other_webhook() -> None:
    rule = make_rule(notify_webhook=True)
    point_at(rule, "https://receiver.example/hooks/ops")
    shared = make_channel(all_rules=False)
    play([make_watched()], "down")

    assert topics(Channel.objects.get(own_rule=rule)) == ["down"]
    assert topics(shared) == []


def test_an_address_of_a_rule_is_silent_while_its_switch_is_off() -> None:
    rule = make_rule()
    point_at(rule, "https://receiver.example/hooks/ops")
    play([make_watched()], "down", minutes_ago(5))
    assert not Delivery.objects.exists()

    rule.change(notify_webhook=True)
    play([make_watched()], "down")
    assert topics(Channel.objects.get(own_rule=rule)) == ["down"]


def test_what_a_rule_no_longer_watches_is_told_to_nobody() -> None:
    rule, channel = make_rule(), make_channel()
    llm, bystander = make_watched(), make_watched()
    play([llm], "down", minutes_ago(15))
    rule.change(enabled=False)
    play([bystander], "up")

    assert topics(channel) == ["down"]


def test_a_thousand_models_down_are_at_most_a_message_for_each_provider_and_one() -> None:
    make_rule()
    channel = make_channel()
    llms = make_fleet(10, 100)
    play(llms, "down")

    assert Alert.objects.count() == 1000
    assert Delivery.objects.filter(channel=channel).count() == 10


def test_a_storm_that_is_looked_at_ten_times_stays_within_its_messages() -> None:
    make_rule()
    channel = make_channel()
    llms = make_fleet(5, 20)
    round = open_round(*llms)
    for start in range(10):
        record(round, llms[start::10])
        judge(round)
    end(round)
    judge(round)

    assert Alert.objects.count() == 100
    assert len(topics(channel)) <= 6
    assert not AlertEvent.objects.filter(is_held=True).exists()
    assert AlertEvent.objects.filter(messages__isnull=False).distinct().count() == 100


def test_the_first_failure_of_each_provider_is_told_at_once() -> None:
    make_rule()
    channel = make_channel()
    llms = make_fleet(3, 4)
    round = open_round(*llms)
    for provider in range(3):
        record(round, llms[4 * provider : 4 * provider + 1])
        judge(round)
        assert len(topics(channel)) == provider + 1


def test_providers_that_are_done_leave_their_messages_to_the_others() -> None:
    make_rule()
    channel = make_channel()
    llms = make_fleet(4, 8)
    round = open_round(*llms)
    RoundShare.objects.filter(round=round).exclude(account=llms[0].account_id).update(
        status=RoundShare.Status.COMPLETED
    )
    for llm in llms[:3]:
        record(round, [llm])
        judge(round)

    assert len(topics(channel)) == 3


def test_what_was_held_is_told_with_the_end_of_the_round() -> None:
    make_rule()
    channel = make_channel()
    llms = make_fleet(1, 8)
    round = open_round(*llms)
    for llm in llms[:3]:
        record(round, [llm], error_class=ErrorClass.EMPTY)
        judge(round)
    assert len(topics(channel)) == 1
    record(round, llms[3:], "up")
    end(round)
    judge(round)

    assert len(topics(channel)) == 2
    told = Message.objects.order_by("created_at").last()
    assert told is not None
    assert told.events.count() == 2


def test_a_round_that_stays_open_holds_nothing_back_for_long(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    make_rule()
    channel = make_channel()
    llms = make_fleet(1, 8)
    round = open_round(*llms)
    for llm in llms[:4]:
        record(round, [llm], error_class=ErrorClass.EMPTY)
        evaluate_waiting()
    assert (len(topics(channel)), evaluate_waiting()) == (1, 0)
    later = timezone.now() + outbox.HELD_FOR_AT_MOST
    monkeypatch.setattr(timezone, "now", lambda: later)

    assert (evaluate_waiting(), evaluate_waiting()) == (1, 0)
    assert len(topics(channel)) == 2
    assert Message.objects.earliest("-created_at").events.count() == 3


def test_two_rules_about_one_model_are_one_message() -> None:
    make_rule(name="a")
    make_rule(name="b")
    channel = make_channel()
    play([make_watched()], "down")

    assert len(topics(channel)) == 1


def test_a_silence_mutes_the_message_but_not_the_alert() -> None:
    make_rule()
    make_channel()
    llm = make_watched()
    make_silence(llm=llm)
    play([llm], "down", minutes_ago(5))

    assert AlertEvent.objects.get().muted
    assert texts() == []
    play([llm], "up")
    assert texts() == []


def test_an_outage_that_outlasts_its_silence_is_told_when_the_silence_ends() -> None:
    make_rule()
    channel, llm = make_channel(), make_watched()
    silence = make_silence()
    play([llm], "down", minutes_ago(30))
    assert tell_again() == 0
    end_silence(silence)

    assert tell_again() == 1
    assert tell_again() == 0
    play([llm], "up")
    assert topics(channel) == ["down", "recovered"]


def test_an_open_alert_is_reminded_of_until_somebody_owns_it() -> None:
    make_rule(remind_every_minutes=30)
    channel, llm = make_channel(), make_watched()
    play([llm], "down", minutes_ago(40))
    arrive()
    now = timezone.now()
    assert tell_again(now + timedelta(minutes=29)) == 0
    assert tell_again(now + timedelta(minutes=31)) == 1
    assert tell_again(now + timedelta(minutes=32)) == 0

    Alert.objects.get().acknowledge()
    assert tell_again(now + timedelta(hours=9)) == 0
    assert topics(channel) == ["down", "reminder"]
    assert texts()[1].startswith("Still open after 1 h")


def test_without_a_channel_nothing_is_told_and_nothing_breaks() -> None:
    make_rule(remind_every_minutes=1)
    play([make_watched()], "down")

    assert tell_again(timezone.now() + timedelta(hours=1)) == 0
    assert AlertEvent.objects.count() == 1


def test_the_webhook_body_says_type_time_and_data() -> None:
    make_rule()
    make_channel()
    llm = make_watched(name="gpt-4")
    play([llm], "down")

    payload = Message.objects.get().payload
    assert set(payload) == {"type", "timestamp", "data"}
    assert payload["type"] == "alerts.down"
    assert payload["data"]["alerts"][0]["model_id"] == str(llm.pk)
    assert payload["data"]["error_class"] == "server_error"
    assert payload["data"]["link"].endswith(f"/alerts/{Alert.objects.get().pk}")


def test_a_message_about_several_alerts_links_to_all() -> None:
    make_rule()
    make_channel()
    play(make_fleet(1, 3), "down")

    assert Message.objects.get().payload["data"]["link"].endswith("/alerts")


def test_a_relapse_that_outlasts_its_silence_is_told_when_the_silence_ends() -> None:
    make_rule()
    channel, llm = make_channel(), make_watched()
    play([llm], "down", minutes_ago(30))
    play([llm], "up", minutes_ago(20))
    silence = make_silence()
    play([llm], "down", minutes_ago(10))
    assert tell_again() == 0
    end_silence(silence)

    assert (tell_again(), tell_again()) == (1, 0)
    assert topics(channel) == ["down", "recovered", "down"]


def test_a_recovery_within_a_silence_is_told_later_to_those_who_knew_of_the_outage() -> None:
    make_rule()
    channel, llm = make_channel(), make_watched()
    play([llm], "down", minutes_ago(30))
    make_channel(name="late")
    silence = make_silence()
    play([llm], "up", minutes_ago(20))
    assert texts() == texts(channel)
    end_silence(silence)

    assert (tell_again(), tell_again()) == (1, 0)
    assert topics(channel) == ["down", "recovered"]
    assert texts()[1].endswith("is up again, after 10 min.")


def test_what_began_and_ended_within_a_silence_is_told_to_nobody() -> None:
    make_rule()
    channel, llm = make_channel(), make_watched()
    silence = make_silence()
    play([llm], "down", minutes_ago(30))
    play([llm], "up", minutes_ago(20))
    end_silence(silence)

    assert tell_again() == 0
    assert topics(channel) == []
    assert Alert.objects.get().events.count() == 2


def test_a_relapse_that_a_channel_did_not_hear_of_does_not_recover_there() -> None:
    make_rule()
    channel, llm = make_channel(), make_watched()
    play([llm], "down", minutes_ago(30))
    play([llm], "up", minutes_ago(20))
    silence = make_silence()
    play([llm], "down", minutes_ago(10))
    end_silence(silence)
    play([llm], "up")

    assert topics(channel) == ["down", "recovered"]
    assert tell_again() == 0


def test_a_silence_covers_a_model_that_a_provider_serves_twice() -> None:
    name = "gpt-4"
    make_rule(rule_type="model_unavailable_everywhere", target_model_name=name)
    make_channel()
    account = make_account()
    llms = [make_watched(account, name), make_watched(account, f"openai/{name}")]
    make_silence(account=account)
    play(llms, "down", minutes_ago(5))

    assert Alert.objects.get().scope == f"everywhere:{name}"
    assert tell_again() == 0
    assert texts() == []


def test_a_silence_mutes_reminders_and_leaves_no_trace_of_them() -> None:
    make_rule(remind_every_minutes=30)
    channel, llm = make_channel(), make_watched()
    play([llm], "down", minutes_ago(40))
    silence = make_silence()
    later = timezone.now() + timedelta(minutes=31)
    assert tell_again(later) == 0
    assert Alert.objects.get().events.count() == 1
    end_silence(silence)
    arrive()

    assert tell_again(later) == 1
    assert topics(channel) == ["down", "reminder"]


def test_many_alerts_that_need_no_reminder_do_not_hide_one_that_does(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(reminders, "AT_ONCE", 2)
    make_channel()
    play([make_watched() for _ in range(4)], "up")
    patient, strict = make_rule(remind_every_minutes=600), make_rule(remind_every_minutes=10)
    play([make_watched() for _ in range(3)], "down")
    arrive()

    assert tell_again(timezone.now() + timedelta(minutes=11)) == 2
    reminded = Alert.objects.filter(events__kind="reminded")
    assert {alert.rule_key for alert in reminded} == {strict.pk} != {patient.pk}


def test_a_channel_that_is_switched_off_misses_no_recovery_of_what_it_was_told() -> None:
    make_rule()
    channel, llm = make_channel(), make_watched()
    play([llm], "down", minutes_ago(15))
    channel.switch_off("It is gone.")
    play([llm], "up", minutes_ago(5))
    play([make_watched()], "down")

    assert topics(channel) == ["down", "recovered"]


def test_reminders_of_many_say_since_when_it_has_lasted() -> None:
    make_rule(remind_every_minutes=30)
    make_channel()
    began = minutes_ago(40)
    play(make_fleet(1, 3), "down", began)
    arrive()
    tell_again(timezone.now() + timedelta(minutes=31))

    assert f"3 of 3 models still have an open alert since {when(began)}" in texts()[1]


def test_what_outlasts_a_silence_together_says_since_when() -> None:
    make_rule()
    make_channel()
    silence, began = make_silence(), minutes_ago(40)
    play(make_fleet(1, 3), "down", began)
    end_silence(silence)
    tell_again()

    assert f"3 of 3 models are down since {when(began)}" in texts()[0]


def test_a_channel_that_is_still_to_be_told_is_not_reminded() -> None:
    make_rule(remind_every_minutes=30)
    away, here = make_channel(name="away"), make_channel(name="here")
    play([make_watched()], "down", minutes_ago(40))
    here.deliveries.update(status="delivered")
    tell_again(timezone.now() + timedelta(minutes=31))
    assert (topics(away), topics(here)) == (["down"], ["down", "reminder"])

    tell_again(timezone.now() + timedelta(minutes=62))
    assert AlertEvent.objects.filter(kind="reminded").count() == 1
    away.deliveries.update(status="delivered")
    tell_again(timezone.now() + timedelta(minutes=93))
    assert topics(away) == ["down", "reminder"]
