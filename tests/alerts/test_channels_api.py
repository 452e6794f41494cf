from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any
from uuid import uuid4

import pytest
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries
from rest_framework.test import APIClient

from alerts import delivery
from alerts.models import Alert, AlertRule, Channel, Delivery, Silence
from alerts.serializers.channels import ChannelPatch
from tests.alerts.receivers import Receiver, answer, receiving
from tests.alerts.storing import SECRET_URL, make_channel, make_watched, minutes_ago, play
from tests.make import make_rule

pytestmark = pytest.mark.django_db(transaction=True)
CHANNELS = "/api/v1/alerts/channels"
MASKED_URL = "http://127.0.0.1:9/hooks/***"


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving() as running:
        yield running


def post(api: APIClient, url: str, body: dict[str, Any], status: int = 201) -> Any:
    answer = api.post(url, body, format="json")
    assert answer.status_code == status, answer.content
    return answer.json()


def make_webhook(api: APIClient, **fields: Any) -> Any:
    body = {"kind": "webhook", "name": "Ops", "config": {"url": SECRET_URL}} | fields
    return post(api, CHANNELS, body)


def test_a_channel_is_made_with_a_secret_that_is_shown_once(api: APIClient) -> None:
    made = make_webhook(api)
    secret = made.pop("signing_secret")

    assert secret.startswith("whsec_")
    assert made == {
        "id": made["id"],
        "kind": "webhook",
        "name": "Ops",
        "enabled": True,
        "disabled_reason": "",
        "config": {"url": MASKED_URL},
        "all_rules": True,
        "rule_ids": [],
        "rule_id": None,
        "created_at": made["created_at"],
        "updated_at": made["updated_at"],
    }
    assert api.get(f"{CHANNELS}/{made['id']}").json() == made
    assert api.get(CHANNELS).json() == {"items": [made], "total": 1, "limit": 100, "offset": 0}


def test_what_was_read_may_be_sent_back_and_changes_nothing(api: APIClient) -> None:
    made = make_webhook(api)
    read = api.get(f"{CHANNELS}/{made['id']}").json()
    answer = api.patch(f"{CHANNELS}/{made['id']}", read, format="json")

    assert answer.status_code == 200
    assert answer.json() == read | {"updated_at": answer.json()["updated_at"]}
    assert Channel.objects.get().config == {"url": SECRET_URL}


def test_a_mail_password_stays_when_other_fields_change(api: APIClient) -> None:
    config = {"to": ["a@b.example"], "host": "mail.example", "user": "u", "password": "p4ssw0rd"}
    made = make_webhook(api, kind="email", config=config)
    assert made["config"]["password"] == "***"
    url = f"{CHANNELS}/{made['id']}"
    api.patch(url, {"config": {"to": ["c@d.example"], "password": "***"}}, format="json")

    assert Channel.objects.get().config == config | {"to": ["c@d.example"]}


def test_a_mail_password_does_not_follow_to_another_server(api: APIClient) -> None:
    config = {"to": ["a@b.example"], "host": "mail.example", "user": "u", "password": "p4ssw0rd"}
    made = make_webhook(api, kind="email", config=config)
    body = {"config": {"host": "evil.example"}}
    answer = api.patch(f"{CHANNELS}/{made['id']}", body, format="json")

    assert answer.status_code == 400
    assert list(answer.json()["errors"]) == ["config.password"]


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"kind": "webhook", "name": "x"}, "config"),
        ({"kind": "webhook", "name": "x", "config": {}}, "config.url"),
        ({"kind": "webhook", "name": "x", "config": {"url": "ftp://x"}}, "config.url"),
        ({"kind": "webhook", "name": "x", "config": {"uri": "http://x"}}, "config.uri"),
        ({"kind": "apprise", "name": "x", "config": {"url": "json://x"}}, "config.url"),
        ({"kind": "email", "name": "x", "config": {"to": []}}, "config.to"),
        ({"kind": "pager", "name": "x", "config": {}}, "kind"),
    ],
)
def test_a_wrong_channel_is_a_400_that_names_the_field(
    api: APIClient, body: dict[str, Any], field: str
) -> None:
    errors = post(api, CHANNELS, body, 400)["errors"]
    assert field in errors
    assert not Channel.objects.exists()


