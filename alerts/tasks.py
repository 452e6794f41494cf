from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any
from uuid import UUID

from celery import current_app, shared_task
from celery.bootsteps import StartStopStep
from celery.signals import worker_shutting_down
from django.utils import timezone

from alerts import delivery, heartbeat, loose_ends, notices, orphans, pace, regressions, reminders
from alerts.couriers import couriers
from alerts.evaluation import evaluate_waiting
from alerts.models import AlertSettings, Delivery
from arguslm.api.work import send

log = logging.getLogger(__name__)
LEAVING_S = 3.0
CHORES: tuple[Callable[[], object], ...] = (
    orphans.withdraw,
    orphans.withdraw_of_channels,
    reminders.tell_again,
    notices.notice,
    regressions.withdraw_orphans,
    loose_ends.tie,
    Delivery.objects.give_up_waiting,
    pace.learn,
)


@shared_task(name="alerts.evaluate", ignore_result=True)
def evaluate_rounds() -> None:
    evaluate_waiting()


@shared_task(name="alerts.deliver", ignore_result=True)
def deliver(channel_id: str) -> None:
    """Returns at once: the delivery's lease, not this task, says that it is on its way."""
    couriers.take(UUID(channel_id))


@shared_task(name="alerts.ping_heartbeat", ignore_result=True, expires=60)
def ping_heartbeat() -> None:
    heartbeat.ping()


@shared_task(name="alerts.chores", ignore_result=True, expires=60)
def chores() -> None:
    """What may wait a few seconds: left-overs, reminders, baselines of performance rules."""
    for chore in CHORES:
        try:
            chore()
        except Exception:  # whatever is wrong with one, the others are done
            log.exception("%s failed; it is tried again.", chore.__name__)


@shared_task(name="alerts.sweep", ignore_result=True, expires=5)
def sweep() -> None:
    """Looks for news in rounds, and finds work whose message was lost."""
    evaluate_waiting()
    delivery.call_out()
    if heartbeat.claim():
        send(ping_heartbeat)
    if _chores_are_due():
        send(chores)


def _chores_are_due() -> bool:
    now, row = timezone.now(), AlertSettings.load()
    if row.chores_at is not None and row.chores_at > now - reminders.EVERY:
        return False
    claimed = AlertSettings.objects.filter(pk=row.pk, chores_at=row.chores_at)
    return claimed.update(chores_at=now) == 1


@worker_shutting_down.connect
def leave(**kwargs: Any) -> None:
    couriers.leave()


class Farewell(StartStopStep):
    """Before the loop is closed on which messages are sent."""

    def stop(self, parent: Any) -> None:
        couriers.wait(LEAVING_S)


current_app.steps["worker"].add(Farewell)
