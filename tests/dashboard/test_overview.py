from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from alerts.models import AlertRule
from arguslm.dashboard import overview
from arguslm.dashboard.beats import beats_of
from arguslm.dashboard.overview import Asked
from models_app.models import LLM
from monitoring.models import MonitoringConfig, UptimeCheck
from tests.alerts.storing import make_channel
from tests.make import make_account, make_alert, make_check, make_llm, make_round, make_rule

pytestmark = pytest.mark.django_db
Read = Callable[[str], str]


def make_standing(status: str, **fields: Any) -> LLM:
    llm = make_llm(enabled_for_monitoring=True)
    make_check(llm, status=UptimeCheck.Status(status), **fields)
    return llm


def names_of(**asked: str) -> list[str]:
    found = overview.overview(Asked(**asked), timezone.now())
    return [row.standing.name for group in found.groups for row in group.rows]


def test_an_empty_installation_says_how_to_begin(text_of: Read) -> None:
    text = text_of("/overview")
    assert "Nothing is monitored yet" in text
    assert 'href="/providers#add">Add a provider' in text
    assert "curl -X POST http://localhost/api/v1/providers" in text


def test_an_account_without_monitored_models_offers_its_models(text_of: Read) -> None:
    llm = make_llm(upstream_id="quiet-model")
    text = text_of("/overview")
    assert "because checks cost money" in text
    switch = text.split('aria-label="Monitor quiet-model"')[1].split(">")[0]
    assert f'data-url="/api/v1/models/{llm.pk}"' in switch
    assert """data-body='{"enabled_for_monitoring": true}'""" in switch


def test_an_account_without_models_says_where_to_look(text_of: Read) -> None:
    make_account()
    assert "No model is known yet" in text_of("/overview")


def test_a_monitored_model_without_a_check_offers_to_run_now(text_of: Read) -> None:
    make_llm(upstream_id="fresh", enabled_for_monitoring=True)
    text = text_of("/overview")
    assert "No model has been checked yet" in text
    assert 'id="first-run"' in text


def test_what_is_left_to_set_up_is_said_until_it_is_done(text_of: Read) -> None:
    make_standing("up")
    text = text_of("/overview")
    assert "Left to set up" in text
    assert "/alerts/rules#new-rule" in text
    assert "/alerts/channels#new-channel" in text
    make_rule()
    make_channel()
    assert "Left to set up" not in text_of("/overview")


@pytest.mark.parametrize(
    ("states", "headline", "kind"),
    [
        (["up"], "The monitored model answers", "up"),
        (["up", "up"], "All 2 models answer", "up"),
        (["up", "degraded"], "1 of 2 models is degraded", "degraded"),
        (["down", "degraded", "up"], "1 of 3 models is down", "down"),
        (["down", "down"], "2 of 2 models are down", "down"),
    ],
)
def test_the_headline_says_the_worst(
    text_of: Read, states: list[str], headline: str, kind: str
) -> None:
    for state in states:
        make_standing(state)
    text = text_of("/overview")
    assert headline in text
    assert f'class="verdict {kind}"' in text


def test_the_title_tells_how_many_are_down(text_of: Read) -> None:
    make_standing("down")
    assert "<title>1 down · ArgusLM</title>" in text_of("/overview")


def test_old_news_are_no_news(text_of: Read) -> None:
    MonitoringConfig.load().change(timezone.now(), interval_minutes=10)
    make_standing("up", created_at=timezone.now() - timedelta(minutes=29))
    assert "The monitored model answers" in text_of("/overview")
    make_standing("up", created_at=timezone.now() - timedelta(minutes=31))
    text = text_of("/overview")
    assert "No news of 1 of 2 models" in text
    assert '<tr id="m-' in text.split('class="old"')[0]


def test_a_monitor_without_a_network_blames_no_model(text_of: Read) -> None:
    llm = make_llm(upstream_id="innocent", enabled_for_monitoring=True)
    make_check(llm, make_round(self_offline=True), status="down")
    text = text_of("/overview")
    assert "This monitor has no network" in text
    assert "Needs attention" not in text


def test_a_round_that_does_not_come_is_said(text_of: Read) -> None:
    make_standing("up")
    MonitoringConfig.load()
    MonitoringConfig.objects.update(next_due_at=timezone.now() - timedelta(minutes=5))
    text = text_of("/overview")
    assert "The next round is overdue" in text
    assert 'class="verdict degraded"' in text


def test_switched_off_and_paused_monitoring_is_said(text_of: Read) -> None:
    MonitoringConfig.load().change(timezone.now(), enabled=False)
    assert "Monitoring is switched off" in text_of("/overview")
    MonitoringConfig.load().change(timezone.now(), enabled=True, monthly_cap_usd=5)
    MonitoringConfig.objects.update(budget_paused_at=timezone.now())
    assert "the monthly cap of $5 is reached" in text_of("/overview")


def test_a_row_says_what_the_last_check_found(text_of: Read) -> None:
    make_standing("up", ttft_ms=412.4, total_latency_ms=1234.0, tps=48.25, uncertainty_ms=3.21)
    row = text_of("/overview").split('<tr id="m-')[1]
    for written in ("412", "±3.2", "1,234", "48.2", "100 %", "20.7–100.0 n=1"):  # noqa: RUF001
        assert written in row, written


