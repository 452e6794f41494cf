from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from arguslm.dashboard import series
from models_app.models import LLM
from monitoring.models import MonitoringConfig, UptimeCheck
from tests.make import make_alert, make_check, make_llm, make_round

pytestmark = pytest.mark.django_db


def document(browser: Client, llm: LLM, window: str = "24h") -> dict[str, Any]:
    answer = browser.get(f"/models/{llm.pk}/series?window={window}")
    assert answer.status_code == 200
    found: dict[str, Any] = answer.json()
    return found


def make_minutes(llm: LLM, count: int) -> None:
    now = timezone.now()
    rounds = [make_round() for _ in range(count)]
    UptimeCheck.objects.bulk_create(
        UptimeCheck(
            llm=llm,
            round=round,
            status="up",
            prompt_pack="health_check",
            ttft_ms=100.0,
            created_at=now - timedelta(minutes=minute),
        )
        for minute, round in enumerate(rounds)
    )


def test_the_page_shows_facts_uptime_and_the_last_checks(browser: Client) -> None:
    llm = make_llm(upstream_id="vendor/model", custom_name="Ours", enabled_for_monitoring=True)
    make_check(llm, ttft_ms=321.0, quality_flags=["cold_connection", "brand_new_flag"])
    make_check(llm, status="down", error="The key was refused.", error_class="auth",
               counts_for_uptime=False)  # fmt: skip
    text = browser.get(f"/models/{llm.pk}").content.decode()
    for written in ("Ours", "vendor/model", "321", "new connection", "brand_new_flag",
                    "The key was refused.", "not counted", "n=1, 1 left out",
                    "Down: key refused"):  # fmt: skip
        assert written in text, written


def test_a_model_without_checks_says_so(browser: Client) -> None:
    llm = make_llm()
    text = browser.get(f"/models/{llm.pk}").content.decode()
    assert "has not been checked yet" in text
    assert "Switch its monitoring on" in text
    assert document(browser, llm)["points"] == []


def test_few_checks_are_shown_one_by_one(browser: Client) -> None:
    llm, now = make_llm(), timezone.now()
    for minutes, ttft in ((30, 100.0), (20, 300.0), (10, 200.0)):
        make_check(llm, ttft_ms=ttft, created_at=now - timedelta(minutes=minutes))
    made = document(browser, llm, "1h")
    assert made["bucket_s"] is None
    assert [point["ttft"] for point in made["points"]] == [100.0, 300.0, 200.0]
    assert made["summaries"]["ttft"] == {
        "n": 3, "median": 200.0, "tail": 290.0, "percent": 95, "is_rough": True,
    }  # fmt: skip


def test_the_slow_tail_of_a_throughput_is_the_low_one(browser: Client) -> None:
    llm = make_llm()
    for tps in range(1, 22):
        make_check(llm, tps=float(tps))
    found = document(browser, llm)["summaries"]["tps"]
    assert (found["percent"], found["tail"], found["is_rough"]) == (5, 2.0, False)


def test_failures_have_their_sentence_and_no_figure(browser: Client) -> None:
    llm = make_llm()
    make_check(llm, status="down", error="No connection.", ttft_ms=80.0)
    made = document(browser, llm)
    assert [(f["status"], f["error"]) for f in made["failures"]] == [("down", "No connection.")]
    assert made["points"][0]["ttft"] is None
    assert made["points"][0]["down"] == 1


def test_many_checks_are_shown_by_the_hour(
    browser: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(series, "MAX_SINGLE", 100)
    llm = make_llm()
    make_minutes(llm, 130)
    made = document(browser, llm)
    assert made["bucket_s"] == 3600
    assert 3 <= len(made["points"]) <= 4
    assert sum(point["n"] for point in made["points"]) == 130
    assert made["points"][0]["ttft"] == pytest.approx(100, rel=0.025)
    assert made["summaries"]["ttft"]["is_rough"]


def test_windows_beyond_the_kept_checks_are_shown_by_the_hour(browser: Client) -> None:
    MonitoringConfig.load()
    MonitoringConfig.objects.update(raw_from=timezone.now() - timedelta(days=2))
    llm = make_llm()
    make_check(llm, ttft_ms=100.0)
    assert document(browser, llm, "24h")["bucket_s"] is None
    assert document(browser, llm, "7d")["bucket_s"] == 3600
    assert document(browser, llm, "90d")["bucket_s"] == 86400


def test_an_unknown_window_is_the_usual_one(browser: Client) -> None:
    made = document(browser, make_llm(), "evil")
    assert made["end"] - made["start"] == 24 * 3600 * 1000


def test_queries_do_not_grow_with_the_checks(
    browser: Client, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    llm = make_llm()
    make_minutes(llm, 60)
    MonitoringConfig.load()
    with django_assert_num_queries(18):
        browser.get(f"/models/{llm.pk}")
    with django_assert_num_queries(4):
        document(browser, llm)


def test_an_open_alert_is_shown_however_many_came_after_it(browser: Client) -> None:
    llm, now = make_llm(), timezone.now()
    make_alert(llm=llm, message="Slow for days.", created_at=now - timedelta(days=9))
    for _ in range(11):
        make_alert(llm=llm, message="Over.", resolved_at=now)
    text = browser.get(f"/models/{llm.pk}").content.decode()
    assert "Slow for days." in text
