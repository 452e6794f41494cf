from __future__ import annotations

import pytest
from django.test import Client
from pytest_django import DjangoAssertNumQueries

from alerts.models import Channel
from providers.catalog import CATALOG
from tests.make import make_account, make_alert, make_llm, make_result, make_rule, make_run

pytestmark = pytest.mark.django_db


def text_of(browser: Client, url: str) -> str:
    answer = browser.get(url)
    assert answer.status_code == 200
    return answer.content.decode()


def test_without_a_benchmark_the_form_is_open(browser: Client) -> None:
    llm = make_llm(upstream_id="chosen-one")
    text = text_of(browser, f"/benchmarks?model={llm.pk}&model=nonsense")
    assert "No benchmark yet" in text
    assert f'<li data-id="{llm.pk}">chosen-one' in text


def test_without_a_model_no_benchmark_is_offered(browser: Client) -> None:
    assert "No model can be benchmarked yet" in text_of(browser, "/benchmarks")


def test_the_list_shows_states_and_progress_in_a_fixed_number_of_queries(
    browser: Client, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    llm = make_llm()
    for status in ("completed", "running", "failed"):
        make_result(make_run(llm, status=status, num_runs=4), llm)
    with django_assert_num_queries(6):
        text = text_of(browser, "/benchmarks")
    assert '<progress aria-label="Progress" max="4" value="1">' in text
    assert text.count("1 of 4") == 3


def test_a_run_shows_figures_per_model(
    browser: Client, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    quick, broken = make_llm(upstream_id="quick"), make_llm(upstream_id="broken")
    run = make_run(quick, broken, status="completed", num_runs=6)
    for ttft in (100, 110, 120, 130, 140, 900):
        make_result(run, quick, ttft_ms=float(ttft), tps=50.0)
        make_result(run, broken, error="The answer was cut off.", error_class="truncated")
    with django_assert_num_queries(6):
        text = text_of(browser, f"/benchmarks/{run.pk}")
    for written in ("125", "100–900", "≈", "The answer was cut off.", "answer cut off"):  # noqa: RUF001
        assert written in text, written
    assert f"/api/v1/benchmarks/{run.pk}/export?format=csv" in text


def test_fewer_than_five_values_have_no_percentile(browser: Client) -> None:
    llm = make_llm()
    run = make_run(llm, status="completed")
    make_result(run, llm, ttft_ms=100.0)
    make_result(run, llm, ttft_ms=200.0)
    text = text_of(browser, f"/benchmarks/{run.pk}")
    assert "100–200 range" in text  # noqa: RUF001 - an en dash is meant
    assert "≈" not in text


def test_the_points_of_a_run_end_where_its_stream_goes_on(browser: Client) -> None:
    llm = make_llm(upstream_id="m")
    run = make_run(llm, status="running")
    make_result(run, llm, ttft_ms=101.126)
    make_result(run, llm, error="Down.")
    assert browser.get(f"/benchmarks/{run.pk}/points").json() == {
        "models": [{"id": str(llm.pk), "name": "m", "ttft": [101.13], "failed": 1}],
        "seq": 4,
        "is_open": True,
    }


def test_an_open_run_can_be_cancelled_and_an_ended_one_deleted(browser: Client) -> None:
    llm = make_llm()
    running, ended = make_run(llm, status="running"), make_run(llm, status="completed")
    assert f"{running.pk}/cancel" in text_of(browser, f"/benchmarks/{running.pk}")
    assert 'data-method="DELETE"' not in text_of(browser, f"/benchmarks/{running.pk}")
    assert 'data-method="DELETE"' in text_of(browser, f"/benchmarks/{ended.pk}")


def test_alerts_say_whether_there_is_nothing_or_no_rule(browser: Client) -> None:
    assert "No rule is set up" in text_of(browser, "/alerts")
    make_rule(name="Mine")
    assert "Nothing is wrong right now" in text_of(browser, "/alerts")


def test_open_alerts_come_first_and_can_be_acknowledged(
    browser: Client, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    rule = make_rule()
    owned = make_alert(rule, message="Owned.", acknowledged=True)
    make_alert(rule, message="Free.", llm=make_llm())
    make_alert(rule, message="Over.", resolved_at=owned.created_at, resolve_reason="rule_disabled")
    with django_assert_num_queries(5):
        text = text_of(browser, "/alerts")
    assert text.index("Free.") < text.index("Owned.") < text.index("Over.")
    assert text.count('data-done="Acknowledged."') == 2
    assert "rule disabled" in text


def test_channels_are_listed_without_their_addresses(browser: Client) -> None:
    channel = Channel(kind=Channel.Kind.WEBHOOK, name="Pager", disabled_reason="It said 410.")
    channel.seal({"url": "https://hooks.example.org/very-secret"})
    channel.save()
    text = text_of(browser, "/alerts")
    assert "Pager" in text
    assert "It said 410." in text
    assert f"/api/v1/alerts/channels/{channel.pk}/test" in text
    assert "very-secret" not in text


def test_accounts_are_listed_with_their_models(
    browser: Client, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    account = make_account(display_name="North")
    make_llm(account, enabled_for_monitoring=True)
    make_llm(account, enabled_for_benchmark=False)
    with django_assert_num_queries(2):
        text = text_of(browser, "/providers")
    cells = text.split('data-label="Models" class="number">')[1]
    assert cells.startswith("2</td>")
    assert 'data-label="Monitored" class="number">1</td>' in cells


@pytest.mark.parametrize("provider", [spec.id for spec in CATALOG.values() if spec.tested])
def test_the_form_of_a_provider_asks_for_its_credentials(browser: Client, provider: str) -> None:
    text = text_of(browser, f"/providers?type={provider}")
    for field in CATALOG[provider].credential_fields:
        assert f'name="credentials.{field.name}"' in text
    key = text.split('name="credentials.api_key"')[1].split(">")[0]
    assert 'type="password"' in key
    assert 'autocomplete="off"' in key


def test_providers_that_cannot_work_are_not_offered(browser: Client) -> None:
    text = text_of(browser, "/providers")
    for spec in CATALOG.values():
        assert (f'<option value="{spec.id}"' in text) == spec.supported


def test_an_account_shows_its_models_and_never_its_key(browser: Client) -> None:
    account = make_account({"api_key": "sk-very-secret"}, display_name="North")
    llm = make_llm(account, "a-model")
    text = text_of(browser, f"/providers/{account.pk}")
    assert f'id="enabled_for_monitoring-{llm.pk}"' in text
    assert "sk-very-secret" not in text + text_of(browser, "/providers")


def test_an_account_without_models_says_what_to_do(browser: Client) -> None:
    account = make_account()
    assert "No model is known yet" in text_of(browser, f"/providers/{account.pk}")
    assert "No model of this account matches" in text_of(browser, f"/providers/{account.pk}?q=x")
