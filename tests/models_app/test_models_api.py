from __future__ import annotations

from typing import Any

import pytest
from rest_framework.test import APIClient

from models_app.models import LLM
from tests.make import make_account, make_llm

pytestmark = pytest.mark.django_db
URL = "/api/v1/models"


def names(api: APIClient, query: str) -> list[str]:
    return [item["model_id"] for item in api.get(f"{URL}?{query}").json()["items"]]


def test_a_model_is_added_by_hand(api: APIClient) -> None:
    account = make_account(display_name="Prod")
    asked = {
        "provider_account_id": str(account.pk),
        "model_id": "org/model:v1.5",
        "custom_name": "Mine",
        "metadata": {"context_window": 128000},
    }
    answer = api.post(URL, asked, format="json")
    llm = LLM.objects.get()
    assert answer.status_code == 201
    assert answer.json() == {
        "id": str(llm.pk),
        "provider_account_id": str(account.pk),
        "provider_name": "Prod",
        "provider_type": "openai",
        "model_id": "org/model:v1.5",
        "custom_name": "Mine",
        "source": "manual",
        "enabled_for_monitoring": False,
        "enabled_for_benchmark": True,
        "monitoring_interval_minutes": None,
        "ttft_limit_ms": None,
        "latency_limit_ms": None,
        "expected_text": None,
        "model_metadata": {"context_window": 128000},
        "created_at": llm.created_at.isoformat().replace("+00:00", "Z"),
        "updated_at": llm.updated_at.isoformat().replace("+00:00", "Z"),
    }
    assert api.get(f"{URL}/{llm.pk}").json() == answer.json()


def test_the_same_model_twice_is_a_conflict(api: APIClient) -> None:
    llm = make_llm()
    asked = {"provider_account_id": str(llm.account_id), "model_id": llm.upstream_id}
    assert api.post(URL, asked, format="json").status_code == 409
    assert LLM.objects.count() == 1


def test_an_unknown_account_is_a_400(api: APIClient) -> None:
    asked = {"provider_account_id": "00000000-0000-4000-8000-000000000000", "model_id": "m"}
    answer = api.post(URL, asked, format="json")
    assert answer.status_code == 400
    assert answer.json()["errors"] == {
        "provider_account_id": ["There is no such provider account."]
    }


def test_a_page_says_how_much_there_is(api: APIClient, django_assert_num_queries: Any) -> None:
    account = make_account()
    for number in range(5):
        make_llm(account, f"m{number}")
    with django_assert_num_queries(2):
        page = api.get(f"{URL}?limit=2&offset=2").json()
    assert [item["model_id"] for item in page["items"]] == ["m2", "m3"]
    assert {k: page[k] for k in ("total", "has_more", "limit", "offset")} == {
        "total": 5,
        "has_more": True,
        "limit": 2,
        "offset": 2,
    }
    assert api.get(f"{URL}?limit=2&offset=4").json()["has_more"] is False
    assert api.get(URL).json()["limit"] == 50


@pytest.mark.parametrize("parameter", ["provider_id", "provider_account_id"])
def test_models_of_one_account_are_found_by_both_names(api: APIClient, parameter: str) -> None:
    mine, _ = make_llm(upstream_id="mine"), make_llm(upstream_id="other")
    assert names(api, f"{parameter}={mine.account_id}") == ["mine"]


def test_flags_filter_in_every_spelling_of_a_boolean(api: APIClient) -> None:
    make_llm(upstream_id="on", enabled_for_monitoring=True, enabled_for_benchmark=False)
    make_llm(upstream_id="off")
    for yes, no in (("true", "false"), ("True", "False"), ("1", "0")):
        assert names(api, f"enabled_for_monitoring={yes}") == ["on"]
        assert names(api, f"enabled_for_monitoring={no}") == ["off"]
        assert names(api, f"enabled_for_benchmark={no}") == ["on"]


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("GPT-4", ["gpt-4o", "x"]),
        ("4o", ["gpt-4o"]),
        ("MINE", ["x"]),
        ("%25", ["100%-llm"]),
        ("_", ["under_score"]),
        ("%5C", []),
        ("", ["gpt-4o", "x", "100%-llm", "under_score"]),
    ],
)
def test_search_is_literal_and_in_any_case(api: APIClient, text: str, found: list[str]) -> None:
    account = make_account()
    make_llm(account, "gpt-4o")
    make_llm(account, "x", custom_name="mine gpt-4")
    make_llm(account, "100%-llm")
    make_llm(account, "under_score")
    assert names(api, f"search={text}") == found


@pytest.mark.parametrize("text", ["größe", "GRÖẞE", "ÉLAN", "ПРОДАКШН", "продакшн 100%", "élan_"])
def test_search_knows_the_case_of_every_alphabet(api: APIClient, text: str) -> None:
    make_llm(make_account(), "x", custom_name="Größe Élan_ Продакшн 100%")
    make_llm(make_account(), "elan-groesse", custom_name="продакшн 1000")
    assert api.get(URL, {"search": text}).json()["total"] == (2 if text == "ПРОДАКШН" else 1)


def test_a_patch_changes_what_it_names_and_null_clears_the_custom_name(api: APIClient) -> None:
    llm = make_llm(custom_name="Mine")
    changed = api.patch(f"{URL}/{llm.pk}", {"enabled_for_monitoring": True}, format="json").json()
    assert (changed["enabled_for_monitoring"], changed["custom_name"]) == (True, "Mine")
    cleared = api.patch(f"{URL}/{llm.pk}", {"custom_name": None}, format="json").json()
    assert cleared["custom_name"] is None
