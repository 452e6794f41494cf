from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any
from unittest.mock import ANY
from uuid import uuid4

import pytest
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries
from rest_framework.test import APIClient

from monitoring.identities import Sighting, note
from monitoring.models import MonitoringConfig
from monitoring.rollups import roll_up_waiting
from providers.measurement import Outcome, wall_clock
from tests.make import make_account, make_check, make_llm, make_round
from tests.monitoring.history import make_history

pytestmark = pytest.mark.django_db
SUMMARY, SERIES = "/api/v1/monitoring/summary", "/api/v1/monitoring/timeseries"
NOBODY = "0190f0c0-0000-7000-8000-000000000000"
HOUR, DAY = timedelta(hours=1), timedelta(days=1)


def get(api: APIClient, url: str) -> Any:
    answer = api.get(url)
    assert answer.status_code == 200, answer.content
    return answer.json()


def test_a_summary_tells_uptime_with_its_interval_and_what_is_excluded(api: APIClient) -> None:
    llm = make_llm(make_account(display_name="Prod"), "m-1", enabled_for_monitoring=True)
    now = timezone.now()
    for number, status in enumerate(("up",) * 7 + ("degraded", "down")):
        make_check(llm, status=status, created_at=now - number * timedelta(minutes=1))
    make_check(
        llm, status="down", error_class="auth", counts_for_uptime=False, created_at=now - 2 * DAY
    )
    roll_up_waiting()
    (item,) = get(api, SUMMARY)["items"]
    assert (item["model_id"], item["model_name"], item["provider_name"]) == (
        str(llm.pk),
        "m-1",
        "Prod",
    )
    day = item["windows"]["24h"]
    assert day == {
        "uptime": pytest.approx(8 / 9),
        "n": 9,
        "interval": {
            "low": pytest.approx(0.565, abs=0.001),
            "high": pytest.approx(0.980, abs=0.001),
        },
        "up": 7,
        "degraded": 1,
        "down": 1,
        "excluded": 0,
    }
    week = item["windows"]["7d"]
    assert (week["n"], week["down"], week["excluded"]) == (9, 2, 1)
    assert item["last"]["status"] == "up"


def test_checks_not_folded_yet_count_at_once(api: APIClient) -> None:
    llm = make_llm(enabled_for_monitoring=True)
    make_check(llm, make_round(status="running"), status="down")
    make_check(llm, make_round(status="running", trigger="schedule"), status="up")
    before = get(api, SUMMARY)["items"][0]["windows"]
    assert {name: (window["n"], window["uptime"]) for name, window in before.items()} == (
        dict.fromkeys(("24h", "7d", "30d", "90d"), (2, 0.5))
    )


def test_windows_hold_only_what_is_young_enough(api: APIClient) -> None:
    llm = make_llm(enabled_for_monitoring=True)
    now = timezone.now()
    for age in (HOUR, 2 * DAY, 20 * DAY, 80 * DAY, 100 * DAY):
        make_check(llm, created_at=now - age)
    roll_up_waiting()
    windows = get(api, SUMMARY)["items"][0]["windows"]
    assert [windows[name]["n"] for name in ("24h", "7d", "30d", "90d")] == [1, 2, 3, 4]


def test_a_model_nobody_checked_has_no_uptime(api: APIClient) -> None:
    make_llm(enabled_for_monitoring=True)
    (item,) = get(api, SUMMARY)["items"]
    assert item["last"] is None
    assert (item["windows"]["24h"]["uptime"], item["windows"]["24h"]["interval"]) == (None, None)


def test_a_summary_is_of_monitored_models_unless_others_are_asked_for(api: APIClient) -> None:
    watched, other = make_llm(enabled_for_monitoring=True), make_llm()
    assert [item["model_id"] for item in get(api, SUMMARY)["items"]] == [str(watched.pk)]
    assert get(api, f"{SUMMARY}?enabled_only=false")["total"] == 2
    assert get(api, f"{SUMMARY}?model_id={other.pk}")["items"][0]["model_id"] == str(other.pk)


