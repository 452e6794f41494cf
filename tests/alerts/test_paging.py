"""Services that keep incidents, over their own wire: opened once, closed when all has ended."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from apprise.plugins import opsgenie, pagerduty

from alerts import delivery, outbox
from alerts.loose_ends import tie
from alerts.models import Alert, Attempt, Channel, Delivery
from alerts.notices import notice
from alerts.outbox import Occasion
from alerts.reminders import tell_again
from alerts.states import Event, EventKind
from alerts.transports.chat import NOTHING_TO_CLOSE
from models_app.models import LLM
from monitoring.identities import Sighting, note
from monitoring.models import ReportedModel
from providers.measurement import Outcome, wall_clock
from tests.alerts.receivers import Receiver, answer, receiving
from tests.alerts.storing import make_channel, make_fleet, minutes_ago, play
from tests.make import make_alert, make_rule

pytestmark = pytest.mark.django_db(transaction=True)
URLS = {"pagerduty": "pagerduty://routing-key@api-key", "opsgenie": "opsgenie://api-key"}


@pytest.fixture
def service(monkeypatch: pytest.MonkeyPatch) -> Iterator[Receiver]:
    with receiving(answer(202, b'{"requestId": "r-1"}')) as running:
        monkeypatch.setitem(pagerduty.PAGERDUTY_API_LOOKUP, "us", running.url)
        monkeypatch.setitem(opsgenie.OPSGENIE_API_LOOKUP, "us", running.url)
        yield running


def make_pager(scheme: str) -> Channel:
    return make_channel("apprise", {"url": URLS[scheme]}, name=scheme)


def told(channel: Channel, service: Receiver) -> list[dict[str, Any]]:
    """What the service was asked since the last look."""
    delivery.drain(channel.pk)
    bodies = [{"path": each.path, **json.loads(each.body)} for each in service.got]
    service.got.clear()
    return bodies


def outage(llms: list[LLM], status: str, minute: float) -> None:
    play(llms, status, minutes_ago(minute))


def tell(alert: Alert, text: str) -> None:
    opened = Event(EventKind.OPENED, alert.rule_key, alert.scope, alert.created_at, text)
    outbox.write([opened], {(alert.rule_key, alert.scope): alert.pk}, Occasion(()))


def change_name(llm: LLM) -> None:
    for name in ("old", "new"):
        current = {row.llm_id: row for row in ReportedModel.objects.filter(is_current=True)}
        note([Sighting(llm, Outcome(wall_clock(), model_reported=name), current)])


def test_an_outage_is_an_incident_that_its_end_resolves(service: Receiver) -> None:
    make_rule()
    channel, llms = make_pager("pagerduty"), make_fleet(1, 1)
    outage(llms, "down", 30)
    [opened] = told(channel, service)
    outage(llms, "up", 10)
    [ended] = told(channel, service)

    assert opened["event_action"] == "trigger"
    assert opened["payload"]["severity"] == "critical"
    assert opened["payload"]["summary"].startswith("m-0-0 (Provider 0) is down since")
    assert opened["links"][0]["href"].startswith("http://127.0.0.1:8000/alerts/")
    assert (ended["event_action"], ended["dedup_key"]) == ("resolve", opened["dedup_key"])


def test_an_alert_is_made_at_opsgenie_and_closed_under_its_alias(service: Receiver) -> None:
    make_rule()
    channel, llms = make_pager("opsgenie"), make_fleet(1, 1)
    outage(llms, "down", 30)
    [opened] = told(channel, service)
    outage(llms, "up", 10)
    [ended] = told(channel, service)

    assert opened["message"].startswith("m-0-0 (Provider 0) is down since")
    assert ended["path"] == f"/hooks/ops/{opened['alias']}/close?identifierType=alias"
    assert ended["note"].startswith("m-0-0 (Provider 0) is up again")


@pytest.mark.parametrize("scheme", URLS)
def test_a_common_outage_ends_with_its_last_model(scheme: str, service: Receiver) -> None:
    make_rule()
    channel, llms = make_pager(scheme), make_fleet(1, 3)
    outage(llms, "down", 30)
    assert len(told(channel, service)) == 1
    outage(llms[:1], "up", 20)
    assert told(channel, service) == []
    outage(llms[1:], "up", 10)

    assert len(told(channel, service)) == 1
    assert set(Delivery.objects.values_list("status", flat=True)) == {"delivered"}
    assert Attempt.objects.filter(error=NOTHING_TO_CLOSE).count() == 1


def test_outages_at_two_providers_are_two_incidents_that_end_apart(service: Receiver) -> None:
    make_rule()
    channel, llms = make_pager("pagerduty"), make_fleet(2, 2)
    outage(llms, "down", 30)
    keys = [each["dedup_key"] for each in told(channel, service)]
    outage(llms[2:], "up", 20)
    [second] = told(channel, service)
    outage(llms[:2], "up", 10)
    [first] = told(channel, service)

    assert [first["dedup_key"], second["dedup_key"]] == keys


def test_a_recovery_of_everything_ends_each_incident(service: Receiver) -> None:
    make_rule()
    channel, llms = make_pager("pagerduty"), make_fleet(1, 4)
    outage(llms[:1], "down", 40)
    outage(llms[1:], "down", 30)
    opened = told(channel, service)
    outage(llms, "up", 10)
    ended = told(channel, service)

    assert len(opened) == 2
    assert {each["event_action"] for each in ended} == {"resolve"}
    assert {each["dedup_key"] for each in ended} == {each["dedup_key"] for each in opened}


def test_a_relapse_is_an_incident_of_its_own(service: Receiver) -> None:
    make_rule()
    channel, llms = make_pager("pagerduty"), make_fleet(1, 1)
    for minute, status in ((40, "down"), (35, "up"), (30, "down"), (25, "up")):
        outage(llms, status, minute)
    first, ended, second, ended_too = told(channel, service)

    assert first["dedup_key"] == ended["dedup_key"] != second["dedup_key"]
    assert second["dedup_key"] == ended_too["dedup_key"]


def test_a_reminder_belongs_to_the_incident_that_is_open(service: Receiver) -> None:
    make_rule(remind_every_minutes=1)
    channel, llms = make_pager("pagerduty"), make_fleet(1, 1)
    outage(llms, "down", 30)
    [opened] = told(channel, service)
    assert tell_again(minutes_ago(-5)) == 1
    [again] = told(channel, service)

    assert (again["event_action"], again["dedup_key"]) == ("trigger", opened["dedup_key"])


def test_what_the_service_does_not_take_is_not_delivered(service: Receiver) -> None:
    make_rule()
    channel, llms = make_pager("opsgenie"), make_fleet(1, 1)
    outage(llms, "down", 30)
    told(channel, service)
    outage(llms, "up", 10)
    service.behave = answer(500)
    told(channel, service)

    assert Delivery.objects.get(status="pending").last_error == "The receiver answered 500."


def test_a_reminder_may_open_an_incident_that_the_end_closes(service: Receiver) -> None:
    make_rule(remind_every_minutes=1)
    make_channel()
    llms = make_fleet(1, 1)
    outage(llms, "down", 30)
    channel = make_pager("pagerduty")
    tell_again(minutes_ago(-5))
    [first] = told(channel, service)
    tell_again(minutes_ago(-10))
    [second] = told(channel, service)
    outage(llms, "up", 10)
    [ended] = told(channel, service)

    assert first["dedup_key"] == second["dedup_key"] == ended["dedup_key"]
    assert ended["event_action"] == "resolve"


def test_what_speaks_of_an_open_incident_is_none_of_its_own(service: Receiver) -> None:
    make_rule()
    channel, llms = make_pager("pagerduty"), make_fleet(1, 1)
    for minute in (50, 40, 35, 30, 25, 20, 15, 10):
        outage(llms, "up" if minute % 10 else "down", minute)
    bodies = told(channel, service)
    keys = [each["dedup_key"] for each in bodies if each["event_action"] == "trigger"]
    outage(llms, "down", -10)
    outage(llms, "up", -20)
    outage(llms, "up", -40)
    more = told(channel, service)

    assert keys[-1] == more[0]["dedup_key"]
    assert [each["event_action"] for each in more].count("resolve") == 1


@pytest.mark.parametrize("scheme", URLS)
def test_an_incident_ends_with_its_rule_and_nobody_else_is_told(
    scheme: str, service: Receiver
) -> None:
    rule = make_rule()
    channel, other, llms = make_pager(scheme), make_channel(), make_fleet(1, 3)
    outage(llms, "down", 30)
    [opened] = told(channel, service)
    assert tie() == 0
    rule.change(enabled=False)
    assert [tie(), tie()] == [1, 0]
    [ended] = told(channel, service)

    key = opened.get("dedup_key") or opened["alias"]
    assert ended.get("dedup_key") == key or key in ended["path"]
    assert other.deliveries.count() == 1
    assert tie() == 0


def test_the_incident_of_slowness_ends_when_the_model_goes_down(service: Receiver) -> None:
    rule = make_rule(rule_type="performance_degradation")
    channel, [llm] = make_pager("pagerduty"), make_fleet(1, 1)
    alert = make_alert(rule, scope=f"perf:{llm.pk}", llm=llm)
    tell(alert, "m-0-0 is slow.")
    [opened] = told(channel, service)
    outage([llm], "down", 10)
    tie()
    [ended] = told(channel, service)

    assert Alert.objects.get().resolve_reason == "went_down"
    assert (ended["event_action"], ended["dedup_key"]) == ("resolve", opened["dedup_key"])


def test_a_notice_that_has_settled_leaves_no_incident_open(service: Receiver) -> None:
    channel, [llm] = make_pager("pagerduty"), make_fleet(1, 1)
    change_name(llm)
    notice()
    [opened] = told(channel, service)
    notice(minutes_ago(-25 * 60))
    assert tie(minutes_ago(-25 * 60)) == 1
    [ended] = told(channel, service)

    assert opened["payload"]["severity"] == "warning"
    assert (ended["event_action"], ended["dedup_key"]) == ("resolve", opened["dedup_key"])


def test_a_chat_without_incidents_hears_nothing_of_a_quiet_end(service: Receiver) -> None:
    rule = make_rule()
    chat = make_channel("apprise", {"url": "gotify://127.0.0.1:9/token-1234567"})
    outage(make_fleet(1, 1), "down", 30)
    Delivery.objects.update(status="delivered")
    rule.retire()

    assert tie() == 0
    assert chat.deliveries.get().case_closed_at is not None


def test_an_incident_of_models_with_very_long_names_is_short_enough(service: Receiver) -> None:
    make_rule()
    channel, llms = make_pager("pagerduty"), make_fleet(1, 9)
    for llm in llms:
        LLM.objects.filter(pk=llm.pk).update(custom_name=f"{llm.upstream_id}-{'n' * 200}")
    outage(llms, "down", 30)
    [opened] = told(channel, service)

    assert len(opened["payload"]["summary"]) <= 1024
    assert opened["payload"]["summary"].startswith("Provider 0: 9 of 9 models are down")