def test_an_unknown_figure_is_a_dash_never_zero(text_of: Read) -> None:
    make_standing("down", error_class="auth")
    text = text_of("/overview")
    assert "key refused" in text
    cells = text.split('data-label="TTFT, ms"')[1].split("data-label")
    assert "–" in cells[0]  # noqa: RUF001 - an en dash is meant


def test_models_are_found_by_their_name_or_account_literally(text_of: Read) -> None:
    make_llm(make_account(display_name="North"), "one%", enabled_for_monitoring=True)
    make_llm(make_account(display_name="Süd"), "two", enabled_for_monitoring=True)
    assert names_of(search="ONE%") == ["one%"]
    assert names_of(search="north") == ["one%"]
    assert names_of(search="SÜ") == ["two"]
    assert "No monitored model matches" in text_of("/overview?q=%25_%00")


def test_models_can_be_chosen_by_their_state_and_ordered_by_a_figure(text_of: Read) -> None:
    slow = make_standing("up", ttft_ms=900.0).name
    fast = make_standing("up", ttft_ms=90.0).name
    down = make_standing("down").name
    assert names_of(status="down") == [down]
    assert names_of(sort="ttft") == [fast, slow, down]
    assert names_of(sort="-ttft") == [slow, fast, down]
    text = text_of("/overview?sort=-ttft&status=nonsense")
    assert 'aria-sort="descending"' in text
    assert 'href="?sort=ttft&amp;status=nonsense"' in text


def test_the_tally_counts_models_beyond_those_that_are_shown(
    text_of: Read, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(overview, "MAX_ROWS", 2)
    for _ in range(3):
        make_standing("up")
    text = text_of("/overview")
    assert "All 3 models answer" in text
    assert "The first 2 of 3 models are shown" in text
    assert text.count('<tr id="m-') == 2


def test_trends_show_the_last_thirty_checks_of_each_model(
    django_assert_num_queries: DjangoAssertNumQueries,
) -> None:
    now = timezone.now()
    often, seldom = make_llm(), make_llm()
    for number in range(35):
        make_check(often, ttft_ms=float(number), created_at=now - timedelta(minutes=35 - number))
    for hours in (29, 3):
        make_check(seldom, ttft_ms=float(hours), created_at=now - timedelta(hours=hours))
    with django_assert_num_queries(3):
        beats = beats_of([often.pk, seldom.pk], now)
    assert [beat.ttft_ms for beat in beats[often.pk]] == [float(n) for n in range(5, 35)]
    assert [beat.ttft_ms for beat in beats[seldom.pk]] == [29.0, 3.0]


def test_models_of_disabled_accounts_are_not_shown(text_of: Read) -> None:
    make_llm(make_account(enabled=False), "hidden-one", enabled_for_monitoring=True)
    assert "hidden-one" not in text_of("/overview")


def test_the_queries_do_not_grow_with_the_models(
    text_of: Read, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    def grow(count: int) -> None:
        account = make_account()
        for number in range(count):
            llm = make_llm(account, enabled_for_monitoring=True)
            make_check(llm, make_round(), status="down" if number % 2 else "up")

    MonitoringConfig.load()
    grow(2)
    with django_assert_num_queries(28):
        text_of("/overview")
    grow(5)
    grow(6)
    with django_assert_num_queries(28):
        assert text_of("/overview").count('<tr id="m-') == 13


def test_the_unread_alerts_are_counted_on_every_page(text_of: Read) -> None:
    make_alert()
    make_alert(resolved_at=timezone.now())
    make_alert(acknowledged=True)
    for url in ("/overview", "/benchmarks", "/alerts", "/providers"):
        assert '<span class="badge">2' in text_of(url)


def test_the_badge_is_calm_when_nothing_is_open(text_of: Read) -> None:
    make_alert(resolved_at=timezone.now())
    assert '<span class="badge calm">1' in text_of("/overview")


def test_a_round_under_way_shows_its_progress_and_can_be_cancelled(text_of: Read) -> None:
    llm = make_llm(enabled_for_monitoring=True)
    running = make_round(status="running", planned=4)
    make_check(llm, running)
    text = text_of("/overview")
    assert '<progress max="4" value="1">' in text
    assert f"/api/v1/monitoring/runs/{running.pk}/cancel" in text
    assert 'data-pace="fast"' in text


def test_a_rule_that_is_switched_off_is_no_rule(text_of: Read) -> None:
    make_standing("up")
    AlertRule.objects.create(name="Off", rule_type="any_model_down", enabled=False)
    assert "Without a rule no alert opens" in text_of("/overview")


def test_the_settings_show_the_cap_without_needless_zeros(text_of: Read) -> None:
    MonitoringConfig.load().change(timezone.now(), monthly_cap_usd=250)
    text = text_of("/overview")
    assert 'name="monthly_cap_usd"' in text
    assert 'value="250"' in text
    assert "/static/dashboard/cost.js" in text
