from __future__ import annotations

from typing import Any
from uuid import UUID

import pytest
from django.db import DatabaseError, connection, transaction
from django.test.utils import CaptureQueriesContext
from rest_framework.test import APIClient

from benchmarks.models import BenchmarkRun
from models_app.models import LLM
from providers.models import ProviderAccount
from providers.serializers import ProviderPatch
from tests.make import make_account, make_llm, make_result, make_run

pytestmark = pytest.mark.django_db
URL = "/api/v1/providers"
KEY = "sk-very-secret-0123456789"


def body(**fields: Any) -> dict[str, Any]:
    return {
        "provider_type": "openai",
        "display_name": "OpenAI Production",
        "credentials": {"api_key": KEY},
    } | fields


def test_an_account_is_created_without_showing_its_key(api: APIClient) -> None:
    answer = api.post(URL, body(), format="json")
    account = ProviderAccount.objects.get()
    assert answer.status_code == 201
    assert answer.json() == {
        "id": str(account.pk),
        "provider_type": "openai",
        "display_name": "OpenAI Production",
        "enabled": True,
        "base_url": None,
        "region": None,
        "created_at": account.created_at.isoformat().replace("+00:00", "Z"),
        "updated_at": account.updated_at.isoformat().replace("+00:00", "Z"),
    }
    assert account.credentials == {"api_key": KEY}


def test_the_key_is_in_no_column_and_no_repr(api: APIClient) -> None:
    api.post(URL, body(), format="json")
    account = ProviderAccount.objects.get()
    with connection.cursor() as cursor:
        cursor.execute("SELECT * FROM providers_provideraccount")
        assert KEY not in str(cursor.fetchall())
    assert KEY not in f"{account!r} {account} {account.endpoint!r}"


def test_accounts_are_listed_in_the_order_of_their_creation(
    api: APIClient, django_assert_num_queries: Any
) -> None:
    accounts = [make_account(display_name=name) for name in ("b", "a", "c")]
    with django_assert_num_queries(2):
        answer = api.get(URL).json()
    assert [each["id"] for each in answer["providers"]] == [str(each.pk) for each in accounts]
    assert answer["total"] == 3


def test_an_address_and_a_region_are_shown_and_nothing_else(api: APIClient) -> None:
    local = make_account({"base_url": "http://localhost:11434"}, provider_type="ollama")
    cloud = make_account({"api_key": KEY, "region": "us-east-1"}, provider_type="aws_bedrock")
    assert api.get(f"{URL}/{local.pk}").json()["base_url"] == "http://localhost:11434"
    assert api.get(f"{URL}/{cloud.pk}").json()["region"] == "us-east-1"
    assert KEY not in api.get(URL).content.decode()


def test_a_patch_of_credentials_replaces_the_named_fields_only(api: APIClient) -> None:
    account = make_account({"api_key": KEY, "organization": "org-1"})
    patch = {"credentials": {"api_key": "sk-new-0123456789"}}
    assert api.patch(f"{URL}/{account.pk}", patch, format="json").status_code == 200
    account.refresh_from_db()
    assert account.credentials == {"api_key": "sk-new-0123456789", "organization": "org-1"}


def test_a_key_is_not_led_to_another_host_without_being_sent_again(api: APIClient) -> None:
    stored = {"api_key": KEY, "base_url": "http://localhost:8001/v1"}
    account = make_account(stored, provider_type="custom_openai_compatible")
    moved = {"credentials": {"base_url": "http://elsewhere.example/v1"}}
    answer = api.patch(f"{URL}/{account.pk}", moved, format="json")
    assert answer.status_code == 400
    account.refresh_from_db()
    assert account.credentials == stored


def test_changes_at_the_same_time_do_not_undo_each_other(api: APIClient) -> None:
    account = make_account({"api_key": KEY})
    late = ProviderPatch(
        ProviderAccount.objects.get(), data={"display_name": "Renamed"}, partial=True
    )
    late.is_valid(raise_exception=True)
    api.patch(f"{URL}/{account.pk}", {"credentials": {"api_key": "sk-0123456789"}}, format="json")
    late.save()
    account.refresh_from_db()
    assert (account.display_name, account.credentials) == ("Renamed", {"api_key": "sk-0123456789"})


def test_a_deleted_account_does_not_come_back_with_a_late_change(api: APIClient) -> None:
    account = make_account()
    late = ProviderPatch(
        ProviderAccount.objects.get(), data={"display_name": "Renamed"}, partial=True
    )
    late.is_valid(raise_exception=True)
    api.delete(f"{URL}/{account.pk}")
    with pytest.raises(DatabaseError), transaction.atomic():
        late.save()
    assert not ProviderAccount.objects.exists()


