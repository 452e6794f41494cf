from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries
from rest_framework.test import APIClient

from benchmarks import tasks
from benchmarks.cron import is_cron, next_of_cron, next_of_hours
from benchmarks.models import BenchmarkRun, BenchmarkSchedule
from benchmarks.regressions import judge_run
from benchmarks.signals import run_judged
from models_app.models import LLM
from tests.benchmarks.test_comparison_api import fill
from tests.make import make_llm, make_run

pytestmark = pytest.mark.django_db
URL = "/api/v1/benchmarks/schedules"
NOW = datetime(2026, 1, 31, 12, 30, tzinfo=UTC)


def make_schedule(*llms: LLM, **fields: Any) -> BenchmarkSchedule:
    rhythm = {} if "cron" in fields else {"every_hours": 6}
    defaults = {"name": "Nightly", "prompt_pack": "health_check", "num_runs": 5}
    return BenchmarkSchedule.make(llms or [make_llm()], **{**defaults, **rhythm, **fields})


def body_of(*llms: LLM, **fields: Any) -> dict[str, Any]:
    ids = [str(llm.pk) for llm in llms or [make_llm()]]
    return {"name": "Nightly", "model_ids": ids, "prompt_pack": "reasoning", **fields}


def test_a_schedule_is_made_read_changed_and_deleted(api: APIClient) -> None:
    llm = make_llm()

    made = api.post(URL, body_of(llm, every_hours=6, num_runs=10), format="json")

    body = made.json()
    stored = BenchmarkSchedule.objects.get()
    assert made.status_code == 201
    assert body == {
        "id": str(stored.pk),
        "name": "Nightly",
        "enabled": True,
        "cron": None,
        "every_hours": 6,
        "baseline_runs": 7,
        "alarm_after_runs": 1,
        "baseline_from": None,
        "next_due_at": body["next_due_at"],
        "last_note": "",
        "model_ids": [str(llm.pk)],
        "prompt_pack": "reasoning",
        "max_tokens": 200,
        "num_runs": 10,
        "concurrency_per_llm": 1,
        "request_rate": None,
        "arrivals": "poisson",
        "cache_busting": True,
        "model_time_limit_s": None,
        "run_time_limit_s": None,
        "slo": {},
        "created_at": body["created_at"],
        "updated_at": body["updated_at"],
    }
    url = f"{URL}/{stored.pk}"
    changed = api.patch(url, {"cron": "0 3 * * *", "enabled": True}, format="json").json()
    assert (changed["cron"], changed["every_hours"]) == ("0 3 * * *", None)
    assert changed["next_due_at"].endswith("T03:00:00Z")
    assert api.get(url).json() == changed
    assert api.patch(url, {"enabled": False}, format="json").json()["next_due_at"] is None
    assert api.delete(url).status_code == 204
    assert api.get(url).status_code == 404


def test_a_change_that_leaves_the_rhythm_alone_moves_no_slot(api: APIClient) -> None:
    schedule = make_schedule()
    BenchmarkSchedule.objects.update(next_due_at=NOW)
    same = {"name": "Renamed", "enabled": True, "every_hours": 6, "cron": None}

    body = api.patch(f"{URL}/{schedule.pk}", same, format="json").json()

    assert (body["name"], body["next_due_at"]) == ("Renamed", "2026-01-31T12:30:00Z")


def test_a_list_of_schedules_costs_three_queries(
    api: APIClient, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    for _ in range(4):
        make_schedule(make_llm(), make_llm())

    with django_assert_num_queries(3):
        body = api.get(URL).json()

    assert (len(body["items"]), body["total"], body["limit"], body["offset"]) == (4, 4, 50, 0)


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"every_hours": 6, "cron": "0 3 * * *"},
        {"cron": "soon"},
        {"cron": "* * * * * *"},
        {"cron": "61 * * * *"},
        {"cron": "@daily"},
        {"cron": "0 0 30 2 *"},
        {"cron": "0 0 31 4,6 *"},
        {"cron": "R 3 * * *"},
        {"cron": "0 3 R(1-5),9 * *"},
        {"cron": 5},
        {"every_hours": 0},
        {"every_hours": 745},
        {"every_hours": "6"},
        {"every_hours": 6, "baseline_runs": 2},
        {"every_hours": 6, "baseline_runs": 51},
        {"every_hours": 6, "name": ""},
        {"every_hours": 6, "name": None},
        {"every_hours": 6, "enabled": "yes"},
        {"every_hours": 6, "model_ids": []},
        {"every_hours": 6, "num_runs": 1001},
        {"every_hours": 6, "prompt_pack": "nope"},
        {"every_hours": 6, "slo": {"x": 1}},
        {"every_hours": 6, "seed": 5},
    ],
    ids=str,
)
def test_a_wrong_schedule_is_refused_and_not_stored(api: APIClient, fields: dict[str, Any]) -> None:
    answer = api.post(URL, body_of(**fields), format="json")

    assert answer.status_code == 400
    assert answer.json()["errors"]
    assert not BenchmarkSchedule.objects.exists()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("0 3 * * *", datetime(2026, 2, 1, 3, tzinfo=UTC)),
        ("*/20 * * * *", datetime(2026, 1, 31, 12, 40, tzinfo=UTC)),
        ("30 12 * * *", datetime(2026, 2, 1, 12, 30, tzinfo=UTC)),
        ("0 0 29 2 *", datetime(2028, 2, 29, tzinfo=UTC)),
    ],
)
def test_the_next_slot_of_a_cron_expression_is_in_utc(text: str, expected: datetime) -> None:
    assert is_cron(text)
    assert next_of_cron(text, NOW) == expected


