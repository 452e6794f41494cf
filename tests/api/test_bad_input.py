"""Every writing endpoint against everything a client may send by mistake."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any
from uuid import uuid4

import pytest
from django.apps import apps
from django.db.models.signals import pre_save
from rest_framework.test import APIClient

from alerts.models import AlertRule
from benchmarks.models import BenchmarkRun
from models_app.models import LLM
from tests.api.hostile import BODIES, WRONG_VALUES, is_sentence
from tests.make import make_account, make_llm, make_rule

pytestmark = pytest.mark.django_db

WRITES: list[tuple[str, str, list[str]]] = [
    ("post", "/api/v1/providers", ["provider_type", "display_name", "credentials", "enabled"]),
    ("patch", "/api/v1/providers/{account}", ["display_name", "credentials", "enabled"]),
    ("post", "/api/v1/providers/test-connection", ["provider_type", "credentials"]),
    ("post", "/api/v1/models", ["provider_account_id", "model_id", "custom_name", "metadata"]),
    ("patch", "/api/v1/models/{llm}", ["custom_name", "enabled_for_monitoring"]),
    ("patch", "/api/v1/monitoring/config", ["interval_minutes", "prompt_pack", "enabled"]),
    ("post", "/api/v1/benchmarks", ["model_ids", "prompt_pack", "max_tokens", "num_runs"]),
    ("post", "/api/v1/benchmarks", ["concurrency_per_llm", "arrivals", "cache_busting", "slo"]),
    ("post", "/api/v1/benchmarks/schedules", ["model_ids", "name", "cron", "every_hours"]),
    ("patch", "/api/v1/benchmarks/schedules/{schedule}", ["cron", "every_hours", "enabled"]),
    ("post", "/api/v1/monitoring/prompt-packs", ["id", "name", "prompt", "expected_tokens"]),
    ("patch", "/api/v1/monitoring/prompt-packs/{pack}", ["name", "prompt", "expected_tokens"]),
    ("post", "/api/v1/alerts/rules", ["name", "rule_type", "target_model_id", "threshold_config"]),
    ("patch", "/api/v1/alerts/rules/{rule}", ["name", "enabled", "notify_in_app"]),
    ("post", "/api/v1/alerts/rules/replay", ["rule_type", "target_model_id", "threshold_config"]),
    ("patch", "/api/v1/alerts/rules/{rule}", ["webhook_url", "remind_every_minutes"]),
    ("patch", "/api/v1/alerts/rules/{rule}", ["channel_ids"]),
    ("post", "/api/v1/alerts/channels", ["kind", "name", "config", "enabled", "rule_ids"]),
    ("patch", "/api/v1/alerts/channels/{channel}", ["name", "config", "enabled", "all_rules"]),
    ("post", "/api/v1/alerts/silences", ["name", "model_id", "weekdays", "start_time"]),
    ("patch", "/api/v1/alerts/silences/{silence}", ["name", "ends_at", "duration_minutes"]),
    ("patch", "/api/v1/alerts/settings", ["heartbeat_url", "heartbeat_every_s"]),
    ("post", "/api/v1/alerts/acknowledge", ["ids", "filter", "note"]),
    ("patch", "/api/v1/alerts/{alert}/acknowledge", ["note"]),
]
# What a field does accept among WRONG_VALUES, and is therefore no mistake.
ACCEPTED: dict[str, list[Any]] = {
    "credentials": [{}],
    "metadata": [None, {}],
    "custom_name": [None],
    "enabled": [True],
    "enabled_for_monitoring": [True],
    "notify_in_app": [True],
    "interval_minutes": [1],
    "num_runs": [1],
    "concurrency_per_llm": [1],
    "cache_busting": [True],
    "slo": [{}],
    "cron": [None],
    "every_hours": [None, 1],
    "expected_tokens": [1],
    "prompt": ["x" * 10_001],
    "max_tokens": [1],
    "target_model_id": [None],
    "threshold_config": [None, {}],
    "webhook_url": [None],
    "remind_every_minutes": [None, 1],
    "channel_ids": [[]],
    "rule_ids": [[]],
    "config": [{}],
    "all_rules": [True],
    "model_id": [None],
    "weekdays": [[]],
    "start_time": [None],
    "ends_at": [None],
    "duration_minutes": [None, 1],
    "heartbeat_url": [None],
    "filter": [{}],
}


@pytest.fixture
def nothing_stored(places: dict[str, str], api: APIClient) -> Iterator[None]:
    api.get("/api/v1/monitoring/config")
    before = stored()
    yield
    assert stored() == before


def stored() -> dict[str, list[dict[str, Any]]]:
    labels = ("providers", "models_app", "monitoring", "benchmarks", "alerts")
    models = [model for label in labels for model in apps.get_app_config(label).get_models()]
    return {m._meta.label: list(m._default_manager.order_by("pk").values()) for m in models}


@pytest.mark.parametrize(
    ("method", "url", "kind"),
    [(m, u, kind) for m, u, _ in WRITES for kind in BODIES if (m, kind) != ("patch", "nothing")],
)
@pytest.mark.usefixtures("nothing_stored")
def test_a_broken_body_is_a_400_and_nothing_is_stored(
    api: APIClient, places: dict[str, str], method: str, url: str, kind: str
) -> None:
    send = getattr(api, method)
    answer = send(url.format(**places), BODIES[kind], content_type="application/json")
    assert answer.status_code == 400
    assert is_sentence(answer)


@pytest.mark.parametrize(
    ("method", "url", "field"), [(m, u, f) for m, u, fields in WRITES for f in fields]
)
@pytest.mark.usefixtures("nothing_stored")
def test_a_wrong_value_is_a_400_that_names_the_field(
    api: APIClient, places: dict[str, str], method: str, url: str, field: str
) -> None:
    good = {
        "provider_type": "openai",
        "display_name": "x",
        "credentials": {"api_key": "k-12345678"},
    }
    for value in WRONG_VALUES:
        if any(value is ok or (value == ok and type(value) is type(ok)) for ok in accepted(field)):
            continue
        body = (good if "provider" in url and method == "post" else {}) | {field: value}
        answer = getattr(api, method)(url.format(**places), body, format="json")
        assert answer.status_code == 400, (field, value, answer.content)
        assert any(name.split(".")[0] == field for name in answer.json()["errors"]), answer.json()


def accepted(field: str) -> list[Any]:
    return ACCEPTED.get(field, [])


@pytest.mark.parametrize(
    "url",
    [
        "/api/v1/providers/{id}",
        "/api/v1/models/{id}",
        "/api/v1/benchmarks/{id}",
        "/api/v1/benchmarks/{id}/results",
        "/api/v1/benchmarks/{id}/export",
        "/api/v1/benchmarks/{id}/comparison",
        "/api/v1/benchmarks/{id}/report",
        "/api/v1/benchmarks/{id}/manifest",
        "/api/v1/benchmarks/schedules/{id}",
        "/api/v1/monitoring/prompt-packs/{id}",
        "/api/v1/alerts/rules/{id}",
        "/api/v1/alerts/channels/{id}",
        "/api/v1/alerts/deliveries/{id}",
        "/api/v1/alerts/silences/{id}",
        "/api/v1/alerts/{id}/events",
        "/api/v1/alerts/{id}",
        "/api/v1/monitoring/runs/{id}",
        "/api/v1/nothing/here",
        "/api/v1/providers/",
    ],
)
def test_what_does_not_exist_is_a_404_in_json(api: APIClient, url: str) -> None:
    for name in (str(uuid4()), "not-a-uuid", "%00", "%ED%A0%80", "9" * 5000):
        answer = api.get(url.format(id=name))
        assert answer.status_code == 404
        assert is_sentence(answer)


@pytest.mark.parametrize(
    "query",
    [
        "models?limit=0",
        "models?limit=501",
        "models?limit=x",
        "models?offset=-1",
        "models?offset=99999999999999999999",
        "models?provider_id=x",
        "models?enabled_for_monitoring=perhaps",
        "models?search=%00",
        "models?search=" + "x" * 501,
        "monitoring/uptime?status=sideways",
        "monitoring/uptime?since=yesterday",
        "monitoring/uptime?since=9999-99-99",
        "monitoring/uptime?model_id=7",
        "monitoring/uptime?limit=10001",
        "monitoring/uptime/export",
        "monitoring/uptime/export?format=xml",
        "monitoring/uptime/export?format=csv&start_date=soon",
        "benchmarks?page=0",
        "benchmarks?per_page=101",
        "benchmarks?status=odd",
        "benchmarks/schedules?limit=201",
        "benchmarks/runs-needed",
        "alerts?acknowledged=perhaps",
        "alerts?rule_id=1",
        "alerts/recent?limit=51",
        "alerts?state=half-open",
        "alerts/incidents?state=odd",
        "alerts/incidents?since=x",
        "alerts/deliveries?status=lost",
        "alerts/channels?limit=501",
        "alerts/recent?limit=0",
    ],
)
def test_a_bad_query_parameter_is_a_400(api: APIClient, query: str) -> None:
    answer = api.get(f"/api/v1/{query}")
    assert answer.status_code == 400
    assert is_sentence(answer)


def test_a_method_that_is_not_offered_is_a_405(api: APIClient) -> None:
    for url in ("/api/v1/providers/catalog", "/api/v1/alerts/unread-count", "/health"):
        answer = api.delete(url)
        assert answer.status_code == 405
        assert is_sentence(answer)


def test_a_body_that_is_not_json_is_a_415(api: APIClient) -> None:
    answer = api.post("/api/v1/providers", "a=1", content_type="application/x-www-form-urlencoded")
    assert answer.status_code == 415
    assert is_sentence(answer)


def test_a_body_may_not_be_larger_than_the_limit(api: APIClient) -> None:
    body = json.dumps({"display_name": "x" * 6_000_000})
    answer = api.post("/api/v1/providers", body, content_type="application/json")
    assert answer.status_code in (400, 413)
    assert is_sentence(answer)


def test_what_was_read_may_be_sent_back(api: APIClient) -> None:
    account = make_account()
    read = api.get(f"/api/v1/providers/{account.pk}").json()
    answer = api.patch(f"/api/v1/providers/{account.pk}", read, format="json")
    assert answer.status_code == 200
    assert answer.json() == read | {"updated_at": answer.json()["updated_at"]}


@pytest.mark.parametrize("name", ["two\nlines", "a\x1b[31mred", "a\tb", "a\x7fb", "a\x9bb"])
def test_a_name_is_one_line_without_control_characters(api: APIClient, name: str) -> None:
    body = {"provider_type": "ollama", "display_name": name}
    answer = api.post("/api/v1/providers", body, format="json")
    assert answer.status_code == 400
    assert list(answer.json()["errors"]) == ["display_name"]


def test_a_prompt_has_as_many_lines_as_it_likes(api: APIClient) -> None:
    body = {"id": "own", "prompt": "one\n\ttwo\r\n", "expected_tokens": 5}
    answer = api.post("/api/v1/monitoring/prompt-packs", body, format="json")
    assert answer.status_code == 201
    assert answer.json()["prompt"] == body["prompt"]


def test_an_error_quotes_no_more_than_a_few_of_many_faults(api: APIClient) -> None:
    body = {"model_ids": ["x" * 5000] * 2000, "prompt_pack": "y" * 60_000, "z" * 5000: 1}
    answer = api.post("/api/v1/benchmarks", body, format="json")
    assert answer.status_code == 400
    assert is_sentence(answer)


@pytest.mark.django_db(transaction=True)
def test_a_model_that_goes_away_at_this_very_moment_is_a_conflict(api: APIClient) -> None:
    llm = make_llm()

    def vanish(**kwargs: Any) -> None:
        LLM.objects.filter(pk=llm.pk).delete()

    pre_save.connect(vanish, sender=BenchmarkRun)
    try:
        body = {"model_ids": [str(llm.pk)], "prompt_pack": "health_check"}
        answer = api.post("/api/v1/benchmarks", body, format="json")
    finally:
        pre_save.disconnect(vanish, sender=BenchmarkRun)
    assert answer.status_code == 409
    assert is_sentence(answer)
    assert not BenchmarkRun.objects.exists()


def test_a_change_of_a_rule_that_is_deleted_at_this_very_moment_is_a_conflict(
    api: APIClient,
) -> None:
    rule = make_rule()

    def vanish(**kwargs: Any) -> None:
        AlertRule.objects.filter(pk=rule.pk).delete()

    pre_save.connect(vanish, sender=AlertRule)
    try:
        answer = api.patch(f"/api/v1/alerts/rules/{rule.pk}", {"name": "Late"}, format="json")
    finally:
        pre_save.disconnect(vanish, sender=AlertRule)
    assert answer.status_code == 409
    assert is_sentence(answer)


def test_an_action_without_input_refuses_what_it_cannot_do(api: APIClient) -> None:
    url = "/api/v1/monitoring/run"
    answer = api.post(url, {"model_ids": ["gpt-4o"]}, format="json")
    assert answer.status_code == 400
    assert answer.json()["errors"] == {"model_ids": ["There is no such field. None is taken."]}
    for body in (b"", b"{}"):
        assert api.post(url, body, content_type="application/json").status_code == 200
