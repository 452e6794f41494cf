from __future__ import annotations

import random
from datetime import timedelta
from decimal import Decimal
from typing import Any

import numpy as np
import pytest
from django.utils import timezone
from scipy import stats

from benchmarks.models import BenchmarkResult, BenchmarkRun
from benchmarks.objectives import PRESETS, Objectives
from benchmarks.probing import MARK_TOKENS
from benchmarks.summaries import PERCENTS, spread, statistics_of
from models_app.models import LLM
from providers.tokens import estimate_tokens

NOW = timezone.now()


def make_row(**fields: Any) -> BenchmarkResult:
    figures = {"ttft_ms": 100.0, "total_latency_ms": 1000.0, "response_ms": 1000.0, "tps": 50.0}
    times = {"started_at": NOW, "created_at": NOW + timedelta(seconds=1)}
    return BenchmarkResult(**{**figures, "tpot_ms": 20.0, **times, "llm_id": LLM_ID, **fields})


def make_failed() -> BenchmarkResult:
    none = dict.fromkeys(("ttft_ms", "total_latency_ms", "response_ms", "tps", "tpot_ms"))
    return make_row(error="503", error_class="overloaded", **none)


LLM_ID = LLM().pk


def of_llm(rows: list[BenchmarkResult], **settings: Any) -> dict[str, Any]:
    run = BenchmarkRun(num_runs=10, **settings)
    (found,) = statistics_of(run, rows, {LLM_ID: "m"})["per_model"]
    return dict(found)


@pytest.mark.parametrize("n", [1, 2, 5, 6, 10, 37, 400])
def test_every_figure_of_a_spread_is_that_of_scipy(n: int) -> None:
    draw = random.Random(n)
    values = [draw.lognormvariate(5, 0.7) for _ in range(n)]

    found = spread(values, PERCENTS["ttft_ms"])

    for percent in PERCENTS["ttft_ms"]:
        expected = np.quantile(values, percent / 100, method="linear")
        assert found[f"p{percent}"] == pytest.approx(expected)
    assert found["mean"] == pytest.approx(np.mean(values))
    assert (found["min"], found["max"]) == (min(values), max(values))


@pytest.mark.parametrize("n", [5, 6, 10, 11, 100])
def test_the_interval_of_the_median_covers_what_the_binomial_says(n: int) -> None:
    draw = random.Random(n)
    values = sorted(draw.gauss(100, 10) for _ in range(n))

    interval = spread(values, (50,))["median_interval"]

    below = values.index(interval["low"]) + 1
    covered = 1 - 2 * stats.binom.cdf(below - 1, n, 0.5)
    assert interval["coverage"] == pytest.approx(covered)
    assert interval["high"] == values[-below]


def test_fewer_than_five_values_are_shown_themselves() -> None:
    found = spread([3.0, None, 1.0, 2.0], (50,))

    assert (found["points"], found["median_interval"]) == ([1.0, 2.0, 3.0], None)
    assert (found["n"], found["indicative"]) == (3, True)


def test_a_percentile_beyond_the_data_is_not_reliable() -> None:
    assert spread([1.0] * 20, PERCENTS["tps"])["reliable"] == {
        "p5": True,
        "p10": True,
        "p50": True,
        "p95": True,
        "p99": False,
    }


def test_a_tail_has_the_interval_of_scipy_once_the_sample_is_large_enough() -> None:
    draw = random.Random(6)
    values = [draw.lognormvariate(5, 0.7) for _ in range(100)]

    found = spread(values, PERCENTS["ttft_ms"])["tail_intervals"]

    expected = stats.quantile_test(values, p=0.95).confidence_interval(0.95)
    assert (found["p95"]["low"], found["p95"]["high"]) == (expected.low, expected.high)
    assert found["p95"]["coverage"] == pytest.approx(0.9826, abs=1e-4)
    assert (list(found), found["p99"]) == (["p90", "p95", "p99"], None)


def test_success_has_a_wilson_interval() -> None:
    found = of_llm([make_row() for _ in range(9)] + [make_failed()])

    low, high = stats.binomtest(9, 10).proportion_ci(method="wilson")
    assert (found["success"]["count"], found["success"]["n"]) == (9, 10)
    assert found["success"]["interval"]["low"] == pytest.approx(low)
    assert found["success"]["interval"]["high"] == pytest.approx(high)
    assert found["error_classes"] == {"overloaded": 1}


def test_goodput_counts_errors_as_not_good() -> None:
    rows = [make_row(), make_row(ttft_ms=900.0), make_failed(), make_row()]

    found = of_llm(rows, slo={"ttft_ms": 500})["goodput"]

    assert (found["attainment"]["count"], found["attainment"]["n"]) == (2, 4)
    assert found["requests_per_second"] == pytest.approx(2.0)


def make_span(begins_s: float, lasts_s: float, **fields: Any) -> BenchmarkResult:
    begins = NOW + timedelta(seconds=begins_s)
    return make_row(started_at=begins, response_ms=lasts_s * 1000, output_tokens=30, **fields)


