from __future__ import annotations

import csv
import io
import json
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import uuid4

import pytest
from pytest_django import DjangoAssertNumQueries
from rest_framework.test import APIClient

from benchmarks.documents import result_document
from benchmarks.models import BenchmarkResult, BenchmarkRun, RunDocument
from benchmarks.serializers import MeasurementOutput, ResultOutput
from tests.benchmarks.wire import make_bad, make_good
from tests.make import make_account, make_llm, make_run

pytestmark = pytest.mark.django_db
URL = "/api/v1/benchmarks"
NOON = datetime(2026, 1, 31, 12, tzinfo=UTC)


def order(api: APIClient, *llms: Any, **fields: Any) -> Any:
    body = {"model_ids": [str(llm.pk) for llm in llms], "prompt_pack": "health_check", **fields}
    return api.post(URL, body, format="json")


def text_of(response: Any) -> str:
    return b"".join(response.streaming_content).decode()


def test_an_order_is_accepted_at_once(api: APIClient) -> None:
    first, second = make_llm(), make_llm()

    response = order(api, second, first, name="Weekly", num_runs=5, max_tokens=64)

    run = BenchmarkRun.objects.get()
    assert response.status_code == 202
    assert response.json() == {
        "id": str(run.pk),
        "status": "pending",
        "message": "10 requests are queued.",
    }
    assert run.llm_ids == [second.pk, first.pk]
    assert (run.name, run.num_runs, run.max_tokens, run.total) == ("Weekly", 5, 64, 10)


def test_an_order_has_the_defaults_of_the_reference(api: APIClient) -> None:
    assert order(api, make_llm(), name=None).status_code == 202

    run = BenchmarkRun.objects.get()
    assert (run.num_runs, run.max_tokens, run.triggered_by) == (3, 200, "user")
    assert run.name.startswith("Benchmark 20")


def test_the_worker_is_told_after_the_order_is_stored(
    api: APIClient, monkeypatch: pytest.MonkeyPatch, django_capture_on_commit_callbacks: Any
) -> None:
    told: list[str] = []
    monkeypatch.setattr(
        "benchmarks.tasks.execute.apply_async", lambda args, **kw: told.extend(args)
    )

    with django_capture_on_commit_callbacks(execute=True):
        order(api, make_llm())

    assert told == [str(BenchmarkRun.objects.get().pk)]


def test_a_run_is_described_in_full(api: APIClient) -> None:
    llm = make_llm()
    run = make_run(llm, name="Run", num_runs=2, seed=9, started_at=NOON, status="running")
    make_good(run, llm)
    stored = BenchmarkRun.objects.get()

    body = api.get(f"{URL}/{run.pk}").json()

    assert body.pop("eta_s") > 0
    del body["results"], body["statistics"]
    assert body == {
        "id": str(run.pk),
        "name": "Run",
        "status": "running",
        "model_ids": [str(llm.pk)],
        "prompt_pack": "health_check",
        "triggered_by": "user",
        "started_at": "2026-01-31T12:00:00Z",
        "completed_at": None,
        "result_count": 1,
        "created_at": stored.created_at.isoformat().replace("+00:00", "Z"),
        "updated_at": stored.updated_at.isoformat().replace("+00:00", "Z"),
        "max_tokens": 200,
        "num_runs": 2,
        "concurrency_per_llm": 1,
        "request_rate": None,
        "arrivals": "poisson",
        "cache_busting": True,
        "model_time_limit_s": None,
        "run_time_limit_s": None,
        "slo": {},
        "total": 2,
        "seed": 9,
        "schedule_id": None,
        "failure_reason": None,
        "cancelled": False,
        "verdicts": None,
    }


def test_an_export_tells_models_of_one_name_apart(api: APIClient) -> None:
    llms = [make_llm(make_account(display_name=name), "llama") for name in ("East", "West")]
    run = make_run(*llms)
    for llm in llms:
        make_good(run, llm)

    text = text_of(api.get(f"{URL}/{run.pk}/export", {"format": "csv"}))

    rows = csv.DictReader(io.StringIO(text))
    assert [row["model_name"] for row in rows] == ["East/llama", "West/llama"]


