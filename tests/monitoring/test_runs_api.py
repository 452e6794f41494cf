from __future__ import annotations

from datetime import datetime, timedelta
from uuid import uuid4

import pytest
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries, DjangoCaptureOnCommitCallbacks
from rest_framework.test import APIClient

from monitoring import rounds
from monitoring.models import Round, RoundShare
from tests.make import make_account, make_check, make_llm, make_round
from tests.monitoring.conftest import make_monitored

pytestmark = pytest.mark.django_db
RUN, RUNS = "/api/v1/monitoring/run", "/api/v1/monitoring/runs"


def test_a_run_is_queued_at_once(api: APIClient) -> None:
    make_monitored()
    answer = api.post(RUN)
    opened = Round.objects.get()
    assert answer.status_code == 200
    assert answer.json() == {
        "run_id": str(opened.pk),
        "status": "queued",
        "message": "A run over 1 model is queued.",
    }


def test_a_run_asked_for_again_is_the_same_run(api: APIClient) -> None:
    make_monitored()
    first = api.post(RUN).json()
    second = api.post(RUN, {}, format="json").json()
    assert second["run_id"] == first["run_id"]
    assert second["message"] == "A run over 1 model is still under way; this is that one."
    assert Round.objects.count() == 1


def test_a_run_over_no_model_says_so_and_is_over(api: APIClient) -> None:
    body = api.post(RUN).json()
    assert body["message"] == "No model is enabled for monitoring, so there is nothing to check."
    told = api.get(f"{RUNS}/{body['run_id']}").json()
    assert (told["status"], told["planned"], told["progress"]) == ("completed", 0, 1.0)


def test_a_run_starts_though_the_broker_is_away(
    api: APIClient, django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks
) -> None:
    make_monitored()
    with django_capture_on_commit_callbacks(execute=True) as callbacks:
        assert api.post(RUN).status_code == 200
    assert len(callbacks) == 1


def test_a_run_tells_its_progress(api: APIClient) -> None:
    now = timezone.now()
    running = make_round(status="running", planned=4, started_at=now, due_at=now)
    for status in ("up", "down", "degraded"):
        make_check(round=running, status=status)
    assert api.get(f"{RUNS}/{running.pk}").json() == {
        "id": str(running.pk),
        "trigger": "manual",
        "status": "running",
        "prompt_pack": "health_check",
        "interval_minutes": None,
        "planned": 4,
        "overlapping": 0,
        "missed": None,
        "done": 3,
        "up": 1,
        "degraded": 1,
        "down": 1,
        "progress": 0.75,
        "self_offline": False,
        "skipped_slots": 0,
        "due_at": stamp(now),
        "created_at": stamp(running.created_at),
        "started_at": stamp(now),
        "finished_at": None,
    }


def stamp(moment: datetime) -> str:
    return moment.isoformat().replace("+00:00", "Z")


def test_the_end_counts_as_all_even_if_a_model_was_switched_off_meanwhile(api: APIClient) -> None:
    ended = make_round(planned=2)
    make_check(round=ended)
    body = api.get(f"{RUNS}/{ended.pk}").json()
    assert (body["done"], body["missed"], body["progress"]) == (1, 1, 1.0)


def test_a_cancelled_run_keeps_its_results_and_cannot_be_cancelled_again(api: APIClient) -> None:
    running = make_round(status="running", planned=2)
    share = RoundShare.objects.create(round=running, account=make_account())
    make_check(round=running)
    answer = api.post(f"{RUNS}/{running.pk}/cancel")
    assert answer.status_code == 200
    assert [answer.json()[name] for name in ("status", "done", "missed")] == ["cancelled", 1, 1]
    share.refresh_from_db()
    assert share.status == "cancelled"
    running.refresh_from_db()
    assert (running.up, running.degraded, running.down) == (1, 0, 0)
    assert api.post(f"{RUNS}/{running.pk}/cancel").status_code == 409


def test_a_run_keeps_its_counts_when_its_checks_are_gone(api: APIClient) -> None:
    ended = make_round(status="running", planned=3)
    for status in ("up", "down", "degraded"):
        make_check(round=ended, status=status)
    rounds.finish(ended, timezone.now())
    before = api.get(f"{RUNS}/{ended.pk}").json()
    ended.checks.all().delete()
    assert api.get(f"{RUNS}/{ended.pk}").json() == before
    assert [before[name] for name in ("done", "up", "missed")] == [3, 1, 0]


def test_ended_runs_are_listed_without_a_look_at_their_checks(
    api: APIClient, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    for _ in range(3):
        rounds.finish(make_round(status="running", planned=1), timezone.now())
    with django_assert_num_queries(2):
        assert [run["done"] for run in api.get(RUNS).json()["items"]] == [0, 0, 0]


def test_a_run_that_nobody_knows_cannot_be_cancelled(api: APIClient) -> None:
    assert api.post(f"{RUNS}/{uuid4()}/cancel").status_code == 404


def test_an_unknown_run_is_not_found(api: APIClient) -> None:
    assert api.get(f"{RUNS}/{uuid4()}").status_code == 404
    assert api.get(f"{RUNS}/17").status_code == 404


def test_runs_are_listed_newest_first_in_three_queries(
    api: APIClient, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    ended = [make_round(planned=1) for _ in range(3)]
    for round in ended:
        make_check(make_llm(), round)
    with django_assert_num_queries(3):
        body = api.get(f"{RUNS}?limit=2").json()
    assert [run["id"] for run in body["items"]] == [str(ended[2].pk), str(ended[1].pk)]
    assert (body["total"], body["limit"], body["offset"]) == (3, 2, 0)
    assert body["items"][0]["up"] == 1


def test_a_run_can_only_be_posted_and_runs_only_be_read(api: APIClient) -> None:
    assert api.get(RUN).status_code == 405
    assert api.post(RUNS).status_code == 405


def test_old_rounds_do_not_hide_a_new_one(api: APIClient) -> None:
    old = make_round(due_at=timezone.now() - timedelta(days=3))
    new = make_round()
    Round.objects.filter(pk=old.pk).update(created_at=old.due_at)
    assert [run["id"] for run in api.get(RUNS).json()["items"]] == [str(new.pk), str(old.pk)]