def test_a_closed_loop_is_timed_while_the_model_is_asked() -> None:
    # Two overlap, and for six seconds the other models have their turn.
    rows = [make_span(0, 2), make_span(1, 2), make_span(9, 1)]

    found = of_llm(rows)["throughput"]

    assert found == {
        "seconds": pytest.approx(4.0),
        "requests_per_second": pytest.approx(3 / 4),
        "output_tokens_per_second": pytest.approx(90 / 4),
    }


def test_an_open_loop_is_timed_from_the_first_due_to_the_last_answer() -> None:
    rows = [make_span(1, 2, queue_wait_ms=500.0), make_span(9, 1)]

    assert of_llm(rows, request_rate=1.0)["throughput"]["seconds"] == pytest.approx(9.5)


def test_unknown_tokens_make_the_rate_of_tokens_unknown() -> None:
    found = of_llm([make_span(0, 2), make_row()])["throughput"]

    assert found["output_tokens_per_second"] is None
    assert of_llm([])["throughput"]["requests_per_second"] is None


def test_a_level_that_moves_during_the_run_is_told() -> None:
    def found(second: float) -> Any:
        levels = [100.0] * 10 + [second] * 10
        rows = [make_row(ttft_ms=v + n * 7 % 10, iteration=n) for n, v in enumerate(levels)]
        return of_llm(rows[::-1])["drift"]

    assert found(150.0) == {"ratio": pytest.approx(1.5, rel=0.03), "p": pytest.approx(0, abs=1e-4)}
    assert found(101.0)["p"] > 0.05
    assert of_llm([make_row(iteration=n) for n in range(7)])["drift"] is None


def test_without_objectives_there_is_no_goodput() -> None:
    assert of_llm([make_row()])["goodput"] is None


@pytest.mark.parametrize(
    ("slo", "fields", "is_met"),
    [
        ({"ttft_ms": 100}, {}, True),
        ({"ttft_ms": 99}, {}, False),
        ({"latency_ms": 1000}, {}, True),
        ({"tps": 50}, {}, True),
        ({"tps": 51}, {}, False),
        ({"tpot_ms": 20}, {}, True),
        ({"tpot_ms": 50}, {"tpot_ms": None}, False),
        ({"ttft_ms": 150}, {"response_ms": 1049.0}, True),
        ({"ttft_ms": 150}, {"response_ms": 1051.0}, False),
        ({"latency_ms": 1500}, {"response_ms": 2000.0}, False),
    ],
)
def test_an_objective_is_judged_from_the_schedule(
    slo: dict[str, Any], fields: dict[str, Any], is_met: bool
) -> None:
    objectives = Objectives.of(slo)

    assert objectives is not None
    assert objectives.are_met(make_row(**fields)) is is_met


def test_a_preset_is_filled_in_and_can_be_overridden() -> None:
    slo = {"preset": "mlperf_llama2_70b_interactive", "ttft_ms": 300}

    assert Objectives.of(slo) == Objectives(ttft_ms=300, tpot_ms=40)
    assert all(Objectives.of({"preset": name}) for name in PRESETS)
    assert Objectives.of({}) is None


def test_costs_are_of_the_run_of_a_thousand_requests_and_of_a_good_one() -> None:
    cost = Decimal("0.002")
    rows = [
        make_row(estimated_cost=cost),
        make_row(estimated_cost=cost, ttft_ms=900.0),
        make_failed(),
    ]

    assert of_llm(rows, slo={"ttft_ms": 500})["cost"] == {
        "total_usd": pytest.approx(0.004),
        "per_1000_requests_usd": pytest.approx(4 / 3),
        "per_good_request_usd": pytest.approx(0.004),
    }


def test_one_unknown_cost_makes_the_sum_unknown() -> None:
    rows = [make_row(estimated_cost=Decimal(1)), make_row()]

    assert set(of_llm(rows)["cost"].values()) == {None}


def test_the_token_audit_compares_what_was_billed_with_the_text() -> None:
    prompt = "Count from 1 to 20, each number on a new line."
    rows = [
        make_row(output_tokens=80, reasoning_tokens=30, answer_estimate=40, input_tokens=24),
        make_row(output_tokens=60, answer_estimate=40, quality_flags=["usage_mismatch"]),
        make_row(output_tokens=60, token_source="estimated"),
    ]

    audit = of_llm(rows, prompt=prompt, cache_busting=False)["token_audit"]

    assert audit == {
        "n_reported": 2,
        "n_estimated": 1,
        "output_ratio": pytest.approx((50 / 40 + 60 / 40) / 2),
        "input_ratio": pytest.approx(24 / estimate_tokens(prompt)),
        "n_mismatched": 1,
    }


def test_the_mark_in_front_of_a_prompt_is_no_surplus() -> None:
    length = estimate_tokens("Count to 20.") + MARK_TOKENS

    found = of_llm([make_row(token_source="usage", input_tokens=length)], prompt="Count to 20.")

    assert found["token_audit"]["input_ratio"] == 1.0
