from __future__ import annotations

from datetime import timedelta

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from monitoring.models import MonitoringConfig, Round, RoundShare, UptimeCheck
from tests.make import make_account, make_check, make_llm, make_round
from tests.monitoring.conftest import make_monitored

pytestmark = pytest.mark.django_db
ADMIN = "/admin/monitoring"
FORM = {
    "enabled": "on",
    "interval_minutes": "5",
    "prompt_pack": "reasoning",
    "max_tokens": "50",
    "global_concurrency": "100",
    "provider_concurrency": "10",
    "llm_concurrency": "1",
    "jitter_s": "15",
    "confirmation_pauses_s": "[1]",
    "canaries": "",
    "raw_days": "30",
    "hourly_days": "365",
}


def config_url() -> str:
    return f"{ADMIN}/monitoringconfig/{MonitoringConfig.load().pk}/change/"


def test_the_list_of_the_one_configuration_is_its_page(admin_client: Client) -> None:
    answer = admin_client.get(f"{ADMIN}/monitoringconfig/")
    assert answer["Location"] == config_url()
    assert "Run now" in admin_client.get(config_url()).content.decode()


def test_saving_the_configuration_moves_the_next_round(admin_client: Client) -> None:
    url = config_url()
    MonitoringConfig.objects.update(
        interval_minutes=60, next_due_at=timezone.now() + timedelta(minutes=40)
    )
    assert admin_client.post(url, FORM).status_code == 302
    config = MonitoringConfig.load()
    assert (config.interval_minutes, config.prompt_pack, config.max_tokens) == (5, "reasoning", 50)
    assert (config.confirmation_pauses_s, config.canaries) == ([1], {})
    assert config.slot_due(timezone.now()) is not None


def test_the_configuration_can_be_neither_added_nor_deleted(admin_client: Client) -> None:
    url = config_url()
    assert admin_client.get(f"{ADMIN}/monitoringconfig/add/").status_code == 403
    assert admin_client.get(url.replace("change", "delete")).status_code == 403


def test_run_now_queues_a_round(admin_client: Client) -> None:
    make_monitored()
    page = admin_client.post(f"{ADMIN}/round/run-now", follow=True).content.decode()
    assert "A run over 1 model is queued." in page
    assert Round.objects.get().trigger == "manual"


def test_run_now_needs_a_post(admin_client: Client) -> None:
    assert admin_client.get(f"{ADMIN}/round/run-now").status_code == 405


def test_run_now_is_for_operators(client: Client) -> None:
    assert client.post(f"{ADMIN}/round/run-now").status_code == 302
    assert not Round.objects.exists()


def test_the_history_is_listed_with_few_queries(
    admin_client: Client, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    shared = make_round()
    for _ in range(12):
        make_check(make_llm(), shared)
    with django_assert_max_num_queries(10):
        page = admin_client.get(f"{ADMIN}/uptimecheck/?q=m-").content.decode()
    assert "12 results" in page


def test_the_history_can_be_read_and_not_changed(admin_client: Client) -> None:
    check = make_check()
    RoundShare.objects.create(round=check.round, account=check.llm.account)
    for row, name in ((check, "uptimecheck"), (check.round, "round")):
        page = admin_client.get(f"{ADMIN}/{name}/{row.pk}/change/")
        assert page.status_code == 200
        assert 'name="_save"' not in page.content.decode()
        assert admin_client.post(f"{ADMIN}/{name}/{row.pk}/change/", {}).status_code == 403
        assert admin_client.get(f"{ADMIN}/{name}/{row.pk}/delete/").status_code == 403
        assert admin_client.get(f"{ADMIN}/{name}/add/").status_code == 403


def test_an_account_can_still_be_deleted_together_with_its_history(admin_client: Client) -> None:
    account = make_account()
    make_check(make_llm(account))
    url = f"/admin/providers/provideraccount/{account.pk}/delete/"
    assert admin_client.post(url, {"post": "yes"}).status_code == 302
    assert not UptimeCheck.objects.exists()


def test_checks_are_listed_without_reading_all_of_them(admin_client: Client) -> None:
    failed = make_check(make_llm(upstream_id="gpt-4"), status="down", error_class="auth")
    make_check(make_llm(upstream_id="llama"))
    with CaptureQueriesContext(connection) as asked:
        page = admin_client.get(f"{ADMIN}/uptimecheck/?error_class=auth&q=GPT")
    assert [check.pk for check in page.context["cl"].result_list] == [failed.pk]
    statements = [query["sql"] for query in asked if "monitoring_uptimecheck" in query["sql"]]
    counts = [statement for statement in statements if "COUNT(" in statement]
    assert counts
    assert all("LIMIT" in statement for statement in counts)
    assert not [statement for statement in statements if "DISTINCT" in statement]
