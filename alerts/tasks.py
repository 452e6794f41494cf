from __future__ import annotations

from uuid import UUID

from celery import shared_task
from django.utils import timezone

from alerts import delivery, heartbeat, notices, orphans, pace, regressions, reminders
from alerts.evaluation import evaluate_waiting
from alerts.models import AlertSettings, Delivery
from arguslm.api.work import send


@shared_task(name="alerts.evaluate", ignore_result=True)
def evaluate_rounds() -> None:
    evaluate_waiting()


@shared_task(name="alerts.deliver", ignore_result=True)
def deliver(channel_id: str) -> None:
    delivery.drain(UUID(channel_id))


@shared_task(name="alerts.ping_heartbeat", ignore_result=True, expires=60)
def ping_heartbeat() -> None:
    heartbeat.ping()


@shared_task(name="alerts.chores", ignore_result=True, expires=60)
def chores() -> None:
    """What may wait a few seconds: left-overs, reminders, baselines of performance rules."""
    orphans.withdraw()
    reminders.tell_again()
    notices.notice()
    regressions.withdraw_orphans()
    Delivery.objects.give_up_waiting(timezone.now())
    pace.learn()


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
