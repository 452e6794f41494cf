from __future__ import annotations

from typing import Any

import pytest
from rest_framework.test import APIClient

from alerts.models import Alert, AlertEvent, AlertRule, Delivery
from tests.alerts.storing import make_channel, make_watched, minutes_ago, play
from tests.make import make_llm, make_rule

pytestmark = pytest.mark.django_db
RULES = "/api/v1/alerts/rules"
PACE = {"rule_type": "performance_degradation"}


def url(rule: AlertRule) -> str:
    return f"{RULES}/{rule.pk}"


def patch(api: APIClient, rule: AlertRule, **fields: Any) -> dict[str, Any]:
    answer = api.patch(url(rule), fields, format="json")
    assert answer.status_code == 200, answer.json()
    body: dict[str, Any] = answer.json()
    return body


def test_every_field_of_a_rule_is_written_and_read_back(api: APIClient) -> None:
    make_channel("email", {"to": ["a@b.example"], "host": "mail.example"})
    fields = {
        "name": "Slow",
        "rule_type": "performance_degradation",
        "enabled": False,
        "target_model_id": str(make_llm().pk),
        "target_model_name": "gpt-4",
        "threshold_config": {"sensitivity": "high", "metrics": ["tps"]},
        "notify_in_app": False,
        "notify_email": True,
        "notify_webhook": True,
        "webhook_url": "https://receiver.example/hooks/ops",
        "remind_every_minutes": 45,
        "channel_ids": [str(make_channel().pk)],
    }
    made = api.post(RULES, fields, format="json")
    assert made.status_code == 201
    shown = api.get(f"{RULES}/{made.json()['id']}").json()
    changed = patch(api, make_rule(), **fields)

    for body in (made.json(), shown, changed):
        assert {name: body[name] for name in fields} == fields


@pytest.mark.parametrize(
    ("fields", "wrong"),
    [
        ({"rule_type": "specific_model_down"}, "target_model_id"),
        ({"rule_type": "model_unavailable_everywhere"}, "target_model_name"),
        ({"threshold_config": {"sigma": 4}}, "threshold_config"),
        ({**PACE, "threshold_config": {"sigma": "x"}}, "threshold_config.sigma"),
        ({"rule_type": "never_heard_of"}, "rule_type"),
        ({"target_model_id": "01a21932-41e4-75d8-ac05-7439cf84e12e"}, "target_model_id"),
    ],
)
def test_a_change_that_does_not_fit_the_rule_is_refused_and_stored_nowhere(
    api: APIClient, fields: dict[str, Any], wrong: str
) -> None:
    rule = make_rule()
    answer = api.patch(url(rule), {**fields, "name": "New"}, format="json")

    assert (answer.status_code, list(answer.json()["errors"])) == (400, [wrong])
    rule.refresh_from_db()
    assert (rule.name, rule.rule_type, rule.threshold_config) == ("Rule", "any_model_down", None)


def test_the_target_of_a_rule_cannot_be_taken_away(api: APIClient) -> None:
    rule = make_rule(rule_type="specific_model_down", target_llm=make_llm())
    answer = api.patch(url(rule), {"target_model_id": None}, format="json")

    assert list(answer.json()["errors"]) == ["target_model_id"]


def test_a_rule_that_looks_at_another_model_closes_its_alert_without_a_message(
    api: APIClient,
) -> None:
    before, after = make_watched(), make_watched()
    rule = make_rule(rule_type="specific_model_down", target_llm=before)
    make_channel()
    play([before, after], "down", minutes_ago(5))
    patch(api, rule, target_model_id=str(after.pk))
    assert Delivery.objects.count() == 1
    play([before, after], "down")

    reasons = dict(Alert.objects.values_list("llm", "resolve_reason"))
    assert reasons == {before.pk: "rule_changed", after.pk: ""}
    assert AlertEvent.objects.get(kind="resolved").quiet


def test_a_rule_of_another_type_begins_anew(api: APIClient) -> None:
    rule = make_rule()
    make_channel()
    play([make_watched()], "down")
    patch(api, rule, **PACE)

    assert Alert.objects.get().resolve_reason == "rule_changed"
    assert Delivery.objects.count() == 1


def test_a_saved_rule_emits_nothing(api: APIClient) -> None:
    make_channel()
    play([make_watched()], "down", minutes_ago(5))
    rule = make_rule()
    patch(api, rule, name="New", notify_in_app=False, remind_every_minutes=1)

    assert not Alert.objects.exists()
    assert not Delivery.objects.exists()


def test_a_deleted_rule_leaves_its_history(api: APIClient) -> None:
    rule = make_rule(name="All of them")
    play([make_watched()], "down")
    assert api.delete(url(rule)).status_code == 204

    [item] = api.get(f"/api/v1/alerts?rule_id={rule.pk}").json()["items"]
    assert (item["rule_name"], item["rule_type"]) == ("All of them", "any_model_down")
    assert (item["state"], item["resolve_reason"]) == ("resolved", "rule_deleted")
    assert api.get(url(rule)).status_code == 404
