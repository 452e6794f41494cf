from __future__ import annotations

import random
from typing import Any
from uuid import UUID

import pytest
from rest_framework.test import APIClient

from benchmarks.models import BenchmarkRun
from models_app.models import LLM
from tests.benchmarks.wire import make_bad, make_good
from tests.make import make_account, make_llm, make_run

pytestmark = pytest.mark.django_db
URL = "/api/v1/benchmarks"
NOBODY = str(UUID(int=7))


def fill(run: BenchmarkRun, llm: LLM, level: float, n: int = 12, **fields: Any) -> None:
    draw = random.Random(f"{run.seed} {level}")
    for _ in range(n):
        factor = level * draw.lognormvariate(0, 0.05)
        make_good(
            run,
            llm,
            **{
                "ttft_ms": 100 * factor,
                "total_latency_ms": 1000 * factor,
                "tps": 50 / factor,
                "tpot_ms": 20 * factor,
                "uncertainty_ms": 0.1,
                **fields,
            },
        )


def compared(api: APIClient, run: BenchmarkRun, **query: Any) -> dict[str, list[Any]]:
    body = api.get(f"{URL}/{run.pk}/comparison", query).json()
    return {one["metric"]: one["comparisons"] for one in body["metrics"]}


def test_two_models_are_compared_with_all_the_evidence(api: APIClient) -> None:
    quick, slow = make_llm(custom_name="quick"), make_llm(custom_name="slow")
    run = make_run(quick, slow, status="completed")
    fill(run, quick, 1.0)
    fill(run, slow, 1.5)

    body = api.get(f"{URL}/{run.pk}/comparison").json()

    assert (body["run_id"], body["baseline"]) == (str(run.pk), [])
    ttft = body["metrics"][0]
    assert (ttft["metric"], ttft["better"], ttft["alpha"]) == ("ttft_ms", "lower", 0.05)
    assert ttft["smallest_effect"] == 0.05
    (verdict,) = ttft["comparisons"]
    assert (verdict["model_name"], verdict["baseline_model_name"]) == ("slow", "quick")
    assert (verdict["state"], verdict["n"], verdict["n_baseline"]) == ("slower", 12, 12)
    assert verdict["p_adjusted"] < 0.001
    low, high = (verdict["ratio"]["interval"][end] for end in ("low", "high"))
    assert 1.3 < low < verdict["ratio"]["value"] < high < 1.7
    assert verdict["shift"]["value"] == pytest.approx(50, abs=15)
    assert 0 < verdict["minimum_detectable_effect"] < 0.2
    assert [one["comparisons"][0]["state"] for one in body["metrics"]] == ["slower"] * 4


def test_all_pairs_of_a_few_models_share_one_adjustment(api: APIClient) -> None:
    llms = [make_llm() for _ in range(3)]
    run = make_run(*llms)
    for llm in llms:
        fill(run, llm, 1.0)

    verdicts = compared(api, run)["ttft_ms"]

    assert len(verdicts) == 3
    assert all(v["p_adjusted"] >= v["p"] for v in verdicts)
    assert {v["state"] for v in verdicts} == {"no_detectable_difference"}


def test_many_models_are_compared_with_the_first_or_with_a_given_one(api: APIClient) -> None:
    llms = [make_llm() for _ in range(7)]
    run = make_run(*llms)

    first = compared(api, run)["tps"]
    given = compared(api, run, reference=str(llms[3].pk))["tps"]

    assert [v["baseline_model_id"] for v in first] == [str(llms[0].pk)] * 6
    assert {v["baseline_model_id"] for v in given} == {str(llms[3].pk)}
    assert {v["state"] for v in first} == {"no_baseline"}


def test_three_against_three_is_inconclusive_and_says_so(api: APIClient) -> None:
    first, second = make_llm(), make_llm()
    run = make_run(first, second)
    fill(run, first, 1.0, n=3)
    fill(run, second, 9.0, n=3)

    (verdict,) = compared(api, run)["ttft_ms"]

    assert verdict["state"] == "inconclusive"
    assert verdict["reason"].startswith("3 against 3 values can never be significant")


def test_a_run_is_compared_with_earlier_runs_pooled(api: APIClient) -> None:
    llm, new = make_llm(), make_llm()
    earlier = [make_run(llm, seed=n, status="completed") for n in range(2)]
    for other in earlier:
        fill(other, llm, 1.0, n=5)
    run = make_run(llm, new, seed=9)
    fill(run, llm, 0.5)
    fill(run, new, 1.0)

    verdicts = compared(api, run, baseline=",".join(str(other.pk) for other in earlier))["ttft_ms"]

    assert [(v["state"], v["n_baseline"]) for v in verdicts] == [
        ("faster", 10),
        ("no_baseline", 0),
    ]