def test_the_time_left_is_that_of_the_requests_left(api: APIClient) -> None:
    llm = make_llm()
    run = make_run(llm, num_runs=4, started_at=NOON, status="running")

    assert run.seconds_left(0, NOON) is None
    assert run.seconds_left(1, NOON + timedelta(seconds=2)) == 6.0
    BenchmarkRun.objects.update(status="completed")
    assert api.get(URL).json()["runs"][0]["eta_s"] is None


def test_before_work_begins_started_at_is_the_time_of_the_order(api: APIClient) -> None:
    run = make_run(make_llm())

    body = api.get(f"{URL}/{run.pk}").json()

    assert body["started_at"] == body["created_at"]


def test_a_result_has_its_figures_at_both_levels(api: APIClient) -> None:
    llm = make_llm(custom_name="Mine")
    run = make_run(llm)
    row = make_good(run, llm, created_at=NOON, estimated_cost=Decimal("0.00125"))

    (result,) = api.get(f"{URL}/{run.pk}").json()["results"]

    measurement = result.pop("measurement")
    assert result == {
        "id": str(row.pk),
        "model_id": str(llm.pk),
        "model_name": "Mine",
        "iteration": 1,
        "ordinal": 1,
        "ttft_ms": 100.0,
        "tps": 50.0,
        "tps_excluding_ttft": 55.0,
        "total_latency_ms": 1100.0,
        "input_tokens": 12,
        "output_tokens": 55,
        "estimated_cost": 0.00125,
        "error": None,
        "error_class": None,
        "created_at": "2026-01-31T12:00:00Z",
    }
    assert measurement["tpot_ms"] is None
    assert (measurement["ttft_ms"], measurement["token_source"]) == (100.0, "usage")


def test_an_unknown_figure_is_zero_for_old_clients_and_null_in_the_measurement(
    api: APIClient,
) -> None:
    llm = make_llm()
    run = make_run(llm)
    make_bad(run, llm)

    (result,) = api.get(f"{URL}/{run.pk}").json()["results"]

    assert (result["ttft_ms"], result["tps"], result["output_tokens"]) == (0, 0, 0)
    assert result["error"] == "The provider answered 503."
    assert set(result["measurement"].pop("quality_flags")) == set()
    assert set(result["measurement"].values()) == {None}


def test_the_schema_of_a_result_names_what_is_sent(api: APIClient) -> None:
    llm = make_llm()
    document = result_document(make_good(make_run(llm), llm), llm.name)

    assert list(ResultOutput().fields) == list(document)
    assert list(MeasurementOutput().fields) == list(document["measurement"])


def test_statistics_are_type_7_quantiles_over_the_successful_results(api: APIClient) -> None:
    llm = make_llm()
    run = make_run(llm, num_runs=5)
    for ttft_ms, tps in ((100, 10), (200, 20), (300, 30), (400, 40)):
        make_good(run, llm, ttft_ms=ttft_ms, tps=tps)
    make_bad(run, llm)

    found = api.get(f"{URL}/{run.pk}").json()["statistics"]

    del found["per_model"]
    assert found == {
        "ttft_p50": 250.0,
        "ttft_p95": pytest.approx(385.0),
        "ttft_p99": pytest.approx(397.0),
        "tps_p50": 25.0,
        "tps_p95": pytest.approx(38.5),
        "tps_p99": pytest.approx(39.7),
        "quantile_method": "linear",
        "n": 4,
        "slo": None,
        "cost_usd": None,
    }


def test_statistics_keep_the_models_apart(api: APIClient) -> None:
    quick, broken = make_llm(custom_name="quick"), make_llm(custom_name="broken")
    run = make_run(quick, broken)
    for ttft_ms in (100, 110, 120):
        make_good(run, quick, ttft_ms=ttft_ms)
    make_bad(run, broken)

    first, second = api.get(f"{URL}/{run.pk}").json()["statistics"]["per_model"]

    assert (first["model_name"], first["n"], first["n_failed"]) == ("quick", 3, 0)
    assert first["ttft_ms"] == {
        "n": 3,
        "p50": 110.0,
        "p90": 118.0,
        "p95": 119.0,
        "p99": pytest.approx(119.8),
        "min": 100.0,
        "max": 120.0,
        "mean": 110.0,
        "median_interval": None,
        "tail_intervals": {"p90": None, "p95": None, "p99": None},
        "points": [100.0, 110.0, 120.0],
        "indicative": True,
        "reliable": {"p50": True, "p90": False, "p95": False, "p99": False},
    }
    assert (second["model_id"], second["n"], second["n_failed"]) == (str(broken.pk), 0, 1)
    assert (second["tps"]["p5"], second["tps"]["p50"], second["tps"]["max"]) == (None, None, None)