def test_what_a_provider_was_taught_is_forgotten_with_new_credentials(api: APIClient) -> None:
    account = make_account()
    account.learn(stream_options=False)
    assert account.endpoint.stream_options is False
    api.patch(f"{URL}/{account.pk}", {"credentials": {"api_key": "sk-0123456789"}}, format="json")
    account.refresh_from_db()
    assert account.endpoint.stream_options is True


def test_an_answer_to_old_credentials_teaches_the_new_ones_nothing(api: APIClient) -> None:
    asked = make_account()
    api.patch(f"{URL}/{asked.pk}", {"credentials": {"api_key": "sk-0123456789"}}, format="json")
    asked.learn(stream_options=False)
    asked.refresh_from_db()
    assert asked.quirks == {}


def test_an_account_is_deleted_with_its_models(api: APIClient) -> None:
    llm = make_llm()
    answer = api.delete(f"{URL}/{llm.account_id}")
    assert (answer.status_code, answer.content) == (204, b"")
    assert not LLM.objects.exists()


@pytest.mark.parametrize("has_result", [True, False])
def test_an_account_with_benchmark_history_stays(api: APIClient, has_result: bool) -> None:
    llm = make_llm()
    run = make_run(llm, status=BenchmarkRun.Status.COMPLETED)
    if has_result:
        make_result(run, llm)
    answer = api.delete(f"{URL}/{llm.account_id}")
    assert answer.status_code == 409
    assert "history" in answer.json()["detail"]
    assert LLM.objects.filter(pk=llm.pk).exists()


def test_an_account_sealed_with_a_lost_key_is_still_listed(api: APIClient, settings: Any) -> None:
    account = make_account({"base_url": "http://localhost:1/v1"}, provider_type="lm_studio")
    settings.ENCRYPTION_KEYS = ["MDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDA="]
    assert api.get(URL).json()["providers"][0]["base_url"] is None
    answer = api.post(f"{URL}/{account.pk}/test")
    assert answer.status_code == 200
    assert answer.json()["success"] is False
    assert "ENCRYPTION_KEY" in answer.json()["message"]


def test_a_new_encryption_key_in_front_reads_what_the_old_one_sealed(settings: Any) -> None:
    account = make_account({"api_key": KEY})
    new = "MDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDA="
    settings.ENCRYPTION_KEYS = [new, *settings.ENCRYPTION_KEYS]
    assert account.credentials["api_key"] == KEY


def test_a_type_that_cannot_be_served_is_refused_with_a_sentence(api: APIClient) -> None:
    answer = api.post(URL, body(provider_type="replicate"), format="json")
    assert answer.status_code == 400
    assert len(answer.json()["errors"]["provider_type"][0]) > 30


def test_the_catalog_names_every_provider_and_what_it_needs(api: APIClient) -> None:
    with CaptureQueriesContext(connection) as queries:
        catalog = api.get(f"{URL}/catalog").json()
    assert (catalog["total"], len(catalog["providers"])) == (105, 105)
    assert catalog["tested_count"] == sum(each["tested"] for each in catalog["providers"].values())
    assert catalog["tested_count"] == 16
    ollama = catalog["providers"]["ollama"]
    assert [field["name"] for field in ollama.pop("credential_fields")][:2] == [
        "api_key",
        "base_url",
    ]
    assert ollama.pop("notes").startswith("Chat goes to /v1")
    assert ollama == {
        "id": "ollama",
        "label": "Ollama",
        "tested": True,
        "requires_api_key": False,
        "requires_base_url": True,
        "requires_region": False,
        "show_org_fields": False,
        "default_base_url": "http://host.docker.internal:11434",
        "api_key_label": None,
        "base_url_label": "Base URL",
        "region_options": [],
        "supported": True,
        "unsupported_reason": None,
        "protocol": "openai",
        "env_key": "OLLAMA_API_KEY",
    }
    assert ["us-east-1", "US East (N. Virginia)"] in (
        catalog["providers"]["aws_bedrock"]["region_options"]
    )
    assert len(queries) == 0


def test_the_catalog_says_what_cannot_be_served_and_why(api: APIClient) -> None:
    providers = api.get(f"{URL}/catalog").json()["providers"]
    refused = {
        each["id"]: each["unsupported_reason"]
        for each in providers.values()
        if not each["supported"]
    }

    assert set(refused) == {
        *("replicate", "nlp_cloud", "petals", "triton"),
        *("github_copilot", "chatgpt", "scaledown"),
    }
    for provider_type, reason in refused.items():
        body = {"provider_type": provider_type, "display_name": "x"}
        answer = api.post(URL, body, format="json")
        assert answer.status_code == 400
        assert reason in answer.json()["errors"]["provider_type"][0]


def test_ids_are_version_7_so_that_rows_lie_in_order() -> None:
    assert UUID(str(make_account().pk)).version == 7
