from __future__ import annotations

import pytest
from rest_framework.test import APIClient

from models_app.discovery import refresh
from models_app.models import LLM
from models_app.tasks import discover_models
from providers.models import ProviderAccount
from providers.simulator import Behaviour, Simulator, running_simulator
from tests.make import make_account
from tests.models_app.conftest import KEY

pytestmark = pytest.mark.django_db


def account_at(simulator: Simulator, provider_type: str, path: str = "") -> ProviderAccount:
    credentials = {"api_key": KEY, "base_url": simulator.base_url + path}
    if provider_type == "ollama":
        credentials = {"base_url": simulator.base_url}
    return make_account(credentials, provider_type=provider_type)


def refreshed(api: APIClient, account: ProviderAccount) -> dict[str, object]:
    answer = api.post(f"/api/v1/providers/{account.pk}/refresh-models")
    assert answer.status_code == 200
    found: dict[str, object] = answer.json()
    return found


@pytest.mark.parametrize(
    ("provider_type", "path"), [("custom_openai_compatible", "/v1"), ("anthropic", "")]
)
def test_models_are_discovered_on_both_wires(
    api: APIClient, simulator: Simulator, provider_type: str, path: str
) -> None:
    account = account_at(simulator, provider_type, path)
    verdict = refreshed(api, account)
    assert verdict["success"] is True
    assert verdict["models_discovered"] == account.llms.count() > 5
    assert set(account.llms.values_list("source", flat=True)) == {"discovered"}
    assert not account.llms.filter(enabled_for_monitoring=True).exists()
    assert not account.llms.filter(enabled_for_benchmark=False).exists()


def test_ollama_lists_its_tags(api: APIClient) -> None:
    with running_simulator() as open_simulator:
        account = account_at(open_simulator, "ollama")
        assert refreshed(api, account)["success"] is True
    assert account.llms.filter(upstream_id__contains="sim-fast").exists()


def test_a_second_discovery_changes_nothing_that_a_person_set(
    api: APIClient, simulator: Simulator
) -> None:
    account = account_at(simulator, "custom_openai_compatible", "/v1")
    discover_models(str(account.pk))
    chosen = account.llms.filter(upstream_id="sim-fast")
    chosen.update(custom_name="Mine", enabled_for_monitoring=True, enabled_for_benchmark=False)
    before = list(account.llms.values())
    assert refreshed(api, account)["models_discovered"] == len(before)
    assert list(account.llms.values()) == before


def test_a_model_that_is_no_longer_listed_keeps_its_row(
    api: APIClient, simulator: Simulator
) -> None:
    account = account_at(simulator, "custom_openai_compatible", "/v1")
    simulator.set_behaviour("short-lived", Behaviour())
    refreshed(api, account)
    simulator.remove_model("short-lived")
    refreshed(api, account)
    assert account.llms.filter(upstream_id="short-lived").exists()


def test_a_failed_discovery_says_why_and_stores_nothing(
    api: APIClient, simulator: Simulator
) -> None:
    account = make_account(
        {"api_key": "sk-wrong-key-9876543210", "base_url": f"{simulator.base_url}/v1"},
        provider_type="custom_openai_compatible",
    )
    verdict = refreshed(api, account)
    assert (verdict["success"], verdict["models_discovered"]) == (False, 0)
    assert "401" in str(verdict["message"])
    assert "9876543210" not in str(verdict["message"])
    assert not LLM.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_an_account_that_is_deleted_meanwhile_gets_no_models(simulator: Simulator) -> None:
    account = account_at(simulator, "custom_openai_compatible", "/v1")
    as_read_before = ProviderAccount.objects.get()
    account.delete()

    verdict = refresh(as_read_before)

    assert (verdict.success, verdict.message) == (False, "The account has been deleted meanwhile.")
    assert not LLM.objects.exists()
