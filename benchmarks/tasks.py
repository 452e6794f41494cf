from __future__ import annotations

import threading
from typing import Any

from celery import shared_task
from celery.signals import worker_shutting_down
from django.utils import timezone

from arguslm.api.work import send
from benchmarks import archive, execution
from benchmarks.models import BenchmarkRun, BenchmarkSchedule
from benchmarks.regressions import judge_run

# A run keeps a thread of its worker for minutes: the others are for monitoring and alerts.
RUNS_PER_WORKER = 3
_seats = threading.BoundedSemaphore(RUNS_PER_WORKER)


@shared_task(name="benchmarks.execute")
def execute(run_id: str) -> None:
    """Does nothing when the run has ended or another worker has it, or when all seats are taken."""
    if execution.draining.is_set() or not _seats.acquire(blocking=False):
        return
    try:
        run = BenchmarkRun.claim(run_id)
        if run is not None:
            execution.execute(run)
    finally:
        _seats.release()
    nudge_waiting(1)


@shared_task(name="benchmarks.prepare")
def prepare(run_id: str) -> None:
    run = BenchmarkRun.objects.filter(pk=run_id).first()
    if run is not None:
        archive.prepare(run)


@shared_task(name="benchmarks.judge")
def judge(run_id: str) -> None:
    judge_run(run_id)


@shared_task(name="benchmarks.sweep")
def sweep() -> None:
    """Orders what is due, and finds what nobody works on: lost messages, dead or full workers."""
    now = timezone.now()
    for schedule in BenchmarkSchedule.objects.due(now):
        schedule.run_slot(now)
    nudge_waiting(RUNS_PER_WORKER)
    # A judgement is quick and running it twice is harmless, so one nudge a sweep will do.
    for run_id in BenchmarkRun.objects.unjudged().values_list("pk", flat=True)[:RUNS_PER_WORKER]:
        send(judge, str(run_id))


def nudge_waiting(most: int) -> None:
    waiting = BenchmarkRun.objects.left_lying(timezone.now()).values_list("pk", flat=True)
    for run_id in waiting[:most]:
        send(execute, str(run_id))


@worker_shutting_down.connect
def hand_back(**kwargs: Any) -> None:
    execution.draining.set()
