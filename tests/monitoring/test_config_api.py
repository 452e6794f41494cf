from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone
from rest_framework.test import APIClient

from models_app.prompts import PROMPT_PACKS
from monitoring.models import CONFIG_ID, MonitoringConfig

pytestmark = pytest.mark.django_db
URL = "/api/v1/monitoring/config"
NEVER_STORED = [
    {"interval_minutes": 0},
    {"interval_minutes": 10_081},
    {"interval_minutes": 10**30},
    {"interval_minutes": "5"},
    {"interval_minutes": 5.5},
    {"interval_minutes": True},
    {"interval_minutes": None},
    {"prompt_pack": "haiku"},
    {"prompt_pack": None},
    {"prompt_pack": ["health_check"]},
    {"enabled": 1},
    {"enabled": None},
    {"max_tokens": 0},
    {"global_concurrency": 0},
    {"provider_concurrency": -1},
    {"llm_concurrency": 0},
    {"jitter_s": -1},
    {"confirmation_pauses_s": [1, -1]},
    {"confirmation_pauses_s": [1] * 6},
    {"confirmation_pauses_s": "2,5"},
    {"canaries": {"haiku": "x"}},
    {"canaries": {"health_check": ""}},
    {"canaries": {"health_check": "x" * 501}},
    {"canaries": ["20"]},
    {"monthly_cap_usd": -1},
    {"monthly_cap_usd": "5"},
    {"raw_days": 0},
    {"hourly_days": None},
    {"daily_days": 0},
    {"intervall_minutes": 5},
    [],
    "text",
]


def test_the_configuration_has_defaults_before_anybody_touches_it(api: APIClient) -> None:
    body = api.get(URL).json()
    assert {name: body[name] for name in body if not name.endswith("_at")} == {
        "id": str(CONFIG_ID),
        "interval_minutes": 15,
        "prompt_pack": "health_check",
        "enabled": True,
        "max_tokens": 100,
        "global_concurrency": 100,
        "provider_concurrency": 50,
        "llm_concurrency": 1,
        "jitter_s": 15,
        "confirmation_pauses_s": [2.0, 5.0],
        "canaries": {},
        "monthly_cap_usd": None,
        "budget_paused": False,
        "raw_days": 30,
        "hourly_days": 365,
        "daily_days": None,
    }
    assert body["last_run_at"] is None
    assert body["created_at"].endswith("Z")


def test_a_patch_changes_what_it_names_and_nothing_else(api: APIClient) -> None:
    answer = api.patch(URL, {"interval_minutes": 5, "prompt_pack": "reasoning"}, format="json")
    assert answer.status_code == 200
    assert (answer.json()["interval_minutes"], answer.json()["prompt_pack"]) == (5, "reasoning")
    assert answer.json()["enabled"] is True
    assert answer.json() == api.get(URL).json()


def test_what_was_read_may_be_sent_back(api: APIClient) -> None:
    body = api.get(URL).json()
    answer = api.patch(URL, body, format="json")
    assert answer.status_code == 200
    assert answer.json() | {"updated_at": None} == body | {"updated_at": None}


def test_a_changed_interval_takes_effect_at_once(api: APIClient) -> None:
    soon = timezone.now() + timedelta(minutes=50)
    MonitoringConfig.load()
    MonitoringConfig.objects.update(interval_minutes=60, next_due_at=soon)
    api.patch(URL, {"interval_minutes": 1}, format="json")
    assert MonitoringConfig.load().slot_due(timezone.now()) is not None


@pytest.mark.parametrize("body", NEVER_STORED, ids=str)
def test_a_bad_value_is_refused_and_nothing_is_stored(api: APIClient, body: Any) -> None:
    before = api.get(URL).json()
    answer = api.patch(URL, body, format="json")
    assert answer.status_code == 400
    assert answer.json()["detail"]
    assert api.get(URL).json() == before


def test_an_unknown_prompt_pack_is_answered_with_the_known_ones(api: APIClient) -> None:
    body = api.patch(URL, {"prompt_pack": "haiku"}, format="json").json()
    sentence = f"Must be one of: {', '.join(PROMPT_PACKS)}."
    assert body == {"detail": f"prompt_pack: {sentence}", "errors": {"prompt_pack": [sentence]}}


@pytest.mark.parametrize("method", ["put", "post", "delete"])
def test_the_configuration_can_only_be_read_and_patched(api: APIClient, method: str) -> None:
    assert getattr(api, method)(URL, {}, format="json").status_code == 405


def test_the_prompt_packs_are_listed_with_their_prompts(api: APIClient) -> None:
    body = api.get("/api/v1/monitoring/prompt-packs").json()
    assert [pack["id"] for pack in body] == [
        "health_check",
        "shakespeare",
        "synthetic_short",
        "synthetic_medium",
        "synthetic_long",
        "code_generation",
        "reasoning",
    ]
    assert body[0] == {
        "id": "health_check",
        "name": "Health check",
        "prompt": PROMPT_PACKS["health_check"].prompt,
        "expected_tokens": 30,
        "built_in": True,
    }
