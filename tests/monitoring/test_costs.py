from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.utils import timezone
from rest_framework.test import APIClient

from models_app.models import LLM
from monitoring import costs, desk, rounds, shares
from monitoring.checks import check_of
from monitoring.models import MonitoringConfig, Round, UptimeCheck
from monitoring.probing import Probed
from monitoring.rollups import roll_up_waiting
from monitoring.status import Attempt, classify
from providers.measurement import Measurement, Outcome, TokenCounts, wall_clock
from providers.models import ProviderAccount
from tests.make import make_check, make_llm, make_round
from tests.monitoring.conftest import AccountMaker
from tests.monitoring.history import make_past_round

pytestmark = pytest.mark.django_db
URL = "/api/v1/monitoring/cost-estimate"
PRICES = {"input_price_per_1m": 10, "output_price_per_1m": 1000}


def make_priced(**fields: Any) -> LLM:
    return make_llm(enabled_for_monitoring=True, metadata=PRICES, **fields)


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


def test_no_round_opens_that_could_break_the_cap(db: None) -> None:
    make_priced()
    cap("0.02")
    assert rounds.open_due(timezone.now()) == []
    paused_at = MonitoringConfig.load().budget_paused_at
    assert paused_at is not None
    MonitoringConfig.objects.update(next_due_at=None)
    assert rounds.open_due(timezone.now()) == []
    assert MonitoringConfig.load().budget_paused_at == paused_at
    assert not Round.objects.exists()


def test_a_round_that_fits_under_the_cap_opens(db: None) -> None:
    make_priced()
    cap("0.04")
    assert len(rounds.open_due(timezone.now())) == 1


def test_probing_goes_on_when_the_cap_is_raised(db: None) -> None:
    make_priced()
    cap("0.02")
    rounds.open_due(timezone.now())
    MonitoringConfig.load().change(timezone.now(), monthly_cap_usd=Decimal(5))
    assert len(rounds.open_due(timezone.now())) == 1
    assert not MonitoringConfig.load().budget_paused


def test_what_an_open_round_has_still_to_ask_counts_and_what_it_has_asked_counts_once(
    db: None,
) -> None:
    llms = [make_priced() for _ in range(3)]
    cap("0.20")
    rounds.open_manual(timezone.now())
    opened = Round.objects.get()
    cap("0.17")
    assert rounds.open_due(timezone.now()) == []
    for llm in llms:
        make_check(llm, opened, estimated_cost=Decimal("0.025"))
    cap("0.17")
    assert len(rounds.open_due(timezone.now())) == 1


def test_a_new_month_has_money_again(db: None) -> None:
    end = datetime(2026, 5, 31, 23, 59, tzinfo=UTC)
    make_past_round([make_priced()], end, status="up", estimated_cost=Decimal("0.99"))
    cap("1")
    assert rounds.open_due(end) == []
    assert MonitoringConfig.load().budget_paused
    assert len(rounds.open_due(end + timedelta(minutes=15))) == 1
    assert not MonitoringConfig.load().budget_paused


