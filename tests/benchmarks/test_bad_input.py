from __future__ import annotations

import json
from typing import Any
from uuid import uuid4

import pytest
from rest_framework.test import APIClient

from benchmarks.models import BenchmarkRun
from tests.make import make_account, make_llm, make_run

pytestmark = pytest.mark.django_db
URL = "/api/v1/benchmarks"
HUGE = 10**30

WRONG: dict[str, list[Any]] = {
    "model_ids": [None, [], "x", {}, ["x"], [1], [None], [str(uuid4())], [[str(uuid4())]], HUGE],
    "prompt_pack": [None, "", 5, True, [], "nope", "p" * 10_000],
    "name": [5, True, [], {}, "n" * 256, "n" * 10_000],
    "max_tokens": [None, 0, -1, 4097, HUGE, "5", 1.5, True, []],
    "num_runs": [None, 0, -1, 1001, HUGE, "5", 1.5, True, []],
    "concurrency_per_llm": [None, 0, -1, 65, HUGE, "5", 1.5, True, []],
    "request_rate": [0, -1, 0.0009, 1e-300, 101, HUGE, 10**400, "5", True, [], {}],
    "arrivals": [None, "", "regular", 5, True, []],
    "cache_busting": [None, 0, 1, "yes", []],
    "model_time_limit_s": [0, -1, 604_801, HUGE, "5", 1.5, True],
    "run_time_limit_s": [0, -1, 604_801, HUGE, "5", 1.5, True],
    "slo": [
        None,
        5,
        "fast",
        [],
        {"ttft": 5},
        {"ttft_ms": 0},
        {"latency_ms": -1},
        {"tps": "5"},
        {"tpot_ms": HUGE**11},
        {"preset": "nope"},
    ],
    "seed": [None, -1, 2**31, HUGE, "5", 1.5, True],
    "prompt_sha256": [None, 5, "", "0" * 64, "0" * 65],
    "surprise": [1],
}
CASES = [(field, value) for field, values in WRONG.items() for value in values]


@pytest.mark.parametrize(("field", "value"), CASES)
def test_a_wrong_field_is_refused_by_name_and_stores_nothing(
    api: APIClient, field: str, value: Any
) -> None:
    body = {"model_ids": [str(make_llm().pk)], "prompt_pack": "health_check", field: value}

    response = api.post(URL, body, format="json")

    assert response.status_code == 400
    assert any(name.split(".")[0] == field for name in response.json()["errors"])
    assert not BenchmarkRun.objects.exists()


@pytest.mark.parametrize("missing", ["model_ids", "prompt_pack"])
def test_a_missing_field_is_refused(api: APIClient, missing: str) -> None:
    body = {"model_ids": [str(make_llm().pk)], "prompt_pack": "health_check"}
    del body[missing]

    response = api.post(URL, body, format="json")

    assert (response.status_code, list(response.json()["errors"])) == (400, [missing])


@pytest.mark.parametrize(
    "raw",
    ["", "{", "[]", "null", "5", '{"num_runs": NaN}', '{"name": "\\ud800"}', "\xff", "[" * 50_000],
)
def test_a_body_that_is_no_order_is_refused(api: APIClient, raw: str) -> None:
    response = api.post(URL, raw.encode("latin-1"), content_type="application/json")

    assert response.status_code == 400
    assert response.json()["detail"]


@pytest.mark.parametrize("text", ["NaN", "Infinity", "1e400", '"\\ud800"', '"\\u0000"'])
def test_what_json_or_the_database_cannot_hold_is_refused(api: APIClient, text: str) -> None:
    ids = json.dumps([str(make_llm().pk)])
    raw = f'{{"model_ids": {ids}, "prompt_pack": "health_check", "name": {text}}}'

    response = api.post(URL, raw.encode(), content_type="application/json")

    assert response.status_code == 400
    assert not BenchmarkRun.objects.exists()


def test_models_named_twice_are_refused(api: APIClient) -> None:
    llm = make_llm()
    body = {"model_ids": [str(llm.pk), str(llm.pk).upper()], "prompt_pack": "health_check"}

    response = api.post(URL, body, format="json")

    assert response.status_code == 400
    assert response.json()["errors"] == {"model_ids": [f"Named more than once: {llm.pk}."]}


def test_unknown_models_are_named(api: APIClient) -> None:
    unknown = str(uuid4())
    body = {"model_ids": [str(make_llm().pk), unknown], "prompt_pack": "health_check"}

    response = api.post(URL, body, format="json")

    assert response.status_code == 400
    assert response.json()["errors"] == {"model_ids": [f"No such model: {unknown}."]}


def test_models_that_are_not_enabled_are_named(api: APIClient) -> None:
    off = make_llm(custom_name="off", enabled_for_benchmark=False)
    orphan = make_llm(make_account(enabled=False), custom_name="orphan")
    ids = [str(make_llm().pk), str(off.pk), str(orphan.pk)]

    response = api.post(URL, {"model_ids": ids, "prompt_pack": "health_check"}, format="json")

    (sentence,) = response.json()["errors"]["model_ids"]
    assert response.status_code == 400
    assert sentence == f"Not enabled for benchmarks: off ({off.pk}), orphan ({orphan.pk})."


def test_an_unknown_pack_is_answered_with_the_known_ones(api: APIClient) -> None:
    body = {"model_ids": [str(make_llm().pk)], "prompt_pack": "nope"}

    (sentence,) = api.post(URL, body, format="json").json()["errors"]["prompt_pack"]

    assert sentence.startswith("Must be one of: health_check, shakespeare, ")


def test_fifty_one_models_are_too_many(api: APIClient) -> None:
    body = {"model_ids": [str(uuid4()) for _ in range(51)], "prompt_pack": "health_check"}

    assert api.post(URL, body, format="json").status_code == 400


def test_the_requests_of_a_run_are_bounded_as_a_whole(api: APIClient) -> None:
    account = make_account()
    ids = [str(make_llm(account).pk) for _ in range(21)]
    body = {"model_ids": ids, "prompt_pack": "health_check", "num_runs": 1000}

    response = api.post(URL, body, format="json")

    assert response.status_code == 400
    assert response.json()["detail"] == "The run would make 21000 requests; 20000 is the most."


@pytest.mark.parametrize(
    "query",
    [
        {"page": "0"},
        {"page": "-1"},
        {"page": "x"},
        {"page": str(HUGE)},
        {"per_page": "0"},
        {"per_page": "101"},
        {"per_page": "1.5"},
        {"status": "nope"},
        {"status": ""},
    ],
)
def test_a_bad_list_query_is_refused(api: APIClient, query: dict[str, str]) -> None:
    response = api.get(URL, query)

    assert (response.status_code, list(response.json()["errors"])) == (400, list(query))


@pytest.mark.parametrize(
    ("tail", "query"),
    [
        ("export", {"format": "xml"}),
        ("export", {"format": ""}),
        ("results", {"limit": "0"}),
        ("results", {"offset": str(HUGE)}),
        ("results", {"model_id": "x"}),
    ],
)
def test_a_bad_query_of_a_run_is_refused(api: APIClient, tail: str, query: dict[str, str]) -> None:
    run = make_run(make_llm())

    response = api.get(f"{URL}/{run.pk}/{tail}", query)

    assert (response.status_code, list(response.json()["errors"])) == (400, list(query))


@pytest.mark.parametrize("method", ["put", "patch", "delete"])
def test_other_methods_are_not_allowed(api: APIClient, method: str) -> None:
    assert getattr(api, method)(URL).status_code == 405