@pytest.mark.parametrize("models", [1, 6])
def test_a_summary_asks_as_many_questions_for_many_models_as_for_one(
    api: APIClient, django_assert_num_queries: DjangoAssertNumQueries, models: int
) -> None:
    MonitoringConfig.load()
    shared = make_round()
    for _ in range(models):
        make_check(make_llm(enabled_for_monitoring=True), shared)
    with django_assert_num_queries(10):
        assert len(get(api, SUMMARY)["items"]) == models


def test_a_timeseries_has_percentiles_by_hour(api: APIClient) -> None:
    llm = make_llm()
    start = timezone.now().replace(minute=0, second=0, microsecond=0) - 3 * HOUR
    for minute in range(20):
        make_check(llm, created_at=start + minute * timedelta(minutes=1), ttft_ms=100.0 + minute)
    make_check(llm, created_at=start + HOUR, status="down", counts_for_uptime=False)
    roll_up_waiting()
    body = get(api, f"{SERIES}?model_id={llm.pk}")
    first, second = body["points"]
    assert datetime.fromisoformat(first["start"]) == start
    assert first["ttft_ms"] == {
        "n": 20,
        "p05": pytest.approx(100.95, rel=0.05),
        "p50": pytest.approx(109.5, rel=0.05),
        "p95": pytest.approx(118.05, rel=0.05),
        "p99": pytest.approx(118.81, rel=0.05),
    }
    assert first["uptime"]["uptime"] == 1.0
    assert second["uptime"] | {"n": 0, "excluded": 1, "uptime": None} == second["uptime"]
    assert second["tps"] == {"n": 0, "p05": None, "p50": None, "p95": None, "p99": None}
    assert body["since"] == ANY


def test_folded_and_waiting_checks_make_one_series(api: APIClient) -> None:
    llm = make_llm()
    start = timezone.now().replace(minute=0, second=0, microsecond=0) - 20 * HOUR
    make_history([llm], start, 19, HOUR)
    url = f"{SERIES}?model_id={llm.pk}"
    waiting = get(api, url)["points"]
    roll_up_waiting()
    assert get(api, url)["points"] == waiting
    assert len(waiting) == 19
    by_day = get(api, f"{SERIES}?model_id={llm.pk}&bucket=day")["points"]
    assert sum(point["checks"] for point in by_day) == 19


def test_the_last_bucket_is_whole_whether_its_checks_are_folded_or_not(api: APIClient) -> None:
    llm = make_llm()
    start = timezone.now().replace(minute=0, second=0, microsecond=0) - 3 * HOUR
    for minute in (10, 50):
        make_check(llm, created_at=start + minute * timedelta(minutes=1))
    end = (start + HOUR / 2).strftime("%Y-%m-%dT%H:%M:%SZ")
    url = f"{SERIES}?model_id={llm.pk}&end={end}"
    assert [point["checks"] for point in get(api, url)["points"]] == [2]
    roll_up_waiting()
    assert [point["checks"] for point in get(api, url)["points"]] == [2]


@pytest.mark.parametrize(
    "query",
    [
        "",
        "model_id=17",
        f"model_id={NOBODY}&bucket=minute",
        f"model_id={NOBODY}&since=2026-05-05T00:00:00Z&end=2026-05-04T00:00:00Z",
        f"model_id={NOBODY}&since=2020-01-01&end=2026-01-01",
    ],
)
def test_a_bad_question_is_answered_with_a_sentence(api: APIClient, query: str) -> None:
    answer = api.get(f"{SERIES}?{query}")
    assert answer.status_code == 400
    assert answer.json()["errors"]


def test_a_series_of_nobody_is_not_found(api: APIClient) -> None:
    assert api.get(f"{SERIES}?model_id={uuid4()}").status_code == 404


def test_what_providers_say_they_answer_with_is_listed(api: APIClient) -> None:
    llm = make_llm(upstream_id="gpt")
    current: dict[Any, Any] = {}
    for name in ("gpt-1", "gpt-2"):
        answer = Outcome(wall_clock(), model_reported=name, fingerprint="fp")
        note([Sighting(llm, answer, current)])
    body = get(api, f"/api/v1/monitoring/reported-models?model_id={llm.pk}")
    told = [(item["model_reported"], item["is_current"]) for item in body["items"]]
    assert told == [("gpt-2", True), ("gpt-1", False)]
    assert body["items"][0]["model_name"] == "gpt"
