from __future__ import annotations

from celery import shared_task

from alerts.evaluation import evaluate_waiting


@shared_task(name="alerts.evaluate", ignore_result=True)
def evaluate_rounds() -> None:
    evaluate_waiting()


@shared_task(name="alerts.sweep", ignore_result=True, expires=5)
def sweep() -> None:
    """Finds finished rounds whose message was lost."""
    evaluate_waiting()
