from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from alerts.models import (
    Alert,
    AlertEvent,
    AlertSettings,
    Attempt,
    Channel,
    Delivery,
    Message,
    Silence,
)
from alerts.states import EventKind
from tests.alerts.storing import make_channel
from tests.make import make_account, make_alert, make_llm, make_rule

pytestmark = pytest.mark.django_db
Read = Callable[[str], str]


def make_delivery(channel: Channel, **fields: Any) -> Delivery:
    now = timezone.now()
    alert = make_alert()
    event = AlertEvent.objects.create(
        alert=alert, kind=EventKind.OPENED, at=now, message="It broke.", is_open=True
    )
    message = Message.objects.create(
        topic="down", scope=alert.scope, text="It broke.", payload={}, created_at=now
    )
    message.events.add(event)
    defaults = {"status": "failed", "next_attempt_at": now, "give_up_at": now, "created_at": now}
    return Delivery.objects.create(
        message=message, channel=channel, channel_name=channel.name, channel_kind=channel.kind,
        **(defaults | fields),
    )  # fmt: skip


def test_alerts_say_whether_there_is_nothing_or_no_rule(text_of: Read) -> None:
    assert "No rule is set up" in text_of("/alerts")
    make_rule(name="Mine")
    assert "Nothing is wrong right now" in text_of("/alerts")