def test_a_channel_for_some_rules(api: APIClient) -> None:
    rule = make_rule()
    made = make_webhook(api, all_rules=False, rule_ids=[str(rule.pk)])
    assert made["rule_ids"] == [str(rule.pk)]
    assert api.get(f"/api/v1/alerts/rules/{rule.pk}").json()["channel_ids"] == [made["id"]]

    answer = api.patch(f"{CHANNELS}/{made['id']}", {"rule_ids": [str(uuid4())]}, format="json")
    assert answer.status_code == 400


def test_a_test_message_answers_at_once(api: APIClient, receiver: Receiver) -> None:
    made = make_webhook(api, config={"url": receiver.url})
    result = post(api, f"{CHANNELS}/{made['id']}/test", {}, 200)

    assert (result["ok"], result["status_code"], result["error"]) == (True, 204, None)
    assert json.loads(receiver.got[0].body)["type"] == "alerts.test"
    assert not Delivery.objects.exists()


def test_a_test_says_why_it_failed(api: APIClient, receiver: Receiver) -> None:
    receiver.behave = answer(403)
    made = make_webhook(api, config={"url": receiver.url})
    result = post(api, f"{CHANNELS}/{made['id']}/test", {}, 200)

    assert result["error"] == "The receiver answered 403: it does not let us in."


def test_a_secret_is_rotated(api: APIClient) -> None:
    made = make_webhook(api)
    new = post(api, f"{CHANNELS}/{made['id']}/rotate-secret", {}, 200)["signing_secret"]

    assert Channel.objects.get().signing_secrets(timezone.now()) == [new, made["signing_secret"]]


def test_only_webhooks_have_a_secret_to_rotate(api: APIClient) -> None:
    channel = make_channel("apprise", {"url": "ntfy://ntfy.example/topic"})
    post(api, f"{CHANNELS}/{channel.pk}/rotate-secret", {}, 409)


def test_a_channel_that_was_switched_off_is_switched_on_again(api: APIClient) -> None:
    channel = make_channel()
    channel.switch_off("The receiver answered 410.")
    assert api.get("/api/v1/alerts/unread-count").json() == {"count": 1}
    [notice] = api.get("/api/v1/alerts/recent").json()["items"]
    assert notice["message"] == ("The channel Ops was switched off: The receiver answered 410.")
    answer = api.patch(f"{CHANNELS}/{channel.pk}", {"enabled": True}, format="json")

    assert (answer.json()["enabled"], answer.json()["disabled_reason"]) == (True, "")
    assert Alert.objects.get().state == "resolved"


def test_no_round_closes_the_notice_about_a_channel() -> None:
    make_rule()
    make_channel().switch_off("The receiver answered 410.")
    play([make_watched()], "up")

    assert Alert.objects.get().state == "open"


def test_a_deleted_channel_is_gone(api: APIClient) -> None:
    channel = make_channel()
    assert api.delete(f"{CHANNELS}/{channel.pk}").status_code == 204
    assert api.get(f"{CHANNELS}/{channel.pk}").status_code == 404


