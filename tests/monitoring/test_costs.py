from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
from django.utils import timezone
from pytest_django import DjangoCaptureOnCommitCallbacks
from rest_framework.test import APIClient

from models_app.models import LLM
from monitoring import costs, rounds
from monitoring.models import MonitoringConfig, Round
from monitoring.rollups import roll_up_waiting
from monitoring.signals import budget_paused, budget_resumed
from tests.make import make_check, make_llm
from tests.monitoring.history import make_past_round

pytestmark = pytest.mark.django_db
URL = "/api/v1/monitoring/cost-estimate"
PRICES = {"input_price_per_1m": 10, "output_price_per_1m": 1000}


def make_priced(**fields: Any) -> LLM:
    return make_llm(enabled_for_monitoring=True, metadata=PRICES, **fields)


@pytest.fixture
def told() -> Iterator[list[str]]:
    heard: list[str] = []

    def paused(spent_usd: Decimal, **kwargs: Any) -> None:
        heard.append(f"paused at {spent_usd:.2f}")

    def resumed(**kwargs: Any) -> None:
        heard.append("resumed")

    budget_paused.connect(paused)
    budget_resumed.connect(resumed)
    yield heard
    budget_paused.disconnect(paused)
    budget_resumed.disconnect(resumed)


def test_an_estimate_is_made_before_anything_was_asked(api: APIClient) -> None:
    make_priced()
    make_llm(enabled_for_monitoring=True, upstream_id="nobody-knows-its-price")
    body = api.get(URL).json()
    assert body["probes_per_day"] == 2 * 96
    assert (body["models"], body["unpriced_models"]) == (2, 1)
    first = body["dearest"][0]
    # 30 tokens are the usual length of the pack's answer, the prompt has about a dozen.
    assert first["per_probe_usd"] == pytest.approx(0.030, abs=0.001)
    assert not first["is_measured"]
    assert body["per_day_usd"] == pytest.approx(96 * first["per_probe_usd"])
    assert body["per_month_usd"] == pytest.approx(30 * body["per_day_usd"])


def test_an_estimate_takes_what_would_be(api: APIClient) -> None:
    llm = make_llm(metadata=PRICES)
    body = api.get(f"{URL}?model_id={llm.pk}&interval_minutes=1&max_tokens=10").json()
    assert body["probes_per_day"] == 1440
    assert body["dearest"][0]["per_probe_usd"] == pytest.approx(0.010, abs=0.001)


def test_own_intervals_are_minded(api: APIClient) -> None:
    make_priced(monitoring_interval_minutes=60)
    assert api.get(URL).json()["probes_per_day"] == 24


def test_what_probes_really_cost_goes_before_the_list(api: APIClient) -> None:
    llm = make_priced()
    make_past_round([llm], timezone.now(), status="up", estimated_cost=Decimal("0.5"))
    roll_up_waiting()
    body = api.get(URL).json()
    assert body["dearest"][0]["is_measured"]
    assert body["per_day_usd"] == pytest.approx(48)
    assert body["spent_this_month_usd"] == pytest.approx(0.5)


@pytest.mark.parametrize("query", ["interval_minutes=0", "prompt_pack=haiku", "max_tokens=x"])
def test_a_bad_estimate_is_answered_with_a_sentence(api: APIClient, query: str) -> None:
    assert api.get(f"{URL}?{query}").status_code == 400


def test_the_spend_of_a_month_counts_checks_folded_or_not(db: None) -> None:
    now = datetime(2026, 5, 31, 23, 59, tzinfo=UTC)
    llm = make_llm()
    make_past_round([llm], now.replace(day=3), status="up", estimated_cost=Decimal("1"))
    make_past_round([llm], now.replace(month=4, day=3), status="up", estimated_cost=Decimal("8"))
    roll_up_waiting()
    make_check(llm, created_at=now, estimated_cost=Decimal("2"))
    assert costs.spent_this_month(now) == Decimal("3")


def cap(usd: str) -> None:
    MonitoringConfig.load()
    MonitoringConfig.objects.update(monthly_cap_usd=usd, next_due_at=None)


def test_no_round_opens_that_could_break_the_cap(
    told: list[str], django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks
) -> None:
    make_priced()
    cap("0.02")
    with django_capture_on_commit_callbacks(execute=True):
        assert rounds.open_due(timezone.now()) == []
        MonitoringConfig.objects.update(next_due_at=None)
        assert rounds.open_due(timezone.now()) == []
    assert told == ["paused at 0.00"]
    assert MonitoringConfig.load().budget_paused
    assert not Round.objects.exists()


def test_a_round_that_fits_under_the_cap_opens(db: None) -> None:
    make_priced()
    cap("0.04")
    assert len(rounds.open_due(timezone.now())) == 1


def test_probing_goes_on_when_the_cap_is_raised(
    told: list[str], django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks
) -> None:
    make_priced()
    cap("0.02")
    with django_capture_on_commit_callbacks(execute=True):
        rounds.open_due(timezone.now())
        MonitoringConfig.load().change(timezone.now(), monthly_cap_usd=Decimal(5))
        assert len(rounds.open_due(timezone.now())) == 1
    assert told == ["paused at 0.00", "resumed"]
    assert not MonitoringConfig.load().budget_paused


def test_a_run_by_hand_is_refused_as_well(api: APIClient) -> None:
    make_priced()
    cap("0.02")
    answer = api.post("/api/v1/monitoring/run")
    assert answer.status_code == 409
    assert answer.json()["detail"] == "The monthly cap leaves no money for another run."
    assert api.get("/api/v1/monitoring/config").json()["budget_paused"] is True
    assert api.get("/api/v1/monitoring/summary").json()["budget_paused"] is True


def test_models_without_a_known_price_do_not_pause_anything(db: None) -> None:
    make_llm(enabled_for_monitoring=True, upstream_id="nobody-knows-its-price")
    cap("0.01")
    assert len(rounds.open_due(timezone.now())) == 1


def test_a_cap_of_nothing_allows_nothing(db: None) -> None:
    make_llm(enabled_for_monitoring=True, upstream_id="nobody-knows-its-price")
    cap("0")
    assert rounds.open_due(timezone.now()) == []
