from __future__ import annotations

import pytest
from django.test import Client
from pytest_django import DjangoAssertNumQueries

from benchmarks.models import BenchmarkRun, BenchmarkSchedule
from tests.benchmarks.wire import make_bad, make_good
from tests.make import make_llm, make_run

pytestmark = pytest.mark.django_db
RUNS = "/admin/benchmarks/benchmarkrun/"
RESULTS = "/admin/benchmarks/benchmarkresult/"


def test_runs_are_listed_with_their_progress(admin_client: Client) -> None:
    llm = make_llm()
    run = make_run(llm, name="Weekly", num_runs=4)
    make_good(run, llm)

    page = admin_client.get(RUNS, {"q": "week", "status__exact": "pending"}).content.decode()

    assert "Weekly" in page
    assert "1 of 4" in page


def test_a_list_of_runs_costs_the_same_however_long(
    admin_client: Client, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    admin_client.get(RUNS)
    for _ in range(5):
        make_run(make_llm(), make_llm())

    with django_assert_num_queries(8):
        admin_client.get(RUNS)


def test_a_run_shows_its_llms_and_leads_to_its_results(admin_client: Client) -> None:
    llm = make_llm(custom_name="Mine")
    run = make_run(llm)
    make_bad(run, llm)
    other = make_run(llm)
    make_good(other, llm)

    page = admin_client.get(f"{RUNS}{run.pk}/change/").content.decode()
    results = admin_client.get(RESULTS, {"run__id__exact": str(run.pk)}).content.decode()

    assert "Mine" in page
    assert f"{RESULTS}?run__id__exact={run.pk}" in page
    assert "server_error" in results
    assert "1 benchmark result" in results


def test_history_is_read_only(admin_client: Client) -> None:
    llm = make_llm()
    run = make_run(llm)
    result = make_good(run, llm)

    assert admin_client.get(f"{RUNS}add/").status_code == 403
    assert admin_client.get(f"{RESULTS}add/").status_code == 403
    assert admin_client.post(f"{RUNS}{run.pk}/change/", {"name": "x"}).status_code == 403
    assert admin_client.post(f"{RESULTS}{result.pk}/delete/", {"post": "yes"}).status_code == 403


def test_the_cancel_action_counts_what_it_did(admin_client: Client) -> None:
    active, done = make_run(make_llm(), status="running"), make_run(make_llm(), status="completed")
    chosen = {"action": "cancel_runs", "_selected_action": [str(active.pk), str(done.pk)]}

    page = admin_client.post(RUNS, chosen, follow=True).content.decode()

    assert BenchmarkRun.objects.get(pk=active.pk).is_cancelled
    assert "Cancelled: 1." in page
    assert "Had ended already: 1." in page


def test_an_ended_run_is_deleted_with_its_results_and_a_running_one_is_not(
    admin_client: Client,
) -> None:
    llm = make_llm()
    done, active = make_run(llm, status="completed"), make_run(llm, status="running")
    make_good(done, llm)

    admin_client.post(f"{RUNS}{done.pk}/delete/", {"post": "yes"})
    refused = admin_client.post(f"{RUNS}{active.pk}/delete/", {"post": "yes"})

    assert refused.status_code == 403
    assert list(BenchmarkRun.objects.all()) == [active]


SCHEDULES = "/admin/benchmarks/benchmarkschedule/"


def schedule_form(**fields: str) -> dict[str, str]:
    rows = {"TOTAL_FORMS": "1", "INITIAL_FORMS": "0", "MIN_NUM_FORMS": "0", "MAX_NUM_FORMS": "9"}
    return {
        "name": "Nightly",
        "enabled": "on",
        "baseline_runs": "7",
        "alarm_after_runs": "1",
        "prompt_pack": "reasoning",
        "max_tokens": "200",
        "num_runs": "5",
        "concurrency_per_llm": "1",
        "arrivals": "poisson",
        "cache_busting": "on",
        "slo": "{}",
        **{f"targets-{name}": value for name, value in rows.items()},
        "targets-0-position": "0",
        **fields,
    }


def test_a_schedule_is_made_switched_off_and_rebased(admin_client: Client) -> None:
    llm = make_llm()

    form = schedule_form(cron="0 3 * * *", **{"targets-0-llm": str(llm.pk)})
    assert admin_client.post(f"{SCHEDULES}add/", form).status_code == 302

    schedule = BenchmarkSchedule.objects.get()
    assert schedule.llm_ids == [llm.pk]
    assert schedule.next_due_at is not None
    for name in ("disable", "rebase"):
        asked = {"action": name, "_selected_action": [str(schedule.pk)]}
        admin_client.post(SCHEDULES, asked)
    changed = BenchmarkSchedule.objects.get()
    assert (changed.enabled, changed.next_due_at) == (False, None)
    assert changed.baseline_from is not None


@pytest.mark.parametrize(
    "fields", [{}, {"cron": "soon"}, {"cron": "0 3 * * *", "every_hours": "5"}], ids=str
)
def test_a_schedule_without_a_rhythm_is_refused(
    admin_client: Client, fields: dict[str, str]
) -> None:
    form = schedule_form(**{"targets-0-llm": str(make_llm().pk)}, **fields)

    assert admin_client.post(f"{SCHEDULES}add/", form).status_code == 200
    assert not BenchmarkSchedule.objects.exists()


@pytest.mark.parametrize(
    ("field", "text"),
    [
        ("prompt_pack", "nope"),
        ("request_rate", "0"),
        ("request_rate", "101"),
        ("model_time_limit_s", "0"),
        ("run_time_limit_s", "0"),
        ("slo", "[1]"),
        ("slo", '{"ttft": 5}'),
    ],
)
def test_the_form_of_a_schedule_refuses_what_the_api_refuses(
    admin_client: Client, field: str, text: str
) -> None:
    fields = {"cron": "0 3 * * *", "targets-0-llm": str(make_llm().pk), field: text}

    page = admin_client.post(f"{SCHEDULES}add/", schedule_form(**fields))

    assert page.status_code == 200
    assert list(page.context["adminform"].form.errors) == [field]
    assert not BenchmarkSchedule.objects.exists()


def test_objectives_left_blank_are_none(admin_client: Client) -> None:
    fields = {"cron": "0 3 * * *", "targets-0-llm": str(make_llm().pk), "slo": ""}

    assert admin_client.post(f"{SCHEDULES}add/", schedule_form(**fields)).status_code == 302

    assert BenchmarkSchedule.objects.get().slo == {}


def test_a_list_of_schedules_costs_the_same_however_long(
    admin_client: Client, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    admin_client.get(SCHEDULES)
    for number in range(4):
        BenchmarkSchedule.make([make_llm()], name=f"{number}", prompt_pack="x", every_hours=1)

    with django_assert_num_queries(6):
        page = admin_client.get(SCHEDULES).content.decode()
    pk = BenchmarkSchedule.objects.all()[0].pk
    assert "every hours" in page.lower()
    assert admin_client.get(f"{SCHEDULES}{pk}/change/").status_code == 200