def test_against_single_earlier_runs_the_wandering_is_not_known_and_that_is_said(
    api: APIClient,
) -> None:
    llm = make_llm()
    earlier, run = make_run(llm, seed=1), make_run(llm, seed=2)
    fill(earlier, llm, 1.0)
    fill(run, llm, 1.4)

    (verdict,) = compared(api, run, baseline=str(earlier.pk))["ttft_ms"]

    assert (verdict["state"], verdict["usual_spread"]) == ("slower", None)
    assert verdict["cautions"] == [
        "How much the level wanders from run to run is known from 3 earlier runs on; this compares "
        "with 1."
    ]


def test_a_change_like_those_between_the_earlier_runs_is_none(api: APIClient) -> None:
    llm = make_llm()
    earlier = [make_run(llm, seed=n) for n in range(4)]
    for other, level in zip(earlier, (1.0, 1.4, 0.8, 1.2), strict=True):
        fill(other, llm, level)
    run = make_run(llm, seed=9)
    fill(run, llm, 1.5)

    (verdict,) = compared(api, run, baseline=",".join(str(o.pk) for o in earlier))["ttft_ms"]

    assert verdict["p_adjusted"] < 0.001
    assert verdict["state"] == "no_detectable_difference"
    assert "is within what the earlier runs differ" in verdict["reason"]
    assert verdict["usual_spread"] < verdict["minimum_detectable_effect"]
    assert verdict["cautions"] == []


def test_runs_that_asked_in_different_ways_are_not_compared(api: APIClient) -> None:
    llm = make_llm()
    other, run = make_run(llm, max_tokens=50), make_run(llm, prompt_pack="reasoning")
    fill(other, llm, 1.0)
    fill(run, llm, 1.0)

    (verdict,) = compared(api, run, baseline=str(other.pk))["ttft_ms"]

    assert verdict["state"] == "invalid"
    assert verdict["reason"] == "The runs asked in different ways: prompt_pack, max_tokens."


def test_arrivals_are_a_difference_in_an_open_loop_only(api: APIClient) -> None:
    llm = make_llm()

    def state(**settings: Any) -> str:
        other, run = (make_run(llm, arrivals=kind, **settings) for kind in ("constant", "poisson"))
        fill(other, llm, 1.0)
        fill(run, llm, 1.0)
        return str(compared(api, run, baseline=str(other.pk))["ttft_ms"][0]["state"])

    assert (state(), state(request_rate=5.0)) == ("no_detectable_difference", "invalid")


def test_models_of_one_name_are_told_apart_by_their_accounts(api: APIClient) -> None:
    east, west = (make_account(display_name=name) for name in ("East", "West"))
    twins = [make_llm(east, f"m-{n}", custom_name="llama") for n in (1, 2)]
    run = make_run(*twins, make_llm(west, "llama"), make_llm(upstream_id="x"))

    verdicts = compared(api, run, reference=str(twins[0].pk))["ttft_ms"]

    assert {v["baseline_model_name"] for v in verdicts} == {"East/m-1"}
    assert [v["model_name"] for v in verdicts] == ["East/m-2", "West/llama", "x"]


@pytest.mark.parametrize(
    ("fields", "metric"),
    [
        ({"quality_flags": ["client_lag"], "uncertainty_ms": 20.0}, "ttft_ms"),
        ({"quality_flags": ["client_lag"], "uncertainty_ms": None}, "ttft_ms"),
        ({"quality_flags": ["cache_hit"]}, "ttft_ms"),
        ({"quality_flags": ["tokens_estimated"]}, "tps"),
    ],
)
def test_values_that_a_flag_spoils_are_not_compared(
    api: APIClient, fields: dict[str, Any], metric: str
) -> None:
    first, second = make_llm(), make_llm()
    run = make_run(first, second)
    fill(run, first, 1.0)
    fill(run, second, 2.0, **fields)

    assert compared(api, run)[metric][0]["state"] == "invalid"


def test_a_late_client_whose_stamps_were_not_late_spoils_nothing(api: APIClient) -> None:
    first, second = make_llm(), make_llm()
    run = make_run(first, second)
    fill(run, first, 1.0, quality_flags=["client_lag"])
    fill(run, second, 2.0, quality_flags=["client_lag"])

    assert compared(api, run)["ttft_ms"][0]["state"] == "slower"


def test_a_side_of_which_half_failed_is_not_compared(api: APIClient) -> None:
    first, second = make_llm(), make_llm(custom_name="shaky")
    run = make_run(first, second)
    fill(run, first, 1.0)
    fill(run, second, 0.5)
    for _ in range(12):
        make_bad(run, second)

    (verdict,) = compared(api, run)["ttft_ms"]

    assert verdict["state"] == "invalid"
    assert verdict["reason"].startswith("Half of the requests to shaky or more failed")


