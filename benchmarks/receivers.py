from __future__ import annotations

from typing import Any

from django.dispatch import receiver

from arguslm.api.work import send
from benchmarks import tasks
from benchmarks.announcements import announce
from benchmarks.models import BenchmarkRun
from benchmarks.signals import run_finished


@receiver(run_finished)
def announce_the_end(run: BenchmarkRun, **kwargs: Any) -> None:
    announce(run.pk)


@receiver(run_finished)
def prepare_what_will_be_read(run: BenchmarkRun, **kwargs: Any) -> None:
    send(tasks.prepare, str(run.pk))
    if run.schedule_id is not None:
        send(tasks.judge, str(run.pk))
