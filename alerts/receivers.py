from __future__ import annotations

from typing import Any

from django.dispatch import receiver

from alerts.regressions import judge_benchmark
from alerts.tasks import evaluate_rounds
from arguslm.api.work import send
from benchmarks.models import BenchmarkRun
from benchmarks.signals import run_judged
from monitoring.signals import round_recorded


@receiver(round_recorded, dispatch_uid="alerts.evaluate")
def evaluate_after_a_round(**kwargs: Any) -> None:
    send(evaluate_rounds)


@receiver(run_judged, dispatch_uid="alerts.regressions")
def judge_after_a_benchmark(run: BenchmarkRun, **kwargs: Any) -> None:
    judge_benchmark(run)