def test_the_list_of_channels_costs_three_queries(
    api: APIClient, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    rule = make_rule()
    for _ in range(5):
        make_channel().rules.add(rule)
    with django_assert_num_queries(3):
        api.get(CHANNELS)


def rule_body(**fields: Any) -> dict[str, Any]:
    return {"name": "Rule", "rule_type": "any_model_down"} | fields


RULES = "/api/v1/alerts/rules"


def test_a_rule_brings_its_webhook_along(api: APIClient, receiver: Receiver) -> None:
    url = receiver.url + "/T0ken-123456"
    made = post(api, RULES, rule_body(notify_webhook=True, webhook_url=url))
    assert made["webhook_url"] == receiver.url + "/***"
    play([make_watched()], "down")
    delivery.drain(Channel.objects.get().pk)

    assert receiver.got[0].path == "/hooks/ops/T0ken-123456"


def test_the_address_that_was_read_may_be_sent_back(api: APIClient) -> None:
    made = post(api, RULES, rule_body(notify_webhook=True, webhook_url=SECRET_URL))
    answer = api.patch(f"{RULES}/{made['id']}", made, format="json")

    assert answer.status_code == 200
    assert answer.json()["webhook_url"] == made["webhook_url"] == MASKED_URL
    assert Channel.objects.get().config == {"url": SECRET_URL}


def test_an_address_is_changed_and_taken_away(api: APIClient) -> None:
    made = post(api, RULES, rule_body(webhook_url=SECRET_URL))
    url = f"{RULES}/{made['id']}"
    changed = api.patch(url, {"webhook_url": "https://example.org/in"}, format="json").json()
    assert changed["webhook_url"] == "https://example.org/in"
    assert api.patch(url, {"webhook_url": None}, format="json").json()["webhook_url"] is None
    assert not Channel.objects.exists()


def test_the_address_dies_with_its_rule(api: APIClient) -> None:
    made = post(api, RULES, rule_body(webhook_url=SECRET_URL))
    assert api.delete(f"{RULES}/{made['id']}").status_code == 204
    assert not Channel.objects.exists()


@pytest.mark.parametrize("field", ["notify_email", "notify_webhook"])
def test_a_switch_that_nobody_would_hear_is_refused(api: APIClient, field: str) -> None:
    body = post(api, RULES, rule_body(**{field: True}), 400)
    assert list(body["errors"]) == [field]

    make_channel("email" if field == "notify_email" else "webhook", {"url": SECRET_URL})
    assert post(api, RULES, rule_body(**{field: True}))[field] is True


@pytest.mark.parametrize("url", ["ftp://x", "x", "", "https://a b", MASKED_URL])
def test_a_wrong_address_is_a_400(api: APIClient, url: str) -> None:
    body = post(api, RULES, rule_body(webhook_url=url), 400)
    assert list(body["errors"]) == ["webhook_url"]


def test_the_list_of_rules_costs_two_queries(
    api: APIClient, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    for number in range(4):
        post(api, RULES, rule_body(webhook_url=f"{SECRET_URL}{number}"))
    with django_assert_num_queries(2):
        assert len(api.get(RULES).json()) == 4


def test_deliveries_are_listed_shown_and_sent_again(api: APIClient, receiver: Receiver) -> None:
    make_rule()
    channel = make_channel(config={"url": receiver.url})
    play([make_watched(name="gpt-4")], "down")
    delivery.drain(channel.pk)
    listed = api.get(f"/api/v1/alerts/deliveries?channel_id={channel.pk}&status=delivered").json()
    [row] = listed["items"]
    assert (row["topic"], row["attempts_made"], listed["total"]) == ("down", 1, 1)

    detail = api.get(f"/api/v1/alerts/deliveries/{row['id']}").json()
    assert [attempt["status_code"] for attempt in detail["attempts"]] == [204]
    post(api, f"/api/v1/alerts/deliveries/{row['id']}/redeliver", {}, 200)
    delivery.drain(channel.pk)
    assert receiver.ids == [row["id"], row["id"]]


def test_the_list_of_deliveries_costs_two_queries(
    api: APIClient, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    make_rule()
    make_channel()
    llm = make_watched()
    for number in range(4):
        play([llm], "up" if number % 2 else "down", minutes_ago(90 - 20 * number))
    with django_assert_num_queries(2):
        assert api.get("/api/v1/alerts/deliveries").json()["total"] == 4


SILENCES = "/api/v1/alerts/silences"


def test_a_silence_once(api: APIClient) -> None:
    llm = make_watched()
    body = {"name": "move", "model_id": str(llm.pk), "ends_at": "2099-01-01T00:00:00Z"}
    made = post(api, SILENCES, body)
    assert (made["active"], made["model_id"], made["weekdays"]) == (True, str(llm.pk), [])

    url = f"{SILENCES}/{made['id']}"
    ended = api.patch(url, {"ends_at": timezone.now().isoformat()}, format="json").json()
    assert ended["active"] is False
    assert api.patch(url, ended, format="json").status_code == 200
    assert api.delete(url).status_code == 204
    assert not Silence.objects.exists()


def test_a_silence_every_week(api: APIClient) -> None:
    body = {
        "name": "maintenance",
        "weekdays": [5, 6],
        "start_time": "22:00",
        "duration_minutes": 240,
        "timezone": "Europe/Berlin",
    }
    made = post(api, SILENCES, body)
    assert (made["weekdays"], made["start_time"]) == ([5, 6], "22:00:00")


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "ends_at"),
        ({"ends_at": "2020-01-01T00:00:00Z"}, "ends_at"),
        ({"starts_at": "2026-01-02T00:00:00Z", "ends_at": "2026-01-01T00:00:00Z"}, "ends_at"),
        ({"weekdays": [1]}, "start_time"),
        ({"weekdays": [7], "start_time": "22:00", "duration_minutes": 5}, "weekdays.0"),
        ({"ends_at": "2099-01-01T00:00:00Z", "timezone": "Mars/Olympus"}, "timezone"),
        ({"ends_at": "2099-01-01T00:00:00Z", "model_id": str(uuid4())}, "model_id"),
        ({"ends_at": "2099-01-01T00:00:00Z", "start_time": "22:00"}, "weekdays"),
    ],
)
def test_a_silence_that_makes_no_sense_is_refused(
    api: APIClient, body: dict[str, Any], field: str
) -> None:
    assert field in post(api, SILENCES, {"name": "x"} | body, 400)["errors"]


