from __future__ import annotations

from typing import Any

import pytest
from rest_framework.test import APIClient

from models_app.connection import cheapest_first, completing_first
from providers.simulator import Simulator
from tests.make import make_account, make_llm
from tests.models_app.conftest import KEY

pytestmark = pytest.mark.django_db
URL = "/api/v1/providers"


def verdict_on(api: APIClient, base_url: str, key: str = KEY, **fields: Any) -> dict[str, Any]:
    asked = {
        "provider_type": "custom_openai_compatible",
        "display_name": "Not yet",
        "credentials": {"api_key": key, "base_url": base_url},
    } | fields
    answer = api.post(f"{URL}/test-connection", asked, format="json")
    assert answer.status_code == 200
    assert set(answer.json()) == {"success", "message", "details"}
    found: dict[str, Any] = answer.json()
    return found


def test_a_working_account_lists_models_and_answers(api: APIClient, simulator: Simulator) -> None:
    verdict = verdict_on(api, f"{simulator.base_url}/v1", model="sim-fast")
    assert verdict["success"] is True, verdict
    assert verdict["details"]["model_tested"] == "sim-fast"
    assert verdict["details"]["models_found"] > 5
    assert verdict["details"]["ttft_ms"] > 0


def test_a_connection_is_tested_before_it_has_a_name(api: APIClient) -> None:
    asked = {"provider_type": "lm_studio", "credentials": {"base_url": "http://127.0.0.1:1/v1"}}
    answer = api.post(f"{URL}/test-connection", asked, format="json")
    assert (answer.status_code, answer.json()["details"]["error_class"]) == (200, "connect")


def test_a_refused_key_is_the_cause_and_is_not_shown(api: APIClient, simulator: Simulator) -> None:
    verdict = verdict_on(api, f"{simulator.base_url}/v1", key="sk-wrong-key-9876543210")
    assert verdict["success"] is False
    assert verdict["details"]["error_class"] == "auth"
    assert "9876543210" not in str(verdict)


@pytest.mark.parametrize(
    ("address", "error_class"),
    [
        ("http://127.0.0.1:1/v1", "connect"),
        ("http://no-such-host.invalid/v1", "dns"),
    ],
)
def test_an_address_where_nobody_is_says_so(api: APIClient, address: str, error_class: str) -> None:
    verdict = verdict_on(api, address)
    assert verdict["success"] is False
    assert verdict["details"]["error_class"] == error_class
    assert len(verdict["message"]) > 20


def test_a_model_that_is_broken_is_the_cause(api: APIClient, simulator: Simulator) -> None:
    verdict = verdict_on(api, f"{simulator.base_url}/v1", model="sim-down")
    assert verdict["success"] is False
    assert verdict["details"]["error_class"] == "overloaded"


def test_a_stored_account_is_tested_with_a_monitored_model(
    api: APIClient, simulator: Simulator
) -> None:
    account = make_account(
        {"api_key": KEY, "base_url": f"{simulator.base_url}/v1"},
        provider_type="custom_openai_compatible",
    )
    make_llm(account, "sim-steady", enabled_for_monitoring=True)
    verdict = api.post(f"{URL}/{account.pk}/test").json()
    assert verdict["success"] is True
    assert verdict["details"]["model_tested"] == "sim-steady"


def test_the_cheapest_chat_models_are_asked_first() -> None:
    listed = ["gpt-4o", "text-embedding-3-small", "gpt-4o-mini", "whisper-1", "llama-3.1-8b"]
    assert cheapest_first(listed) == ["gpt-4o-mini", "llama-3.1-8b", "gpt-4o"]


def test_older_completions_are_tried_with_models_that_complete() -> None:
    listed = ["gpt-4o", "gpt-3.5-turbo-instruct", "o4-mini"]
    assert completing_first(listed)[0] == "gpt-3.5-turbo-instruct"