def test_months_and_days_may_be_named() -> None:
    assert is_cron("0 3 * mar,apr fri")


def test_missed_slots_are_left_out_without_drift() -> None:
    six = timedelta(hours=6)

    assert next_of_hours(six, NOW, NOW) == NOW + six
    assert next_of_hours(six, NOW, NOW + timedelta(hours=20)) == NOW + timedelta(hours=24)


def test_a_due_schedule_orders_one_run_however_many_sweeps_there_are(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("benchmarks.tasks.send", lambda *args: None)
    llm = make_llm()
    schedule = make_schedule(llm, num_runs=4, max_tokens=33)
    slot = schedule.next_due_at

    for _ in range(3):
        tasks.sweep()

    run = BenchmarkRun.objects.get()
    assert (run.schedule_id, run.triggered_by) == (schedule.pk, "scheduled")
    assert (run.num_runs, run.max_tokens, run.llm_ids) == (4, 33, [llm.pk])
    schedule.refresh_from_db()
    assert slot is not None
    assert schedule.next_due_at == slot + timedelta(hours=6)


def test_two_sweeps_at_once_order_one_run() -> None:
    schedule = make_schedule()
    twin = BenchmarkSchedule.objects.get()
    now = timezone.now()

    assert schedule.run_slot(now) is not None
    BenchmarkRun.objects.update(status="completed")
    assert twin.run_slot(now) is None
    assert BenchmarkRun.objects.count() == 1


def test_a_slot_passes_while_the_run_before_is_open() -> None:
    schedule = make_schedule()
    now = timezone.now()
    schedule.run_slot(now)
    schedule.refresh_from_db()

    assert schedule.run_slot(now + timedelta(hours=7)) is None
    schedule.refresh_from_db()
    assert schedule.last_note == "The run before was not over yet."
    assert schedule.next_due_at is not None
    assert schedule.next_due_at > now + timedelta(hours=7)


def test_a_slot_passes_when_no_model_is_left() -> None:
    schedule = make_schedule(make_llm(enabled_for_benchmark=False))

    assert schedule.run_slot(timezone.now()) is None
    schedule.refresh_from_db()
    assert schedule.last_note == "None of its models is enabled for benchmarks."


def test_a_disabled_schedule_is_never_due() -> None:
    make_schedule(enabled=False)

    assert not BenchmarkSchedule.objects.due(timezone.now() + timedelta(days=9)).exists()


def make_history(schedule: BenchmarkSchedule, *levels: float) -> list[BenchmarkRun]:
    """Completed runs of the schedule, a day apart, at the given levels; the last is the newest."""
    llm = schedule.targets.get().llm
    runs = []
    for day, level in enumerate(levels):
        run = make_run(llm, schedule=schedule, seed=day, status="completed", num_runs=12)
        fill(run, llm, level)
        created_at = NOW + timedelta(days=day)
        BenchmarkRun.objects.filter(pk=run.pk).update(created_at=created_at)
        run.refresh_from_db()
        runs.append(run)
    return runs


def states(run: BenchmarkRun) -> dict[str, str]:
    judge_run(run.pk)
    run.refresh_from_db()
    return {verdict["metric"]: verdict["state"] for verdict in run.verdicts or []}


def test_a_slower_run_is_a_regression_against_the_earlier_ones_pooled() -> None:
    *_, newest = make_history(make_schedule(), 1.0, 1.01, 0.99, 1.0, 1.6)

    assert set(states(newest).values()) == {"slower"}
    verdict = (newest.verdicts or [])[0]
    assert (verdict["metric"], verdict["baseline_runs"], verdict["n_baseline"]) == (
        "ttft_ms",
        4,
        48,
    )
    assert verdict["ratio"] == pytest.approx(1.6, rel=0.1)
    assert 0 < verdict["usual_spread"] < 0.3


def test_an_unchanged_run_is_none() -> None:
    *_, newest = make_history(make_schedule(), 1.0, 1.02, 0.98, 1.0, 1.01)

    assert set(states(newest).values()) == {"no_detectable_difference"}


def test_the_first_three_runs_have_no_baseline() -> None:
    *_, newest = make_history(make_schedule(), 1.0, 1.0, 5.0)

    assert set(states(newest).values()) == {"no_baseline"}


def test_a_regressed_run_never_becomes_the_baseline() -> None:
    runs = make_history(make_schedule(), 1.0, 1.0, 1.01, 0.99, 1.6, 1.6, 1.6, 1.6, 1.6)

    for run in runs:
        found = states(run)

    assert set(found.values()) == {"slower"}
    assert (runs[-1].verdicts or [])[0]["baseline_runs"] == 4


def test_the_baseline_is_found_however_long_the_runs_have_been_slower() -> None:
    schedule = make_schedule(baseline_runs=3)
    runs = make_history(schedule, 1.0, 1.0, 1.01, 0.99, *[1.6] * 20)

    for run in runs:
        found = states(run)

    assert set(found.values()) == {"slower"}
    assert (runs[-1].verdicts or [])[0]["baseline_runs"] == 3


def test_the_error_of_late_runs_does_not_blunt_the_comparison_with_the_others() -> None:
    schedule = make_schedule(baseline_runs=9)
    runs = make_history(schedule, 1.0, 1.01, 0.99, *[1.0] * 6, 1.3)
    for run in runs[4:-1]:
        run.results.update(quality_flags=["client_lag"], uncertainty_ms=45.0)

    for run in runs:
        found = states(run)

    assert found["ttft_ms"] == "slower"
    assert (runs[-1].verdicts or [])[0]["baseline_runs"] == 4


def test_an_outage_pushes_no_run_out_of_the_baseline() -> None:
    runs = make_history(make_schedule(baseline_runs=3), 1.0, 1.01, 0.99, *[1.0] * 4, 1.6)
    for run in runs[3:-1]:
        run.results.update(error="The provider answered 503.", error_class="server_error")

    for run in runs:
        found = states(run)

    assert set(found.values()) == {"slower"}
    assert (runs[-1].verdicts or [])[0]["baseline_runs"] == 3


def test_a_schedule_may_want_a_second_slower_run_before_it_is_an_alert(api: APIClient) -> None:
    schedule = make_schedule(alarm_after_runs=2)
    runs = make_history(schedule, 1.0, 1.0, 1.01, 1.6, 1.0, 1.6, 1.6)
    for run in runs:
        states(run)

    shown = [api.get(f"/api/v1/benchmarks/{run.pk}").json()["verdicts"][0] for run in runs]

    assert [one["state"] == "slower" for one in shown] == [*[False] * 3, True, False, True, True]
    assert [one["confirmed"] for one in shown] == [*[False] * 6, True]
    assert shown[-1]["baseline_runs"] == 4


def test_a_run_in_which_the_client_was_late_never_becomes_the_baseline() -> None:
    runs = make_history(make_schedule(), 1.0, 1.01, 0.99, 1.0, 1.6)
    late = {"quality_flags": ["client_lag"], "uncertainty_ms": 40.0}
    runs[3].results.update(**late, ttft_ms=300.0)

    for run in runs:
        found = states(run)

    by_metric = {verdict["metric"]: verdict for verdict in runs[-1].verdicts or []}
    # It was late by more than a TTFT can bear, and by less than a latency can.
    assert (by_metric["ttft_ms"]["baseline_runs"], found["ttft_ms"]) == (3, "slower")
    assert by_metric["total_latency_ms"]["baseline_runs"] == 4


def test_rebasing_takes_the_present_level_as_the_usual_one(api: APIClient) -> None:
    schedule = make_schedule()
    make_history(schedule, 1.0, 1.0, 1.0)

    body = api.post(f"{URL}/{schedule.pk}/rebase").json()

    assert body["baseline_from"] is not None
    late = make_run(schedule.targets.get().llm, schedule=schedule, status="completed")
    assert set(states(late).values()) == {"no_baseline"}


def test_runs_with_other_settings_are_no_baseline() -> None:
    schedule = make_schedule()
    runs = make_history(schedule, 1.0, 1.0, 1.0, 3.0)
    BenchmarkRun.objects.filter(pk=runs[0].pk).update(max_tokens=7)

    assert set(states(runs[-1]).values()) == {"no_baseline"}


def test_a_run_is_judged_once_and_told_in_the_same_transaction() -> None:
    *_, newest = make_history(make_schedule(), 1.0, 1.0, 1.0, 3.0)
    told: list[Any] = []

    def broken(run: BenchmarkRun, **kwargs: Any) -> None:
        told.append(run.pk)
        if len(told) == 1:
            raise RuntimeError("the outbox is full")

    run_judged.connect(broken)
    try:
        with pytest.raises(RuntimeError):
            judge_run(newest.pk)
        assert BenchmarkRun.objects.unjudged().filter(pk=newest.pk).exists()
        judge_run(newest.pk)
        judge_run(newest.pk)
    finally:
        run_judged.disconnect(broken)

    assert told == [newest.pk, newest.pk]


def test_the_sweep_finds_runs_that_nobody_judged(monkeypatch: pytest.MonkeyPatch) -> None:
    sent: list[Any] = []
    monkeypatch.setattr("benchmarks.tasks.send", lambda task, run_id: sent.append(task.name))
    make_history(make_schedule(enabled=False), 1.0)

    tasks.sweep()

    assert sent == ["benchmarks.judge"]