def test_the_heartbeat_is_set_and_its_address_masked(api: APIClient) -> None:
    url = "/api/v1/alerts/settings"
    address = "https://hc-ping.example/0e8d8b1c-1111-2222"
    answer = api.patch(url, {"heartbeat_url": address, "heartbeat_every_s": 30}, format="json")

    assert answer.json() == {
        "heartbeat_url": "https://hc-ping.example/***",
        "heartbeat_every_s": 30,
        "heartbeat_tried_at": None,
        "heartbeat_ok_at": None,
        "heartbeat_error": "",
    }
    assert api.patch(url, answer.json(), format="json").status_code == 200
    assert api.patch(url, {"heartbeat_url": None}, format="json").json()["heartbeat_url"] is None


def test_secrets_are_in_no_response(api: APIClient) -> None:
    rule = AlertRule.objects.get(pk=post(api, RULES, rule_body(webhook_url=SECRET_URL))["id"])
    channel = make_channel(
        "apprise", {"url": "slack://T1JJ3T3L2/A1BRTD4JD/TIiajkdnlazkcOXrIdevi7FQ"}
    )
    pages = [RULES, f"{RULES}/{rule.pk}", CHANNELS, f"{CHANNELS}/{channel.pk}"]
    told = "".join(api.get(page).content.decode() for page in pages)

    for secret in ("T0ken-1234567890abcdef", "TIiajkdnlazkcOXrIdevi7FQ", "A1BRTD4JD", "whsec_"):
        assert secret not in told


def test_a_change_does_not_switch_on_what_a_courier_switches_off_meanwhile() -> None:
    channel = make_channel()
    writer = ChannelPatch(Channel.objects.get(), data={"name": "Other"}, partial=True)
    assert writer.is_valid()
    channel.switch_off("It is gone.")
    secret = channel.rotate_secret()
    writer.save()

    found = Channel.objects.get()
    assert (found.name, found.enabled, found.disabled_reason) == ("Other", False, "It is gone.")
    assert found.signing_secrets(timezone.now())[0] == secret
