from __future__ import annotations

from typing import Any
from uuid import UUID

from celery import shared_task
from celery.signals import worker_shutting_down
from django.utils import timezone

from arguslm.api.work import nudge
from monitoring import rounds, shares


@shared_task(name="monitoring.tick", ignore_result=True, expires=5)
def tick() -> None:
    """Opens the round that is due and gets forgotten ones going again."""
    now = timezone.now()
    rounds.open_due(now)
    rounds.finish_left_over(now)
    for share_id in shares.call_out(now):
        nudge(probe_share, str(share_id))


@shared_task(name="monitoring.probe_share", ignore_result=True)
def probe_share(share_id: str) -> None:
    shares.work_on(UUID(share_id))


@worker_shutting_down.connect
def leave(**kwargs: Any) -> None:
    shares.leaving.set()
