from __future__ import annotations

from collections.abc import Callable

import pytest
from pytest_django import DjangoAssertNumQueries

from monitoring.models import MonitoringConfig
from providers.catalog import CATALOG
from tests.make import make_account, make_check, make_llm

pytestmark = pytest.mark.django_db
Read = Callable[[str], str]


def test_accounts_are_listed_with_their_models(
    text_of: Read, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    MonitoringConfig.load()
    account = make_account(display_name="North")
    make_check(make_llm(account, enabled_for_monitoring=True), status="down")
    make_llm(account, enabled_for_benchmark=False)
    with django_assert_num_queries(8):
        text = text_of("/providers")
    cells = text.split('data-label="Models" class="number">')[1]
    assert cells.startswith("2</td>")
    assert 'data-label="Monitored" class="number">1</td>' in cells
    assert '<span class="status down">' in cells
    assert ">OpenAI</td>" in text


@pytest.mark.parametrize("provider", [spec.id for spec in CATALOG.values() if spec.tested])
def test_the_form_of_a_provider_asks_for_its_credentials(text_of: Read, provider: str) -> None:
    text = text_of(f"/providers?type={provider}")
    for field in CATALOG[provider].credential_fields:
        assert f'name="credentials.{field.name}"' in text
    key = text.split('name="credentials.api_key"')[1].split(">")[0]
    assert 'type="password"' in key
    assert 'autocomplete="off"' in key


def test_providers_that_cannot_work_are_not_offered(text_of: Read) -> None:
    text = text_of("/providers")
    for spec in CATALOG.values():
        assert (f'<option value="{spec.id}"' in text) == spec.supported


def test_an_account_shows_its_models_and_never_its_key(text_of: Read) -> None:
    account = make_account({"api_key": "sk-very-secret"}, display_name="North")
    llm = make_llm(account, "a-model")
    text = text_of(f"/providers/{account.pk}")
    assert f'data-url="/api/v1/models/{llm.pk}"' in text
    assert "its 1 model and all their checks?" in text
    assert "sk-very-secret" not in text + text_of("/providers")


def test_an_account_without_models_says_what_to_do(text_of: Read) -> None:
    account = make_account()
    assert "No model is known yet" in text_of(f"/providers/{account.pk}")
    assert "No model of this account matches" in text_of(f"/providers/{account.pk}?q=x")
