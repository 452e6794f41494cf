from __future__ import annotations

from typing import Any
from uuid import UUID

from celery import shared_task
from celery.signals import worker_shutdown, worker_shutting_down
from django.utils import timezone

from arguslm.api.work import nudge, send
from monitoring import retention, rounds, shares, totals
from monitoring.desk import serving
from monitoring.rollups import roll_up_waiting

LEAVING_S = 5.0


@shared_task(name="monitoring.tick", ignore_result=True, expires=5)
def tick() -> None:
    """Opens the rounds that are due and gets forgotten ones going again."""
    now = timezone.now()
    rounds.open_due(now)
    rounds.finish_left_over(now)
    for share_id in shares.call_out(now):
        nudge(probe_share, str(share_id))


@shared_task(name="monitoring.probe_share", ignore_result=True)
def probe_share(share_id: str) -> None:
    """Returns at once: the share's lease, not this task, says that it is being worked on."""
    serving.take(UUID(share_id))


@shared_task(name="monitoring.roll_up", ignore_result=True, expires=10)
def roll_up() -> None:
    roll_up_waiting()
    totals.recount()


@shared_task(name="monitoring.retain", ignore_result=True, expires=60)
def retain() -> None:
    retention.move_on(timezone.now())
    delete_old()


@shared_task(name="monitoring.delete_old", ignore_result=True, expires=60)
def delete_old() -> None:
    """Deletes what is too old; calls itself again while there is more."""
    if retention.sweep():
        send(delete_old)


@worker_shutting_down.connect
def leave(**kwargs: Any) -> None:
    serving.leave()


@worker_shutdown.connect
def wait_for_the_desk(**kwargs: Any) -> None:
    serving.wait(LEAVING_S)
