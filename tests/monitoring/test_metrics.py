from __future__ import annotations

import json
import re
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries
from rest_framework.test import APIClient

from arguslm.api.models import ApiToken
from monitoring.models import MonitoringConfig
from monitoring.rollups import roll_up_waiting
from tests.make import make_account, make_check, make_llm, make_round

pytestmark = pytest.mark.django_db
BOARD = Path(__file__).resolve().parents[2] / "docs" / "grafana" / "arguslm.json"
LINE = re.compile(r'([a-z_]+)(?:\{((?:[a-z_]+="(?:[^"\\]|\\.)*",?)+)\})? (-?[\d.e+-]+)')


def scrape(api: APIClient) -> dict[tuple[str, str], float]:
    """Samples by name and labels; every line must be one of the format."""
    answer = api.get("/metrics")
    assert answer.status_code == 200
    assert answer["Content-Type"] == "text/plain; version=0.0.4; charset=utf-8"
    found: dict[tuple[str, str], float] = {}
    for line in answer.content.decode().splitlines():
        if not line.startswith("#"):
            match = LINE.fullmatch(line)
            assert match, line
            found[match[1], match[2] or ""] = float(match[3])
    return found


def value(found: dict[tuple[str, str], float], name: str, label: str = "") -> float | None:
    return next((v for (own, labels), v in found.items() if own == name and label in labels), None)


def test_the_last_check_of_each_monitored_model_is_told(api: APIClient) -> None:
    llm = make_llm(make_account(display_name="Prod"), "m-1", enabled_for_monitoring=True)
    now = timezone.now()
    make_check(llm, status="down", created_at=now - timedelta(minutes=5))
    make_check(llm, ttft_ms=250.0, total_latency_ms=1000.0, tps=30.0, created_at=now)
    make_check(make_llm(upstream_id="unwatched"))
    found = scrape(api)
    labels = f'model_id="{llm.pk}",model="m-1",provider="Prod",provider_type="openai"'
    assert found["arguslm_llm_up", labels] == 1
    assert found["arguslm_llm_status", f'{labels},status="up"'] == 1
    assert found["arguslm_llm_status", f'{labels},status="down"'] == 0
    assert found["arguslm_llm_ttft_seconds", labels] == 0.25
    assert found["arguslm_llm_uptime_ratio", labels] == 0.5
    assert value(found, "arguslm_llm_up", "unwatched") is None


def test_folded_and_waiting_checks_count_together(api: APIClient) -> None:
    llm = make_llm(enabled_for_monitoring=True)
    make_check(llm, status="down")
    roll_up_waiting()
    make_check(llm, make_round(status="running"))
    assert value(scrape(api), "arguslm_llm_uptime_ratio") == 0.5


def test_what_is_unknown_is_absent(api: APIClient) -> None:
    make_check(make_llm(enabled_for_monitoring=True), status="down")
    found = scrape(api)
    assert value(found, "arguslm_llm_up") == 0
    assert value(found, "arguslm_llm_ttft_seconds") is None
    assert value(found, "arguslm_monthly_cap_usd") is None


def test_labels_are_escaped(api: APIClient) -> None:
    make_check(make_llm(upstream_id='a"b\\c\nd', enabled_for_monitoring=True))
    assert value(scrape(api), "arguslm_llm_up", r'model="a\"b\\c\nd"') == 1


def test_an_empty_installation_has_metrics(api: APIClient) -> None:
    found = scrape(api)
    assert found["arguslm_monitoring_enabled", ""] == 1
    assert found["arguslm_interval_seconds", ""] == 900


def test_metrics_need_the_same_token_as_the_api(api: APIClient, settings: Any) -> None:
    settings.API_AUTH = "required"
    assert api.get("/metrics").status_code == 401
    _, plain = ApiToken.issue("prometheus")
    assert api.get("/metrics", HTTP_AUTHORIZATION=f"Bearer {plain}").status_code == 200


@pytest.mark.parametrize("models", [1, 5])
def test_many_models_cost_no_more_questions_than_one(
    api: APIClient, django_assert_num_queries: DjangoAssertNumQueries, models: int
) -> None:
    MonitoringConfig.load()
    shared = make_round()
    for _ in range(models):
        make_check(make_llm(enabled_for_monitoring=True), shared)
    with django_assert_num_queries(15):
        api.get("/metrics")


def test_the_grafana_dashboard_asks_for_metrics_that_exist(api: APIClient) -> None:
    llm = make_llm(enabled_for_monitoring=True)
    make_check(llm, ttft_ms=1.0, total_latency_ms=2.0, tps=3.0)
    make_round(finished_at=timezone.now())
    MonitoringConfig.objects.update(monthly_cap_usd=1)
    known = {name for name, _ in scrape(api)}
    asked = set(re.findall(r"arguslm_[a-z_]+", json.dumps(json.loads(BOARD.read_text()))))
    assert asked
    assert asked - known == set()