def test_fewer_failures_are_a_caution_beside_the_verdict(api: APIClient) -> None:
    first, second = make_llm(), make_llm(custom_name="shaky")
    run = make_run(first, second)
    fill(run, first, 1.0)
    fill(run, second, 0.5)
    make_bad(run, second)

    (verdict,) = compared(api, run)["ttft_ms"]

    assert verdict["state"] == "faster"
    assert verdict["cautions"] == [
        "1 of 13 requests to shaky failed; only the answered ones are compared."
    ]


def test_an_effect_below_the_error_of_the_client_does_not_count(api: APIClient) -> None:
    first, second = make_llm(), make_llm()
    run = make_run(first, second)
    fill(run, first, 1.0, n=40, uncertainty_ms=60.0)
    fill(run, second, 1.3, n=40, uncertainty_ms=60.0)

    (verdict,) = compared(api, run)["ttft_ms"]

    assert verdict["state"] == "no_detectable_difference"
    assert verdict["p_adjusted"] < 0.001


def test_failed_requests_are_left_out(api: APIClient) -> None:
    first, second = make_llm(), make_llm()
    run = make_run(first, second)
    fill(run, first, 1.0)
    for _ in range(20):
        make_bad(run, second)

    (verdict,) = compared(api, run)["ttft_ms"]

    assert (verdict["n"], verdict["median"]) == (0, None)


@pytest.mark.parametrize(
    "query",
    [
        {"baseline": "x"},
        {"baseline": "itself"},
        {"baseline": NOBODY},
        {"baseline": ",".join(str(UUID(int=n)) for n in range(21))},
        {"reference": "x"},
        {"reference": NOBODY},
    ],
    ids=str,
)
def test_a_bad_query_is_refused(api: APIClient, query: dict[str, str]) -> None:
    run = make_run(make_llm())
    asked = {key: str(run.pk) if value == "itself" else value for key, value in query.items()}

    answer = api.get(f"{URL}/{run.pk}/comparison", asked)

    assert (answer.status_code, list(answer.json()["errors"])) == (400, list(query))


def test_the_runs_needed_follow_from_the_stored_variation(api: APIClient) -> None:
    llm = make_llm()
    for n in range(3):
        fill(make_run(llm, seed=n, status="completed"), llm, 1.0 + n, n=20)

    body = api.get(f"{URL}/runs-needed", {"model_id": str(llm.pk), "effect": "0.07"}).json()

    assert body["based_on"] == {"runs": 3, "values": 60}
    assert body["spread"] == pytest.approx(0.05, rel=0.3)
    assert 10 < body["runs_needed"] < 60
    assert body["reason"] is None
    assert [one["runs"] for one in body["detectable"]] == [5, 10, 20, 50, 100]
    effects = [one["effect"] for one in body["detectable"]]
    assert effects == sorted(effects, reverse=True)
    assert min(effects) > 0.05
    # Their levels are 1, 2 and 3: from run to run, no number of requests sees less than that.
    assert body["between_runs"]["runs"] == 3
    assert body["between_runs"]["usual_spread"] > 3


def test_no_number_of_runs_shows_a_change_too_small_for_a_verdict(api: APIClient) -> None:
    llm = make_llm()
    fill(make_run(llm, status="completed"), llm, 1.0, n=20)

    body = api.get(f"{URL}/runs-needed", {"model_id": str(llm.pk), "effect": "0.05"}).json()

    assert body["runs_needed"] is None
    assert body["reason"] == "A change that is not above 5 % never gets a verdict."
    assert body["between_runs"] == {"runs": 1, "usual_spread": None}


def test_without_stored_values_the_runs_needed_are_unknown(api: APIClient) -> None:
    llm = make_llm()

    assert api.get(f"{URL}/runs-needed", {"model_id": str(llm.pk)}).json() == {
        "model_id": str(llm.pk),
        "metric": "ttft_ms",
        "effect": 0.1,
        "power": 0.8,
        "spread": None,
        "based_on": {"runs": 0, "values": 0},
        "runs_needed": None,
        "reason": "No run of this model with two values is stored yet.",
        "fewest_runs": 4,
        "detectable": [],
        "between_runs": {"runs": 0, "usual_spread": None},
    }


@pytest.mark.parametrize(
    "query",
    [
        {},
        {"model_id": "x"},
        {"model_id": NOBODY},
        {"metric": "speed"},
        {"effect": "0"},
        {"effect": "nan"},
        {"power": "1"},
    ],
    ids=str,
)
def test_a_bad_wish_is_refused(api: APIClient, query: dict[str, str]) -> None:
    known = {"model_id": str(make_llm().pk)} if query and "model_id" not in query else {}

    answer = api.get(f"{URL}/runs-needed", {**known, **query})

    assert (answer.status_code, list(answer.json()["errors"])) == (400, list(query or ["model_id"]))
