from __future__ import annotations

from datetime import timedelta

import pytest
from django.test import Client
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from arguslm.dashboard import queries
from monitoring.models import MonitoringConfig, UptimeCheck
from tests.make import make_account, make_alert, make_check, make_llm, make_round

pytestmark = pytest.mark.django_db


def text_of(browser: Client, url: str = "/overview") -> str:
    answer = browser.get(url)
    assert answer.status_code == 200
    return answer.content.decode()


def test_an_empty_installation_says_how_to_add_a_provider(browser: Client) -> None:
    text = text_of(browser)
    assert "Add a provider to begin" in text
    assert "/admin/providers/provideraccount/add/" in text
    assert "curl -X POST http://localhost/api/v1/providers" in text


def test_an_account_without_monitored_models_offers_its_models(browser: Client) -> None:
    llm = make_llm(upstream_id="quiet-model")
    text = text_of(browser)
    assert "Choose the models to monitor" in text
    assert f'data-url="/api/v1/models/{llm.pk}"' in text
    assert "&quot;" not in text.split('role="switch"')[2].split(">")[0]


def test_an_account_without_models_says_where_to_look(browser: Client) -> None:
    make_account()
    assert "No model is known yet" in text_of(browser)


def test_a_monitored_model_without_a_check_offers_to_run_now(browser: Client) -> None:
    make_llm(upstream_id="fresh", enabled_for_monitoring=True)
    text = text_of(browser)
    assert "No model has been checked yet." in text
    assert "More models" in text


def test_a_row_says_what_the_last_check_found(browser: Client) -> None:
    llm = make_llm(upstream_id="swift", enabled_for_monitoring=True)
    make_check(llm, ttft_ms=412.4, total_latency_ms=1234.0, tps=48.25, uncertainty_ms=3.21)
    text = text_of(browser)
    for written in ("swift", "412", "±3.2", "1,234", "48.2", "100 %", "n=1", 'class="status up"'):
        assert written in text, written


def test_an_unknown_figure_is_a_dash_never_zero(browser: Client) -> None:
    make_check(make_llm(enabled_for_monitoring=True), status="down", error_class="auth")
    text = text_of(browser)
    assert "key refused" in text
    cells = text.split('data-label="TTFT, ms"')[1].split("data-label")
    assert "–" in cells[0]  # noqa: RUF001 - an en dash is meant


def test_models_are_found_by_their_name_or_account_literally(browser: Client) -> None:
    make_llm(make_account(display_name="North"), "one%", enabled_for_monitoring=True)
    make_llm(make_account(display_name="South"), "two", enabled_for_monitoring=True)
    for search, shown in (("ONE%25", "one%"), ("north", "one%"), ("so", "two")):
        found = queries.overview(search.replace("%25", "%"), timezone.now())
        assert [row.llm.name for group in found.groups for row in group.rows] == [shown]
    assert "No monitored model matches" in text_of(browser, "/overview?q=%25_%00")


def test_a_model_not_checked_for_three_intervals_counts_as_old() -> None:
    MonitoringConfig.load().change(timezone.now(), interval_minutes=10)
    now = timezone.now()
    for name, minutes in (("a", 29), ("b", 31)):
        llm = make_llm(upstream_id=name, enabled_for_monitoring=True)
        make_check(llm, created_at=now - timedelta(minutes=minutes))
    found = queries.overview("", now)
    assert [row.is_old for group in found.groups for row in group.rows] == [False, True]


def test_trends_reach_back_thirty_intervals_of_each_model() -> None:
    now = timezone.now()
    slow = make_llm(enabled_for_monitoring=True, monitoring_interval_minutes=60)
    usual = make_llm(slow.account, enabled_for_monitoring=True)
    for llm in (slow, usual):
        for hours in (29, 3):
            make_check(llm, ttft_ms=float(hours), created_at=now - timedelta(hours=hours))
    rows = {r.llm: r for g in queries.overview("", now).groups for r in g.rows}
    assert [beat.ttft_ms for beat in rows[slow].beats] == [29.0, 3.0]
    assert [beat.ttft_ms for beat in rows[usual].beats] == [3.0]


def test_models_of_disabled_accounts_are_not_shown(browser: Client) -> None:
    make_llm(make_account(enabled=False), "hidden-one", enabled_for_monitoring=True)
    assert "hidden-one" not in text_of(browser)


def test_the_queries_do_not_grow_with_the_models(
    browser: Client, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    def grow(count: int) -> None:
        account = make_account()
        for _ in range(count):
            make_check(make_llm(account, enabled_for_monitoring=True), make_round())

    MonitoringConfig.load()
    grow(1)
    with django_assert_num_queries(13):
        text_of(browser)
    grow(5)
    grow(5)
    with django_assert_num_queries(13):
        assert text_of(browser).count('scope="row"') == 11


def test_the_unread_alerts_are_counted_on_every_page(browser: Client) -> None:
    make_alert()
    make_alert()
    make_alert(acknowledged=True)
    for url in ("/overview", "/benchmarks", "/alerts", "/providers"):
        assert '<span class="badge">2' in text_of(browser, url)


def test_a_round_under_way_shows_its_progress_and_can_be_cancelled(browser: Client) -> None:
    llm = make_llm(enabled_for_monitoring=True)
    running = make_round(status="running", planned=4)
    make_check(llm, running)
    text = text_of(browser)
    assert '<progress max="4" value="1">' in text
    assert f"/api/v1/monitoring/runs/{running.pk}/cancel" in text
    assert 'data-pace="fast"' in text


def test_switched_off_and_paused_monitoring_is_said(browser: Client) -> None:
    MonitoringConfig.load().change(timezone.now(), enabled=False)
    assert "Monitoring is <strong>switched off</strong>" in text_of(browser)
    MonitoringConfig.load().change(timezone.now(), enabled=True, monthly_cap_usd=5)
    MonitoringConfig.objects.update(budget_paused_at=timezone.now())
    assert "the monthly cap of $5 is reached" in text_of(browser)


def test_a_tally_counts_the_models_by_status() -> None:
    for status in ("up", "up", "degraded", "down"):
        make_check(make_llm(enabled_for_monitoring=True), status=UptimeCheck.Status(status))
    make_llm(enabled_for_monitoring=True)
    tally = queries.overview("", timezone.now()).tally
    assert tally == {"up": 2, "degraded": 1, "down": 1, "none": 1}
