from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

import pytest
from pytest_django import DjangoAssertNumQueries
from rest_framework.test import APIClient

from alerts import delivery
from alerts.models import Alert, AlertEvent
from tests.alerts.receivers import Receiver, answer, in_turn, receiving
from tests.alerts.storing import make_channel, make_fleet, make_watched, minutes_ago, play
from tests.make import make_account, make_alert, make_llm, make_rule

pytestmark = pytest.mark.django_db(transaction=True)
ALERTS = "/api/v1/alerts"


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving() as running:
        yield running


def get(api: APIClient, path: str, status: int = 200) -> Any:
    found = api.get(ALERTS + path)
    assert found.status_code == status, found.content
    return found.json()


def ids(body: Any) -> set[str]:
    return {each["id"] for each in body["items"]}


def test_an_alert_shows_everything_about_itself(api: APIClient) -> None:
    rule, llm = make_rule(name="All"), make_watched(name="gpt-4")
    play([llm], "down", minutes_ago(5))
    [shown] = get(api, "")["items"]

    alert = Alert.objects.get()
    assert shown == {
        "id": str(alert.pk),
        "rule_id": str(rule.pk),
        "rule_name": "All",
        "rule_type": "any_model_down",
        "model_id": str(llm.pk),
        "model_name": "gpt-4",
        "scope": f"llm:{llm.pk}",
        "message": alert.message,
        "error_class": "server_error",
        "state": "open",
        "acknowledged": False,
        "acknowledged_at": None,
        "note": "",
        "occurrences": 1,
        "reopened": 0,
        "last_seen_at": shown["last_seen_at"],
        "resolved_at": None,
        "resolve_reason": "",
        "created_at": shown["created_at"],
    }
    assert get(api, f"/{alert.pk}") == shown


def test_alerts_are_filtered_by_state_model_provider_rule_and_time(api: APIClient) -> None:
    account = make_account()
    llm = make_llm(account)
    old = make_alert(llm=llm, created_at=minutes_ago(600), resolved_at=minutes_ago(500))
    fresh = make_alert(llm=make_llm(), created_at=minutes_ago(5))
    since = quote(minutes_ago(60).isoformat())
    for query, wanted in {
        "state=open": fresh,
        "state=resolved": old,
        f"model_id={llm.pk}": old,
        f"provider_id={account.pk}": old,
        f"rule_id={fresh.rule_id}": fresh,
        f"since={since}": fresh,
    }.items():
        assert ids(get(api, f"?{query}")) == {str(wanted.pk)}, query


def test_an_acknowledgement_may_carry_a_note(api: APIClient) -> None:
    alert = make_alert()
    url = f"{ALERTS}/{alert.pk}/acknowledge"
    first = api.patch(url, {"note": "On it."}, format="json").json()
    assert (first["acknowledged"], first["note"]) == (True, "On it.")

    again = api.patch(url, {"note": "Ticket 12."}, format="json").json()
    assert (again["acknowledged_at"], again["note"]) == (first["acknowledged_at"], "Ticket 12.")
    assert api.patch(url).json() == again
    events = get(api, f"/{alert.pk}/events")["items"]
    assert [(each["kind"], each["note"]) for each in events] == [
        ("acknowledged", "On it."),
        ("noted", "Ticket 12."),
    ]


@pytest.mark.parametrize("body", [{}, {"ids": [], "note": "x"}, {"ids": ["x"]}, {"filter": 1}])
def test_a_bulk_acknowledgement_says_what_it_wants(api: APIClient, body: dict[str, Any]) -> None:
    assert api.post(f"{ALERTS}/acknowledge", body, format="json").status_code == 400


def test_many_are_acknowledged_by_id(api: APIClient) -> None:
    wanted = [make_alert() for _ in range(3)]
    make_alert()
    body = {"ids": [str(alert.pk) for alert in wanted], "note": "Known."}
    answer = api.post(f"{ALERTS}/acknowledge", body, format="json")

    assert answer.json() == {"acknowledged": 3}
    assert api.post(f"{ALERTS}/acknowledge", body, format="json").json() == {"acknowledged": 0}
    assert get(api, "/unread-count") == {"count": 1}
    assert AlertEvent.objects.filter(kind="acknowledged", note="Known.").count() == 3


def test_many_are_acknowledged_by_a_filter(api: APIClient) -> None:
    llm = make_llm()
    make_alert(llm=llm)
    make_alert()
    body = {"filter": {"provider_id": str(llm.account_id), "state": "open"}}

    assert api.post(f"{ALERTS}/acknowledge", body, format="json").json() == {"acknowledged": 1}
    assert api.post(f"{ALERTS}/acknowledge", {"filter": {}}, format="json").json() == {
        "acknowledged": 1
    }


def test_the_timeline_tells_events_and_deliveries_in_order(
    api: APIClient, receiver: Receiver
) -> None:
    make_rule()
    receiver.behave = in_turn(answer(500), answer(200))
    channel = make_channel(config={"url": receiver.url})
    llm = make_watched()
    play([llm], "down", minutes_ago(15))
    delivery.drain(channel.pk)
    play([llm], "up")
    timeline = get(api, f"/{Alert.objects.get().pk}/events")

    assert timeline["total"] == 4
    found = sorted(each["kind"] for each in timeline["items"])
    assert found == ["delivery", "delivery", "opened", "resolved"]
    sent = next(each["delivery"] for each in timeline["items"] if each["delivery"])
    [attempt] = sent["attempts"]
    assert (sent["channel_name"], sent["status"]) == ("Ops", "pending")
    assert (attempt["ok"], attempt["status_code"]) == (False, 500)
    assert attempt["error"] == "The receiver answered 500."


def test_the_timeline_costs_a_fixed_number_of_queries(
    api: APIClient, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    make_rule()
    make_channel()
    llm = make_watched()
    for number in range(6):
        play([llm], "up" if number % 2 else "down", minutes_ago(60 - 2 * number))
    with django_assert_num_queries(7):
        get(api, f"/{Alert.objects.get().pk}/events")


def test_a_page_of_the_timeline(api: APIClient) -> None:
    alert = make_alert()
    for number in range(5):
        alert.acknowledge(f"note {number}")
    page = get(api, f"/{alert.pk}/events?limit=2&offset=2")

    assert [each["note"] for each in page["items"]] == ["note 2", "note 3"]
    assert page["total"] == 5


def test_incidents_are_grouped_by_provider(api: APIClient) -> None:
    make_rule()
    llms = make_fleet(2, 3)
    play(llms[:3], "down", minutes_ago(30))
    play(llms[:1] + llms[3:4], "down", minutes_ago(20))
    play(llms[:3], "up", minutes_ago(10))
    body = get(api, "/incidents")

    assert (body["total"], body["is_complete"]) == (2, True)
    by_name = {each["provider_name"]: each for each in body["items"]}
    assert by_name["Provider 0"]["state"] == "resolved"
    assert by_name["Provider 0"]["model_count"] == 3
    assert by_name["Provider 1"]["alert_count"] == 1
    assert get(api, "/incidents?state=open")["total"] == 1


def test_incidents_cost_two_queries(
    api: APIClient, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    make_rule()
    play(make_fleet(3, 4), "down")
    with django_assert_num_queries(2):
        get(api, "/incidents")


def test_the_list_of_alerts_costs_three_queries(
    api: APIClient, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    make_rule()
    play(make_fleet(2, 4), "down")
    with django_assert_num_queries(3):
        get(api, "")