def test_a_round_that_turns_out_dearer_asks_nobody_else_once_the_cap_is_reached(
    make_simulated: AccountMaker, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("LOOK_AROUND_S", "HEARTBEAT_S", "FLUSH_S"):
        monkeypatch.setattr(desk, name, 0.02)
    names = [f"sim:ttft=100,gap=1,tokens=30,seed={seed}" for seed in range(6)]
    account = make_simulated(*names, concurrency_limit=1)
    account.llms.update(metadata={"input_price_per_1m": 0, "output_price_per_1m": 10_000})
    monkeypatch.setattr(costs, "_listed", lambda *asked: Decimal(0))
    cap("0.5")
    opened, _ = rounds.open_manual(timezone.now())
    shares.work_on(*opened.shares.values_list("pk", flat=True))
    opened.refresh_from_db()
    assert (opened.status, opened.checks.count() < len(names)) == ("completed", True)
    assert costs.spent_this_month(timezone.now()) >= Decimal("0.5")
    assert MonitoringConfig.load().budget_paused


def checked(account: ProviderAccount, **fields: Any) -> UptimeCheck:
    account.llms.update(metadata=PRICES, **fields)
    opened, _ = rounds.open_manual(timezone.now())
    shares.work_on(*opened.shares.values_list("pk", flat=True))
    return UptimeCheck.objects.get()


@pytest.mark.parametrize(
    ("model", "error_class"),
    [
        ("sim:ttft=5,gap=1,tokens=20", "assertion"),
        ("sim:ttft=5,gap=1,tokens=20,reasoning=20,fail=thinking-only", "no_answer"),
    ],
)
def test_an_answer_that_does_not_do_is_paid_for_all_the_same(
    make_simulated: AccountMaker, model: str, error_class: str
) -> None:
    check = checked(make_simulated(model), expected_text="never said")
    assert (check.error_class, check.output_tokens) == (error_class, None)
    assert check.estimated_cost is not None
    assert check.estimated_cost >= Decimal("0.02")
    assert costs.spent_this_month(timezone.now()) == check.estimated_cost


def test_every_attempt_of_a_check_is_paid_for(
    make_simulated: AccountMaker, quick_confirmation: None
) -> None:
    account = make_simulated("sim:ttft=5,gap=1,tokens=20,fail=truncated,after=15,first=1")
    check = checked(account)
    assert (check.status, check.output_tokens) == ("degraded", 20)
    assert check.estimated_cost is not None
    assert check.estimated_cost > Decimal("0.03")


def test_a_price_beyond_reason_costs_nobody_a_result(make_simulated: AccountMaker) -> None:
    prices = {"input_price_per_1m": 1e12, "output_price_per_1m": 1e12}
    account = make_simulated("sim:ttft=5,gap=1,tokens=20", "sim:ttft=6,gap=1,tokens=20")
    account.llms.filter(upstream_id__contains="=6").update(metadata=prices)
    opened, _ = rounds.open_manual(timezone.now())
    shares.work_on(*opened.shares.values_list("pk", flat=True))
    statuses = opened.checks.values_list("status", "estimated_cost")
    assert list(statuses) == [("up", None), ("up", None)]


@pytest.mark.parametrize(("attempts", "usd"), [(1, Decimal(600_000)), (2, None)])
def test_attempts_that_no_column_holds_together_cost_nothing_known(
    db: None, attempts: int, usd: Decimal | None
) -> None:
    llm = make_llm(metadata={"input_price_per_1m": 600_000, "output_price_per_1m": 1})
    asked = Measurement(0, tokens=TokenCounts(1_000_000, 0))
    seen = (Outcome(wall_clock(), asked),) * attempts
    probed = Probed(llm.pk, seen, classify([Attempt()]))
    assert check_of(make_round(), llm, probed).estimated_cost == usd


def test_attempts_that_brought_nothing_cost_nothing_known(
    make_simulated: AccountMaker, quick_confirmation: None
) -> None:
    assert checked(make_simulated("sim:fail=status-503")).estimated_cost is None


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


def test_a_cap_of_nothing_lasts_no_day(api: APIClient) -> None:
    make_priced()
    cap("0")
    assert api.get(URL).json()["cap_lasts_days"] == 0


def test_what_another_pack_has_cost_is_no_measure_of_this_one(api: APIClient) -> None:
    llm, now = make_priced(), timezone.now()
    for days in (3, 2, 1, 0):
        past = {"status": "up", "estimated_cost": Decimal(days + 1)}
        make_past_round([llm], now - timedelta(days=days), **past)
    roll_up_waiting()
    assert api.get(URL).json()["dearest"][0]["per_probe_usd"] == pytest.approx(2.5)
    oldest = Round.objects.order_by("created_at")[:2].values("pk")
    Round.objects.filter(pk__in=oldest).update(max_tokens=17)
    assert api.get(URL).json()["dearest"][0]["per_probe_usd"] == pytest.approx(1.5)
    Round.objects.update(prompt_pack="reasoning")
    assert not api.get(URL).json()["dearest"][0]["is_measured"]


def test_a_cap_of_nothing_allows_nothing(db: None) -> None:
    make_llm(enabled_for_monitoring=True, upstream_id="nobody-knows-its-price")
    cap("0")
    assert rounds.open_due(timezone.now()) == []
