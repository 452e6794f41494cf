from __future__ import annotations

import json
from typing import Any

import pytest
from django.apps import apps
from django.contrib import admin
from django.contrib.auth.models import User
from django.db import connection, models
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from alerts.models import Alert, PerformanceBaseline
from models_app.models import LLM
from monitoring.models import CheckRollup, ReportedModel
from providers.models import ProviderAccount
from tests.make import make_account, make_alert, make_check, make_llm, make_result, make_run

OURS = ("api", "providers", "models_app", "monitoring", "benchmarks", "alerts")
KEY = "sk-admin-secret-0123456789"


@pytest.fixture
def operator(db: None) -> Client:
    client = Client(headers={"host": "localhost"})
    client.force_login(User.objects.create_superuser("operator"))
    return client


def registered() -> list[type[models.Model]]:
    return [model for model in admin.site._registry if model._meta.app_label in OURS]


def fill(count: int) -> None:
    for _ in range(count):
        llm = make_llm(make_account({"api_key": KEY}))
        make_check(llm)
        make_result(make_run(llm), llm)
        make_alert(llm=llm)


def url_of(model: type[models.Model], page: str, *args: Any) -> str:
    return reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_{page}", args=args)


@pytest.mark.parametrize("label", OURS)
def test_every_model_has_a_page_or_a_table_on_one(label: str) -> None:
    shown: set[type[models.Model]] = set(registered())
    for site in admin.site._registry.values():
        shown |= {inline.model for inline in site.inlines}
    assert set(apps.get_app_config(label).get_models()) <= shown


@pytest.mark.parametrize("model", registered(), ids=lambda model: model._meta.label)
def test_every_page_opens_and_shows_no_key(operator: Client, model: type[models.Model]) -> None:
    fill(2)
    pages = [url_of(model, "changelist")]
    row = model._default_manager.first()
    if row is not None:
        pages.append(url_of(model, "change", row.pk))
    for page in [*pages, f"{pages[0]}?q=x"]:
        answer = operator.get(page, follow=True)
        assert answer.status_code == 200, page
        assert KEY not in answer.content.decode()


@pytest.mark.parametrize("model", registered(), ids=lambda model: model._meta.label)
def test_a_list_costs_the_same_with_more_rows(operator: Client, model: type[models.Model]) -> None:
    fill(1)
    operator.get(url_of(model, "changelist"))
    few = queries_of(operator, model)
    fill(4)
    assert queries_of(operator, model) <= few


def queries_of(operator: Client, model: type[models.Model]) -> int:
    with CaptureQueriesContext(connection) as captured:
        operator.get(url_of(model, "changelist"))
    return len(captured)


def test_an_account_is_deleted_with_all_that_was_recorded_of_it(operator: Client) -> None:
    llm = make_llm(make_account())
    now = timezone.now()
    make_check(llm)
    make_alert(llm=llm)
    facts = {"prompt_pack": "reasoning", "metric": "ttft_ms", "days": 14}
    PerformanceBaseline.objects.create(llm=llm, computed_at=now, **facts)
    CheckRollup.objects.create(llm=llm, span="h", start=now)
    ReportedModel.objects.create(llm=llm, first_seen_at=now, current_since=now)
    operator.post(url_of(ProviderAccount, "delete", llm.account_id), {"post": "yes"})
    assert not ProviderAccount.objects.exists()
    assert Alert.objects.count() == 1


def account_form(**fields: Any) -> dict[str, Any]:
    return {
        "provider_type": "openai",
        "display_name": "Made here",
        "enabled": "on",
        "new_credentials": json.dumps({"api_key": KEY}),
    } | fields


def test_an_account_is_made_and_its_key_stays_when_the_box_is_left_empty(
    operator: Client, django_capture_on_commit_callbacks: Any
) -> None:
    operator.post(url_of(ProviderAccount, "add"), account_form())
    account = ProviderAccount.objects.get()
    change = url_of(ProviderAccount, "change", account.pk)
    assert KEY not in operator.get(change).content.decode()
    operator.post(change, account_form(display_name="Renamed", new_credentials=""))
    account.refresh_from_db()
    assert (account.display_name, account.credentials) == ("Renamed", {"api_key": KEY})


@pytest.mark.parametrize(
    "text",
    ["{", "[" * 100_000, "[1]", '{"api_key": ""}', '{"nonsense": "x"}'],
    ids=["half", "deep", "a list", "empty", "unknown"],
)
def test_bad_credentials_are_refused_with_a_sentence(operator: Client, text: str) -> None:
    answer = operator.post(url_of(ProviderAccount, "add"), account_form(new_credentials=text))
    assert answer.status_code == 200
    assert "errorlist" in answer.content.decode()
    assert not ProviderAccount.objects.exists()


def run_action(operator: Client, model: type[models.Model], name: str, *pks: Any) -> str:
    chosen = {"action": name, "_selected_action": [str(pk) for pk in pks]}
    answer = operator.post(url_of(model, "changelist"), chosen, follow=True)
    return answer.content.decode()


def test_monitoring_is_switched_for_many_models_at_once(operator: Client) -> None:
    llms = [make_llm(), make_llm()]
    said = run_action(operator, LLM, "monitor", *[llm.pk for llm in llms])
    assert "2 models" in said
    assert LLM.objects.filter(enabled_for_monitoring=True).count() == 2


def test_alerts_are_acknowledged_and_cannot_be_edited(operator: Client) -> None:
    alert = make_alert()
    assert "1 alerts acknowledged" in run_action(operator, Alert, "acknowledge", alert.pk)
    alert.refresh_from_db()
    assert alert.acknowledged
    answer = operator.post(url_of(Alert, "change", alert.pk), {"message": "x"})
    assert answer.status_code == 403


def test_a_connection_test_from_the_admin_says_its_cause(operator: Client) -> None:
    account = make_account(
        {"base_url": "http://127.0.0.1:1/v1", "api_key": KEY},
        provider_type="custom_openai_compatible",
    )
    said = run_action(operator, ProviderAccount, "test_accounts", account.pk)
    assert "127.0.0.1:1" in said
    assert KEY not in said


def test_accounts_beyond_the_fifth_are_named_and_not_asked(operator: Client) -> None:
    nobody = {"base_url": "http://127.0.0.1:1/v1"}
    accounts = [
        make_account(nobody, provider_type="lm_studio", display_name=f"No. {number}")
        for number in range(7)
    ]
    pks = [account.pk for account in accounts]
    for action in ("test_accounts", "refresh_accounts"):
        said = run_action(operator, ProviderAccount, action, *pks)
        assert said.count("refused the connection") == 5
        assert "Not asked, too many at once: " in said