def test_open_alerts_stand_by_account_and_can_be_acknowledged(
    text_of: Read, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    rule, account = make_rule(), make_account(display_name="North")
    owned = make_alert(rule, message="Owned.", llm=make_llm(account), acknowledged=True)
    make_alert(rule, message="Free.", llm=make_llm(account))
    make_alert(rule, message="Elsewhere.")
    make_alert(rule, message="Over.", resolved_at=owned.created_at, resolve_reason="rule_disabled")
    with django_assert_num_queries(9):
        text = text_of("/alerts")
    assert text.index("North") < text.index("Free.") < text.index("Owned.") < text.index("Over.")
    assert "Not about one model" in text
    assert text.count('data-done="Acknowledged: no more reminders."') == 3
    assert "rule disabled" in text


def test_acknowledging_all_asks_first_and_says_how_many(text_of: Read) -> None:
    make_alert()
    make_alert()
    make_alert(resolved_at=timezone.now())
    text = text_of("/alerts")
    assert "Acknowledge all 2 open alerts?" in text
    assert "Acknowledge all 1 resolved alerts?" in text


def test_the_history_is_narrowed_by_text_state_rule_model_and_provider(text_of: Read) -> None:
    rule, llm = make_rule(), make_llm()
    make_alert(rule, message="Needle 100%.", llm=llm)
    make_alert(message="Hay.", resolved_at=timezone.now())
    for query in ("q=100%25", "state=open", f"rule={rule.pk}", f"model={llm.pk}",
                  f"provider={llm.account_id}"):  # fmt: skip
        text = text_of(f"/alerts/history?{query}")
        assert "Needle" in text, query
        assert "Hay." not in text, query
    assert "No alert matches" in text_of("/alerts/history?q=nothing%00")


def test_an_empty_history_says_what_makes_alerts(text_of: Read) -> None:
    text = text_of("/alerts/history")
    assert "No alert has ever opened" in text
    assert 'href="/alerts/rules"' in text


@pytest.mark.parametrize("query", ["rule=x", "page=-1", "page=9999999999", "page=%00", "state=%27"])
def test_nonsense_in_the_address_is_ignored(text_of: Read, query: str) -> None:
    make_alert(message="Here.")
    assert "Acknowledge" in text_of(f"/alerts/history?{query}") or "page" in query


def test_the_history_has_pages(text_of: Read, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("arguslm.dashboard.alerting.PER_PAGE", 2)
    for number in range(5):
        make_alert(message=f"Number {number}.")
    assert 'href="?page=2">Older' in text_of("/alerts/history")
    last = text_of("/alerts/history?page=3")
    assert "Number 0." in last
    assert "Older" not in last


def test_a_thousand_alerts_cost_as_many_queries_as_three(
    text_of: Read, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    for count in (3, 60):
        account = make_account()
        for _ in range(count):
            make_alert(llm=make_llm(account))
        with django_assert_num_queries(9):
            text_of("/alerts")
        with django_assert_num_queries(6):
            text_of("/alerts/history")


def test_the_page_of_an_alert_tells_its_story(text_of: Read) -> None:
    sent = make_delivery(make_channel(name="Pager"))
    Attempt.objects.create(
        delivery=sent, at=timezone.now(), duration_ms=812.0, ok=False, status_code=503,
        error="It answered 503.",
    )  # fmt: skip
    event = sent.message.events.get()
    text = text_of(f"/alerts/{event.alert_id}")
    for written in ("opened", "It broke.", "Pager", "status 503", "It answered 503.", "812 ms"):
        assert written in text, written
    assert f"/api/v1/alerts/deliveries/{sent.id}/redeliver" in text


def test_an_alert_of_a_deleted_rule_keeps_its_page(text_of: Read) -> None:
    rule = make_rule(name="Gone")
    alert = make_alert(rule)
    rule.retire()
    text = text_of(f"/alerts/{alert.pk}")
    assert "Gone" in text
    assert "deleted" in text


def test_incidents_gather_the_alerts_of_one_provider(text_of: Read) -> None:
    account = make_account(display_name="North")
    for _ in range(3):
        make_alert(llm=make_llm(account), error_class="connect")
    text = text_of("/alerts/incidents")
    assert text.count(">North</a>") == 1
    assert 'data-label="Models" class="number">3</td>' in text
    assert "no connection" in text


def test_rules_are_listed_with_what_they_watch(
    text_of: Read, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    llm = make_llm(upstream_id="watched-one")
    rule = make_rule(name="Mine", rule_type="specific_model_down", target_llm=llm)
    make_alert(rule)
    with django_assert_num_queries(6):
        text = text_of("/alerts/rules")
    for written in ("watched-one", "One model down", f"/alerts/rules/{rule.pk}", "rules/replay"):
        assert written in text, written


def test_the_form_of_a_rule_shows_what_is_set(text_of: Read) -> None:
    rule = make_rule(
        name="Slow", rule_type="performance_degradation", remind_every_minutes=30,
        threshold_config={"mode": "static", "metrics": ["tps"], "static_threshold": 12.5},
    )  # fmt: skip
    text = text_of(f"/alerts/rules/{rule.pk}")
    for written in ('value="static" checked', 'value="tps" selected', 'value="12.5"', 'value="30"'):
        assert written in text, written


@pytest.mark.parametrize(
    "config",
    [
        {"sigma": 4.0},
        {"mode": "static", "static_threshold": {"ttft_ms": 100, "latency_ms": 900}},
        {"metrics": ["ttft_ms"]},
    ],
)
def test_thresholds_that_the_form_cannot_hold_are_not_overwritten(
    text_of: Read, config: dict[str, Any]
) -> None:
    rule = make_rule(rule_type="performance_degradation", threshold_config=config)
    text = text_of(f"/alerts/rules/{rule.pk}")
    assert "have more parts than this form" in text
    assert 'name="threshold_config' not in text


def test_channels_are_listed_without_their_addresses(text_of: Read) -> None:
    channel = make_channel(
        name="Pager",
        config={"url": "https://hooks.example.org/T0ken9xYz"},
        disabled_reason="It said 410.",
    )
    make_delivery(channel, last_error="No such mailbox.")
    for url in ("/alerts/channels", f"/alerts/channels/{channel.pk}"):
        text = text_of(url)
        assert "T0ken9xYz" not in text
        for written in ("Pager", "It said 410.", "No such mailbox.", f"{channel.pk}/test"):
            assert written in text, written


def test_the_list_of_channels_costs_the_same_with_more_of_them(
    text_of: Read, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    AlertSettings.load()
    for count in (1, 5):
        for _ in range(count):
            make_delivery(make_channel())
        with django_assert_num_queries(7):
            text_of("/alerts/channels")


def test_the_form_of_a_mail_channel_shows_its_server_but_not_its_password(text_of: Read) -> None:
    config = {"to": ["a@example.org"], "host": "mail.example.org", "password": "very-secret"}
    text = text_of(f"/alerts/channels/{make_channel('email', config).pk}")
    assert 'value="a@example.org"' in text
    assert 'value="mail.example.org"' in text
    assert "very-secret" not in text


def test_the_heartbeat_is_told_with_its_fault(text_of: Read) -> None:
    row = AlertSettings.load()
    row.seal_heartbeat("https://hc.example.org/ping/T0ken9xYz")
    row.heartbeat_error = "It answered 404."
    row.save()
    text = text_of("/alerts/channels")
    assert "It answered 404." in text
    assert "T0ken9xYz" not in text


def test_a_heartbeat_that_beats_says_since_when(text_of: Read) -> None:
    row = AlertSettings.load()
    row.seal_heartbeat("https://hc.example.org/ping")
    row.heartbeat_ok_at = row.heartbeat_tried_at = timezone.now()
    row.save()
    assert "https://hc.example.org/ping</span> was pinged <time" in text_of("/alerts/channels")


def test_silences_stand_in_the_order_of_what_they_do_now(text_of: Read) -> None:
    now = timezone.now()
    for name, start, end in (("Past", -2, -1), ("Now", -1, 1), ("Later", 1, 2)):
        Silence.objects.create(
            name=name, starts_at=now + timedelta(hours=start), ends_at=now + timedelta(hours=end)
        )
    Silence.objects.create(
        name="Weekly", weekdays=[6], start_time="03:00", duration_minutes=90, starts_at=now
    )
    text = text_of("/alerts/silences")
    assert text.index("Now") < text.index("Later") < text.index("Past")
    assert "Sun at 03:00 UTC for 1 h 30 min" in text
    assert "End now" in text


def test_a_silence_can_be_asked_for_by_a_link(text_of: Read) -> None:
    llm = make_llm(upstream_id="noisy")
    text = text_of(f"/alerts/silences?model={llm.pk}&provider={llm.account_id}")
    assert f'<li data-id="{llm.pk}">noisy' in text
    assert f'value="{llm.account_id}" selected' in text


@pytest.mark.parametrize("kind", ["alerts", "alerts/rules", "alerts/channels"])
def test_an_unknown_row_is_a_page_too(browser: Client, kind: str) -> None:
    answer = browser.get(f"/{kind}/00000000-0000-7000-8000-00000000dead")
    assert answer.status_code == 404
    assert "There is no such" in answer.content.decode()


def test_more_open_alerts_than_are_shown_are_counted(
    text_of: Read, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("arguslm.dashboard.alerting.SHOWN_OPEN", 2)
    for _ in range(3):
        make_alert()
    assert "2 of 3 open alerts are shown" in text_of("/alerts")


def test_a_notice_has_no_rule_that_could_have_been_deleted(text_of: Read) -> None:
    make_channel().switch_off("It is gone.")
    text = text_of(f"/alerts/{Alert.objects.get().pk}")
    assert "none: it is a notice" in text
    assert "deleted" not in text
