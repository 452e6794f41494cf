from __future__ import annotations

from collections.abc import Callable

import pytest
from django.test import Client
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from benchmarks.models import BenchmarkSchedule
from models_app.models import OwnPromptPack
from tests.make import make_llm, make_result, make_run

pytestmark = pytest.mark.django_db
Read = Callable[[str], str]


def test_without_a_benchmark_the_form_is_open(text_of: Read) -> None:
    llm = make_llm(upstream_id="chosen-one")
    text = text_of(f"/benchmarks?model={llm.pk}&model=nonsense")
    assert "No benchmark yet" in text
    assert f'<li data-id="{llm.pk}">chosen-one' in text


@pytest.mark.parametrize("url", ["/benchmarks", "/benchmarks/schedules"])
def test_without_a_model_no_benchmark_is_offered(text_of: Read, url: str) -> None:
    assert "No model can be benchmarked yet" in text_of(url)


def test_the_list_shows_states_and_progress_in_a_fixed_number_of_queries(
    text_of: Read, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    llm = make_llm()
    for status in ("completed", "running", "failed"):
        make_result(make_run(llm, status=status, num_runs=4), llm)
    with django_assert_num_queries(8):
        text = text_of("/benchmarks")
    assert '<progress aria-label="Progress" max="4" value="1">' in text
    assert text.count("1 of 4") == 3


def test_runs_are_found_by_their_name(text_of: Read) -> None:
    make_run(make_llm(), name="Nightly 5%")
    make_run(make_llm(), name="Other")
    text = text_of("/benchmarks?q=5%25")
    assert "Nightly" in text
    assert "Other" not in text
    assert "No benchmark is called" in text_of("/benchmarks?q=_")


def test_a_run_shows_figures_per_model(
    text_of: Read, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    quick, broken = make_llm(upstream_id="quick"), make_llm(upstream_id="broken")
    run = make_run(quick, broken, status="completed", num_runs=6)
    for ttft in (100, 110, 120, 130, 140, 900):
        make_result(run, quick, ttft_ms=float(ttft), total_latency_ms=2000.0 + ttft, tps=50.0)
        make_result(run, broken, error="The answer was cut off.", error_class="truncated")
    with django_assert_num_queries(8):
        text = text_of(f"/benchmarks/{run.pk}")
    for written in ("125", "100–900", "2,100–2,900", "≈", "The answer was cut off."):  # noqa: RUF001
        assert written in text, written
    assert "answer cut off" in text
    assert f"/api/v1/benchmarks/{run.pk}/export?format=csv" in text
    assert f"/api/v1/benchmarks/{run.pk}/comparison" in text


def test_a_run_with_objectives_shows_how_many_requests_met_them(text_of: Read) -> None:
    llm = make_llm()
    run = make_run(llm, status="completed", slo={"ttft_ms": 150})
    for ttft in (100.0, 140.0, 200.0):
        make_result(run, llm, ttft_ms=ttft)
    make_result(run, llm, error="Down.")
    cell = text_of(f"/benchmarks/{run.pk}").split('data-label="Objectives met"')[1]
    assert cell.split("</td>")[0].startswith(' class="number">50 %')
    assert "n=4" in cell.split("</td>")[0]


def test_fewer_than_five_values_have_no_percentile(text_of: Read) -> None:
    llm = make_llm()
    run = make_run(llm, status="completed")
    make_result(run, llm, ttft_ms=100.0)
    make_result(run, llm, ttft_ms=200.0)
    text = text_of(f"/benchmarks/{run.pk}")
    assert "100–200 range" in text  # noqa: RUF001 - an en dash is meant
    assert "≈ <" not in text
    assert '<span class="n">≈' not in text


def test_the_points_of_a_run_end_where_its_stream_goes_on(browser: Client) -> None:
    llm = make_llm(upstream_id="m")
    run = make_run(llm, status="running")
    make_result(run, llm, ttft_ms=101.126)
    make_result(run, llm, error="Down.")
    assert browser.get(f"/benchmarks/{run.pk}/points").json() == {
        "models": [{"id": str(llm.pk), "name": "m", "ttft": [101.13], "failed": 1}],
        "seq": 4,
        "is_open": True,
    }


def test_an_open_run_can_be_cancelled_and_an_ended_one_deleted(text_of: Read) -> None:
    llm = make_llm()
    running = make_run(llm, status="running")
    ended = make_run(llm, status="completed", completed_at=timezone.now())
    assert f"{running.pk}/cancel" in text_of(f"/benchmarks/{running.pk}")
    assert 'data-method="DELETE"' not in text_of(f"/benchmarks/{running.pk}")
    assert 'data-method="DELETE"' in text_of(f"/benchmarks/{ended.pk}")


@pytest.mark.parametrize(
    ("reason", "written"),
    [("cancelled", "What was measured stays"), ("Its worker was lost.", "Its worker was lost.")],
)
def test_a_run_that_ended_early_says_why(text_of: Read, reason: str, written: str) -> None:
    run = make_run(make_llm(), status="failed", failure_reason=reason, completed_at=timezone.now())
    assert written in text_of(f"/benchmarks/{run.pk}")


def test_schedules_show_their_rhythm_and_their_last_run(
    text_of: Read, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    llms = [make_llm(upstream_id=f"m{number}") for number in range(5)]
    for number in range(3):
        made = BenchmarkSchedule.make(
            llms, name=f"S{number}", cron="0 3 * * *", prompt_pack="health_check"
        )
        make_run(*llms, schedule=made, status="completed")
    with django_assert_num_queries(8):
        text = text_of("/benchmarks/schedules")
    assert "<code>0 3 * * *</code> UTC" in text
    assert "and 2 more" in text
    assert text.count(">completed<") == 3


def test_own_prompt_packs_can_be_deleted_and_built_in_ones_not(text_of: Read) -> None:
    OwnPromptPack.objects.create(id="ours", name="Ours", prompt="<b>Say</b> hi.", expected_tokens=9)
    text = text_of("/benchmarks/prompts")
    assert "&lt;b&gt;Say&lt;/b&gt; hi." in text
    assert text.count('data-method="DELETE"') == 1
    assert "/api/v1/monitoring/prompt-packs/ours" in text