def test_a_run_without_results_has_statistics_of_nothing(api: APIClient) -> None:
    run = make_run(make_llm())

    found = api.get(f"{URL}/{run.pk}").json()["statistics"]

    assert (found["n"], found["ttft_p50"], found["per_model"][0]["ttft_ms"]["p50"]) == (0, 0, None)


def test_the_newest_runs_are_listed_first_page_by_page(api: APIClient) -> None:
    runs = [make_run(make_llm(), name=f"{i}") for i in range(5)]

    body = api.get(URL, {"page": 2, "per_page": 2}).json()

    assert [run["name"] for run in body["runs"]] == ["2", "1"]
    assert (body["total"], body["page"], body["per_page"]) == (5, 2, 2)
    assert api.get(URL, {"page": 9}).json()["runs"] == []
    assert len(runs) == 5


def test_the_list_is_filtered_by_status(api: APIClient) -> None:
    make_run(make_llm(), status="completed", name="done")
    make_run(make_llm())

    body = api.get(URL, {"status": "completed"}).json()

    assert ([run["name"] for run in body["runs"]], body["total"]) == (["done"], 1)


def test_a_list_costs_three_queries_however_long_it_is(
    api: APIClient, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    llm, other = make_llm(), make_llm()
    for _ in range(4):
        run = make_run(llm, other)
        make_good(run, llm)
        make_good(run, other)

    with django_assert_num_queries(3):
        body = api.get(URL).json()

    assert [run["result_count"] for run in body["runs"]] == [2] * 4
    assert body["runs"][0]["model_ids"] == [str(llm.pk), str(other.pk)]


def test_the_detail_costs_four_queries_however_many_results(
    api: APIClient, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    llm, other = make_llm(), make_llm()
    run = make_run(llm, other)
    for _ in range(5):
        make_good(run, llm)
        make_bad(run, other)

    with django_assert_num_queries(4):
        assert len(api.get(f"{URL}/{run.pk}").json()["results"]) == 10


def test_results_come_all_at_once_or_in_slices(
    api: APIClient, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    llm, other = make_llm(), make_llm()
    run = make_run(llm, other)
    for each in (llm, other, llm, other):
        make_good(run, each)

    with django_assert_num_queries(4):
        whole = api.get(f"{URL}/{run.pk}/results").json()
    slice_ = api.get(f"{URL}/{run.pk}/results", {"limit": 2, "offset": 1}).json()
    one = api.get(f"{URL}/{run.pk}/results", {"model_id": str(other.pk)}).json()

    assert ([r["ordinal"] for r in whole["results"]], whole["total"]) == ([1, 2, 3, 4], 4)
    assert ([r["ordinal"] for r in slice_["results"]], slice_["total"]) == ([2, 3], 4)
    assert ([r["ordinal"] for r in one["results"]], one["total"]) == ([2, 4], 2)


def test_the_json_export_keeps_unknown_figures_null(api: APIClient) -> None:
    llm = make_llm(make_account(provider_type="anthropic"), custom_name="Mine")
    run = make_run(llm, started_at=NOON, name="Weekly")
    make_bad(run, llm, created_at=NOON)

    response = api.get(f"{URL}/{run.pk}/export")
    body = json.loads(text_of(response))

    expected = f'attachment; filename="benchmark_{run.pk}.json"'
    assert response["Content-Disposition"] == expected
    assert (body["run_id"], body["run_name"]) == (str(run.pk), "Weekly")
    assert (body["started_at"], body["completed_at"]) == ("2026-01-31T12:00:00Z", None)
    (row,) = body["results"]
    assert (row["model_name"], row["provider"]) == ("Mine", "anthropic")
    assert (row["ttft_ms"], row["tps"], row["output_tokens"]) == (None, None, None)
    assert (row["error"], row["timestamp"]) == (
        "The provider answered 503.",
        "2026-01-31T12:00:00Z",
    )


def test_the_csv_export_escapes_formulas_and_leaves_unknown_cells_empty(api: APIClient) -> None:
    llm = make_llm(custom_name="=HYPERLINK(1)")
    run = make_run(llm)
    make_good(run, llm, quality_flags=["cache_hit", "client_lag"])
    make_bad(run, llm, error="-1 is no answer")

    response = api.get(f"{URL}/{run.pk}/export", {"format": "csv"})
    good, bad = csv.DictReader(io.StringIO(text_of(response)))

    assert response["Content-Type"] == "text/csv; charset=utf-8"
    assert (good["model_name"], good["ttft_ms"]) == ("'=HYPERLINK(1)", "100.0")
    assert good["quality_flags"] == "cache_hit client_lag"
    assert (bad["error"], bad["ttft_ms"], bad["tps"]) == ("'-1 is no answer", "", "")


def test_the_first_export_columns_are_those_of_the_reference(api: APIClient) -> None:
    run = make_run(make_llm())

    text = text_of(api.get(f"{URL}/{run.pk}/export", {"format": "csv"}))

    assert text.startswith(
        "model_name,provider,ttft_ms,tps,tps_excluding_ttft,total_latency_ms,"
        "input_tokens,output_tokens,error,timestamp,"
    )


def test_cancelling_ends_an_open_run(api: APIClient) -> None:
    run = make_run(make_llm(), status="running", fence=1)

    response = api.post(f"{URL}/{run.pk}/cancel")

    body = response.json()
    assert response.status_code == 200
    assert (body["status"], body["failure_reason"], body["cancelled"]) == (
        "failed",
        "cancelled",
        True,
    )
    assert body["completed_at"] is not None


def test_an_ended_run_cannot_be_cancelled(api: APIClient) -> None:
    run = make_run(make_llm(), status="completed")

    response = api.post(f"{URL}/{run.pk}/cancel")

    assert response.status_code == 409
    assert response.json() == {"detail": "The run has ended already.", "errors": {}}


def test_a_run_is_deleted_with_its_results_unless_it_is_running(api: APIClient) -> None:
    llm = make_llm()
    done, active = make_run(llm, status="completed"), make_run(llm, status="running")
    make_good(done, llm)

    assert api.delete(f"{URL}/{done.pk}").status_code == 204
    assert api.delete(f"{URL}/{active.pk}").status_code == 409
    assert list(BenchmarkRun.objects.all()) == [active]
    assert not BenchmarkResult.objects.exists()


def test_the_document_of_a_large_run_is_kept_and_made_anew_after_a_rename(
    api: APIClient, monkeypatch: pytest.MonkeyPatch, django_assert_num_queries: Any
) -> None:
    monkeypatch.setattr("benchmarks.archive.KEEP_FROM", 2)
    llm = make_llm(custom_name="Before")
    run = make_run(llm, status="completed")
    for _ in range(3):
        make_good(run, llm)
    url = f"{URL}/{run.pk}"

    first = api.get(url).json()
    with django_assert_num_queries(4):
        assert api.get(url).json() == first
    assert RunDocument.objects.count() == 1
    llm.custom_name = "After"
    llm.save()
    again = api.get(url).json()

    assert first["results"][0]["model_name"] == "Before"
    assert again["results"][0]["model_name"] == "After"
    assert api.get(f"{url}/results").json()["results"] == again["results"]


def test_an_open_run_keeps_no_document(api: APIClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("benchmarks.archive.KEEP_FROM", 1)
    llm = make_llm()
    run = make_run(llm, status="running")
    make_good(run, llm)

    assert len(api.get(f"{URL}/{run.pk}").json()["results"]) == 1
    make_good(run, llm)
    assert len(api.get(f"{URL}/{run.pk}").json()["results"]) == 2
    assert not RunDocument.objects.exists()


@pytest.mark.parametrize("tail", ["", "/results", "/export", "/cancel"])
def test_an_unknown_run_is_not_found(api: APIClient, tail: str) -> None:
    send = api.post if tail == "/cancel" else api.get

    response = send(f"{URL}/{uuid4()}{tail}")

    assert response.status_code == 404
    assert response.json() == {"detail": "Nothing was found at this address.", "errors": {}}


def test_a_twenty_first_open_run_is_refused(api: APIClient) -> None:
    llm = make_llm()
    for _ in range(20):
        make_run(llm)

    response = order(api, llm)

    assert response.status_code == 429
    assert BenchmarkRun.objects.count() == 20
